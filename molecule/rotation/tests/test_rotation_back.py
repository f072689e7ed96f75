"""From each phase back to what was in use before: at night only, as each of these is two rotations of everything."""

from __future__ import annotations

import typing as t

import pytest
from run import Run
from test_rotation import KINDS, REFUSED, VALUES, answers, kept

PHASES = ("create", "prove", "rollout", "switch", "grace", "disable", "check")


def test_what_was_begun_before_is_ended() -> None:
    run = Run()
    assert run.code == 0, run.output
    assert [name for name in kept() if name.endswith(("_next", "_former", "_going_back"))] == []


@pytest.mark.parametrize("phase", PHASES)
def test_back_from_each_phase(on: t.Any, phase: str) -> None:
    before = kept()
    begun = Run("--tags", ",".join(PHASES[: PHASES.index(phase) + 1]))
    assert begun.code == 0, begun.output
    newest = kept()
    back = Run("-e", "direction=back")
    assert back.code == 0, back.output
    now = kept()
    told = {f"stack_{kind}_rotated" for kind in KINDS}
    idle = {f"stack_{kind}_password_{'b' if before[f'stack_{kind}_login'] == 'a' else 'a'}" for kind in ("database", "sessions")}
    assert {name for name in {*before, *now} if before.get(name) != now.get(name)} - told == idle
    assert set(answers(on, now).values()) == {"served"}
    new = {name: newest.get(f"{name}_next", newest[name]) for name in VALUES}
    assert answers(on, {**newest, **new}) == REFUSED
