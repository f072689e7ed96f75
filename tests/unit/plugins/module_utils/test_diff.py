# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.odooops.stack.plugins.module_utils._diff import plan


def test_what_is_not_wanted_is_left_alone():
    diff = plan({"name": "a", "enabled": False}, {"name": "a", "enabled": None})
    assert not diff.changed and diff.after == {"name": "a", "enabled": False}
    assert diff.result() == {"changed": False, "diff": {"before": {"name": "a", "enabled": False}, "after": {"name": "a", "enabled": False}}}


def test_a_change_touches_what_it_changes():
    diff = plan({"name": "a", "enabled": False}, {"name": "a", "enabled": True})
    assert diff.changed and diff.touches("enabled") and not diff.touches("name") and not diff.created and not diff.removed


def test_creation_and_removal():
    assert plan(None, {"name": "a"}).created
    assert plan({"name": "a"}, None).removed
    assert plan({"name": "a"}, None).result()["diff"] == {"before": {"name": "a"}, "after": {}}
    assert not plan(None, None).changed


def test_an_empty_value_is_a_value():
    assert plan({"policies": ["a"]}, {"policies": []}).changed
