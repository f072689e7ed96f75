# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would change, without changing it.
  diff_mode:
    description: Returns what changed (or in C(check_mode) would change) when in diff mode.
  idempotent:
    description: A second run in a row, with the same options, changes nothing.
"""

    # What modules have in common that only look.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - It changes nothing.
  diff_mode:
    support: N/A
    details:
      - It changes nothing.
  idempotent:
    support: full
    details:
      - It changes nothing.
"""

    ACTION_GROUP_S3 = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/odooops.stack.s3) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - odooops.stack.s3
"""

    ACTION_GROUP_MINIO = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/odooops.stack.minio) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - odooops.stack.minio
"""
