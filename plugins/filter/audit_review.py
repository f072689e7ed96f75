# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what the playbook audit has seen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_review
short_description: Judge what an audit has seen
version_added: 0.1.0
description:
  - Compares what was seen on the hosts with what is declared, and returns the report of the playbook C(odooops.stack.audit).
options:
  _input:
    description:
      - For each host, what was seen and what is declared, by area, as the playbook's tasks gather it.
    type: dict
    required: true
  bounds:
    description:
      - What is allowed, as C(now) (seconds since 1970), C(key_days), C(certificate_days), C(unit_exposure) and C(require_encryption).
    type: dict
    required: true
  accepted:
    description: Findings that are known and wanted, each as its name and its subject with a space between.
    type: list
    elements: str
    default: []
  fail_on:
    description: The severity from which on the audit fails.
    type: str
    choices: [critical, high, medium, low, never]
    default: high
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Judge
  ansible.builtin.set_fact:
    report: "{{ told | odooops.stack.audit_review(bounds, fail_on='critical') }}"
"""

RETURN = r"""
_value:
  description:
    - The report, with C(failed), C(counts) by severity, C(findings) (the worst first, each with C(severity), C(host), C(check), C(subject), C(what),
      C(why) and C(todo)), C(accepted), C(accepted_in_vain) and what was C(seen).
  type: dict
"""

import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.review import review


def audit_review(told: t.Mapping[str, t.Any], bounds: t.Mapping[str, t.Any], accepted: t.Sequence[str] = (), fail_on: str = "high") -> dict[str, t.Any]:
    """The report, see :func:`review.review`."""
    return review(told, bounds, accepted, fail_on)


class FilterModule:
    """The filter audit_review."""

    def filters(self) -> dict[str, t.Any]:
        return {"audit_review": audit_review}
