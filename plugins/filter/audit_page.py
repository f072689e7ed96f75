# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the playbook audit as a page of HTML."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_page
short_description: Write the report of an audit as a page of HTML
version_added: 0.1.0
description:
  - Returns a page that needs no other file. All that comes from the hosts is escaped.
options:
  _input:
    description: The report, as P(odooops.stack.audit_review#filter) returns it, with C(instance) beside it.
    type: dict
    required: true
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ report | combine({'instance': 'shop'}) | odooops.stack.audit_page }}"
    dest: audit.html
    mode: '0600'
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.page import page


class FilterModule:
    """The filter audit_page."""

    def filters(self) -> dict[str, t.Any]:
        return {"audit_page": page}
