"""What a person sees of a store that misbehaves: the right file or an error that says so, and soon.

A third of the faults; all of them with ADDON_FAULTS=all.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import FAULTS
from odoo_host import Person
from testinfra.host import Host

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CHOSEN = list(FAULTS) if os.environ.get("ADDON_FAULTS") == "all" else ["hang", "403", "flipped"]
OPERATIONS = ["upload in a form", "save by the web client", "download", "picture", "link to the store", "delete"]
BUDGET = 2.0  # seconds that the store may keep a person waiting
SLACK = 1.5  # for Odoo itself
SMALL, LARGE = 5000, 2 * 1024 * 1024


@contextlib.contextmanager
def fault(host: Host, name: str) -> Iterator[None]:
    host.check_output("echo %s >/run/fault; sleep 0.2", name)
    try:
        yield
    finally:
        host.check_output("echo none >/run/fault; sleep 0.2")


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def shown(answer: dict[str, Any]) -> str:
    """What the page says."""
    return "works" if answer["status"] == 200 else " ".join(re.sub(r"<title>.*</title>|<[^>]+>", " ", answer["text"], flags=re.DOTALL).split())


def recovered(user: Person, old_id: int) -> None:
    """Wait until Odoo asks the store again: after some failures in a row it does so every 15 seconds only."""
    for _attempt in range(20):
        if user.download(f"/web/content/{old_id}")["status"] == 200:
            return
        time.sleep(1)
    raise AssertionError("the fault is over, and Odoo does not ask the store again")


def upload(name: str, content: bytes) -> dict[str, str]:
    return {"do": "upload", "name": name, "content": base64.b64encode(content).decode()}


def attempt(fault_name: str, host: Host, user: Person) -> dict[str, tuple[str, float]]:
    """Do everything once under a fault; return for each what was seen and how many seconds it took."""
    old, large, lost, by_rpc, gone = (secrets.token_bytes(size) for size in (SMALL, LARGE, SMALL, SMALL, SMALL))
    # As much of one as is looked at.
    picture = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==") + old
    stored = user.does(upload("old.bin", old), upload("large.bin", large), upload("old.png", picture), upload("gone.bin", gone))
    old_id, large_id, picture_id, gone_id = (answer["files"][0]["id"] for answer in stored)
    with fault(host, fault_name):
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
    wanted = [(again["files"][0]["id"], lost), *[(row["id"], lost) for row in in_form], *[(row["id"], by_rpc) for row in in_client]]
    for answer, (_id, content) in zip(user.does(*[{"do": "download", "path": f"/web/content/{key}"} for key, _content in wanted]), wanted, strict=True):
        assert answer["sha1"] == sha1(content), "said to be stored, and is not"
    return {operation: (what, answer["seconds"]) for operation, what, answer in zip(OPERATIONS, seen, answers, strict=True)}


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    yield found
    Path(os.environ["ARTIFACTS"]).mkdir(exist_ok=True)
    notes = sorted({seen for cells in found.values() for seen in cells.values()} - {"works"})
    lines = [row(name, cells, notes) for name, cells in found.items()]
    Path(os.environ["ARTIFACTS"], "addon_faults_odoo.md").write_text("\n".join([*lines, "", *[f"{n}. `{note}`" for n, note in enumerate(notes, 1)], ""]))


def row(fault_name: str, cells: dict[str, str], notes: list[str]) -> str:
    """A row of the guide's table, which names each refusal by its number in the list below it."""
    return f"| {fault_name} | " + " | ".join(seen if seen == "works" else f"refused [{notes.index(seen) + 1}]" for seen in cells.values()) + " |"


@pytest.mark.parametrize("fault_name", CHOSEN)
def test_fault(host: Host, user: Person, table: dict[str, dict[str, str]], fault_name: str):
    found: dict[str, Any] = attempt(fault_name, host, user)
    table[fault_name] = {operation: seen for operation, (seen, _seconds) in found.items()}
    assert all(seconds < BUDGET + SLACK for _seen, seconds in found.values()), found
    assert (fault_name == "none") == all(seen == "works" for seen, _seconds in found.values())


def test_no_secret_in_the_log(host: Host, table: dict[str, dict[str, str]]):
    log = host.check_output("journalctl --no-pager -u odoo-beside")
    assert "An attachment could not be read" in log
    assert "X-Amz-Signature" not in log and "Authorization" not in log


def test_the_guide_says_what_was_found(table: dict[str, dict[str, str]]):
    guide = (ROOT / "docs/addon_faults.md").read_text()
    notes = re.findall(r"^\d+\. `(.*)`$", guide, re.MULTILINE)
    for fault_name, cells in table.items():
        assert set(cells.values()) - {"works"} <= set(notes), "docs/addon_faults.md: see artifacts/addon_faults_odoo.md"
        assert row(fault_name, cells, notes) in guide, "docs/addon_faults.md: see artifacts/addon_faults_odoo.md"
