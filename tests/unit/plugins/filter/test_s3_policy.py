# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.odooops.stack.plugins.filter.s3_policy import s3_policy
from ansible_collections.odooops.stack.plugins.module_utils._policy import same

WHOLE, INSIDE = "arn:aws:s3:::odoo", "arn:aws:s3:::odoo/*"


def test_reading_and_writing_one_prefix():
    policy = s3_policy("odoo", allow=["read", "write"], prefix="a/")
    wanted = [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": WHOLE, "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
        {"Effect": "Allow", "Action": ["s3:GetBucketLocation", "s3:GetBucketVersioning"], "Resource": WHOLE},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "Resource": "arn:aws:s3:::odoo/a/*",
        },
    ]
    assert same(policy, {"Version": "2012-10-17", "Statement": wanted})


def test_a_bucket_policy_of_denials_is_for_all():
    policy = s3_policy("odoo", principal="arn:aws:iam::1:user/a", allow="read", tls_only=True, keep_versions=True, source_addresses="10.0.0.7")
    principals = {(statement["Effect"], *statement["Principal"]["AWS"]) for statement in policy["Statement"]}
    assert principals == {("Allow", "arn:aws:iam::1:user/a"), ("Deny", "*")}
    assert {"NotIpAddress": {"aws:SourceIp": ["10.0.0.7/32"]}} in [statement.get("Condition") for statement in policy["Statement"]]


def test_the_document_of_a_user_has_no_principal():
    assert all("Principal" not in statement for statement in s3_policy("odoo", allow="read", tls_only=True)["Statement"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"bucket": ""}, "'' is no name of a bucket"),
        ({"bucket": "odoo/production"}, "is no name of a bucket"),
        ({"allow": "admin"}, "allow has admin: there are read, write, delete"),
        ({}, "it would say nothing"),
        ({"allow": "read", "principal": []}, "principal is empty"),
        ({"allow": "read", "private": True}, "private is for a bucket policy, which needs principal"),
        ({"source_addresses": []}, "source_addresses is empty, which would shut out everybody"),
        ({"source_addresses": ["10.0.0.300"]}, "'10.0.0.300' does not appear to be an IPv4 or IPv6 network"),
        ({"source_addresses": ["10.0.0.1/8"]}, "10.0.0.1/8 has host bits set"),
    ],
)
def test_what_cannot_be_is_refused(arguments, sentence):
    with pytest.raises(AnsibleFilterError, match=sentence):
        s3_policy(**{"bucket": "odoo", **arguments})
