# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.odooops.stack.plugins.module_utils import _bucket_rules as rules
from hypothesis import given
from hypothesis import strategies as st

DAYS = st.integers(1, 4000)
TEXTS = st.text("abc/", min_size=1, max_size=5)
TAGS = st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3)
LIFECYCLE = st.lists(
    st.fixed_dictionaries(
        {"id": TEXTS, "enabled": st.booleans(), "noncurrent_expiration_days": DAYS},
        optional={
            "prefix": TEXTS,
            "tags": TAGS,
            "size_greater_than": st.integers(0, 1000),
            "size_less_than": st.integers(2000, 3000),
            "expiration_days": DAYS,
            "noncurrent_versions_kept": DAYS,
            "transitions": st.lists(st.fixed_dictionaries({"days": DAYS, "storage_class": TEXTS}), max_size=2),
            "noncurrent_transitions": st.lists(st.fixed_dictionaries({"days": DAYS, "storage_class": TEXTS}, optional={"versions_kept": DAYS}), max_size=2),
        },
    ),
    unique_by=lambda rule: rule["id"],
)
REPLICATION = st.lists(
    st.fixed_dictionaries(
        {"id": TEXTS, "enabled": st.booleans(), "destination": st.just("arn:aws:s3:::b"), "priority": st.integers(1, 10_000)},
        optional={"prefix": TEXTS, "tags": TAGS, "storage_class": TEXTS, **dict.fromkeys(rules.SWITCHES, st.booleans())},
    ),
    min_size=1,
    unique_by=(lambda rule: rule["id"], lambda rule: rule["priority"]),
)


@given(LIFECYCLE)
def test_lifecycle_rules_come_back_as_they_were_sent(wish):
    wanted = rules.lifecycle_wanted(wish)
    assert rules.lifecycle_read(rules.lifecycle_sent(wanted)) == wanted == rules.lifecycle_wanted(wish[::-1])


@given(REPLICATION)
def test_replication_rules_come_back_as_they_were_sent(wish):
    wanted = rules.replication_wanted(wish, "role")
    assert rules.replication_read({"ReplicationConfiguration": rules.replication_sent(wanted)}) == wanted


@given(TAGS)
def test_tags_come_back_as_they_were_sent(wish):
    assert rules.tags_read(rules.tags_sent(rules.tags_wanted(wish))) == wish


def test_what_no_option_can_say_shows_and_is_sent_again():
    there = {"Rules": [{"ID": "a", "Status": "Enabled", "Prefix": "old/", "Expiration": {"Days": 3}, "NewThing": {"X": 1}}]}
    [rule] = rules.lifecycle_read(there)
    assert rule == {"id": "a", "enabled": True, "prefix": "old/", "expiration_days": 3, "other": {"NewThing": {"X": 1}}}
    assert rules.lifecycle_sent([rule])["Rules"][0]["NewThing"] == {"X": 1}
    assert there["Rules"][0]["Expiration"] == {"Days": 3}


def test_a_date_has_one_spelling():
    for spelling in ("2030-01-31", "2030-01-31T00:00:00Z", "2030-01-31 00:00:00+00:00", "2030-01-31T01:00:00+01:00"):
        assert rules.moment("lifecycle", spelling) == "2030-01-31"


def test_what_is_not_purged_stays():
    assert rules.merged([{"id": "a", "x": 1}, {"id": "b"}], [{"id": "a", "x": 2}, {"id": "0"}]) == [{"id": "0"}, {"id": "a", "x": 2}, {"id": "b"}]
    assert rules.merged({"a": "1", "b": "2"}, {"a": "3"}) == {"a": "3", "b": "2"}
