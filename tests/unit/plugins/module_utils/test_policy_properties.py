# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any policy: all its spellings are equal, and whatever changes its meaning is not."""

from __future__ import annotations

import copy

from ansible_collections.odooops.stack.plugins.module_utils._policy import canonical, same
from hypothesis import assume, given
from hypothesis import strategies as st

ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject", "s3:*"])
RESOURCES = st.sampled_from(["arn:aws:s3:::a", "arn:aws:s3:::a/*", "arn:aws:s3:::b/x/*", "*"])
ACCOUNTS = st.sampled_from(["123456789012", "999999999999", "arn:aws:iam::1:user/x"])
PRINCIPALS = st.one_of(st.just({"AWS": ["*"]}), st.lists(ACCOUNTS, min_size=1, unique=True).map(lambda names: {"AWS": names}))
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "Bool": st.fixed_dictionaries({"aws:SecureTransport": st.booleans().map(lambda value: [value])}),
        "NumericLessThan": st.fixed_dictionaries({"s3:max-keys": st.lists(st.integers(0, 99), min_size=1, unique=True)}),
        "StringLike": st.fixed_dictionaries({"s3:prefix": st.lists(st.sampled_from(["a/*", "b/*", ""]), min_size=1, unique=True)}),
    },
)
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(ACTIONS, min_size=1, unique=True),
        "Resource": st.lists(RESOURCES, min_size=1, unique=True),
    },
    optional={"Sid": st.sampled_from(["one", "two"]), "Principal": PRINCIPALS, "Condition": CONDITIONS},
)
POLICIES = st.fixed_dictionaries({"Version": st.just("2012-10-17"), "Statement": st.lists(STATEMENTS, min_size=1, max_size=4)})


def listed(draw, items):
    """The list in another order, perhaps with one twice, perhaps without its brackets."""
    items = draw(st.permutations(items))
    if len(items) == 1 and draw(st.booleans()):
        return items[0]
    return [*items, items[0]] if draw(st.booleans()) else items


def scalar(draw, value):
    if isinstance(value, bool):
        return draw(st.sampled_from([value, str(value).lower()]))
    return draw(st.sampled_from([value, str(value), float(value)])) if isinstance(value, int) else value


@st.composite
def respelled(draw, policy):
    """Another document that means the same."""
    statements = []
    for statement in copy.deepcopy(policy["Statement"]):
        for name in ("Action", "Resource"):
            statement[name] = listed(draw, statement[name])
        if "Sid" not in statement and draw(st.booleans()):
            statement["Sid"] = ""
        if statement.get("Principal") == {"AWS": ["*"]}:
            statement["Principal"] = draw(st.sampled_from(["*", {"AWS": "*"}, {"AWS": ["*"]}]))
        elif "Principal" in statement:
            names = [f"arn:aws:iam::{name}:root" if name.isdigit() and draw(st.booleans()) else name for name in statement["Principal"]["AWS"]]
            statement["Principal"] = {"AWS": listed(draw, names)}
        for keys in statement.get("Condition", {}).values():
            for key, values in keys.items():
                keys[key] = listed(draw, [scalar(draw, value) for value in values])
        # Dictionaries keep the order of their keys, which is not to count.
        statements.append(dict(draw(st.permutations(list(statement.items())))))
    return {"Statement": listed(draw, statements), "Version": policy["Version"]}


@given(st.data(), POLICIES)
def test_every_spelling_of_a_policy_is_equal(data, policy):
    assert same(data.draw(respelled(policy)), policy)


@given(POLICIES)
def test_the_canonical_form_is_its_own_canonical_form(policy):
    assert canonical(canonical(policy)) == canonical(policy)


MEANINGS = {
    "effect": lambda statement: {**statement, "Effect": "Deny" if statement["Effect"] == "Allow" else "Allow"},
    "action": lambda statement: {**statement, "Action": [*statement["Action"], "s3:GetBucketPolicy"]},
    "no action": lambda statement: {**statement, "NotAction": statement["Action"], "Action": None},
    "resource": lambda statement: {**statement, "Resource": [*statement["Resource"], "arn:aws:s3:::other"]},
    "principal": lambda statement: {**statement, "Principal": {"AWS": "arn:aws:iam::1:user/other"}},
    "condition": lambda statement: {**statement, "Condition": {**statement.get("Condition", {}), "Null": {"aws:TokenIssueTime": True}}},
    "sid": lambda statement: {**statement, "Sid": "other"},
}


@given(st.data(), POLICIES, st.sampled_from(sorted(MEANINGS)))
def test_every_change_of_meaning_is_a_difference(data, policy, kind):
    number = data.draw(st.integers(0, len(policy["Statement"]) - 1))
    changed = copy.deepcopy(policy)
    changed["Statement"][number] = MEANINGS[kind](changed["Statement"][number])
    # A twin of the statement may already say what is added.
    assume(sum(canonical({"Statement": one}) == canonical({"Statement": policy["Statement"][number]}) for one in policy["Statement"]) == 1)
    assert not same(data.draw(respelled(policy)), changed)
    assert not same(changed, policy)
