# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a configuration file with other values, and all else as it is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ini_values
short_description: Give options of a configuration file other values
version_added: 0.1.0
description:
  - Returns the text of an INI file, such as odoo.conf, in which some options of one section have other values. All else stays as it is.
  - Options that are not there are added at the head of the section.
options:
  _input:
    description: The text of the file.
    type: str
    required: true
  section:
    description: The name of the section, which must be there.
    type: str
    required: true
  values:
    description: Options, each with its value of one line.
    type: dict
    required: true
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Write another password
  ansible.builtin.copy:
    content: "{{ conf.content | b64decode | odooops.stack.ini_values('options', {'db_password': password}) }}"
    dest: /etc/odoo/odoo.conf
    owner: root
    group: odoo
    mode: '0640'
  diff: false
  no_log: true
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

import re
from typing import Any

from ansible.errors import AnsibleFilterError


def ini_values(text: str, section: str, values: dict[str, Any]) -> str:
    """The text with these options of the section."""
    wrong = [name for name, value in values.items() if "\n" in str(value) or "\r" in str(value)]
    if wrong:
        raise AnsibleFilterError(f"{', '.join(wrong)} must have one line")
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if line.strip() == f"[{section}]"]
    if not heads:
        raise AnsibleFilterError(f"there is no section [{section}] in the configuration file")
    first = heads[0] + 1
    end = next((number for number in range(first, len(lines)) if lines[number].startswith("[")), len(lines))
    body, kept = lines[first:end], set()
    found: list[str] = []
    continued = False
    for line in body:
        if line[:1] in (" ", "\t") and continued:
            continue
        option = re.match(r"([^\s=:#;][^=:]*?)[ \t]*[=:]", line)
        name = option[1].lower() if option else ""
        continued = name in values
        if not continued:
            found.append(line)
        elif name not in kept:
            kept.add(name)
            found.append(f"{name} = {values[name]}")
    added = [f"{name} = {value}" for name, value in values.items() if name not in kept]
    return "\n".join([*lines[:first], *added, *found, *lines[end:]]) + "\n"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Any]:
        return {"ini_values": ini_values}
