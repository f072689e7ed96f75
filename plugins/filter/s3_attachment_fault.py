# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine says to settings, before they are on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: s3_attachment_fault
short_description: Find out what is wrong with settings of the Odoo addon s3_attachment
version_added: 0.1.0
description:
  - Checks settings with the code that will read them in Odoo, so that wrong ones never get to a host.
options:
  _input:
    description:
      - The settings by their names in the section C([s3_attachment]) of a configuration file. Empty ones are as good as none.
      - Whether C(ca_bundle) is there is not checked, because it is a file of the host.
    type: dict
    required: true
  origin:
    description: What stands before each name where it was set, for the message.
    type: str
    default: ""
  further:
    description: Settings that win over the others; for the message they are from the variable C(settings) with O(origin) before it.
    type: dict
    default: {}
  routes:
    description: The routes, each with its C(code) and the settings of its section C([s3_attachment:CODE]).
    type: list
    elements: dict
    default: []
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Stop at wrong settings
  ansible.builtin.assert:
    that: fault == ''
    fail_msg: "{{ fault }}"
  vars:
    fault: "{{ {'bucket': 'odoo', 'presign_ttl': 30} | odooops.stack.s3_attachment_fault }}"
"""

RETURN = r"""
_value:
  description: One sentence without any secret, or an empty string if all is well.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.odooops.stack.plugins.module_utils.filestore import config
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import ConfigError


def s3_attachment_fault(
    settings: Mapping[str, Any], origin: str = "", further: Mapping[str, Any] | None = None, routes: Sequence[Mapping[str, Any]] = ()
) -> str:
    """The sentence, or ''."""
    origins = {name: f"{origin}{name}" for name in settings} | dict.fromkeys(further or {}, f"{origin}settings")
    given = {name: str(value) for name, value in {**settings, **(further or {})}.items() if name != "ca_bundle" and value not in ("", None)}
    codes = [str(route["code"]) for route in routes]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        return f"{origin}routes has {twice[0]} more than once."
    sections = {str(route["code"]): {name: str(value) for name, value in route.items() if name != "code" and value not in ("", None)} for route in routes}
    try:
        config.parse(given, origins, sections)
    except ConfigError as error:
        return f"{error}."
    return ""


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"s3_attachment_fault": s3_attachment_fault}
