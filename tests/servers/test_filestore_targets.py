# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes to other buckets and prefixes: each content is where its route says, for all that store, list, delete and claim."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import typing as t
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import cli, database, fence, gc, keys, runs
from ansible_collections.odooops.stack.plugins.module_utils.filestore.config import Config, Route
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Denied, NotFound
from ansible_collections.odooops.stack.plugins.module_utils.filestore.parts import PART_SIZE
from ansible_collections.odooops.stack.plugins.module_utils.filestore.store import ObjectStore
from ansible_collections.odooops.stack.plugins.module_utils.filestore.transfer import MULTIPART_FROM, Transfer
from conftest import Server
from filestore import Filestore
from test_filestore_runs import odoo_conf
from test_integrity import ADDON

BODY = b"a few words"
NAME = keys.build(hashlib.sha1(BODY).hexdigest())


@dataclasses.dataclass
class Places:
    """A database, its bucket with the prefix shop/, another bucket (cold), and another prefix (near)."""

    files: Filestore
    cold: str
    config: Config

    @property
    def store(self) -> ObjectStore:
        return ObjectStore(self.config)

    @property
    def client(self) -> t.Any:
        return self.files.server.client

    def transaction(self) -> contextlib.AbstractContextManager[t.Any]:
        return database.transactions(self.files.database, self.files.connection)()

    def objects(self) -> set[tuple[str, str]]:
        """Bucket and key of each object, but for notes."""
        found = {(bucket, entry["Key"]) for bucket in (self.files.bucket, self.cold) for entry in self.listed(bucket)}
        return {(bucket, key) for bucket, key in found if "/." not in key}

    def listed(self, bucket: str) -> list[dict[str, t.Any]]:
        answer: dict[str, t.Any] = self.client.list_objects_v2(Bucket=bucket)
        return answer.get("Contents", [])

    def where(self, name: str = NAME) -> dict[str, tuple[str, str]]:
        """Where the content with each route belongs, written out."""
        bucket = self.files.bucket
        return {
            name: (bucket, f"shop/{name}"),
            f"{name}-cold": (self.cold, f"shop/{name}-cold"),
            f"{name}-near": (bucket, f"near/{name}-near"),
            f"{name}-class": (bucket, f"shop/{name}-class"),
        }

    def add(self, fname: str, body: bytes, on_disk: bool) -> None:
        self.files.sql("INSERT INTO ir_attachment (name, store_fname, file_size, checksum) VALUES ('x', %s, %s, %s)", fname, len(body), keys.parse(fname).sha1)
        if on_disk:
            self.files.write(fname, body)

    def claim(self) -> None:
        with self.transaction() as cursor:
            assert fence.claim(self.store, cursor).ours
            assert not fence.claim(self.store, cursor).moved

    def run(self, phase: str, config: Config | None = None, **settings: t.Any) -> dict[str, int]:
        """The numbers of files of a run."""
        run = dataclasses.replace(self.files.settings(**settings), store=config or self.config)
        return {name: entry["files"] for name, entry in runs.execute(phase, run)["counts"].items()}


@pytest.fixture
def places(start_server: Callable[[str], Server], make_filestore: Callable[..., Filestore]) -> Iterator[Places]:
    files = make_filestore(start_server("minio"))
    files.sql(ADDON)
    cold = f"{files.bucket}-cold"
    files.server.client.create_bucket(Bucket=cold)
    files.server.client.put_bucket_versioning(Bucket=cold, VersioningConfiguration={"Status": "Enabled"})
    routes = (("cold", Route(bucket=cold)), ("near", Route(prefix="near/")), ("class", Route(storage_class="REDUCED_REDUNDANCY")))
    yield Places(files, cold, dataclasses.replace(files.config, public_endpoint_url=files.server.endpoint_url, routes=routes))


def test_store(places: Places) -> None:
    """Stored, looked up, read, linked to, and deleted, in one part and in several."""
    store = places.store
    assert store.probe()
    assert not store.probe()
    large = BODY * (2 * PART_SIZE // len(BODY))
    for body in (BODY, large):
        name = keys.build(hashlib.sha1(body).hexdigest())
        expected = places.where(name)
        for fname in expected:
            with pytest.raises(NotFound):
                store.head(fname)
            assert store.put(fname, body)
            assert not store.put(fname, body)
            assert store.head(fname).size == len(body)
            assert store.get_bytes(fname) == body
            with urllib.request.urlopen(store.presign(fname)) as answer:
                assert answer.read() == body
        assert places.objects() == set(expected.values())
        assert store.delete([f"{name}-cold", f"{name}-near"]) == {}
        assert places.objects() == {expected[name], expected[f"{name}-class"]}
        assert store.delete([name, f"{name}-class"]) == {}
        assert not places.objects()


def test_bucket_that_is_not_there(places: Places) -> None:
    """It is told by its name, and nothing is taken for missing."""
    gone = dataclasses.replace(places.config, routes=(("cold", Route(bucket="no-such-bucket")),))
    store = ObjectStore(gone)
    for act in (
        store.probe,
        lambda: store.put(f"{NAME}-cold", BODY),
        lambda: store.head(f"{NAME}-cold"),
        lambda: store.delete([NAME, f"{NAME}-cold"]),
        lambda: Transfer(gone).read(f"{NAME}-cold"),
        lambda: places.run("audit", gone),
        lambda: places.run("verify", gone),
    ):
        with pytest.raises(Denied, match="in bucket no-such-bucket at"):
            act()
    with pytest.raises(Denied, match="bucket no-such-bucket at"), places.transaction() as cursor:
        fence.claim(store, cursor)


def test_migration_and_audit(places: Places) -> None:
    """There and back: what is sent by the lean way is where Odoo looks for it, and what lies in a wrong place is no content."""
    large = BODY * (MULTIPART_FROM // len(BODY) + 1)
    contents = {fname: body for body in (BODY, large) for fname in places.where(keys.build(hashlib.sha1(body).hexdigest()))}
    for fname, body in contents.items():
        places.add(fname, body, on_disk=True)
    assert places.run("upload")["uploaded"] == len(contents)
    assert places.objects() == {where for fname in contents if "-" not in fname for where in places.where(fname).values()}
    assert {fname: places.store.get_bytes(fname) for fname in contents} == contents
    assert "uploaded" not in places.run("upload")
    assert places.run("verify")["verified"] == len(contents)
    for fname in contents:
        (places.files.path / fname).unlink()
    assert places.run("audit", level="content")["verified"] == len(contents)
    # In another place than its name says it is not that content.
    places.client.put_object(Bucket=places.files.bucket, Key=f"shop/{NAME}-cold", Body=BODY)
    places.client.put_object(Bucket=places.cold, Key=f"shop/{NAME}", Body=BODY)
    places.client.delete_object(Bucket=places.cold, Key=f"shop/{NAME}-cold")
    found = places.run("audit", level="size")
    assert (found["missing"], found["orphans_bucket"]) == (1, 2)
    with (places.files.state / "report/audit-1-of-1.json").open() as file:
        names = {entry["name"] for entry in json.load(file)["findings"]}
    bucket = places.files.bucket
    assert names == {f"{NAME}-cold", f"{NAME}-cold in bucket {bucket}, prefix shop/", f"{NAME} in bucket {places.cold}, prefix shop/"}
    # The version that the other bucket keeps is the remedy.
    places.claim()
    assert places.run("audit", repair=True)["repaired"] == 1
    assert places.store.get_bytes(f"{NAME}-cold") == BODY
    assert places.run("back")["downloaded"] == len(contents)
    assert places.files.files() == contents


def test_local_copies_stay_where_a_bucket_keeps_no_versions(places: Places) -> None:
    places.client.put_bucket_versioning(Bucket=places.cold, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(Exception, match=f"the bucket {places.cold} does not keep former versions"):
        places.run("clean")


def test_garbage(places: Places) -> None:
    """Of each place, and none where one of them keeps no versions."""
    store = places.store
    names = list(places.where())
    for fname in names:
        store.put(fname, BODY)
        places.files.sql("INSERT INTO s3_gc_mark (fname, marked_at) VALUES (%s, now() - interval '2 days')", fname)
    places.add(f"{NAME}-class", BODY, on_disk=False)
    places.claim()
    places.client.put_bucket_versioning(Bucket=places.cold, VersioningConfiguration={"Status": "Suspended"})
    collect = database.transactions(places.files.database, places.files.connection)
    with pytest.raises(gc.Refused, match=f"bucket {places.cold} at .* keeps no versions"):
        gc.collect(store, collect)
    assert places.objects() == set(places.where().values())
    places.client.put_bucket_versioning(Bucket=places.cold, VersioningConfiguration={"Status": "Enabled"})
    report = gc.collect(store, collect)
    assert (report.deleted, report.referenced, report.failed) == (3, 1, {})
    assert places.objects() == {places.where()[f"{NAME}-class"]}
    assert not places.files.sql("SELECT 1 FROM s3_gc_mark")


def test_copies(places: Places) -> None:
    """A copy may write and delete in none of the places, whoever was first in one of them."""
    copy = ObjectStore(dataclasses.replace(places.config, instance_id="copy"))
    places.claim()
    for bucket, key in ((places.files.bucket, "shop/"), (places.files.bucket, "near/"), (places.cold, "shop/")):
        assert f"{key}.odoo-s3/owner.json" in [entry["Key"] for entry in places.listed(bucket)]
        owner = places.client.get_object(Bucket=bucket, Key=f"{key}.odoo-s3/owner.json")["Body"].read()
        with places.transaction() as cursor:
            assert fence.claim(copy, cursor).state == fence.FOREIGN
        assert places.client.get_object(Bucket=bucket, Key=f"{key}.odoo-s3/owner.json")["Body"].read() == owner
    # In a bucket of its own, but with the other's for a route.
    mixed = ObjectStore(dataclasses.replace(copy.config, prefix="copy/", routes=(("cold", Route(bucket=places.cold, prefix="shop/")),)))
    with places.transaction() as cursor:
        found = fence.claim(mixed, cursor)
        assert found.state == fence.FOREIGN
        assert places.cold in found.reason
        with pytest.raises(fence.NotOwner):
            gc.collect(mixed, places.transaction)
        for wrong in ("nobody", "0" * 64):
            with pytest.raises(fence.NotOwner, match=f"the owner is {found.owner[:12]}, and not"):
                fence.adopt(mixed, cursor, wrong)
        # What belongs to nobody goes along.
        assert fence.adopt(mixed, cursor, found.owner)
        assert not fence.adopt(mixed, cursor, found.owner)
        assert fence.examine(mixed, cursor).ours
        assert fence.examine(places.store, cursor).state == fence.FOREIGN


def test_route_that_has_moved(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is deleted, repaired or taken for missing until the settings and the contents agree."""
    config = odoo_conf(places.files)
    places.claim()
    note = json.loads(places.store.get_note(fence.OWNER)[0])  # type: ignore[index]
    assert note["routes"] == {"cold": [places.cold, "shop/"], "near": [places.files.bucket, "near/"]}
    places.add(f"{NAME}-cold", BODY, on_disk=False)
    places.store.put(f"{NAME}-cold", BODY)
    forgotten = dataclasses.replace(places.config, routes=places.config.routes[1:])
    elsewhere = dataclasses.replace(places.config, routes=(("cold", Route(prefix="cold/")), ("near", Route(prefix="new/"))))
    sentence = f"the contents of the route cold are in bucket {places.cold}, prefix shop/, and the settings say bucket"
    for changed in (forgotten, elsewhere):
        store = ObjectStore(changed)
        with places.transaction() as cursor:
            found = fence.claim(store, cursor)
            assert found.ours
            assert list(found.moved) == ["cold"]
            with pytest.raises(Denied, match=sentence):
                found.require_place(f"{NAME}-cold")
            found.require_place(NAME)
        for act in (lambda s=store: gc.collect(s, places.transaction), lambda c=changed: places.run("audit", c), lambda c=changed: places.run("upload", c)):
            with pytest.raises(Denied, match=sentence):
                act()
    # Of a route without contents it does not matter; and what is not settled is not forgotten.
    note = json.loads(places.store.get_note(fence.OWNER)[0])  # type: ignore[index]
    assert note["routes"] == {"cold": [places.cold, "shop/"], "near": [places.files.bucket, "new/"]}
    with config.open("a", encoding="utf-8") as file:
        file.write(f"\n[s3_attachment:cold]\nbucket = {places.cold}\npresign_ttl = 900\n[s3_attachment:near]\nprefix = new/\n")
    probe = ["--config", str(config), "probe", "--read-only", "--database", places.files.database]
    assert cli.main(probe) == 0
    assert json.loads(capsys.readouterr().out)["presign_ttl"] == 900
    moved = ["--config", str(config), "moved", "--database", places.files.database, "--route", "cold", "--bucket", places.files.bucket, "--prefix", "cold/"]
    assert cli.main(moved) == 1
    assert f"prefix cold/ does not have {NAME}-cold: copy all contents of the route cold there" in capsys.readouterr().err
    places.client.copy_object(Bucket=places.files.bucket, Key=f"cold/{NAME}-cold", CopySource={"Bucket": places.cold, "Key": f"shop/{NAME}-cold"})
    for changed_now in (True, False):
        assert cli.main(moved) == 0
        assert json.loads(capsys.readouterr().out) == {"changed": changed_now, "contents": 1}
    assert places.run("audit", elsewhere)["verified"] == 1
    # Settings that do not follow are refused before they are in force.
    capsys.readouterr()
    assert cli.main(probe) == 1
    assert f"the contents of the route cold are in bucket {places.files.bucket}, prefix cold/" in capsys.readouterr().err
    with places.transaction() as cursor:
        assert not fence.examine(ObjectStore(elsewhere), cursor).moved
        assert list(fence.examine(places.store, cursor).moved) == ["cold"]


def test_bucket_given_to_a_route_that_had_none(places: Places) -> None:
    """Also by an installation whose note says nothing of routes yet."""
    plain = dataclasses.replace(places.config, routes=())
    with places.transaction() as cursor:
        fence.claim(ObjectStore(plain), cursor)
    places.add(f"{NAME}-near", BODY, on_disk=False)
    with places.transaction() as cursor:
        assert list(fence.claim(places.store, cursor).moved) == ["near"]
        assert not fence.claim(ObjectStore(plain), cursor).moved
