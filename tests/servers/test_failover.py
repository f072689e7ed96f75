# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second end point behind the first one: what is read from it and what is written to it while the first one does not answer."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import logging
import secrets
import time
import typing as t
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import config, keys, metrics, replication, sources
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Corrupt, Denied, NotFound, StoreError, Unavailable
from ansible_collections.odooops.stack.plugins.module_utils.filestore.failover import Failover, open_store
from ansible_collections.odooops.stack.plugins.module_utils.filestore.store import ObjectStore
from ansible_collections.odooops.stack.plugins.modules import minio_remote_target, minio_user, s3_bucket
from conftest import Server, free_port, start_minio
from fault_proxy import FaultProxy
from test_faults import content, running

BUDGET = 8.0  # seconds for both end points together
SLACK = 3.0  # of a machine that does other things too
OUTAGES = ["refuse", "hang", "reset", "500", "503", "truncated", "shortened", "flipped", "slow"]
HURRIED = {"connect_timeout": "1", "read_timeout": "2", "max_attempts": "1", "op_budget": f"{BUDGET:.0f}"}


@dataclasses.dataclass
class Stage:
    """Two stores, of which the first one is reached through a proxy; ``here`` and ``there`` are the same ones as they are."""

    proxy: FaultProxy
    given: dict[str, str]
    here: ObjectStore
    there: ObjectStore

    def store(self, **other: str) -> Failover:
        """A new one, whose breakers know nothing yet."""
        found = open_store(config.parse({**self.given, **other}, {}))
        assert isinstance(found, Failover)
        return found

    def arrives(self, at: ObjectStore, fname: str, seconds: int = 120) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                at.head(fname)
                return
            except NotFound:
                time.sleep(0.2)
        raise AssertionError(f"{fname} does not come to {at.config.where}")


def replicate(server: Server, bucket: str, target: Server, target_bucket: str) -> None:
    """Send what comes to a bucket to the other server, deletions too."""
    key = {"target_access_key": target.access_key, "target_secret_key": target.secret_key}
    done = server.run(minio_remote_target, bucket=bucket, target_endpoint_url=target.endpoint_url, target_bucket=target_bucket, **key)
    assert "failed" not in done, done
    rules = [{"id": "to-the-other", "priority": 1, "destination": done["target"]["arn"], "delete_markers": True, "existing_objects": True}]
    assert "failed" not in server.run(s3_bucket, name=bucket, replication=rules)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers, each with a bucket for those that replicate to each other, and with one that does so with nobody."""
    with ExitStack() as stack:
        found = [stack.enter_context(start_minio(tmp_path_factory.mktemp(name))) for name in ("here", "there")]
        for server in found:
            for bucket in ("both-ways", "alone"):
                assert "failed" not in server.run(s3_bucket, name=bucket, versioning="enabled")
        replicate(found[0], "both-ways", found[1], "both-ways")
        replicate(found[1], "both-ways", found[0], "both-ways")
        yield found[0], found[1]


@pytest.fixture(scope="module")
def proxy(servers: tuple[Server, Server]) -> Iterator[FaultProxy]:
    with running(FaultProxy(free_port(), int(servers[0].endpoint_url.rsplit(":", 1)[1]))) as proxy:
        yield proxy


def staged(servers: tuple[Server, Server], proxy: FaultProxy, bucket: str) -> Stage:
    here, there = servers
    first = {"bucket": bucket, "prefix": f"odoo{secrets.token_hex(4)}/", "access_key": here.access_key, "secret_key": here.secret_key}
    second = {"failover_endpoint_url": there.endpoint_url, "failover_access_key": there.access_key, "failover_secret_key": there.secret_key}
    given = {**first, **second, **HURRIED, "endpoint_url": f"http://127.0.0.1:{proxy.port}"}
    direct = config.parse({**first, "endpoint_url": here.endpoint_url}, {})
    other = dataclasses.replace(direct, endpoint_url=there.endpoint_url, access_key=there.access_key, secret_key=there.secret_key)
    return Stage(proxy, given, ObjectStore(direct), ObjectStore(other))


@pytest.fixture
def stage(servers: tuple[Server, Server], proxy: FaultProxy) -> Iterator[Stage]:
    """The two buckets that replicate to each other."""
    yield staged(servers, proxy, "both-ways")
    proxy.set("none")


@pytest.fixture
def alone(servers: tuple[Server, Server], proxy: FaultProxy) -> Iterator[Stage]:
    """The two that do not."""
    yield staged(servers, proxy, "alone")
    proxy.set("none")


def fetched(url: str) -> bytes:
    with urllib.request.build_opener().open(url, timeout=10) as answer:
        return t.cast(bytes, answer.read())


def failovers(operation: str) -> int:
    line = f's3_attachment_failovers_total{{operation="{operation}"}} '
    return next(int(found.removeprefix(line)) for found in metrics.SHARED.render().splitlines() if found.startswith(line))


@pytest.mark.parametrize("fault", OUTAGES)
def test_reading_in_an_outage(stage: Stage, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    stored = content(8000)
    store = stage.store()
    assert store.put(stored.fname, stored.body)
    stage.arrives(stage.there, stored.fname)
    stage.proxy.set(fault)
    before = failovers("read")
    # The same attempts as somebody has who opens a page, the breaker among them: the first one is not asked for ever.
    with caplog.at_level(logging.INFO):
        for _attempt in range(2):
            begin = time.monotonic()
            assert store.get_bytes(stored.fname) == stored.body
            assert time.monotonic() - begin < BUDGET + SLACK
        target = io.BytesIO(b"before")
        target.seek(6)
        assert store.get_to_file(stored.fname, target) == 8000
        assert target.getvalue() == b"before" + stored.body
        assert store.head(stored.fname).size == 8000
        if fault not in ("shortened", "flipped"):  # who reads a part alone cannot tell
            assert store.get_bytes(stored.fname, 100) == stored.body[:100]
    assert failovers("read") >= before + 3
    assert stage.there.config.endpoint_url in caplog.text and secrets_in(stage) not in caplog.text
    stage.proxy.set("none")


def secrets_in(stage: Stage) -> str:
    return stage.given["secret_key"]


def test_links_lead_to_whoever_has_the_content(stage: Stage) -> None:
    stored = content(8000)
    store = stage.store()
    store.put(stored.fname, stored.body)
    asked = stage.proxy.requests
    assert store.sender(stored.fname) is store
    assert stage.proxy.requests == asked + 1, "the store is asked more than once for a download"
    assert f":{stage.proxy.port}/" in store.presign(stored.fname)
    stage.arrives(stage.there, stored.fname)
    stage.proxy.set("503")
    sender = store.sender(stored.fname)
    assert sender is store.second
    link = sender.presign(stored.fname, disposition="attachment")
    assert link.startswith(stage.there.config.endpoint_url) and fetched(link) == stored.body
    public = stage.store(failover_public_endpoint_url="http://public.example:9000")
    assert public.second.presign(stored.fname).startswith("http://public.example:9000/")


def test_a_new_key_of_the_second_one_is_used_without_a_restart(alone: Stage, servers: tuple[Server, Server], tmp_path: Path) -> None:
    there = servers[1]
    of_each = {name: secrets.token_urlsafe(24) for name in ("key-of-before", "key-of-now")}
    for name, secret in of_each.items():
        assert "failed" not in there.run(minio_user, name=name, secret=secret, policies=["readwrite"])

    def use(name: str) -> None:
        given = {**alone.given, "failover_access_key": name, "failover_secret_key": of_each[name]}
        (tmp_path / "new").write_text("\n".join(["[s3_attachment]", *(f"{name} = {value}" for name, value in given.items())]))
        (tmp_path / "new").replace(tmp_path / sources.FILE_NAME)

    use("key-of-before")
    settings = sources.load(str(tmp_path / "odoo.conf"), {})
    assert settings
    store, stored = open_store(settings), content(8000)
    alone.there.put(stored.fname, stored.body)
    assert store.get_bytes(stored.fname) == stored.body
    use("key-of-now")
    assert "failed" not in there.run(minio_user, name="key-of-before", state="absent")
    assert store.get_bytes(stored.fname) == stored.body
    sender = store.sender(stored.fname)
    assert sender and "Credential=key-of-now%2F" in sender.presign(stored.fname)
    assert fetched(sender.presign(stored.fname)) == stored.body


def test_first_one_is_left_alone_for_a_while_and_comes_back(stage: Stage) -> None:
    stored = content(8000)
    store = stage.store()
    store.put(stored.fname, stored.body)
    stage.arrives(stage.there, stored.fname)
    stage.proxy.set("hang")
    for _attempt in range(3):
        assert store.get_bytes(stored.fname) == stored.body
    assert store.breaker.open and not store.second.breaker.open and store.away
    asked = stage.proxy.requests
    assert store.get_bytes(stored.fname) == stored.body
    assert stage.proxy.requests == asked, "the breaker is open"
    stage.proxy.set("none")
    store.breaker.succeeded()
    assert store.get_bytes(stored.fname) == stored.body and not store.away
    assert stage.proxy.requests > asked


def test_not_found_is_said_by_both_or_by_nobody(alone: Stage) -> None:
    here, there, nowhere = content(100), content(100), content(100)
    store = alone.store()
    alone.here.put(here.fname, here.body)
    alone.there.put(there.fname, there.body)
    assert store.get_bytes(here.fname) == here.body
    # Written in an outage, and on its way.
    assert store.get_bytes(there.fname) == there.body and store.head(there.fname).size == 100
    assert store.sender(there.fname) is store.second
    with pytest.raises(NotFound):
        store.get_bytes(nowhere.fname)
    alone.proxy.set("503")
    for name in (here.fname, nowhere.fname):
        with pytest.raises(Unavailable, match=r"503.*; and then: .*404|503.*; and then: .*NoSuchKey"):
            store.get_bytes(name)
        with pytest.raises(Unavailable):
            store.sender(name)
    alone.proxy.set("none")
    gone = alone.store(failover_endpoint_url=f"http://127.0.0.1:{free_port()}")
    assert gone.get_bytes(here.fname) == here.body
    with pytest.raises(Unavailable):
        gone.get_bytes(nowhere.fname)
    # Whoever is refused has wrong settings, which no second end point mends.
    with pytest.raises(Denied):
        alone.store(access_key="no-such-key").get_bytes(there.fname)


def test_content_of_the_second_one_is_checked(alone: Stage) -> None:
    stored = content(8000)
    bent = bytes([stored.body[0] ^ 1]) + stored.body[1:]
    key = keys.object_key(alone.there.config.prefix, stored.fname)
    alone.there._client().put_object(Bucket="alone", Key=key, Body=bent)
    for fault, error in (("503", Unavailable), ("none", Corrupt)):
        alone.proxy.set(fault)
        with pytest.raises(error, match="has the SHA-1"):
            alone.store().get_bytes(stored.fname)


def test_writing_by_default(stage: Stage) -> None:
    stage.proxy.set("refuse")
    store, new = stage.store(), content(100)
    with pytest.raises(Unavailable):
        store.put(new.fname, new.body)
    with pytest.raises(NotFound):
        stage.there.head(new.fname)


def test_writing_where_replication_was_proved(stage: Stage) -> None:
    store, new, large = stage.store(failover_writes="allow"), content(100), content(2 * 1024 * 1024)
    assert replication.prove(store, store.second, write=False)
    assert replication.prove(store, store.second)
    assert not replication.prove(store, store.second)
    before = failovers("store")
    stage.proxy.set("refuse")
    for written in (new, large):
        assert store.put(written.fname, written.body)
        assert stage.there.get_bytes(written.fname) == written.body
        assert store.get_bytes(written.fname) == written.body
    assert failovers("store") == before + 2
    stage.proxy.set("none")
    for written in (new, large):
        assert store.get_bytes(written.fname) == written.body
        stage.arrives(stage.here, written.fname)
        assert stage.here.get_bytes(written.fname) == written.body


def test_a_deletion_that_is_on_its_way_does_not_take_what_is_written_in_an_outage(alone: Stage) -> None:
    """The content is garbage, its deletion has not come to the second one yet, and somebody stores it again there."""
    again = content(100)
    store = alone.store(failover_writes="allow")
    store._proved = True
    assert store.put(again.fname, again.body) and alone.there.put(again.fname, again.body)
    key = keys.object_key(alone.there.config.prefix, again.fname)
    versions = len(alone.there._client().list_object_versions(Bucket="alone", Prefix=key)["Versions"])
    alone.proxy.set("refuse")
    assert store.put(again.fname, again.body, ask_first=True)
    assert len(alone.there._client().list_object_versions(Bucket="alone", Prefix=key)["Versions"]) == versions + 1


def test_nothing_is_written_without_a_proof(alone: Stage, caplog: pytest.LogCaptureFixture) -> None:
    store, new = alone.store(failover_writes="allow"), content(100)
    with pytest.raises(StoreError, match=r"failover_writes is allow, but what is stored in bucket alone at .* did not come to bucket alone at .* within 1 s"):
        replication.prove(store, store.second, seconds=1)
    alone.proxy.set("refuse")
    for _attempt in range(2):
        with pytest.raises(Unavailable):
            store.put(new.fname, new.body)
    assert "it was not proved that contents are replicated both ways" in caplog.text
    with pytest.raises(NotFound):
        alone.there.head(new.fname)


@pytest.mark.parametrize("broken", ["there", "back"])
def test_one_way_is_no_proof(stage: Stage, broken: str) -> None:
    """What one of the two stores is seen by nobody else: the note of the proof must not say otherwise at either."""
    store = stage.store(failover_writes="allow")

    class Deaf:
        """The other end point as it was when this began."""

        def __init__(self, store: ObjectStore) -> None:
            self.config, self.put_note, self._looked, self._store = store.config, store.put_note, 0, store

        def get_note(self, name: str) -> tuple[bytes, str] | None:
            found = self._store.get_note(name)
            # Its own notes it knows.
            return None if found and (b'"sent"' if broken == "there" else b'"returned"') in found[0] else found

    first, second = (store, Deaf(store.second)) if broken == "there" else (Deaf(store), store.second)
    with pytest.raises(replication.NotProved):
        replication.prove(first, second, seconds=2)
    assert not replication.is_proved(store.config, store) and not replication.is_proved(store.config, store.second)
    assert not store.writes()


def test_proof_is_of_these_two(stage: Stage) -> None:
    store = stage.store(failover_writes="allow")
    assert replication.prove(store, store.second)
    other = stage.store(failover_writes="allow", failover_endpoint_url=store.second.config.endpoint_url.replace("127.0.0.1", "localhost"))
    assert not other.writes() and stage.store(failover_writes="allow").writes()


def test_who_starts_in_an_outage_knows_what_is_compressed(stage: Stage) -> None:
    stage.here.put_note("gzip", json.dumps({"since": time.time() - 3600}).encode())
    body = secrets.token_hex(20).encode() * 1000
    fname = keys.build(hashlib.sha1(body).hexdigest())
    stage.store(gzip="text").put(fname, body)
    stage.arrives(stage.there, fname)
    stage.proxy.set("refuse")
    late = stage.store(gzip="text")
    assert late.sender(fname) is None
    assert late.get_bytes(fname) == body
