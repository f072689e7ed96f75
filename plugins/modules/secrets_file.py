#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: secrets_file
short_description: Change several values of a file of secrets at once
version_added: 0.1.0
author:
  - the odooops.stack authors (@odooops)
description:
  - Sets, generates and removes variables in a YAML file that holds one variable a line, such as M(odooops.stack.generated_secrets) keeps it, or wherever
    a command of yours keeps them.
  - All of it is one change. The file is written whole, with mode C(0600), and is on the disk before the module ends, so that a step that depends
    on it can be lost, but no secret.
  - Lines of other variables and comments stay as they are. A value over several lines cannot be changed, unless C(ansible-vault) has encrypted it.
  - Run it with O(ignore:run_once=true) and O(ignore:no_log=true).
options:
  set:
    description: The values that variables get.
    type: dict
    default: {}
  generate:
    description: The names of variables that get a new value of 32 random letters and digits, whether or not they have one.
    type: list
    elements: str
    default: []
  remove:
    description: The names of variables that are removed.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - odooops.stack.secrets
attributes:
  check_mode:
    description: Can predict the change without making it. Values it would generate are made up, and written nowhere.
    support: full
  diff_mode:
    description: Shows the names that are set or removed, never a value.
    support: full
  idempotent:
    description: Not with O(generate).
    support: partial
seealso:
  - module: odooops.stack.generated_secrets
"""

EXAMPLES = r"""
- name: Put a new password in the place of the present one, and keep that
  odooops.stack.secrets_file:
    path: "{{ inventory_dir }}/group_vars/all/secrets.yml"
    set:
      shop_password_former: "{{ shop_password }}"
    generate:
      - shop_password
  run_once: true
  no_log: true
  register: store
"""

RETURN = r"""
secrets:
  description: All variables with their values, as they are afterwards. The task must have C(no_log).
  type: dict
  returned: always
encrypted:
  description: Whether none of them lies on the disk in the clear, since the file is encrypted as a whole, or O(command) keeps them.
  type: bool
  returned: always
"""
