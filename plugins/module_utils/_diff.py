# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module would change: computed once, for check mode, for --diff and for the change itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Diff:
    """A thing as it is and as it is wanted; ``None`` for a thing that is not there."""

    before: dict[str, t.Any] | None
    after: dict[str, t.Any] | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def created(self) -> bool:
        return self.before is None and self.after is not None

    @property
    def removed(self) -> bool:
        return self.before is not None and self.after is None

    def touches(self, name: str) -> bool:
        """Whether this property of the thing would change."""
        return (self.before or {}).get(name) != (self.after or {}).get(name)

    def result(self) -> dict[str, t.Any]:
        """The part of a module's result that says what changed."""
        return {"changed": self.changed, "diff": {"before": self.before or {}, "after": self.after or {}}}


def plan(current: t.Mapping[str, t.Any] | None, wanted: t.Mapping[str, t.Any] | None) -> Diff:
    """Compare a thing with what is wanted of it.

    ``wanted`` is ``None`` when the thing is to be absent; a property that is ``None`` in it is left alone. Both sides
    hold normalised values, so that two spellings of one value are equal.
    """
    before = None if current is None else dict(current)
    if wanted is None:
        return Diff(before, None)
    after = dict(before or {})
    after.update((name, value) for name, value in wanted.items() if value is not None)
    return Diff(before, after)


def wanted_set(current: t.Iterable[str], wanted: t.Iterable[str] | None, purge: bool) -> list[str] | None:
    """A set of names as it is to be, sorted; ``None`` where it is left alone. Without ``purge`` nothing is taken out of it."""
    if wanted is None:
        return None
    return sorted({*wanted} if purge else {*current, *wanted})
