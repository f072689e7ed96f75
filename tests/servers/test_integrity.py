# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit, and what it repairs, on a real MinIO and PostgreSQL."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import subprocess
import time
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import audit, gc, runs, transfer
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Denied
from ansible_collections.odooops.stack.plugins.module_utils.filestore.fence import NotOwner
from filestore import Filestore
from test_filestore_runs import ENGINE, command, odoo_conf

ADDON = """
CREATE TABLE s3_gc_mark (id serial, fname varchar, marked_at timestamp DEFAULT now(), asked_at timestamp);
CREATE TABLE s3_outbox (id serial, fname varchar, node varchar);
"""


@pytest.fixture
def store(start_server: t.Any, make_filestore: Callable[..., Filestore]) -> Filestore:
    """Everything is in a versioned bucket, and nothing on the disk."""
    found = make_filestore(start_server("minio"))
    found.sql(ADDON)
    found.add_many(30)
    found.run("upload")
    for fname in found.contents:
        (found.path / fname).unlink()
    return found


def put(store: Filestore, fname: str, body: bytes) -> None:
    store.server.client.put_object(Bucket=store.bucket, Key=f"shop/{fname}", Body=body, Metadata={"sha1": fname[3:]})


def delete(store: Filestore, fname: str) -> None:
    store.server.client.delete_object(Bucket=store.bucket, Key=f"shop/{fname}")


def purge(store: Filestore, fname: str) -> None:
    """Delete an object with all that the bucket keeps of it."""
    for entry in store.server.client.list_object_versions(Bucket=store.bucket, Prefix=f"shop/{fname}")["Versions"]:
        if entry["Key"] == f"shop/{fname}":
            store.server.client.delete_object(Bucket=store.bucket, Key=entry["Key"], VersionId=entry["VersionId"])


def everything(store: Filestore) -> list[tuple[str, str, bool]]:
    """All that the bucket keeps of contents."""
    answer = store.server.client.list_object_versions(Bucket=store.bucket, Prefix="shop/")
    found = [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for kind in ("Versions", "DeleteMarkers") for entry in answer.get(kind, [])]
    return sorted(entry for entry in found if not entry[0].startswith("shop/."))


def findings(store: Filestore) -> dict[str, tuple[str, str]]:
    """The kind and the sentence of each finding of the last audit, by name."""
    with open(store.state / "report/audit-1-of-1.json", encoding="utf-8") as file:
        return {entry["name"]: (entry["finding"], entry["detail"]) for entry in json.load(file)["findings"]}


def test_nothing_is_wrong(store: Filestore) -> None:
    before = everything(store)
    for level in audit.LEVELS:
        counts = store.counts("audit", level=level)
        assert counts.pop("in_bucket", 0) + counts.pop("verified", 0) == counts.pop("referenced") == 30
        assert not counts
    assert store.counts("audit", repair=True)["verified"] == 30
    assert everything(store) == before


def test_each_kind_is_told_and_repaired(store: Filestore) -> None:
    """What has a right copy is put right, and what has none is reported; a second repair has nothing to do."""
    deleted, cut, other, disk, spooled, waits, lost, broken, changed_row, *_rest = sorted(store.contents)
    spool = store.state / "spool"
    delete(store, deleted)
    put(store, cut, store.contents[cut][:-1])
    put(store, other, b"x" * len(store.contents[other]))
    for fname in (disk, spooled, waits, lost):
        purge(store, fname)
    store.write(disk, store.contents[disk])
    (spool / spooled).parent.mkdir(parents=True)
    (spool / spooled).write_bytes(store.contents[spooled])
    store.sql("INSERT INTO s3_outbox (fname, node) VALUES (%s, 'app2')", waits)
    purge(store, broken)
    put(store, broken, b"y" * len(store.contents[broken]))
    store.sql("UPDATE ir_attachment SET file_size = file_size + 1 WHERE store_fname = %s", changed_row)
    rows, before = store.rows(), everything(store)

    kinds = {deleted: "missing", cut: "size", other: "checksum", disk: "not_uploaded", spooled: "missing", waits: "waiting"}
    kinds |= {lost: "missing", broken: "checksum", changed_row: "size"}
    result = store.run("audit", spool=str(spool))
    assert {name: kind for name, (kind, _detail) in findings(store).items()} == kinds
    assert result["counts"]["repairable"]["files"] == 4 and result["problems"] == 7
    assert everything(store) == before and store.rows() == rows, "an audit has changed something"
    told = {name: detail for name, (_kind, detail) in findings(store).items()}
    assert "a repair would take the version " in told[deleted] and "a repair would take the version " in told[cut]
    assert "a repair would take what waits on this host" in told[spooled]
    assert "no right copy was found" in told[lost] and "no right copy was found" in told[broken]
    assert "the rows are wrong" in told[changed_row] and "app2" in told[waits]

    assert store.run("audit", repair=True, dry=True, spool=str(spool))["counts"] == result["counts"]
    assert everything(store) == before
    repaired = store.run("audit", repair=True, spool=str(spool))
    assert repaired["counts"]["repaired"]["files"] == 5 and repaired["problems"] == 3
    for fname in (deleted, cut, other, disk, spooled):
        assert store.objects()[fname] == store.contents[fname]
    assert {identity for _key, identity, _latest in before} <= {identity for _key, identity, _latest in everything(store)}, "a version has gone"
    assert store.rows() == rows

    after = everything(store)
    again = store.counts("audit", repair=True, spool=str(spool))
    assert "repaired" not in again and {name: again[name] for name in ("missing", "checksum", "size", "waiting")} == dict.fromkeys(
        ("missing", "checksum", "size", "waiting"), 1
    )
    assert everything(store) == after


def test_wrong_versions_are_never_taken(store: Filestore) -> None:
    """Of many versions only the one that is the content, wherever it is; and the newest that is right."""
    first, second, *_rest = sorted(store.contents)
    for number in range(5):
        put(store, first, bytes([number]) * len(store.contents[first]))
    delete(store, first)
    purge(store, second)
    put(store, second, b"never right")
    delete(store, second)
    assert store.counts("audit", repair=True)["repaired"] == 1
    assert store.objects()[first] == store.contents[first] and second not in store.objects()
    assert findings(store)[second][0] == "missing"


def test_names_that_begin_alike(store: Filestore) -> None:
    """The object of a route has a name that begins with the other's; its versions are not the other's."""
    fname = sorted(store.contents)[0]
    routed = f"{fname}-archive"
    store.sql("INSERT INTO ir_attachment (name, store_fname, file_size) VALUES ('routed', %s, %s)", routed, len(store.contents[fname]))
    put(store, routed, store.contents[fname])
    delete(store, routed)
    purge(store, fname)
    assert store.counts("audit", repair=True)["repaired"] == 1
    found = findings(store)
    assert (found[fname][0], found[routed][0]) == ("missing", "repaired")
    assert fname not in store.objects() and store.objects()[routed] == store.contents[fname]


def test_large_content(store: Filestore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall 19: of what came in parts neither the ETag nor the server's checksum is the content's, and it is found right, and had back."""
    monkeypatch.setattr(transfer, "WHOLE_UP_TO", 0)
    content = store.random.randbytes(transfer.MULTIPART_FROM + 5)
    fname = store.add(content)
    store.run("upload")
    (store.path / fname).unlink()
    assert store.counts("audit")["verified"] == 31
    delete(store, fname)
    assert store.counts("audit", repair=True)["repaired"] == 1
    assert store.objects()[fname] == content


def test_orphans_and_what_is_none(store: Filestore) -> None:
    """Young objects, those that garbage collection knows, and those that wait are no orphans; and nothing is done with any."""
    orphan, marked, waits, row_gone = sorted(store.contents)[:4]
    for fname in (orphan, marked, waits, row_gone):
        store.sql("DELETE FROM ir_attachment WHERE store_fname = %s", fname)
    put(store, "5a/strange", b"?")
    assert store.counts("audit")["pending"] == 4
    store.sql("INSERT INTO s3_gc_mark (fname) VALUES (%s)", marked)
    store.sql("INSERT INTO s3_outbox (fname, node) VALUES (%s, 'app1')", waits)
    time.sleep(1.1)  # the server tells times by the second
    run = store.settings(repair=True)
    run.store = dataclasses.replace(run.store, gc_grace_hours=0)
    before = everything(store)
    counts = {name: entry["files"] for name, entry in runs.execute("audit", run)["counts"].items()}
    assert (counts["pending"], counts["orphans_bucket"], counts["verified"]) == (2, 3, 26)
    assert {name for name, (kind, _detail) in findings(store).items() if kind == "orphans_bucket"} == {orphan, row_gone, "5a/strange"}
    assert everything(store) == before


def test_sample(store: Filestore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each content has its day, and on that day what is wrong with it is seen."""
    bad = sorted(store.contents)[:3]
    for fname in bad:
        put(store, fname, b"x" * len(store.contents[fname]))
    chosen, now = audit.Audit._chosen, 0.0

    def on_that_day(self: audit.Audit, fname: str) -> bool:
        self.job.clock = lambda: now
        return chosen(self, fname)

    monkeypatch.setattr(audit.Audit, "_chosen", on_that_day)
    days = {fname: int(fname[-6:], 16) % audit.SAMPLE for fname in bad}
    for today in sorted({*days.values(), next(day for day in range(audit.SAMPLE) if day not in days.values())}):
        now = (today + 7 * audit.SAMPLE) * 86400.0
        store.run("audit", level="sample")
        assert {name for name, (kind, _detail) in findings(store).items() if kind == "checksum"} == {fname for fname in bad if days[fname] == today}


def test_repair_and_garbage_collection(store: Filestore) -> None:
    """A repair waits for whoever collects garbage under that prefix, and then sees that the row has gone."""
    fname = sorted(store.contents)[0]
    delete(store, fname)
    with contextlib.closing(psycopg2.connect(dbname=store.database, **store.connection)) as collector, ThreadPoolExecutor(1) as pool:
        with collector.cursor() as cursor:
            assert gc.try_lock(cursor, fname[:2])
            repair = pool.submit(store.counts, "audit", repair=True)
            deadline = time.monotonic() + 120
            while not store.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not repair.done() and time.monotonic() < deadline, "the repair does not wait for the lock"
                time.sleep(0.05)
            cursor.execute("DELETE FROM ir_attachment WHERE store_fname = %s", [fname])
            collector.commit()
        counts = repair.result()
    assert counts["gone"] == 1 and "repaired" not in counts
    assert fname not in store.objects()


def test_a_copy_repairs_nothing(store: Filestore) -> None:
    owner = json.dumps({"fingerprint": "0" * 64, "database": "shop", "instance_id": "production"})
    store.server.client.put_object(Bucket=store.bucket, Key="shop/.odoo-s3/owner.json", Body=owner.encode())
    fname = sorted(store.contents)[0]
    delete(store, fname)
    before = everything(store)
    with pytest.raises(NotOwner, match="belongs to the database shop"):
        store.run("audit", repair=True)
    assert store.counts("audit")["missing"] == 1
    assert everything(store) == before


def test_without_the_addon_and_without_rights(store: Filestore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that has no tables of the addon; and a key that may not look at former versions, which is told."""
    store.sql("DROP TABLE s3_gc_mark; DROP TABLE s3_outbox")
    fname = sorted(store.contents)[0]
    delete(store, fname)
    assert store.counts("audit")["repairable"] == 1

    # MinIO lets whoever may list do so with former versions as well; AWS does not.
    def versions(_self: transfer.Transfer, name: str) -> t.NoReturn:
        raise Denied(f"could not GET {name}: AccessDenied")

    monkeypatch.setattr(transfer.Transfer, "versions", versions)
    result = store.run("audit", repair=True)
    assert (result["counts"]["missing"]["files"], result["counts"]["verified"]["files"]) == (1, 29)
    assert "former versions cannot be looked at" in findings(store)[fname][1] and "AccessDenied" in findings(store)[fname][1]


def test_command_line(store: Filestore) -> None:
    """The report is JSON, the status says whether there is something to look into, and no secret is shown."""
    fname, other, *_rest = sorted(store.contents)
    config = odoo_conf(store)

    def run(*options: str) -> tuple[int, dict[str, t.Any]]:
        done = subprocess.run(command(store, "audit", "--filestore", str(store.path), *options), cwd=ENGINE, capture_output=True, text=True, check=False)
        assert store.config.secret_key not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    assert config.exists()
    assert run()[0] == 0
    delete(store, fname)
    status, answer = run("--level", "size")
    assert (status, answer["counts"]["missing"]["files"], answer["counts"]["repairable"]["files"]) == (2, 1, 1)
    assert fname not in store.objects()
    status, answer = run("--repair", "--level", "sample")
    assert (status, answer["counts"]["repaired"]["files"], answer["problems"]) == (0, 1, 0)
    assert store.objects() == store.contents
    purge(store, other)
    assert run("--repair")[0] == 2
    status, answer = run("--level", "everything")
    assert status == 2 and "invalid choice" in answer["error"]


def test_killed_while_it_repairs(store: Filestore) -> None:
    """Killed at any moment: nothing gets lost, and the next one goes on."""
    dice = random.Random(int(os.environ.get("ODOOOPS_SEED", "6")))
    store.add_many(50, largest=3000)
    store.run("upload")
    for fname in store.contents:
        delete(store, fname)
    killed, missing = 0, len(store.contents)
    for _kill in range(5):
        run = subprocess.Popen(command(store, "audit", "--repair"), cwd=ENGINE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(dice.uniform(0.2, 0.9))
        run.send_signal(signal.SIGKILL)
        _output, errors = run.communicate()
        killed += run.returncode == -signal.SIGKILL
        objects = store.objects()
        assert all(store.contents[name] == body for name, body in objects.items()), errors
        assert len(store.contents) - len(objects) <= missing
        missing = len(store.contents) - len(objects)
    assert killed
    assert store.run("audit", repair=True)["problems"] == 0
    assert store.objects() == store.contents
