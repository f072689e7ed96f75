# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All areas of all hosts, judged: the report."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.odooops.stack.plugins.module_utils._audit import database, host, odoo, site, store
from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import SEVERITIES, Area, Facts, Finding, moment

# By the names of the task files that look at them.
AREAS: dict[str, Area] = {
    "store": store.AREA,
    "database": database.AREA,
    "odoo": odoo.AREA,
    "files": host.FILES,
    "listeners": host.LISTENERS,
    "certificates": host.CERTIFICATES,
    "units": host.UNITS,
    "site": site.SITE,
}


def review(told: t.Mapping[str, Facts], bounds: Facts, accepted: t.Sequence[str], fail_on: str) -> dict[str, t.Any]:
    """Judge what was seen.

    :param told: by host and area ``{"seen": ..., "declared": ...}``, or ``{"failed": the reason}`` where it could not be looked at; a host that has no
        area could not be looked at either.
    :param accepted: findings that are not to be shown as such, each as its ``check``, a space, and its ``subject``.
    :param fail_on: the severity from which on the audit fails, or ``never``.
    :return: ``{"time", "failed", "fail_on", "counts", "findings", "accepted", "accepted_in_vain", "seen"}``. The findings are dictionaries, the
        worst first; ``failed`` is whether one of them is bad enough.
    """
    findings = [{"host": name, **asdict(each)} for name, areas in told.items() for each in judge(areas, bounds)]
    findings.sort(key=lambda each: (-SEVERITIES.index(each["severity"]), list(told).index(each["host"])))
    names = [f"{each['check']} {each['subject']}" for each in findings]
    shown = [each for each, name in zip(findings, names, strict=True) if name not in accepted]
    bad = SEVERITIES[SEVERITIES.index(fail_on) :] if fail_on in SEVERITIES else ()
    return {
        "time": moment(bounds["now"]),
        "failed": any(each["severity"] in bad for each in shown),
        "fail_on": fail_on,
        "counts": {severity: sum(each["severity"] == severity for each in shown) for severity in reversed(SEVERITIES)},
        "findings": shown,
        "accepted": [each for each, name in zip(findings, names, strict=True) if name in accepted],
        "accepted_in_vain": [each for each in accepted if each not in names],
        "seen": {name: {area: AREAS[area].show(facts["seen"]) for area, facts in areas.items() if "seen" in facts} for name, areas in told.items()},
    }


def judge(areas: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """The findings of one host."""
    if not areas:
        yield unseen("host", "it was not reached")
    for area, facts in areas.items():
        if "failed" in facts:
            yield unseen(area, facts["failed"])
            continue
        for check in AREAS[area].checks:
            yield from check(facts["seen"], facts["declared"], bounds)


def unseen(what: str, reason: str) -> Finding:
    return Finding(
        "high",
        "unseen",
        what,
        f"The audit could not look at this ({what}): {' '.join(reason.split()).rstrip('. ')}.",
        "What is not looked at is not known to be right.",
        "Mend that, and run the audit again.",
    )
