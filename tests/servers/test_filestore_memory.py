# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pitfall 26, in names: `make bench-migration ARGUMENTS=--memory` does the same with a million of them, and all phases."""

from __future__ import annotations

import pathlib

from many_names import peaks

RUNS = ("upload", "report")
FEW, MANY = 20_000, 160_000
# In MB. A name alone takes twice as many bytes as this allows for each.
GROWTH = 6


def test_memory_does_not_grow_with_the_names(database_server: dict[str, str], tmp_path: pathlib.Path) -> None:
    few, many = (peaks(count, tmp_path / str(count), database_server, RUNS) for count in (FEW, MANY))
    assert all(20 < peak < 120 for peak in many.values()), many
    assert all(many[run] - few[run] < GROWTH for run in RUNS), (few, many)
