# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine makes of a store that misbehaves: the right bytes or an error that says what is wrong, and soon."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import secrets
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import config, keys
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Denied, NotFound, StoreError
from ansible_collections.odooops.stack.plugins.module_utils.filestore.store import ASK_FIRST, ObjectStore
from conftest import Server, free_port
from fault_proxy import FAULTS, FaultProxy

BUDGET = 2.0  # seconds that an operation may take
SLACK = 1.5  # of a machine that does other things too
BUCKET, PREFIX = "faults", "odoo/"


class Content(t.NamedTuple):
    body: bytes
    fname: str


def content(size: int) -> Content:
    body = secrets.token_bytes(size)
    return Content(body, keys.build(hashlib.sha1(body).hexdigest()))


SIZE = 8000
STORED = content(SIZE)


@contextlib.contextmanager
def running(proxy: FaultProxy) -> Iterator[FaultProxy]:
    loop = asyncio.new_event_loop()
    task = loop.create_task(proxy.run())

    def serve() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        proxy.set(proxy.fault)  # by then it listens
        yield proxy
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        for left in asyncio.all_tasks(loop):
            left.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()


class Stage(t.NamedTuple):
    """A store that is reached through a proxy, and the same one as it is."""

    proxy: FaultProxy
    through: ObjectStore
    direct: ObjectStore


@pytest.fixture(scope="module")
def stage(start_server: Callable[[str], Server]) -> Iterator[Stage]:
    server = start_server("minio")
    server.client.create_bucket(Bucket=BUCKET)
    server.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    given = {"bucket": BUCKET, "prefix": PREFIX, "endpoint_url": server.endpoint_url, "access_key": server.access_key, "secret_key": server.secret_key}
    direct = ObjectStore(config.parse(given, {}))
    direct.put(STORED.fname, STORED.body)
    port = free_port()
    with running(FaultProxy(port, int(server.endpoint_url.rsplit(":", 1)[1]))) as proxy:
        hurried = {"endpoint_url": f"http://127.0.0.1:{port}", "connect_timeout": "1", "read_timeout": "1", "max_attempts": "1", "op_budget": "2"}
        yield Stage(proxy, ObjectStore(config.parse(given | hurried, {})), direct)


def write(stage: Stage, size: int) -> Callable[[], bool]:
    new = content(size)
    ended: list[StoreError | None] = [None]

    def act() -> bool:
        try:
            stage.through.put(new.fname, new.body)
        except StoreError as error:
            ended[0] = error
            raise
        return True

    def check() -> None:
        """Whatever was said: an object of that name has the bytes of that name."""
        try:
            assert stage.direct.get_bytes(new.fname) == new.body
        except StoreError:
            assert ended[0] is not None, "said to be stored, and is not"
            assert stage.direct.put(new.fname, new.body), "another object is in the way"

    act.check = check  # type: ignore[attr-defined]
    return act


def read_to_file(stage: Stage) -> bool:
    target = io.BytesIO()
    return stage.through.get_to_file(STORED.fname, target) == SIZE and target.getvalue() == STORED.body


def sign(stage: Stage) -> bool:
    return "X-Amz-Signature=" in stage.through.presign(STORED.fname)


def delete(stage: Stage) -> Callable[[], bool]:
    old = content(SIZE)
    stage.direct.put(old.fname, old.body)
    ended: list[object] = ["nothing"]

    def act() -> bool:
        try:
            ended[0] = stage.through.delete([old.fname])
        except StoreError as error:
            ended[0] = error
            raise
        if ended[0]:
            raise Denied(f"bucket {BUCKET}: {ended[0]}")
        return True

    def check() -> None:
        """Whatever was said: it is there with all its bytes, or it is not there."""
        try:
            assert stage.direct.get_bytes(old.fname) == old.body
            assert ended[0], "said to be deleted, and is not"
        except NotFound:
            pass

    act.check = check  # type: ignore[attr-defined]
    return act


OPERATIONS: dict[str, Callable[[Stage], Callable[[], bool]]] = {
    "write": lambda stage: write(stage, SIZE),
    "write, large": lambda stage: write(stage, ASK_FIRST + SIZE),
    "read": lambda stage: lambda: stage.through.get_bytes(STORED.fname) == STORED.body,
    "read to a file": lambda stage: lambda: read_to_file(stage),
    "look up": lambda stage: lambda: stage.through.head(STORED.fname)[:2] == (SIZE, STORED.fname[3:43]),
    "delete": delete,
    "sign a link": lambda stage: lambda: sign(stage),
}


@pytest.fixture(scope="module")
def table() -> Iterator[dict[tuple[str, str], str]]:
    """What the tests find out; written to the artefacts as the guide has it."""
    found: dict[tuple[str, str], str] = {}
    yield found
    Path(os.environ["ARTIFACTS"]).mkdir(exist_ok=True)
    Path(os.environ["ARTIFACTS"], "addon_faults_engine.md").write_text(as_guide(found))


def as_guide(found: dict[tuple[str, str], str]) -> str:
    """A table of faults and operations."""
    lines = ["| Fault | " + " | ".join(OPERATIONS) + " |", "| --- " * (len(OPERATIONS) + 1) + "|"]
    for fault in FAULTS:
        lines.append(f"| {fault} | " + " | ".join(found.get((fault, operation), "") for operation in OPERATIONS) + " |")
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault(stage: Stage, table: dict[tuple[str, str], str], fault: str, operation: str) -> None:
    act = OPERATIONS[operation](stage)
    stage.proxy.set(fault)
    seen = stage.proxy.requests
    begin = time.monotonic()
    try:
        assert act(), "neither an error nor the right bytes"
        table[fault, operation] = "works"
    except StoreError as error:
        table[fault, operation] = type(error).__name__
        assert f"bucket {BUCKET}" in str(error)
        assert "secret" not in str(error).lower() and "Signature" not in str(error)
    finally:
        took = time.monotonic() - begin
        stage.proxy.set("none")
    assert took < BUDGET + SLACK, f"{took:.1f} s"
    assert operation == "sign a link" or fault == "refuse" or stage.proxy.requests > seen, "the fault met nothing"
    if hasattr(act, "check"):
        act.check()
    # It is over: the same connection pool works again.
    assert act()


def test_every_fault_is_felt(table: dict[tuple[str, str], str]) -> None:
    """A fault that no operation notices tests nothing."""
    for fault in FAULTS:
        assert any(table[fault, operation] != "works" for operation in OPERATIONS) == (fault != "none"), fault


def test_the_guide_says_what_was_found(table: dict[tuple[str, str], str], request: pytest.FixtureRequest) -> None:
    if len(table) < len(FAULTS) * len(OPERATIONS):
        assert request.config.option.keyword or request.config.option.lf, "not every case was run"
        return
    guide = (Path(__file__).parents[2] / "docs/addon_faults.md").read_text()
    assert as_guide(table) in guide, "docs/addon_faults.md: put the table of artifacts/addon_faults_engine.md there"
