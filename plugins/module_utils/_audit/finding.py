# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check returns."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

SEVERITIES = ("low", "medium", "high", "critical")

Facts = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Finding:
    """Something that somebody should look at.

    :param severity: one of :data:`SEVERITIES`.
    :param check: the name of what was found, by which a site can accept it (``audit_accepted``).
    :param subject: whom or what it is about.
    :param what: what was found; ``why``: why it matters; ``todo``: what to do. One sentence each, without a secret.
    """

    severity: str
    check: str
    subject: str
    what: str
    why: str
    todo: str


class Check(t.Protocol):
    """One check: what was seen, what is declared and the bounds go in, findings come out."""

    def __call__(self, seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]: ...


@dataclass(frozen=True)
class Area:
    """What is seen by one task file (``playbooks/tasks/audit/<area>.yml``): its checks, and how it is shown to a reader."""

    checks: tuple[Check, ...]
    show: t.Callable[[Facts], dict[str, t.Any]] = dict


def named(items: t.Iterable[Facts], key: str = "name") -> dict[str, Facts]:
    """Items by their names."""
    return {item[key]: item for item in items}


def joined(items: t.Iterable[object]) -> str:
    """A list as a sentence has it."""
    texts = [str(item) for item in items]
    return ", ".join(texts[:-1]) + " and " + texts[-1] if len(texts) > 1 else "".join(texts)


def days(seconds: float) -> int:
    return int(seconds // 86400)


def moment(seconds: float) -> str:
    """Seconds since 1970 as a date and time (UTC)."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
