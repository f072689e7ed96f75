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
  - Sets, generates and removes variables in a YAML file that holds one variable a line, such as M(odooops.stack.generated_secrets) keeps it.
  - All of it is one change. The file is written whole, with mode C(0600), and is on the disk before the module ends, so that a step that depends
    on it can be lost, but no secret.
  - Lines of other variables and comments stay as they are. A value over several lines, or an encrypted one, cannot be changed.
  - Run it on the controller, with O(ignore:delegate_to=localhost) and O(ignore:no_log=true).
options:
  path:
    description:
      - The file of variables, such as C(group_vars/all/secrets.yml) beside the inventory.
      - It may not lie inside an installed collection, which an upgrade replaces, nor be encrypted as a whole where something is to be changed.
    type: path
    required: true
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
  delegate_to: localhost
  become: false
  run_once: true
  no_log: true
  register: store
"""

RETURN = r"""
secrets:
  description:
    - All variables of the file with their values, as they are afterwards; those that are encrypted are none. The task must have C(no_log).
    - Ansible hides the values that O(set) was given; a second task that changes nothing has them.
  type: dict
  returned: always
encrypted:
  description: Whether the file is encrypted as a whole. Then O(ignore:secrets) is empty.
  type: bool
  returned: always
"""

import json
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.odooops.stack.plugins.module_utils._secrets_file import HAS_YAML, HEADER, SecretsError, parse, random_secret, read, real_place, write


def edit(text: str, changes: dict[str, str | None]) -> str:
    """Return the text with these variables set, or removed where the value is C(None)."""
    if text and not text.endswith("\n"):
        text += "\n"
    for name, value in changes.items():
        # A line of a secret may hold what looks like a reference to a group.
        line = "" if value is None else f"{name}: {json.dumps(value)}\n"
        text, found = re.subn(rf"(?m)^{re.escape(name)}[ \t]*:.*\n", line.replace("\\", r"\\"), text)
        if not found:
            text += line
    return text


def change(path: str, changes: dict[str, str | None], check_mode: bool) -> dict[str, t.Any]:
    """Return the module's result; write the file unless I(check_mode)."""
    path = real_place(path)
    text, values, encrypted = read(path)
    wrong = [name for name in changes if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]
    if wrong:
        raise SecretsError(f"{', '.join(wrong)} is no name of a variable.")
    due = {name: value for name, value in changes.items() if values.get(name) != value}
    if encrypted and due:
        raise SecretsError(
            f"{path} is encrypted, and {', '.join(due)} is to be changed in it: "
            f"run 'ansible-vault decrypt {path}' before, and 'ansible-vault encrypt {path}' after."
        )
    after = {name: value for name, value in {**values, **due}.items() if due.get(name, "") is not None}
    if due:
        new = edit(text or HEADER, due)
        try:
            understood = parse(new, path) == after
        except SecretsError:
            understood = False
        if not understood:
            raise SecretsError(f"{path} has {', '.join(due)} in a form that cannot be changed: put each of them on a line of its own, as 'name: value'.")
        if not check_mode:
            write(path, new)
    return {
        "changed": bool(due),
        "encrypted": encrypted,
        "secrets": {name: value for name, value in after.items() if value is not None},
        "diff": {
            "before_header": path,
            "after_header": path,
            "before": "".join(f"{name}\n" for name in values),
            "after": "".join(f"{name}{' (set)' if name in due else ''}\n" for name in after),
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "set": {"type": "dict", "default": {}, "no_log": True},
            "generate": {"type": "list", "elements": "str", "default": []},
            "remove": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    params = module.params
    changes: dict[str, str | None] = {name: str(value) for name, value in params["set"].items()}
    changes.update({name: random_secret() for name in params["generate"]})
    changes.update(dict.fromkeys(params["remove"]))
    # A name that is given twice is a mistake whose outcome nobody should have to guess.
    twice = len(changes) < len(params["set"]) + len(params["generate"]) + len(params["remove"])
    try:
        if twice:
            raise SecretsError("set, generate and remove have a name in common: each variable can be changed in one way only.")
        module.exit_json(**change(params["path"], changes, module.check_mode))
    except SecretsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
