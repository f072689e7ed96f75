# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large contents, which the addon sends in parts: whole or not at all, whatever happens on the way, and in little memory."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import multiprocessing
import os
import secrets
import signal
import tempfile
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import config, keys, parts
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Corrupt, NotFound, StoreError
from ansible_collections.odooops.stack.plugins.module_utils.filestore.store import ObjectStore
from conftest import Server, free_port
from fault_proxy import FaultProxy
from test_faults import running

BUCKET = "parts"
MIB = 1024 * 1024
SIZE = 2 * parts.PART_SIZE + 5
BODY = secrets.token_bytes(SIZE)
FNAME = keys.build(hashlib.sha1(BODY).hexdigest())


def store_at(server: Server, prefix: str, **settings: str) -> ObjectStore:
    given = {"bucket": BUCKET, "prefix": prefix, "endpoint_url": server.endpoint_url, "access_key": server.access_key, "secret_key": server.secret_key}
    given |= {"region": server.region, "ca_bundle": server.ca_bundle or "", **settings}
    return ObjectStore(config.parse({name: value for name, value in given.items() if value}, {}))


@pytest.fixture
def objects(server: Server) -> ObjectStore:
    return prepared(server)


def prepared(server: Server, **settings: str) -> ObjectStore:
    """A store in a prefix that nobody has used."""
    client = server.client
    elsewhere = {} if server.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": server.region}}
    with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET, **elsewhere)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return store_at(server, f"{secrets.token_hex(4)}/", **settings)


def unfinished(objects: ObjectStore, fname: str = FNAME) -> list[str]:
    """The uploads of that name that are neither complete nor given up. MinIO lists them by the whole key only."""
    key = objects.config.prefix + fname
    return [found["UploadId"] for found in objects._client().list_multipart_uploads(Bucket=BUCKET, Prefix=key).get("Uploads", [])]


def versions(objects: ObjectStore, fname: str = FNAME) -> int:
    answer = objects._client().list_object_versions(Bucket=BUCKET, Prefix=objects.config.prefix + fname)
    return len(answer.get("Versions", []))


def test_there_and_back(objects: ObjectStore) -> None:
    """From memory and from a file; once, however often it comes."""
    file = io.BytesIO(BODY)
    file.seek(100)
    assert objects.put(FNAME, BODY, "application/pdf")
    assert objects._client().head_object(Bucket=BUCKET, Key=objects.config.prefix + FNAME)["ETag"].endswith('-3"')
    assert objects.get_bytes(FNAME) == BODY
    assert objects.head(FNAME)[:2] == (SIZE, FNAME[3:])
    assert not objects.put(FNAME, BODY)
    assert not objects.put(FNAME, file)
    assert objects.put(f"{FNAME}-other", file)
    assert objects.get_bytes(f"{FNAME}-other") == BODY
    assert not unfinished(objects)
    assert versions(objects) == 2  # of the one and of the other, whose name begins so


def test_only_a_server_that_checks_gets_bodies_without_a_signature(server: Server, objects: ObjectStore) -> None:
    large = BODY[: 2 * MIB]
    fname = keys.build(hashlib.sha1(large).hexdigest())
    assert objects.put(fname, large) and objects.get_bytes(fname) == large
    checks = server.name != "moto"
    assert objects._contents().features.unsigned is checks
    # Where it does not, this says so once and for all.
    assert versions(objects, ".probe/checksum") == (not checks)
    again = ObjectStore(objects.config)
    assert again.put(FNAME, BODY) and again.get_bytes(FNAME) == BODY
    assert again._contents().features.unsigned is checks and versions(objects, ".probe/checksum") == (not checks)


def test_from_the_threshold_on(start_server: Callable[[str], Server]) -> None:
    objects = prepared(start_server("minio"), multipart_threshold=str(6 * MIB))
    for size, marked in ((6 * MIB - 1, False), (6 * MIB, True)):
        fname = keys.build(hashlib.sha1(BODY[:size]).hexdigest())
        assert objects.put(fname, BODY[:size])
        assert ("-" in objects.head(fname).etag) is marked


def test_other_bytes_are_refused(objects: ObjectStore) -> None:
    for body in (BODY[:-1] + b"x", BODY[:-1]):
        with pytest.raises(Corrupt, match="have the SHA-1"):
            objects.put(FNAME, body)
    with pytest.raises(NotFound):
        objects.head(FNAME)
    assert not unfinished(objects)


def test_object_that_was_cut_short_is_replaced(start_server: Callable[[str], Server]) -> None:
    objects = prepared(start_server("minio"))
    objects._client().put_object(Bucket=BUCKET, Key=objects.config.prefix + FNAME, Body=BODY[:100])
    assert objects.put(FNAME, BODY)
    assert objects.get_bytes(FNAME) == BODY


def test_several_at_once(start_server: Callable[[str], Server]) -> None:
    """All are told that it is there, and it was stored once."""
    objects = prepared(start_server("minio"))
    told: list[bool] = []
    threads = [threading.Thread(target=lambda: told.append(objects.put(FNAME, BODY))) for _number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, False, True]
    assert versions(objects) == 1
    assert not unfinished(objects)


class FaultOnce(FaultProxy):
    """Spoils one request only: the one of that number."""

    wanted, number = "none", 0

    @property
    def fault(self) -> str:
        return self.wanted if self.requests == self.number else "none"

    @fault.setter
    def fault(self, value: str) -> None:
        self.wanted = value


@pytest.fixture
def proxy(start_server: Callable[[str], Server]) -> Iterator[tuple[Server, FaultOnce, Server]]:
    server = start_server("minio")
    port = free_port()
    spoilt = Server("proxy", f"http://127.0.0.1:{port}", access_key=server.access_key, secret_key=server.secret_key)
    with running(FaultOnce(port, int(server.endpoint_url.rsplit(":", 1)[1]))) as found:
        yield server, t.cast(FaultOnce, found), spoilt


# The first request looks for the content, the second asks for the server's checks, the third begins, the parts are those from 4 to 6, and the 7th makes
# the object.
PART, END = 5, 7


@pytest.mark.parametrize(
    ("fault", "number"), [*((fault, PART) for fault in ("hang", "reset", "500", "403", "shortened", "flipped")), ("hang", END), ("500", END), ("reset", END)]
)
def test_fault_in_the_middle(fault: str, number: int, proxy: tuple[Server, FaultOnce, Server]) -> None:
    server, between, spoilt = proxy
    direct = prepared(server)
    # Of those that hang a test has to wait for the end; what else happens has its time.
    patience = {"connect_timeout": "2", "read_timeout": "5", "op_budget": "10"} if fault == "hang" else {}
    through = store_at(spoilt, direct.config.prefix, max_attempts="1", **patience)
    between.number, between.fault = number, fault
    stored = None
    try:
        stored = through.put(FNAME, BODY)
    except StoreError as error:
        assert direct.config.bucket in str(error) or FNAME in str(error)
    assert between.requests > number
    if stored is None:
        wait_for(lambda: not unfinished(direct))
        # The answer that it is complete may be what was lost.
        assert versions(direct) == (1 if (fault, number) in {("reset", END)} else 0)
    assert not unfinished(direct)
    direct.put(FNAME, BODY)
    assert direct.get_bytes(FNAME) == BODY
    assert versions(direct) == 1


def wait_for(condition: Callable[[], object]) -> None:
    for _attempt in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to be")


@pytest.mark.parametrize(("fault", "number"), [("500", PART), ("reset", PART), ("truncated", END)])
def test_tries_again(fault: str, number: int, proxy: tuple[Server, FaultOnce, Server]) -> None:
    server, between, spoilt = proxy
    direct = prepared(server)
    through = store_at(spoilt, direct.config.prefix)
    between.number, between.fault = number, fault
    through.put(FNAME, BODY)
    assert direct.get_bytes(FNAME) == BODY
    assert versions(direct) == 1
    assert not unfinished(direct)


def _put(objects: ObjectStore) -> None:
    objects.put(FNAME, BODY)


def test_killed_in_the_middle(proxy: tuple[Server, FaultOnce, Server]) -> None:
    """No object is made of what came; it is in nobody's way, and goes by the bucket's rule or by hand."""
    server, between, spoilt = proxy
    direct = prepared(server)
    between.number, between.fault = END - 1, "hang"
    worker = multiprocessing.get_context("fork").Process(target=_put, args=(store_at(spoilt, direct.config.prefix),))
    worker.start()
    wait_for(lambda: between.requests >= END - 1 and unfinished(direct))
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    (left,) = unfinished(direct)
    assert versions(direct) == 0
    with pytest.raises(NotFound):
        direct.head(FNAME)
    assert direct.put(FNAME, BODY)
    assert direct.get_bytes(FNAME) == BODY
    assert unfinished(direct) == [left]


def _peaks(objects: ObjectStore, size: int, to: Connection) -> None:
    """By how many bytes the process grows at most while it stores a content that it has, and while it gets one, beside the content."""

    def resident(field: str) -> int:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

    def peak(act: Callable[[], object]) -> int:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # VmHWM begins anew
        before = resident("VmRSS")
        kept = act()
        assert kept
        return resident("VmHWM") - before

    small = secrets.token_bytes(1000)
    objects.put(keys.build(hashlib.sha1(small).hexdigest()), small)  # what boto3 loads once
    body = secrets.token_bytes(size)
    fname = keys.build(hashlib.sha1(body).hexdigest())
    up = peak(functools.partial(objects.put, fname, body))
    send = parts._send

    def slowly(*arguments: t.Any) -> dict[str, t.Any]:
        time.sleep(0.2)  # as a network that is slower than the disk
        return send(*arguments)

    with tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_send", slowly)
        file.write(body)
        from_file = peak(lambda: objects.put(f"{fname}-file", file))
    del body
    down = peak(lambda: objects.get_bytes(fname)) - size
    to.send(json.dumps({"up": up, "from_file": from_file, "down": down}))


def test_memory(start_server: Callable[[str], Server]) -> None:
    """100 MB take no more than 64 MiB beside themselves."""
    objects = prepared(start_server("minio"))
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_peaks, args=(objects, 100_000_000, sending))
    process.start()
    sending.close()
    assert receiving.poll(300), "no figures came"
    found = {name: round(value / MIB, 1) for name, value in json.loads(receiving.recv()).items()}
    process.join(60)
    print(found)
    assert max(found.values()) <= 64, found
