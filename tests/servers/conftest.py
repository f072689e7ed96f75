# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real S3 servers, each a process of its own for the length of the tests."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import random
import secrets
import socket
import subprocess
import tempfile
import time
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import botocore.exceptions
import botocore.loaders
import botocore.session
import psycopg2
import pytest
import trustme
from ansible_collections.odooops.stack.plugins.module_utils import _bucket
from ansible_collections.odooops.stack.tests.unit.plugins.modules.running import forget_aws, result_of
from botocore.config import Config
from filestore import TABLES, Filestore, postgresql

CACHE = Path(os.environ["ODOOOPS_CACHE"])
# A key that MinIO encrypts with, and a queue that it tells of events, which nobody reads.
KMS_KEY = "stack-key"
QUEUE = "arn:minio:sqs::audit:webhook"


@dataclass
class Server:
    """An S3 server, and how to reach it."""

    name: str
    endpoint_url: str
    access_key: str = "root-of-the-tests"
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    region: str = "us-east-1"
    ca_bundle: str | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def connection(self) -> dict[str, t.Any]:
        names = ("endpoint_url", "access_key", "secret_key", "region", "ca_bundle")
        return {name: getattr(self, name) for name in names}

    def run(self, module: t.Any, *, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """The result of a module that is told of this server."""
        result = result_of(module, {**self.connection, **arguments}, check=check)
        assert self.secret_key not in json.dumps(result), "the result gives the secret away"
        return result

    @property
    def client(self) -> t.Any:
        """boto3's client, to look and to meddle past the modules."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            verify=self.ca_bundle or True,
            config=Config(retries={"total_max_attempts": 3}, s3={"addressing_style": "path"}),
        )


# Whoever asks for any port gets a higher one.
_PORTS = itertools.cycle(random.sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """One that nobody else is given until the server has it."""
    while True:
        port = next(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def process(server: Server, command: list[str], log: Path, environment: dict[str, str]) -> Iterator[Server]:
    """Run a server until it is no longer needed."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment}, stdout=output, stderr=output)
    server.process = running
    try:
        for _attempt in range(300):
            assert running.poll() is None, log.read_text()
            with contextlib.suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                server.client.list_buckets()
                break
            time.sleep(0.1)
        else:
            raise AssertionError(log.read_text())
        yield server
    finally:
        running.terminate()
        running.wait(30)


def minio(server: Server, directory: Path, *options: str, drives: int = 4) -> contextlib.AbstractContextManager[Server]:
    address = server.endpoint_url.split("//")[1].replace("localhost", "127.0.0.1")
    environment = {
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_REGION": server.region,
        "MINIO_CI_CD": "1",
        "MINIO_BROWSER": "off",
        "MINIO_KMS_SECRET_KEY": f"{KMS_KEY}:{base64.b64encode(os.urandom(32)).decode()}",
        "MINIO_NOTIFY_WEBHOOK_ENABLE_audit": "on",
        "MINIO_NOTIFY_WEBHOOK_ENDPOINT_audit": "http://127.0.0.1:9/",
        "MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_audit": str(directory / "events"),
    }
    paths = [str(directory / f"disk{number}") for number in range(1, drives + 1)]
    return process(server, [str(CACHE / "minio/minio"), "server", "--address", address, *options, *paths], directory / "log", environment)


StartServer = Callable[[str], Server]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start a server when the first test wants it."""
    running: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str) -> Server:
            if name not in running:
                running[name] = stack.enter_context(STARTERS[name](tmp_path_factory.mktemp(name)))
            return running[name]

        yield start


def start_minio(directory: Path, drives: int = 4) -> contextlib.AbstractContextManager[Server]:
    return minio(Server("minio", f"http://127.0.0.1:{free_port()}"), directory, drives=drives)


def start_minio_tls(directory: Path, drives: int = 4) -> contextlib.AbstractContextManager[Server]:
    """MinIO in another region, with a certificate of a CA that nobody else knows (the server itself does, to replicate to itself)."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.crt")
    certificate = authority.issue_cert("localhost")
    (directory / "certs/CAs").mkdir(parents=True)
    authority.cert_pem.write_to_path(directory / "certs/CAs/ca.crt")
    certificate.private_key_pem.write_to_path(directory / "certs/private.key")
    certificate.cert_chain_pems[0].write_to_path(directory / "certs/public.crt")
    server = Server("minio-tls", f"https://localhost:{free_port()}", region="eu-central-1", ca_bundle=str(directory / "ca.crt"))
    return minio(server, directory, "--certs-dir", str(directory / "certs"), drives=drives)


def start_versitygw(directory: Path) -> contextlib.AbstractContextManager[Server]:
    server = Server("versitygw", f"http://127.0.0.1:{free_port()}")
    for name in ("data", "versions", "meta"):
        (directory / name).mkdir()
    address = server.endpoint_url.split("//")[1]
    command = [str(CACHE / "versitygw/versitygw"), "--port", address, "--region", server.region]
    command += ["posix", "--versioning-dir", str(directory / "versions"), "--sidecar", str(directory / "meta"), str(directory / "data")]
    return process(server, command, directory / "log", {"ROOT_ACCESS_KEY_ID": server.access_key, "ROOT_SECRET_ACCESS_KEY": server.secret_key})


def start_moto(directory: Path) -> contextlib.AbstractContextManager[Server]:
    """AWS's own dialect."""
    server = Server("moto", f"http://127.0.0.1:{free_port()}")
    return process(server, ["moto_server", "--host", "127.0.0.1", "--port", server.endpoint_url.rsplit(":", 1)[1]], directory / "log", {})


STARTERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Server]]] = {
    "minio": start_minio,
    "minio-tls": start_minio_tls,
    "versitygw": start_versitygw,
    "moto": start_moto,
}


@pytest.fixture(scope="session", autouse=True)
def descriptions_are_read_once() -> Iterator[None]:
    """Thousands of clients are made here: most of their time would go into parsing botocore's descriptions of S3 anew for each."""
    parsed: dict[str | None, dict[t.Any, t.Any]] = {}

    def create_loader(search_path: str | None = None) -> botocore.loaders.Loader:
        loader = botocore.loaders.create_loader(search_path)
        loader._cache = parsed.setdefault(search_path, loader._cache)
        return loader

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", create_loader)
        yield


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    # These servers answer with what was written at once, or never.
    monkeypatch.setattr(_bucket, "PATIENCE", (0.1, 0.2))


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The modules hear of a server by their options, and by what a test says of it."""
    forget_aws(monkeypatch, tmp_path)


@pytest.fixture(params=list(STARTERS))
def server(request: pytest.FixtureRequest, start_server: StartServer) -> Server:
    return start_server(request.param)


@pytest.fixture(params=["minio", "minio-tls"])
def minio_server(request: pytest.FixtureRequest, start_server: StartServer) -> Server:
    return start_server(request.param)


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    # Not below pytest's own directory: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="pg") as directory, postgresql(Path(directory)) as connection:
        yield connection


@pytest.fixture
def make_filestore(database_server: dict[str, str], tmp_path: Path) -> Callable[..., Filestore]:
    """A database with a filestore, and a bucket with versioning, on a server."""

    def make(server: Server, versioned: bool = True) -> Filestore:
        number = next(_NUMBERS)
        name = f"shop{number}"
        with contextlib.closing(psycopg2.connect(dbname="postgres", **database_server)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name}")
        path = tmp_path / "filestore" / name
        path.mkdir(parents=True)
        bucket = f"filestore-{number}"
        server.client.create_bucket(
            Bucket=bucket, **({} if server.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": server.region}})
        )
        if versioned:
            server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        found = Filestore(name, database_server, path, server, bucket, tmp_path / "state")
        found.sql(TABLES)
        return found

    return make
