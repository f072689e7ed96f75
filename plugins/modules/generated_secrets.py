#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: generated_secrets
short_description: Generate secrets once, into a file of variables beside the inventory
version_added: 0.1.0
author:
  - the odooops.stack authors (@odooops)
description:
  - Makes sure that a YAML file of variables has a value for each name, and generates those that are missing. A command of yours may keep them instead.
  - A value that is there is never changed. The file is written at once and whole, with mode C(0600), before anything uses it.
  - Run it with O(ignore:run_once=true) and O(ignore:no_log=true).
options:
  names:
    description: The names of the variables that must have a value.
    type: list
    elements: str
    required: true
  length:
    description: The number of characters (letters and digits) of a generated value; 20 are worth 119 bits.
    type: int
    default: 32
extends_documentation_fragment:
  - odooops.stack.secrets
attributes:
  check_mode:
    description: Can predict the change without making it. The values it returns are then made up for those that are missing, and written nowhere.
    support: full
  diff_mode:
    description: Shows the names that are added, never a value.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
seealso:
  - module: odooops.stack.secrets_file
"""

EXAMPLES = r"""
- name: Have a password for Odoo's administrator
  odooops.stack.generated_secrets:
    path: "{{ inventory_dir }}/group_vars/all/secrets.yml"
    names:
      - odoo_admin_password
  run_once: true
  no_log: true
  register: secrets
"""

RETURN = r"""
secrets:
  description: Each of O(names) with its value. The task must have C(no_log).
  type: dict
  returned: always
generated:
  description: The names that had no value before.
  type: list
  elements: str
  returned: always
  sample: [odoo_admin_password]
"""
