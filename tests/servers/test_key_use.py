# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an access key of MinIO is used, as its trace tells."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
import typing as t
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from ansible_collections.odooops.stack.plugins.modules import minio_access_key, minio_access_key_use_info, s3_bucket
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import Server, StartServer, free_port, minio

KEYS = ("WATCHEDKEY", "OTHERKEY", "SILENTKEY")
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::key-use/*"]}]}


@contextlib.contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do something soon, and again and again until the block ends."""
    over = threading.Event()

    def again() -> None:
        while not over.wait(0.5):
            work()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def clients(start_server: StartServer) -> Iterator[tuple[Server, dict[str, t.Any]]]:
    """A server, and a client for each key, all of which may read an object, and nothing else."""
    server = start_server("minio")
    secret = {key: secrets.token_urlsafe(24) for key in KEYS}
    server.run(s3_bucket, name="key-use")
    server.client.put_object(Bucket="key-use", Key="one", Body=b"x")
    for key in KEYS:
        made = server.run(minio_access_key, key=key, user=server.access_key, secret=secret[key], policy=POLICY)
        assert made.get("changed"), made

    def client(key: str, version: str) -> t.Any:
        config = Config(signature_version=version, s3={"addressing_style": "path"})
        return boto3.client(
            "s3", endpoint_url=server.endpoint_url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret[key], config=config
        )

    yield server, {f"{key} {version}": client(key, version) for key in KEYS for version in ("s3v4", "s3")}
    for key in KEYS:
        server.run(minio_access_key, key=key, state="absent")
    server.run(s3_bucket, name="key-use", state="absent", force=True)


def watched(server: Server, **options: t.Any) -> tuple[dict[str, dict[str, t.Any]], float]:
    found = server.run(minio_access_key_use_info, keys=list(KEYS), **options)
    assert found.get("changed") is False, found
    assert [each["key"] for each in found["access_keys"]] == list(KEYS)
    return {each["key"]: each for each in found["access_keys"]}, found["quiet"]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("way", ["header", "link"])
def test_a_use_is_seen(clients: tuple[Server, dict[str, t.Any]], way: str, version: str) -> None:
    server, by = clients

    def use() -> None:
        by[f"OTHERKEY {version}"].get_object(Bucket="key-use", Key="one")["Body"].read()
        if way == "header":
            by[f"WATCHEDKEY {version}"].get_object(Bucket="key-use", Key="one")["Body"].read()
        else:
            link = by[f"WATCHEDKEY {version}"].generate_presigned_url("get_object", Params={"Bucket": "key-use", "Key": "one"}, ExpiresIn=60)
            urllib.request.urlopen(link).read()

    days = [time.strftime("%Y-%m-%d", time.gmtime())]
    with meanwhile(use):
        seen, _quiet = watched(server, seconds=4)
    days.append(time.strftime("%Y-%m-%d", time.gmtime()))
    use_ = seen["WATCHEDKEY"]
    assert use_["requests"] >= 1 and (use_["operation"], use_["way"], use_["client"]) == ("GetObject", way, "127.0.0.1")
    assert use_["last_used"][:10] in days and use_["last_used"].endswith("Z")
    assert seen["OTHERKEY"]["requests"] >= 1 and seen["OTHERKEY"]["way"] == "header"
    assert seen["SILENTKEY"] == {"key": "SILENTKEY", "requests": 0, "last_used": "", "operation": "", "way": "", "client": ""}


def test_what_is_refused_is_a_use(clients: tuple[Server, dict[str, t.Any]]) -> None:
    server, by = clients

    def use() -> None:
        with contextlib.suppress(ClientError):
            by["WATCHEDKEY s3v4"].list_objects_v2(Bucket="key-use")

    with meanwhile(use):
        seen, quiet = watched(server, seconds=4, quiet_seconds=3)
    assert seen["WATCHEDKEY"]["requests"] >= 1 and seen["WATCHEDKEY"]["operation"].startswith("ListObjectsV2")
    assert quiet < 3


def test_it_ends_when_it_is_silent(clients: tuple[Server, dict[str, t.Any]]) -> None:
    server, _by = clients
    began = time.monotonic()
    seen, quiet = watched(server, seconds=300, quiet_seconds=2)
    assert 2 <= quiet <= time.monotonic() - began < 120
    assert {each["requests"] for each in seen.values()} == {0}


def test_who_may_not_see_it_is_told(clients: tuple[Server, dict[str, t.Any]]) -> None:
    server, by = clients
    secret = by["OTHERKEY s3v4"]._request_signer._credentials.secret_key
    told = server.run(minio_access_key_use_info, keys=["WATCHEDKEY"], access_key="OTHERKEY", secret_key=secret)["msg"]
    assert "OTHERKEY" in told and "admin:ServerTrace" in told and secret not in told


def test_other_servers_have_none(start_server: StartServer) -> None:
    told = start_server("versitygw").run(minio_access_key_use_info, keys=["WATCHEDKEY"], seconds=5)["msg"]
    assert told.startswith("could not read the trace at ") and "no answer of MinIO's admin API" in told


def test_a_server_that_stops_meanwhile(tmp_path: Path) -> None:
    server = Server("minio", f"http://127.0.0.1:{free_port()}")
    with minio(server, tmp_path, drives=1):
        threading.Timer(2, lambda: server.process and server.process.kill()).start()
        told = server.run(minio_access_key_use_info, keys=["WATCHEDKEY"], seconds=60)
    assert told["msg"].startswith(f"{server.endpoint_url} ") and ("cannot be reached" in told["msg"] or "has ended its trace" in told["msg"]), told
