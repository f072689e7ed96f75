# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that look: what one that manages was told is what they find, on every server."""

from __future__ import annotations

import secrets
import typing as t

import pytest
from ansible_collections.odooops.stack.plugins.modules import (
    minio_access_key,
    minio_access_key_info,
    minio_group,
    minio_group_info,
    minio_policy,
    minio_policy_info,
    minio_user,
    minio_user_info,
    s3_bucket,
    s3_bucket_info,
)
from conftest import Server

RULE = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::looked-at/*"]}
POLICY = {"Version": "2012-10-17", "Statement": [RULE]}
LIFECYCLE = [{"id": "old", "enabled": True, "expiration_days": 90, "prefix": "tmp/"}]
WISH = {
    "minio": {"tags": {"owner": "odoo"}, "quota": 10_000_000_000, "lifecycle": LIFECYCLE, "encryption": {"algorithm": "AES256"}},
    "versitygw": {"tags": {"owner": "odoo"}, "cors": [{"allowed_origins": ["*"], "allowed_methods": ["GET"]}]},
    "moto": {
        "tags": {"owner": "odoo"},
        "lifecycle": LIFECYCLE,
        "replication": [{"id": "copy", "enabled": True, "priority": 1, "destination": "arn:aws:s3:::looked-at-copy"}],
        "replication_role": "arn:aws:iam::123456789012:role/replication",
        "cors": [{"allowed_origins": ["*"], "allowed_methods": ["GET"]}],
    },
}
# What the server is known not to have.
LACKS: dict[str, set[str]] = {
    "minio": set(),
    "versitygw": {"encryption", "lifecycle", "notifications", "logging", "replication", "quota"},
    "moto": {"quota"},
}


def only(result: dict[str, t.Any], kind: str) -> dict[str, t.Any]:
    assert result.get("changed") is False, result
    assert len(result[kind]) == 1, result[kind]
    return result[kind][0]


def test_a_bucket_is_found_as_it_was_declared(server: Server) -> None:
    kind = server.name.removesuffix("-tls")
    allowed = {"Version": "2012-10-17", "Statement": [{**RULE, "Principal": {"AWS": "*"}}]}
    retention = {"object_lock": True, "default_retention": {"mode": "governance", "days": 3}}
    if kind == "moto":
        assert server.run(s3_bucket, name="looked-at-copy", versioning="enabled")["changed"]
    wish = {"name": "looked-at", "versioning": "enabled", "policy": allowed, **retention, **WISH[kind]}
    done = server.run(s3_bucket, **wish)
    assert done.get("changed"), done

    bucket = only(server.run(s3_bucket_info, name="looked-at"), "buckets")
    unavailable = bucket.pop("unavailable")
    assert set(unavailable) == LACKS[kind], unavailable
    assert all("looked-at" in sentence and server.endpoint_url in sentence for sentence in unavailable.values()), unavailable
    assert {*bucket} - {"replication_role"} == {"name", *s3_bucket_info.CHOICES} - LACKS[kind]
    again = server.run(s3_bucket, **bucket)
    assert again["changed"] is False, again
    declared = s3_bucket_info.as_options(done["bucket"])
    assert {option: bucket[option] for option in declared} == declared

    for lacking in LACKS[kind]:
        refused = server.run(s3_bucket_info, name="looked-at", aspects=["versioning", lacking])
        assert refused["msg"] == unavailable[lacking]
    assert only(server.run(s3_bucket_info, name="looked-at", aspects=["tags"]), "buckets") == {"name": "looked-at", "tags": {"owner": "odoo"}}
    assert {"name": "looked-at"} in server.run(s3_bucket_info, aspects=[])["buckets"]
    assert server.run(s3_bucket, name="looked-at", state="absent")["changed"]
    assert server.run(s3_bucket_info, name="looked-at")["buckets"] == server.run(s3_bucket_info, name="looked-at", aspects=["tags"])["buckets"] == []


def test_policies_users_groups_and_access_keys(minio_server: Server) -> None:
    server = minio_server
    person, key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    made = {
        minio_policy: {"name": "looked-at", "policy": POLICY},
        minio_user: {"name": "viewer", "secret": person, "policies": ["looked-at"]},
        minio_group: {"name": "viewers", "members": ["viewer"], "policies": ["looked-at"]},
        minio_access_key: {"key": "VIEWERKEY", "user": "viewer", "secret": key, "policy": POLICY, "description": "looks"},
    }
    for module, wish in made.items():
        assert server.run(module, **wish).get("changed"), module
    assert server.run(minio_access_key, key="VIEWERALL", user="viewer", enabled=False)["changed"]

    policy = {"name": "looked-at", "policy": POLICY}
    user = {"name": "viewer", "enabled": True, "policies": ["looked-at"]}
    group = {"name": "viewers", "enabled": True, "members": ["viewer"], "policies": ["looked-at"]}
    own = {"key": "VIEWERKEY", "user": "viewer", "enabled": True, "description": "looks", "expiration": "never", "policy": POLICY}
    full = {"key": "VIEWERALL", "user": "viewer", "enabled": False, "description": "", "expiration": "never", "policy": {}}
    for module, kind, one in ((minio_policy_info, "policies", policy), (minio_user_info, "users", user), (minio_group_info, "groups", group)):
        assert only(server.run(module, name=one["name"]), kind) == one
        every = server.run(module, check=True)[kind]
        assert one in every and every == sorted(every, key=lambda item: item["name"])
        assert server.run(module, name="nobody")[kind] == []
    assert "readwrite" in [each["name"] for each in server.run(minio_policy_info)["policies"]]
    listed = server.run(minio_access_key_info, user="viewer")
    assert listed["access_keys"] == [full, own] and only(server.run(minio_access_key_info, key="VIEWERKEY"), "access_keys") == own
    assert person not in str(listed) and key not in str(listed)
    assert server.run(minio_access_key_info, user="nobody")["access_keys"] == server.run(minio_access_key_info, key="NOTTHERE")["access_keys"] == []

    for module, wish in reversed(made.items()):
        name = "key" if "key" in wish else "name"
        assert server.run(module, state="absent", **{name: wish[name]})["changed"]


@pytest.mark.parametrize(("given", "sentence"), [({}, "one of the following is required: user, key"), ({"user": "a", "key": "B"}, "mutually exclusive")])
def test_which_access_keys_has_to_be_said(minio_server: Server, given: dict[str, str], sentence: str) -> None:
    assert sentence in minio_server.run(minio_access_key_info, **given)["msg"]
