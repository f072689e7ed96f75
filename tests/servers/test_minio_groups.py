# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups on a real MinIO: told before, done, done once, found again when changed by hand, taken away."""

from __future__ import annotations

import json
import secrets
import typing as t
from urllib.parse import urlsplit

import botocore.exceptions
import pytest
from ansible_collections.odooops.stack.plugins.modules import minio_group, minio_policy, minio_user, s3_bucket
from conftest import Server
from minio import MinioAdmin
from minio.credentials import StaticProvider

READ = {"Statement": {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::shared", "arn:aws:s3:::shared/*"]}}


@pytest.fixture
def people(start_server: t.Callable[[str], Server]) -> t.Iterator[tuple[Server, dict[str, str]]]:
    """A server with two users, and their secrets."""
    server = start_server("minio")
    passwords = {name: secrets.token_urlsafe(24) for name in ("anna", "ben")}
    for name, secret in passwords.items():
        assert "failed" not in server.run(minio_user, name=name, secret=secret)
    assert "failed" not in server.run(minio_policy, name="read-shared", policy=READ)
    assert "failed" not in server.run(s3_bucket, name="shared")
    yield server, passwords
    server.run(minio_group, name="auditors", state="absent")
    for name in passwords:
        server.run(minio_user, name=name, state="absent")
    server.run(minio_policy, name="read-shared", state="absent")


def may_list(server: Server, user: str, secret: str) -> bool:
    """Whether a user can really do what the group allows."""
    try:
        Server("minio", server.endpoint_url, user, secret).client.list_objects_v2(Bucket="shared")
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        return False
    return True


def admin(server: Server) -> MinioAdmin:
    endpoint = urlsplit(server.endpoint_url).netloc
    return MinioAdmin(endpoint=endpoint, credentials=StaticProvider(server.access_key, server.secret_key), secure=False)


def test_a_group(people: tuple[Server, dict[str, str]]) -> None:
    server, passwords = people

    def run(*, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        return server.run(minio_group, check=check, name="auditors", **arguments)

    wish = {"members": ["anna"], "policies": ["read-shared"]}
    assert not may_list(server, "anna", passwords["anna"])
    predicted, done = run(check=True, **wish), run(**wish)
    assert predicted["changed"] and predicted["diff"] == done["diff"]
    assert done["group"] == {"name": "auditors", "enabled": True, **wish}
    assert may_list(server, "anna", passwords["anna"]) and not may_list(server, "ben", passwords["ben"])
    assert not run(**wish)["changed"] and not run()["changed"]

    admin(server).group_add("auditors", ["ben"])
    admin(server).detach_policy(["read-shared"], group="auditors")
    found = run(check=True, **wish)
    assert found["diff"]["before"] == {"name": "auditors", "enabled": True, "members": ["anna", "ben"], "policies": []}
    assert run(**wish)["diff"] == found["diff"] and not run(**wish)["changed"]
    assert may_list(server, "anna", passwords["anna"]) and not may_list(server, "ben", passwords["ben"])

    assert run(members=["ben"], purge_members=False)["group"]["members"] == ["anna", "ben"]
    assert run(enabled=False)["changed"] and not run(enabled=False)["changed"]
    assert not may_list(server, "ben", passwords["ben"])
    assert run(enabled=True)["changed"] and may_list(server, "ben", passwords["ben"])

    gone = run(check=True, state="absent")
    assert run(state="absent")["diff"] == gone["diff"] and not run(state="absent")["changed"]
    assert not may_list(server, "anna", passwords["anna"])
    assert json.loads(admin(server).user_info("anna"))["status"] == "enabled"


def test_a_disabled_group_without_members(people: tuple[Server, dict[str, str]]) -> None:
    server, _passwords = people
    made = server.run(minio_group, name="auditors", enabled=False)
    assert made["group"] == {"name": "auditors", "enabled": False, "members": [], "policies": []}
    assert not server.run(minio_group, name="auditors", enabled=False)["changed"]


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"members": ["nobody"]}, "could not add the members nobody to the group auditors at "),
        ({"policies": ["nothing"]}, "could not attach the policies nothing to the group auditors at "),
    ],
)
def test_what_is_not_there_is_told(people: tuple[Server, dict[str, str]], wish: dict[str, t.Any], sentence: str) -> None:
    server, _passwords = people
    assert sentence in server.run(minio_group, name="auditors", **wish)["msg"]
