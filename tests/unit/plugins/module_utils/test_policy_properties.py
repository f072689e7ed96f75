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
        "IpAddress": st.fixed_dictionaries({"aws:SourceIp": st.lists(st.sampled_from(["10.0.0.0/8", "192.0.2.7/32"]), min_size=1, unique=True)}),
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
            statement[name] = listed(draw, [item.replace("*", draw(st.sampled_from(["*", "**"]))) for item in statement[name]])
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


@given(st.data(), POLICIES)
def test_the_old_version_is_what_a_policy_without_one_has(data, policy):
    without = {"Statement": policy["Statement"]}
    assert same(without, {**data.draw(respelled(policy)), "Version": "2008-10-17"}) and not same(without, policy)


# Each is another meaning of the statement, or ``None`` where it has nothing to change.
MEANINGS = {
    "effect": lambda statement: {**statement, "Effect": "Deny" if statement["Effect"] == "Allow" else "Allow"},
    "no action": lambda statement: {**without(statement, "Action"), "NotAction": statement["Action"]},
    "no resource": lambda statement: {**without(statement, "Resource"), "NotResource": statement["Resource"]},
    "no principal": lambda statement: {**without(statement, "Principal"), "NotPrincipal": statement["Principal"]} if "Principal" in statement else None,
    "principal given up": lambda statement: without(statement, "Principal") if "Principal" in statement else None,
    "principal for all": lambda statement: {**statement, "Principal": "*"} if statement.get("Principal") != {"AWS": ["*"]} else None,
    "principal of another kind": lambda statement: {**statement, "Principal": {"Service": statement["Principal"]["AWS"]}} if "Principal" in statement else None,
    "condition": lambda statement: {**statement, "Condition": {**statement.get("Condition", {}), "Null": {"aws:TokenIssueTime": True}}},
    "condition given up": lambda statement: without(statement, "Condition") if any(statement.get("Condition", {}).values()) else None,
    "sid": lambda statement: {**statement, "Sid": "other"},
}


def without(statement, name):
    return {key: value for key, value in statement.items() if key != name}


def mutations(value, path=()):
    """Every change of a single place in a statement, as path and value: another leaf, one more in a list, one fewer, another key."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from mutations(item, (*path, key))
            if path[:1] == ("Condition",):
                yield path, {**without(value, key), f"{key}IfExists": item}
    elif isinstance(value, list):
        yield path, [*value, "arn:aws:s3:::another"]
        for number, item in enumerate(value):
            yield from mutations(item, (*path, number))
            if len(value) > 1:
                yield path, value[:number] + value[number + 1 :]
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int):
        yield path, value + 100
    elif path not in (("Effect",), ("Sid",)):
        # Neither a prefix nor a letter's case is a spelling.
        yield path, f"{value}x"
        if value.swapcase() != value:
            yield path, value.swapcase()


def replaced(value, path, new):
    if not path:
        return new
    result = copy.copy(value)
    result[path[0]] = replaced(value[path[0]], path[1:], new)
    return result


def assert_differs(data, policy, number, statement):
    changed = {**policy, "Statement": [*policy["Statement"][:number], statement, *policy["Statement"][number + 1 :]]}
    # A twin of the statement would still say it.
    assume(sum(canonical({"Statement": one}) == canonical({"Statement": policy["Statement"][number]}) for one in policy["Statement"]) == 1)
    assert not same(data.draw(respelled(policy)), changed)
    assert not same(changed, policy)


@given(st.data(), POLICIES, st.sampled_from(sorted(MEANINGS)))
def test_every_change_of_meaning_is_a_difference(data, policy, kind):
    number = data.draw(st.integers(0, len(policy["Statement"]) - 1))
    statement = MEANINGS[kind](copy.deepcopy(policy["Statement"][number]))
    assume(statement is not None)
    assert_differs(data, policy, number, statement)


@given(st.data(), POLICIES)
def test_every_change_of_a_single_place_is_a_difference(data, policy):
    number = data.draw(st.integers(0, len(policy["Statement"]) - 1))
    statement = policy["Statement"][number]
    path, value = data.draw(st.sampled_from(list(mutations(statement))))
    assert_differs(data, policy, number, replaced(statement, path, value))


@given(st.data(), POLICIES)
def test_a_statement_more_or_fewer_is_a_difference(data, policy):
    number = data.draw(st.integers(0, len(policy["Statement"]) - 1))
    fewer = [*policy["Statement"][:number], *policy["Statement"][number + 1 :]]
    one = canonical({"Statement": policy["Statement"][number]})
    assume(fewer and one not in [canonical({"Statement": other}) for other in fewer])
    assert not same(data.draw(respelled(policy)), {**policy, "Statement": fewer})


@given(POLICIES)
def test_version_and_id_have_a_meaning(policy):
    assert not same({**policy, "Version": "2008-10-17"}, policy) and not same({**policy, "Id": "other"}, policy)
