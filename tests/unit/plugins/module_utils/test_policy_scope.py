"""How far one policy reaches against another."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._policy_scope import anonymous, compare, is_administrator

OBJECTS, BUCKET = "arn:aws:s3:::shop/*", "arn:aws:s3:::shop"


def allow(*actions: str, on: str = OBJECTS, **more: t.Any) -> dict[str, t.Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [on], **more}


def deny(*actions: str, on: str = OBJECTS, **more: t.Any) -> dict[str, t.Any]:
    return {**allow(*actions, on=on, **more), "Effect": "Deny"}


def policy(*statements: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


HERE = {"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}}
THERE = {"Condition": {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}}
DECLARED = policy(allow("s3:GetObject", "s3:PutObject"), allow("s3:ListBucket", on=BUCKET), deny("s3:DeleteObjectVersion"))
KEPT = deny("s3:DeleteObjectVersion")


@pytest.mark.parametrize(
    ("now", "declared", "kind"),
    [
        (policy(KEPT, allow("s3:ListBucket", on=BUCKET), allow("s3:PutObject", "s3:GetObject")), DECLARED, "same"),
        (policy(KEPT, allow("s3:GetObject")), DECLARED, "narrower"),
        (policy(*DECLARED["Statement"], deny("s3:PutObject")), DECLARED, "narrower"),
        (policy(KEPT, allow("s3:GetObject", on="arn:aws:s3:::shop/a*")), DECLARED, "narrower"),
        (policy(KEPT, allow("s3:*")), DECLARED, "wider"),
        (policy(KEPT, allow("s3:GetObject", on="arn:aws:s3:::*")), DECLARED, "wider"),
        (policy(KEPT, allow("s3:GetObject", on="arn:aws:s3:::sho?/*")), DECLARED, "wider"),
        (policy(KEPT, {"Effect": "Allow", "NotAction": ["s3:DeleteBucket"], "Resource": [OBJECTS]}), DECLARED, "wider"),
        (policy(allow("s3:GetObject")), DECLARED, "wider"),
        (policy(allow("s3:GetObject", **HERE)), policy(allow("s3:GetObject")), "narrower"),
        (policy(allow("s3:GetObject")), policy(allow("s3:GetObject", **HERE)), "wider"),
        (policy(allow("s3:GetObject", **THERE)), policy(allow("s3:GetObject", **HERE)), "different"),
        (policy(allow("s3:*"), deny("s3:*", **HERE)), policy(allow("s3:*"), deny("s3:*")), "wider"),
    ],
)
def test_kinds(now: dict[str, t.Any], declared: dict[str, t.Any], kind: str):
    assert compare(now, declared).kind == kind


def test_says_what_is_wider():
    now = policy(allow("s3:GetObject", "s3:DeleteObject"))
    assert compare(now, DECLARED).more == [
        "it allows s3:DeleteObject on arn:aws:s3:::shop/*",
        "it no longer denies s3:DeleteObjectVersion on arn:aws:s3:::shop/*",
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (policy({"Effect": "Allow", "Action": ["admin:*"]}), True),
        (policy({"Effect": "Allow", "Action": ["admin:CreateUser"]}), True),
        (policy(allow("s3:*", on="arn:aws:s3:::*")), True),
        (policy(allow("s3:*")), False),
        (policy({"Effect": "Allow", "Action": ["admin:ServerInfo"]}), False),
        (policy({"Effect": "Deny", "Action": ["admin:*"]}), False),
    ],
)
def test_administrators(document: dict[str, t.Any], expected: bool):
    assert is_administrator([document]) is expected


ANYBODY = {"Principal": "*"}
SIGNED_ONLY = deny("s3:*", **ANYBODY, Condition={"StringEquals": {"aws:PrincipalType": "Anonymous"}})


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (policy(allow("s3:GetObject", **ANYBODY)), (["s3:GetObject"], False)),
        (policy(allow("s3:GetObject", **ANYBODY, **HERE)), (["s3:GetObject"], True)),
        (policy(allow("s3:GetObject", **ANYBODY), SIGNED_ONLY), ([], False)),
        (policy(allow("s3:GetObject", Principal={"AWS": ["arn:aws:iam:::user/odoo"]})), ([], False)),
        (policy(allow("s3:GetObject", NotPrincipal={"AWS": ["arn:aws:iam:::user/odoo"]})), (["s3:GetObject"], False)),
    ],
)
def test_anonymous(document: dict[str, t.Any], expected: tuple[list[str], bool]):
    assert anonymous(document) == expected
