# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of s3_bucket on every server: told before, done, done once, found again when changed by hand, taken away."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._bucket import ASPECTS, Bucket
from ansible_collections.odooops.stack.plugins.module_utils._s3 import S3, Connection
from ansible_collections.odooops.stack.plugins.modules import minio_remote_target, s3_bucket
from botocore.exceptions import ClientError
from conftest import KMS_KEY, QUEUE, Server
from urllib3.connectionpool import HTTPConnectionPool

NUMBERS = itertools.count()
QUEUES = {"minio": QUEUE, "minio-tls": QUEUE, "versitygw": QUEUE, "moto": "arn:aws:sqs:us-east-1:123456789012:audit"}
ALL = ("minio", "minio-tls", "versitygw", "moto")
MINIO = ("minio", "minio-tls")


@dataclass(frozen=True)
class Case:
    """A value of an option, what it is changed to by hand, and on which servers it works."""

    option: str
    value: t.Any
    other: t.Any
    works: tuple[str, ...]
    label: str = ""
    # What else the bucket is created with.
    beside: dict[str, t.Any] = field(default_factory=dict)
    # What takes it away; ``None`` where nothing does.
    nothing: t.Any = None

    def __str__(self) -> str:
        return self.label or self.option


def policy(bucket: str, *actions: str) -> dict[str, t.Any]:
    allowed = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": list(actions), "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [allowed]}


def lifecycle(**rule: t.Any) -> list[dict[str, t.Any]]:
    return [{"id": "the-rule", "enabled": True, **rule}]


def replication(**rule: t.Any) -> list[dict[str, t.Any]]:
    return [{"id": "the-rule", "enabled": True, "priority": 1, "destination": "TARGET", **rule}]


LOG_DELIVERY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*"}],
}
LOCKED = {"object_lock": True}
VERSIONED = {"versioning": "enabled"}
OLD = lifecycle(expiration_days=90)
CORS = [{"allowed_origins": ["https://odoo.example.com"], "allowed_methods": ["GET", "HEAD"], "allowed_headers": ["*"], "max_age_seconds": 600}]
TOLD = {"id": "new", "arn": "QUEUE", "events": ["s3:ObjectCreated:*"], "prefix": "a/", "suffix": ".pdf"}
PLAIN = {"algorithm": "none"}
OTHERS = replication(enabled=False)
CASES = [
    Case("versioning", "enabled", "suspended", ALL, nothing="suspended"),
    Case("object_lock", True, None, ALL),
    Case("default_retention", {"mode": "governance", "days": 30}, {"mode": "compliance", "years": 1}, ALL, beside=LOCKED, nothing={"mode": "none"}),
    Case("encryption", {"algorithm": "AES256"}, {"algorithm": "none"}, (*MINIO, "moto"), "encryption AES256", nothing=PLAIN),
    Case(
        "encryption",
        {"algorithm": "aws:kms", "kms_key": KMS_KEY},
        {"algorithm": "AES256"},
        ("minio", "minio-tls", "moto"),
        "encryption aws:kms",
        nothing={"algorithm": "none"},
    ),
    Case("tags", {"instance": "production", "owner": "a+b@c"}, {"instance": "copy"}, ALL, nothing={}),
    Case("tags", {"owner": "Zoë"}, {"owner": "b"}, ("versitygw", "moto"), "tags beyond ASCII", nothing={}),
    Case("quota", "10GB", "1GB", MINIO, nothing="0"),
    Case("lifecycle", lifecycle(expiration_days=30, prefix="tmp/"), OLD, (*MINIO, "moto"), "lifecycle expiration_days", nothing=[]),
    Case("lifecycle", lifecycle(expiration_date="2040-01-31"), OLD, (*MINIO, "moto"), "lifecycle expiration_date", nothing=[]),
    Case("lifecycle", lifecycle(expired_delete_markers=True), OLD, (*MINIO, "moto"), "lifecycle expired_delete_markers", nothing=[]),
    Case("lifecycle", lifecycle(noncurrent_expiration_days=30), OLD, (*MINIO, "moto"), "lifecycle noncurrent_expiration_days", VERSIONED, []),
    Case("lifecycle", lifecycle(noncurrent_expiration_days=30, noncurrent_versions_kept=3), OLD, MINIO, "lifecycle noncurrent_versions_kept", VERSIONED, []),
    Case("lifecycle", lifecycle(abort_uploads_days=7), OLD, ("moto",), "lifecycle abort_uploads_days", nothing=[]),
    Case("lifecycle", lifecycle(expiration_days=1, tags={"a": "1", "b": "2"}, prefix="x/"), OLD, (*MINIO, "moto"), "lifecycle tags", nothing=[]),
    Case("lifecycle", lifecycle(expiration_days=1, size_greater_than=1000, size_less_than=9000), OLD, MINIO, "lifecycle size", nothing=[]),
    Case("lifecycle", lifecycle(transitions=[{"days": 30, "storage_class": "GLACIER"}]), OLD, ("moto",), "lifecycle transitions", nothing=[]),
    Case("cors", CORS, [{"allowed_origins": ["*"], "allowed_methods": ["PUT"]}], ("versitygw", "moto"), nothing=[]),
    Case(
        "notifications", [{"id": "new", "arn": "QUEUE", "events": ["s3:ObjectCreated:*"], "prefix": "a/", "suffix": ".pdf"}], [], (*MINIO, "moto"), nothing=[]
    ),
    Case("logging", {"bucket": "logs", "prefix": "odoo/"}, {}, ("moto",), nothing={}),
    Case("replication", replication(), OTHERS, (*MINIO, "moto"), "replication", VERSIONED, []),
    Case("replication", replication(prefix="a/", tags={"x": "1"}), OTHERS, MINIO, "replication prefix, tags", VERSIONED, []),
    Case("replication", replication(delete_markers=True), OTHERS, MINIO, "replication delete_markers", VERSIONED, []),
    Case("replication", replication(existing_objects=True), OTHERS, MINIO, "replication existing_objects", VERSIONED, []),
    Case("replication", replication(replica_modifications=True), OTHERS, MINIO, "replication replica_modifications", VERSIONED, []),
    Case("policy", policy("BUCKET", "s3:GetObject", "s3:PutObject"), policy("BUCKET", "s3:GetObject"), ALL, nothing={}),
]


@pytest.fixture(scope="session")
def table() -> Iterator[dict[tuple[str, str], str]]:
    """What the tests find out; written to the artefacts as the guide has it."""
    found: dict[tuple[str, str], str] = {}
    yield found
    Path(os.environ["ARTIFACTS"]).mkdir(exist_ok=True)
    Path(os.environ["ARTIFACTS"], "s3_bucket.md").write_text(as_guide(found))


def as_guide(found: dict[tuple[str, str], str]) -> str:
    """A table of options and servers, with the refusals below it."""
    refusals = sorted({message for message in found.values() if message != "works"})
    lines = ["| Option | " + " | ".join(ALL) + " |", "| --- " * (len(ALL) + 1) + "|"]
    for case in CASES:
        cells = [found.get((str(case), server), "") for server in ALL]
        lines.append(f"| {case} | " + " | ".join(cell if cell in ("works", "") else f"refused [{refusals.index(cell) + 1}]" for cell in cells) + " |")
    return "\n".join([*lines, "", *[f"{number}. `{message}`" for number, message in enumerate(refusals, 1)], ""])


def fill(value: t.Any, server: Server, bucket: str, target: str = "") -> t.Any:
    """The value with the names that only the test knows."""
    return json.loads(json.dumps(value).replace("BUCKET", bucket).replace("QUEUE", QUEUES[server.name]).replace("TARGET", target))


def target_of(server: Server, bucket: str) -> str:
    """What a replication rule of the bucket names to have copies in the bucket ``replica``."""
    if server.name not in MINIO:
        return "arn:aws:s3:::replica"
    key = {"target_access_key": server.access_key, "target_secret_key": server.secret_key}
    made = server.run(minio_remote_target, bucket=bucket, target_endpoint_url=server.endpoint_url, target_bucket="replica", **key)
    assert made.get("changed"), made
    return made["target"]["arn"]


def by_hand(server: Server, name: str, option: str, value: t.Any) -> None:
    """Change something past the module: what S3's API takes, sent without a look at what is there."""
    wanted = s3_bucket.wanted_of({**{argument: spec.get("default") for argument, spec in s3_bucket.ARGUMENTS.items()}, "name": name, option: value})
    connection = Connection(**{**dict.fromkeys(("session_token",)), **server.connection}, validate_certs=True, connect_timeout=5, read_timeout=30, retries=1)
    Bucket(S3(connection), name).write(option, wanted[option])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_option(case: Case, server: Server, table: dict[tuple[str, str], str]) -> None:
    name = f"bucket{next(NUMBERS)}"
    for helper in ("logs", "replica"):
        server.run(s3_bucket, name=helper, versioning="enabled")
    if case.option == "logging":
        # moto knows no other spelling of it.
        with contextlib.suppress(ClientError):
            server.client.put_bucket_policy(Bucket="logs", Policy=json.dumps(LOG_DELIVERY))
    arguments = {"name": name, **case.beside}
    if case.option != "object_lock":
        made = server.run(s3_bucket, **arguments)
        assert made.get("changed"), made
    target = target_of(server, name) if case.option == "replication" else ""
    value, other = fill(case.value, server, name, target), fill(case.other, server, name, target)

    def run(value: t.Any, *, check: bool = False) -> dict[str, t.Any]:
        return server.run(s3_bucket, check=check, **arguments, **{case.option: value})

    predicted = run(value, check=True)
    done = run(value)
    if server.name not in case.works:
        table[str(case), server.name] = plain(done.get("msg", "not refused"), server, name)
        assert done.get("failed") and name in done["msg"] and "Traceback" not in done["msg"], done
        return
    assert not done.get("failed"), done["msg"]
    table[str(case), server.name] = "works"
    assert predicted["changed"] and done["changed"] and predicted["diff"] == done["diff"]
    assert not run(value)["changed"] and not run(value, check=True)["changed"]
    if case.other is not None:
        by_hand(server, name, case.option, other)
        found = run(value, check=True)
        assert found["changed"] and found["diff"]["after"] == done["diff"]["after"] and found["diff"]["before"] != found["diff"]["after"]
        assert run(value, check=True)["diff"] == found["diff"], "check mode changed something"
        assert run(value)["diff"] == found["diff"]
        assert not run(value)["changed"]
    if case.nothing is not None:
        nothing = fill(case.nothing, server, name)
        gone = run(nothing, check=True)
        assert gone["changed"] and run(nothing)["diff"] == gone["diff"]
        assert not run(nothing)["changed"]
    removed = server.run(s3_bucket, name=name, state="absent")
    assert removed.get("changed"), removed
    assert not server.run(s3_bucket, name=name, state="absent")["changed"]


def plain(message: str, server: Server, bucket: str) -> str:
    """The message as it is the same for every server."""
    return re.sub(r"\s+", " ", message.replace(server.endpoint_url, "SERVER").replace(bucket, "odoo")).split(": wanted ")[0]


def test_a_run_without_a_change_reads_each_aspect_once_and_writes_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[str, str]] = []
    urlopen = HTTPConnectionPool.urlopen

    def counting(pool: HTTPConnectionPool, method: str, url: str, *rest: t.Any, **more: t.Any) -> t.Any:
        # What is asked for: the subresource of S3's API, or the command of MinIO's.
        parts = urlsplit(url)
        requests.append((method, parts.path.rsplit("/", 1)[1] if parts.path.startswith("/minio/admin") else parts.query))
        return urlopen(pool, method, url, *rest, **more)

    # Beneath both clients, so that there is no request which it does not see.
    monkeypatch.setattr(HTTPConnectionPool, "urlopen", counting)
    name = f"bucket{next(NUMBERS)}"
    wish: dict[str, t.Any] = {"versioning": "enabled", "tags": {"a": "b"}, "policy": policy(name, "s3:GetObject"), "object_lock": True}
    reads = {"versioning", "tagging", "policy", "object-lock"}
    if server.name != "versitygw":
        wish |= {"encryption": {"algorithm": "AES256"}, "lifecycle": OLD, "notifications": [fill(TOLD, server, name)]}
        reads |= {"encryption", "lifecycle", "notification"}
    if server.name in MINIO:
        wish["quota"] = "10GB"
        reads.add("get-bucket-quota")
    # It comes with the answer to object lock.
    wish["default_retention"] = {"mode": "governance", "days": 1}
    done = server.run(s3_bucket, name=name, **wish)
    assert done.get("changed"), done
    assert {method for method, _asked in requests} >= {"PUT"}, "the counter counts nothing"
    for check in (False, True):
        requests.clear()
        assert not server.run(s3_bucket, check=check, name=name, **wish)["changed"]
        assert sorted(requests) == sorted(("GET", asked) for asked in reads)


def test_the_guide_says_what_was_found(table: dict[tuple[str, str], str], request: pytest.FixtureRequest) -> None:
    if len(table) < len(CASES) * len(ALL):
        assert request.config.option.keyword or request.config.option.lf, "not every case was run"
        return
    guide = (Path(__file__).parents[2] / "docs/s3_servers.md").read_text()
    assert as_guide(table) in guide, "docs/s3_servers.md: put the table of artifacts/s3_bucket.md there"


def test_every_option_has_a_case() -> None:
    assert {case.option for case in CASES} == {*ASPECTS, "quota"}
