# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the policies that the filter writes really allow."""

from __future__ import annotations

import secrets
import ssl
import typing as t
import urllib.error
import urllib.request

import botocore.exceptions
import pytest
from ansible_collections.odooops.stack.plugins.filter.s3_policy import s3_policy
from ansible_collections.odooops.stack.plugins.modules import minio_policy, minio_user, s3_bucket
from conftest import Server

Clients = t.Callable[..., t.Any]


@pytest.fixture(params=["minio", "minio-tls"])
def store(request: pytest.FixtureRequest, start_server: t.Callable[[str], Server]) -> Server:
    server = start_server(request.param)
    assert "failed" not in server.run(s3_bucket, name="guarded", versioning="enabled")
    for key in ("a/seen", "b/hidden"):
        server.client.put_object(Bucket="guarded", Key=key, Body=b"x")
    return server


@pytest.fixture
def user(store: Server) -> t.Iterator[Clients]:
    """boto3's client of a user with a policy, given as the filter's arguments."""

    def client(**arguments: t.Any) -> t.Any:
        secret = secrets.token_urlsafe(24)
        done = store.run(minio_policy, name="guarded", policy=s3_policy("guarded", **arguments))
        assert not done.get("failed"), done
        assert not store.run(minio_policy, name="guarded", policy=s3_policy("guarded", **arguments))["changed"]
        assert "failed" not in store.run(minio_user, name="someone", secret=secret, policies=["guarded"])
        return Server(store.name, store.endpoint_url, "someone", secret, store.region, store.ca_bundle).client

    yield client
    store.run(minio_user, name="someone", state="absent")
    store.run(minio_policy, name="guarded", state="absent")


def refused(call: t.Callable[..., t.Any], **arguments: t.Any) -> bool:
    try:
        call(Bucket="guarded", **arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return True
    return False


def test_one_prefix(user: Clients) -> None:
    client = user(allow=["read", "write"], prefix="a/")
    assert not refused(client.put_object, Key="a/new", Body=b"y") and not refused(client.get_object, Key="a/seen")
    assert not refused(client.list_objects_v2, Prefix="a/") and not refused(client.get_bucket_location)
    assert refused(client.put_object, Key="b/new", Body=b"y") and refused(client.get_object, Key="b/hidden")
    assert refused(client.list_objects_v2, Prefix="b/") and refused(client.list_objects_v2)
    assert refused(client.delete_object, Key="a/seen") and refused(client.get_bucket_policy)


def test_read_only(user: Clients) -> None:
    client = user(allow="read")
    assert not refused(client.list_objects_v2) and not refused(client.get_object, Key="b/hidden")
    assert refused(client.put_object, Key="a/new", Body=b"y") and refused(client.delete_object, Key="a/seen")


def test_versions_are_kept(user: Clients, store: Server) -> None:
    version = store.client.put_object(Bucket="guarded", Key="a/seen", Body=b"z")["VersionId"]
    client = user(allow=["read", "write", "delete"], keep_versions=True)
    assert refused(client.delete_object, Key="a/seen", VersionId=version)
    assert not refused(client.delete_object, Key="a/seen")


def test_tls_only(user: Clients, store: Server) -> None:
    assert refused(user(allow="read", tls_only=True).get_object, Key="a/seen") == store.endpoint_url.startswith("http:")


@pytest.mark.parametrize(("addresses", "out"), [(["127.0.0.0/8", "::1"], False), (["192.0.2.0/24"], True)])
def test_source_addresses(user: Clients, addresses: list[str], out: bool) -> None:
    assert refused(user(allow="read", source_addresses=addresses).get_object, Key="a/seen") == out


def test_a_bucket_policy_for_all(store: Server, user: Clients) -> None:
    """Without a key at all: a bucket that anybody may read, and one rule that shuts everybody out again."""
    context = ssl.create_default_context(cafile=store.ca_bundle)
    wish = s3_policy("guarded", allow="read", principal="*")
    assert store.run(s3_bucket, name="guarded", policy=wish)["changed"] and not store.run(s3_bucket, name="guarded", policy=wish)["changed"]
    with urllib.request.urlopen(f"{store.endpoint_url}/guarded/a/seen", context=context) as answer:
        assert answer.read() == b"x"
    assert store.run(s3_bucket, name="guarded", policy=s3_policy("guarded", allow="read", principal="*", source_addresses=["192.0.2.1"]))["changed"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{store.endpoint_url}/guarded/a/seen", context=context)
    # Private: who has a key is let in as before.
    assert store.run(s3_bucket, name="guarded", policy=s3_policy("guarded", allow="read", principal="*", private=True))["changed"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{store.endpoint_url}/guarded/a/seen", context=context)
    assert not refused(user(allow="read").get_object, Key="a/seen")
    assert store.run(s3_bucket, name="guarded", policy={})["changed"]
