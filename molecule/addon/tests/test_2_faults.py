"""What a person sees of a store that misbehaves: the right file or an error that says so, and soon.

A third of the faults; all of them with ADDON_FAULTS=all.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ODOO, fault, recovered, sql
from fault_proxy import FAULTS
from odoo_host import Person, inside, random_bytes
from testinfra.host import Host

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CHOSEN = list(FAULTS) if os.environ.get("ADDON_FAULTS") == "all" else ["hang", "403", "flipped"]
OPERATIONS = ["upload in a form", "save by the web client", "download", "picture", "link to the store", "delete"]
# What runs by itself, and not for somebody who waits; it asks the store up to four times.
RUNS = ["garbage collection", "outbox"]
BUDGET = 2.0  # seconds that the store may keep a person waiting
SLACK = 1.5  # for Odoo itself
SMALL, LARGE = 5000, 2 * 1024 * 1024

# Both runs, as the timers of that host would do them, and then which of some names the store has, past the proxy.
ENGINE = """
import contextlib, io, json, os, sys, time
sys.path.insert(0, "/opt/odoo/addons/s3_attachment")
from engine import cli, errors, sources, store, store_cli
job, answers, stored = json.load(sys.stdin), [], []
direct = store.ObjectStore(sources.load("/etc/odoo/odoo.conf", {}))
os.environ.update(job["environment"])
for command in ("gc", "drain"):
    out, error, begin = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        status = cli.main(["--config", "/etc/odoo/odoo.conf", command, "--database", "odoo"])
    answers.append([json.loads(out.getvalue() or "null"), error.getvalue(), time.monotonic() - begin])
for name in job["names"]:
    try:
        stored.append(direct.head(name).sha1 == name[3:])
    except errors.NotFound:
        stored.append(False)
print(json.dumps([*answers, stored, sorted(os.listdir(os.path.join(os.environ["ODOO_S3_SPOOL_DIR"], "odoo", job["names"][1][:2])))]))
"""


def engine(*names: str) -> Any:
    """What both runs gave, said in their error and took; which names are stored; and what waits beside the second of them."""
    return inside(ENGINE, {"environment": {**ODOO, "ODOO_S3_GC_GRACE_HOURS": "0"}, "names": names}, "--user", "odoo")


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def shown(answer: dict[str, Any]) -> str:
    """What the page says."""
    return "works" if answer["status"] == 200 else " ".join(re.sub(r"<title>.*</title>|<[^>]+>", " ", answer["text"], flags=re.DOTALL).split())


def fname(content: bytes) -> str:
    return f"{sha1(content)[:2]}/{sha1(content)}"


def ripe(host: Host, name: str) -> None:
    """Wait until no transaction is open any more that began before the content was deleted."""
    older = f"xact_start < (SELECT max(marked_at) AT TIME ZONE 'UTC' FROM s3_gc_mark WHERE fname = '{name}')"
    for _attempt in range(100):
        if sql(host, f"SELECT count(*) FROM pg_stat_activity WHERE datname = 'odoo' AND usesysid IS NOT NULL AND {older}") == "0":
            return
        time.sleep(0.1)
    raise AssertionError("a transaction does not end")


def runs(host: Host, garbage: str, waiting: str) -> list[tuple[str, float]]:
    """Collect garbage and work off the outbox; for each what became of it and how many seconds it took."""
    (collected, no_gc, gc_took), (drained, no_drain, drain_took), (garbage_stays, stored), spooled = engine(garbage, waiting)
    remembered = sql(host, f"SELECT EXISTS (SELECT FROM s3_gc_mark WHERE fname = '{garbage}'), EXISTS (SELECT FROM s3_outbox WHERE fname = '{waiting}')")
    postponed = [not collected or bool(collected["failed"]), not drained]
    assert remembered == "|".join("t" if later else "f" for later in postponed)
    # It is said, in one sentence or with each name.
    if postponed[0]:
        assert no_gc.count("\n") == 1 or list(collected["failed"]) == [garbage]
    else:
        assert (collected["deleted"], garbage_stays) == (1, False)
    if postponed[1]:
        assert no_drain.count("\n") == 1 and spooled == [waiting[3:]]
    else:
        assert (drained["stored"], drained["waiting"], stored, spooled) == (1, 0, True, [])
    return [("later" if later else "works", took) for later, took in zip(postponed, (gc_took, drain_took), strict=True)]


def upload(name: str, content: bytes) -> dict[str, str]:
    return {"do": "upload", "name": name, "content": base64.b64encode(content).decode()}


def attempt(fault_name: str, host: Host, user: Person) -> dict[str, tuple[str, float]]:
    """Do everything once under a fault; return for each what was seen and how many seconds it took."""
    old, large, lost, by_rpc, gone, garbage, waiting = (random_bytes(size) for size in (SMALL, LARGE, *[SMALL] * 5))
    # As much of one as is looked at.
    picture = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==") + old
    contents = {"old.bin": old, "large.bin": large, "old.png": picture, "gone.bin": gone, "garbage.bin": garbage}
    old_id, large_id, picture_id, gone_id, garbage_id = (answer["files"][0]["id"] for answer in user.does(*[upload(*item) for item in contents.items()]))
    with fault(host, "refuse"):
        (waits,) = user.does(upload("waiting.bin", waiting))
    # Of nothing else, so that it is known what is asked.
    sql(host, "DELETE FROM s3_gc_mark")
    user.does({"do": "unlink", "ids": [garbage_id]})
    ripe(host, fname(garbage))
    with fault(host, fault_name):
        by_themselves = runs(host, fname(garbage), fname(waiting))
        answers = user.does(
            upload("lost.bin", lost),
            {"do": "create", "name": "rpc.bin", "content": base64.b64encode(by_rpc).decode()},
            {"do": "download", "path": f"/web/content/{old_id}"},
            {"do": "download", "path": f"/web/image/{picture_id}"},
            {"do": "download", "path": f"/web/content/{large_id}?download=1", "follow": False},
            {"do": "unlink", "ids": [gone_id]},
        )
    form, rpc, read, image, link, deleted = answers
    assert (link["status"], deleted["deleted"]) == (302, True)
    for answer, content in ((read, old), (image, picture)):
        assert answer["status"] in (200, 500, 503)
        assert answer["status"] != 200 or answer["sha1"] == sha1(content), "wrong bytes"
    seen = [form["files"][0].get("error", "works"), rpc.get("error", "works").strip('"'), shown(read), shown(image), "works", "works"]
    found = {operation: (what, answer["seconds"]) for operation, what, answer in zip(OPERATIONS, seen, answers, strict=True)}
    recovered(user, old_id)
    # Afterwards: what was said to be stored is there, what was refused left no row behind, and all else is as it was.
    in_form, in_client, again, after = user.does(
        {"do": "search", "domain": [["checksum", "=", sha1(lost)]], "fields": ["id"]},
        {"do": "search", "domain": [["checksum", "=", sha1(by_rpc)]], "fields": ["id"]},
        upload("lost.bin", lost),
        {"do": "download", "path": f"/web/content/{old_id}"},
    )
    assert [len(in_form), len(in_client)] == [said == "works" for said in seen[:2]]
    assert after["sha1"] == sha1(old)
    # The next runs make good what these could not do, and then every host can read everything.
    sql(host, "UPDATE s3_outbox SET next_try = created_at")
    (collected, no_gc, _took), (drained, no_drain, _took), stored, spooled = engine(fname(garbage), fname(waiting), fname(old))
    assert collected and not collected["failed"], no_gc
    assert drained and drained["waiting"] == 0 and not spooled, no_drain
    assert stored == [False, True, True]
    wanted = [(again["files"][0]["id"], lost), (waits["files"][0]["id"], waiting)]
    wanted += [*[(row["id"], lost) for row in in_form], *[(row["id"], by_rpc) for row in in_client]]
    for somebody in (user, Person(user.password)):
        answers = somebody.does(*[{"do": "download", "path": f"/web/content/{key}"} for key, _content in wanted])
        for answer, (_id, content) in zip(answers, wanted, strict=True):
            assert answer["sha1"] == sha1(content), "said to be stored, and is not"
    return found | dict(zip(RUNS, by_themselves, strict=True))


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    yield found
    Path(os.environ["ARTIFACTS"]).mkdir(exist_ok=True)
    notes = sorted({seen for cells in found.values() for seen in cells.values()} - {"works", "later"})
    lines = [row(name, cells, notes) for name, cells in found.items()]
    Path(os.environ["ARTIFACTS"], "addon_faults_odoo.md").write_text("\n".join([*lines, "", *[f"{n}. `{note}`" for n, note in enumerate(notes, 1)], ""]))


def row(fault_name: str, cells: dict[str, str], notes: list[str]) -> str:
    """A row of the guide's table, which names each refusal by its number in the list below it."""
    return f"| {fault_name} | " + " | ".join(seen if seen in ("works", "later") else f"refused [{notes.index(seen) + 1}]" for seen in cells.values()) + " |"


@pytest.mark.parametrize("fault_name", CHOSEN)
def test_fault(host: Host, user: Person, table: dict[str, dict[str, str]], fault_name: str):
    found: dict[str, Any] = attempt(fault_name, host, user)
    table[fault_name] = {operation: seen for operation, (seen, _seconds) in found.items()}
    assert all(found[operation][1] < BUDGET + SLACK for operation in OPERATIONS), found
    assert all(found[run][1] < 4 * BUDGET + SLACK for run in RUNS), found
    assert (fault_name == "none") == all(seen == "works" for seen, _seconds in found.values())


def test_no_secret_in_the_log(host: Host, table: dict[str, dict[str, str]]):
    log = host.check_output("journalctl --no-pager -u odoo-beside")
    assert "An attachment could not be read" in log
    assert "X-Amz-Signature" not in log and "Authorization" not in log


def test_the_guide_says_what_was_found(table: dict[str, dict[str, str]]):
    guide = (ROOT / "docs/addon_faults.md").read_text()
    notes = re.findall(r"^\d+\. `(.*)`$", guide, re.MULTILINE)
    for fault_name, cells in table.items():
        assert set(cells.values()) - {"works", "later"} <= set(notes), "docs/addon_faults.md: see artifacts/addon_faults_odoo.md"
        assert row(fault_name, cells, notes) in guide, "docs/addon_faults.md: see artifacts/addon_faults_odoo.md"
