# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._policy import PolicyError, canonical, for_minio, same

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::odoo/*"]},
        {
            "Sid": "list",
            "Effect": "Allow",
            "Principal": {"AWS": ["*"]},
            "Action": ["s3:ListBucket"],
            "Resource": ["arn:aws:s3:::odoo"],
            "Condition": {"StringLike": {"s3:prefix": ["a/*", "b/*"]}, "NumericLessThan": {"s3:max-keys": ["10"]}, "Bool": {"aws:SecureTransport": ["true"]}},
        },
    ],
}


def changed(path, value):
    policy = copy.deepcopy(POLICY)
    target = policy
    for step in path[:-1]:
        target = target[step]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return policy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["Statement"], list(reversed(POLICY["Statement"]))),
        (["Statement"], [*POLICY["Statement"], POLICY["Statement"][0]]),
        (["Statement", 0, "Action"], ["s3:PutObject", "s3:GetObject"]),
        (["Statement", 0, "Action"], ["s3:PutObject", "s3:GetObject", "s3:GetObject"]),
        (["Statement", 0, "Resource"], "arn:aws:s3:::odoo/*"),
        (["Statement", 0, "Resource"], ["arn:aws:s3:::odoo/**"]),
        (["Statement", 0, "Sid"], ""),
        (["Statement", 0, "Condition"], {}),
        (["Statement", 1, "Principal"], "*"),
        (["Statement", 1, "Principal"], {"AWS": "*"}),
        (["Statement", 1, "Condition", "StringLike", "s3:prefix"], ["b/*", "a/*"]),
        (["Statement", 1, "Condition", "NumericLessThan", "s3:max-keys"], 10),
        (["Statement", 1, "Condition", "NumericLessThan", "s3:max-keys"], [10.0]),
        (["Statement", 1, "Condition", "Bool", "aws:SecureTransport"], True),
        (["Statement", 1, "Condition", "Null"], {}),
        (["Id"], ""),
    ],
)
def test_other_spellings_mean_the_same(path, value):
    assert same(changed(path, value), POLICY)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["Version"], None),
        (["Version"], "2008-10-17"),
        (["Id"], "other"),
        (["Statement"], POLICY["Statement"][:1]),
        (["Statement", 0, "Effect"], "Deny"),
        (["Statement", 0, "Action"], ["s3:GetObject"]),
        (["Statement", 0, "Action"], ["s3:GetObject", "s3:PutObject", "s3:*"]),
        (["Statement", 0, "Resource"], ["arn:aws:s3:::odoo"]),
        (["Statement", 0, "NotResource"], ["arn:aws:s3:::odoo/a"]),
        (["Statement", 1, "Sid"], "other"),
        (["Statement", 1, "Principal"], None),
        (["Statement", 1, "Principal"], {"AWS": "123456789012"}),
        (["Statement", 1, "Principal"], {"Federated": "*"}),
        (["Statement", 1, "Condition"], None),
        (["Statement", 1, "Condition", "NumericLessThan", "s3:max-keys"], 11),
        (["Statement", 1, "Condition", "Bool", "aws:SecureTransport"], False),
        (["Statement", 1, "Condition", "StringLike", "s3:prefix"], "a/*"),
    ],
)
def test_a_change_of_meaning_is_a_difference(path, value):
    assert not same(changed(path, value), POLICY)


def test_an_account_is_its_root():
    rest = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}
    one = {"Statement": {**rest, "Principal": {"AWS": "123456789012"}}}
    other = {"Statement": [{**rest, "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]}}]}
    assert same(one, other)


def test_no_policy_is_like_no_policy_only():
    assert same(None, None) and not same(None, POLICY) and not same(POLICY, None)


def test_canonical_is_stable_and_leaves_its_input_alone():
    before = copy.deepcopy(POLICY)
    assert canonical(canonical(POLICY)) == canonical(POLICY)
    assert before == POLICY


def test_minio_gets_a_version_and_a_list():
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::a"}
    assert for_minio({"Statement": statement}) == {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ({}, "a policy needs a Statement"),
        ({"Statement": []}, "a policy needs a Statement"),
        ({"Statement": ["Allow"]}, "a policy needs a Statement"),
        ({"Statement": {"Action": "s3:*"}}, "the Effect of a statement is Allow or Deny, not None"),
        ({"Statement": {"Effect": "allow"}}, "not 'allow'"),
        ({"Statement": {"Effect": "Allow"}, "statement": []}, "and not statement"),
        ({"Statement": {"Effect": "Allow", "Condition": {"Bool": "true"}}}, "a Condition is a dictionary of operators"),
    ],
)
def test_what_is_no_policy_is_refused(policy, sentence):
    with pytest.raises(PolicyError, match=sentence):
        canonical(policy)
