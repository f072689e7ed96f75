# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication from one MinIO to another: declared by the modules alone, and what then arrives there."""

from __future__ import annotations

import json
import secrets
import time
import typing as t
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import botocore.exceptions
import pytest
from ansible_collections.odooops.stack.plugins.filter.s3_policy import s3_policy
from ansible_collections.odooops.stack.plugins.modules import (
    minio_policy,
    minio_remote_target,
    minio_remote_target_info,
    minio_user,
    s3_bucket,
)
from conftest import Server, start_minio

Start = Callable[[str], Server]
# What the key of the replication may do in the target bucket, beside what the filter says.
REPLICATE = ["s3:GetReplicationConfiguration", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"]
REPLICATE_OBJECTS = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]


def policy() -> dict[str, t.Any]:
    document = s3_policy("copy", allow=["read", "write", "delete"])
    more = [
        {"Effect": "Allow", "Action": REPLICATE, "Resource": "arn:aws:s3:::copy"},
        {"Effect": "Allow", "Action": REPLICATE_OBJECTS, "Resource": "arn:aws:s3:::copy/*"},
    ]
    return {**document, "Statement": [*document["Statement"], *more]}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The other site: a server with a bucket for the copies, and a user who may write them, and no more."""
    with ExitStack() as stack:
        server = stack.enter_context(start_minio(tmp_path_factory.mktemp("there")))
        assert server.run(s3_bucket, name="copy", versioning="enabled")["changed"]
        assert server.run(minio_policy, name="replication", policy=policy())["changed"]
        yield server


@pytest.fixture
def secret(there: Server) -> str:
    value = secrets.token_urlsafe(24)
    assert "failed" not in there.run(minio_user, name="replication", secret=value, policies=["replication"])
    return value


@pytest.fixture
def here(start_server: Start) -> Iterator[Server]:
    server = start_server("minio")
    assert server.run(s3_bucket, name="original", versioning="enabled")["changed"]
    yield server
    assert "failed" not in server.run(s3_bucket, name="original", replication=[])
    assert "failed" not in server.run(s3_bucket, name="original", state="absent", force=True)


def target(there: Server, secret: str) -> dict[str, t.Any]:
    key = {"target_access_key": "replication", "target_secret_key": secret}
    return {"bucket": "original", "target_endpoint_url": there.endpoint_url, "target_bucket": "copy", **key}


def content(server: Server, bucket: str, key: str) -> bytes | None:
    try:
        return server.client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey", error
        return None


def arrives(look: Callable[[], bool], seconds: int = 120) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if look():
            return True
        time.sleep(0.2)
    return False


def rules(arn: str, **rule: t.Any) -> list[dict[str, t.Any]]:
    return [{"id": "to-the-other-site", "priority": 1, "destination": arn, **rule}]


def test_what_is_declared_arrives(here: Server, there: Server, secret: str) -> None:
    here.client.put_object(Bucket="original", Key="before", Body=b"was there before the rule")
    arguments = target(there, secret)
    predicted = here.run(minio_remote_target, check=True, **arguments)
    assert predicted["changed"] and predicted["target"]["arn"].endswith(":known-when-registered:copy")
    assert here.run(minio_remote_target_info, bucket="original")["targets"] == [], "check mode registered it"
    # Declared as a whole in check mode: the rule can name a target that is not there yet.
    assert here.run(s3_bucket, check=True, name="original", replication=rules(predicted["target"]["arn"]))["changed"]
    done = here.run(minio_remote_target, **arguments)
    assert done["diff"] == predicted["diff"] and secret not in json.dumps(done)
    arn = done["target"]["arn"]
    again = here.run(minio_remote_target, **arguments)
    assert not again["changed"] and again["target"]["arn"] == arn
    wish = rules(arn, delete_markers=True, existing_objects=True)
    assert here.run(s3_bucket, name="original", replication=wish)["changed"]
    assert not here.run(s3_bucket, name="original", replication=wish)["changed"]

    here.client.put_object(Bucket="original", Key="a/new", Body=b"new")
    assert arrives(lambda: content(there, "copy", "a/new") == b"new")
    here.client.delete_object(Bucket="original", Key="a/new")
    assert arrives(lambda: content(there, "copy", "a/new") is None), "the delete marker did not come"
    kept = there.client.list_object_versions(Bucket="copy", Prefix="a/new")
    assert len(kept["DeleteMarkers"]) == 1 and len(kept["Versions"]) == 1, "the former version is to stay"

    def existing() -> bool:
        # The server looks after objects that it was never asked to copy when they are listed, or by its own rounds.
        here.client.list_objects_v2(Bucket="original")
        return content(there, "copy", "before") == b"was there before the rule"

    assert arrives(existing)
    assert [found["online"] for found in here.run(minio_remote_target_info)["targets"] if found["bucket"] == "original"] == [True]


def test_a_rule_decides_what_arrives(here: Server, there: Server, secret: str) -> None:
    arn = here.run(minio_remote_target, **target(there, secret), synchronous=True)["target"]["arn"]
    here.client.put_object(Bucket="original", Key="old/one", Body=b"old")
    assert here.run(s3_bucket, name="original", replication=rules(arn, prefix="new/", delete_markers=False))["changed"]
    here.client.put_object(Bucket="original", Key="old/two", Body=b"old")
    here.client.put_object(Bucket="original", Key="new/one", Body=b"new")
    # Synchronous: it is there when the request has ended.
    assert content(there, "copy", "new/one") == b"new"
    here.client.delete_object(Bucket="original", Key="new/one")
    here.client.put_object(Bucket="original", Key="new/two", Body=b"new")
    assert content(there, "copy", "new/two") == b"new" and content(there, "copy", "new/one") == b"new", "the delete marker was not to be copied"
    assert content(there, "copy", "old/one") is None and content(there, "copy", "old/two") is None


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("bandwidth_limit", ("200MB", "0")),
        ("synchronous", (False, True)),
        ("proxy_reads", (True, False)),
        ("target_addressing_style", ("path", "auto")),
    ],
)
def test_a_change_by_hand_is_found_and_repaired(here: Server, there: Server, secret: str, option: str, values: tuple[t.Any, t.Any]) -> None:
    value, other = values
    arguments = target(there, secret)

    def run(value: t.Any, *, check: bool = False) -> dict[str, t.Any]:
        return here.run(minio_remote_target, check=check, **arguments, **{option: value})

    def held() -> t.Any:
        return here.run(minio_remote_target_info, bucket="original")["targets"][0][option]

    arn = run(value)["target"]["arn"]
    first = held()
    # Past what is declared: as another playbook would, or an administrator with another tool.
    assert run(other)["changed"] and held() != first
    found = run(value, check=True)
    assert found["changed"] and {name for name in found["diff"]["after"] if found["diff"]["before"][name] != found["diff"]["after"][name]} == {option}
    assert run(value, check=True)["diff"] == found["diff"], "check mode changed something"
    done = run(value)
    assert done["diff"] == found["diff"] and done["target"]["arn"] == arn and held() == first == done["target"][option]
    assert not run(value)["changed"]
    # What is not given is left alone.
    assert not run(None)["changed"]


def test_a_new_secret_is_set_where_it_is_asked_for(here: Server, there: Server, secret: str) -> None:
    arguments = target(there, secret)
    arn = here.run(minio_remote_target, **arguments, synchronous=True)["target"]["arn"]
    assert here.run(s3_bucket, name="original", replication=rules(arn))["changed"]
    rotated = secrets.token_urlsafe(24)
    assert there.run(minio_user, name="replication", secret=rotated)["changed"]
    arguments["target_secret_key"] = rotated
    assert not here.run(minio_remote_target, **arguments)["changed"], "the server does not tell its secret"
    predicted = here.run(minio_remote_target, check=True, **arguments, update_secret="always")
    done = here.run(minio_remote_target, **arguments, update_secret="always")
    assert done["changed"] and done["diff"] == predicted["diff"] and rotated not in json.dumps(done)
    here.client.put_object(Bucket="original", Key="after", Body=b"by the new secret")
    assert arrives(lambda: content(there, "copy", "after") == b"by the new secret")


def test_removed(here: Server, there: Server, secret: str) -> None:
    arguments = target(there, secret)
    arn = here.run(minio_remote_target, **arguments)["target"]["arn"]
    assert here.run(s3_bucket, name="original", replication=rules(arn))["changed"]
    refused = here.run(minio_remote_target, **arguments, state="absent")
    assert refused["msg"].endswith("a replication rule uses it: take the rule away first, by replication of s3_bucket for original")
    assert here.run(s3_bucket, name="original", replication=[])["changed"]
    assert here.run(minio_remote_target_info, bucket="original")["targets"] == [], "the server removes them with the last rule"
    assert here.run(minio_remote_target, **arguments)["changed"]
    predicted = here.run(minio_remote_target, check=True, **arguments, state="absent")
    done = here.run(minio_remote_target, **arguments, state="absent")
    assert done["changed"] and done["diff"] == predicted["diff"] and done["diff"]["after"] == {} and "target" not in done
    assert not here.run(minio_remote_target, **arguments, state="absent")["changed"]


@pytest.fixture
def sites(here: Server, there: Server) -> tuple[Server, Server]:
    """The two servers, each with a bucket without versioning as well."""
    for server, name in ((here, "plain-original"), (there, "plain")):
        assert "failed" not in server.run(s3_bucket, name=name)
    return here, there


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target_bucket": "nowhere", "target_access_key": "root"}, "THERE has no bucket nowhere"),
        (
            {"target_bucket": "nowhere"},
            "cannot reach THERE, does not trust its certificate, or is not let in with target_access_key and target_secret_key (Access Denied)",
        ),
        ({"target_bucket": "plain", "target_access_key": "root"}, "the bucket plain at THERE has no versioning: enable it first"),
        ({"bucket": "plain-original"}, "the bucket plain-original has no versioning: enable it first"),
        ({"bucket": "nothing-here"}, "there is no such bucket at HERE"),
        ({"target_secret_key": "not-the-secret"}, "(The request signature we calculated does not match"),
        ({"target_endpoint_url": "http://127.0.0.1:9"}, "HERE cannot reach http://127.0.0.1:9"),
        ({"target_endpoint_url": "TLS"}, "x509: certificate signed by unknown authority)"),
        ({"target_endpoint_url": "HERE", "target_bucket": "original"}, "a bucket cannot be replicated to itself"),
        ({"target_endpoint_url": "there:9000"}, "target_endpoint_url is there:9000: give a server's URL"),
        ({"target_endpoint_url": "https://there/path"}, "target_endpoint_url is https://there/path: give a server's URL"),
        ({"bandwidth_limit": "10MB"}, "bandwidth_limit is 10MB: give the bytes for a second, at least 100000000"),
        ({"bandwidth_limit": "fast"}, "bandwidth_limit is fast: give the bytes for a second"),
        ({"target_access_key": None}, "target_access_key is missing"),
        ({"target_secret_key": None}, "target_secret_key is missing: give the secret of replication"),
    ],
)
def test_wrong_inputs(sites: tuple[Server, Server], secret: str, start_server: Start, wrong: dict[str, t.Any], message: str) -> None:
    here, there = sites

    def known(text: str) -> str:
        text = text.replace("THERE", there.endpoint_url).replace("HERE", here.endpoint_url)
        return text.replace("TLS", start_server("minio-tls").endpoint_url) if "TLS" in text else text

    arguments = {**target(there, secret), **{name: known(value) if value else value for name, value in wrong.items()}}
    if arguments["target_access_key"] == "root":
        arguments |= {"target_access_key": there.access_key, "target_secret_key": there.secret_key}
    done = here.run(minio_remote_target, **arguments)
    assert done.get("failed") and known(message) in done["msg"] and "Traceback" not in done["msg"], done
    assert secret not in json.dumps(done)
    assert here.run(minio_remote_target_info, bucket="original")["targets"] == []


def test_the_region_is_for_good(here: Server, there: Server, secret: str) -> None:
    assert here.run(minio_remote_target, **target(there, secret), target_region="us-east-1")["changed"]
    assert not here.run(minio_remote_target, **target(there, secret), target_region="us-east-1")["changed"]
    done = here.run(minio_remote_target, **target(there, secret), target_region="eu-west-1")
    assert "target_region is eu-west-1, and the target was registered with us-east-1, which cannot be changed" in done["msg"]
