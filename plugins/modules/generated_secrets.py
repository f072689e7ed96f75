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
  - Makes sure that a YAML file of variables has a value for each name, and generates those that are missing.
  - A value that is there is never changed. The file is written at once and whole, with mode C(0600), before anything uses it.
  - Run it on the controller, with O(ignore:delegate_to=localhost) and O(ignore:no_log=true).
options:
  path:
    description:
      - The file of variables, such as C(group_vars/all/secrets.yml) beside the inventory.
      - It may not lie inside an installed collection, which an upgrade replaces.
      - It may be encrypted with C(ansible-vault) as long as no name is missing in it.
    type: path
    required: true
  names:
    description: The names of the variables that must have a value.
    type: list
    elements: str
    required: true
  length:
    description: The number of characters (letters and digits) of a generated value; 20 are worth 119 bits.
    type: int
    default: 32
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
"""

EXAMPLES = r"""
- name: Have a password for Odoo's administrator
  odooops.stack.generated_secrets:
    path: "{{ inventory_dir }}/group_vars/all/secrets.yml"
    names:
      - odoo_admin_password
  delegate_to: localhost
  become: false
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

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.odooops.stack.plugins.module_utils._secrets_file import HAS_YAML, HEADER, SecretsError, random_secret, read, real_place, write


def ensure(path: str, names: list[str], length: int, check_mode: bool) -> dict[str, t.Any]:
    """Return the module's result; write the file unless I(check_mode)."""
    path = real_place(path)
    text, values, encrypted = read(path)
    missing = [name for name in names if name not in values]
    if encrypted and missing:
        raise SecretsError(f"{path} is encrypted, and there is no value for {', '.join(missing)}: add them with 'ansible-vault edit {path}'.")
    unreadable = [name for name in names if name in values and not values[name]]
    if unreadable:
        raise SecretsError(f"{path} has {', '.join(unreadable)} without a value, or encrypted where Ansible does not load it as a variable.")
    new = {name: random_secret(length) for name in missing}
    if new and not check_mode:
        if text and not text.endswith("\n"):
            text += "\n"
        write(path, (text or HEADER) + "".join(f'{name}: "{value}"\n' for name, value in new.items()))
    known = "".join(f"{name}\n" for name in values)
    return {
        "changed": bool(new),
        "generated": missing,
        "secrets": {name: new[name] if name in new else values[name] for name in names},
        "diff": {"before_header": path, "after_header": path, "before": known, "after": known + "".join(f"{name}\n" for name in missing)},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "length": {"type": "int", "default": 32},
        },
        supports_check_mode=True,
    )
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    if module.params["length"] < 20:
        module.fail_json(msg=f"length is {module.params['length']}: a secret needs at least 20 characters.")
    try:
        module.exit_json(**ensure(module.params["path"], module.params["names"], module.params["length"], module.check_mode))
    except SecretsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
