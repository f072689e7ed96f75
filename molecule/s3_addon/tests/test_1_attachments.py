"""What people see: uploads, downloads, and what happens when the store is gone."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import re
import time
from collections.abc import Callable

import pytest
from conftest import Person, inside, random_bytes, secret
from testinfra.host import Host

LARGE, SMALL = 2 * 1024 * 1024, 5000
ADDON_TESTS = pathlib.Path(__file__).parents[3] / "roles/s3_addon/files/s3_attachment/tests"

# What Odoo's own key sees of an object.
HEAD = """
import json, sys
sys.path.insert(0, "/opt/odoo/addons/s3_attachment")
from engine import sources, store
name = json.load(sys.stdin)
objects = store.ObjectStore(sources.load("/etc/odoo/odoo.conf", {}))
head = objects.head(name)
print(json.dumps([head.size, head.sha1, head.version_id]))
"""


def stored_name(content: bytes) -> str:
    sha1 = hashlib.sha1(content).hexdigest()
    return f"{sha1[:2]}/{sha1}"


@pytest.fixture(scope="module")
def large() -> bytes:
    return random_bytes(LARGE)


@pytest.fixture(scope="module")
def small() -> bytes:
    return random_bytes(SMALL)


@pytest.fixture(scope="module")
def large_id(admin: Person, large: bytes) -> int:
    return admin.upload("Zeugnis é.bin", large)["id"]


@pytest.fixture(scope="module")
def small_id(admin: Person, small: bytes) -> int:
    return admin.upload("small.bin", small)["id"]


def test_upload_is_in_the_bucket_only(host: Host, admin: Person, large: bytes, large_id: int):
    fname = stored_name(large)
    size, sha1, version = inside(HEAD, fname, "--user", "odoo")
    assert (size, sha1) == (LARGE, fname[3:])
    assert version and version != "null", "the bucket is not versioned"
    (rows,) = admin.does({"do": "search", "domain": [["id", "=", large_id]], "fields": ["store_fname", "file_size", "checksum"]})
    assert (rows[0]["store_fname"], rows[0]["file_size"], rows[0]["checksum"]) == (fname, LARGE, fname[3:])
    assert host.check_output(f"find /var/lib/odoo -name {fname[3:]}") == ""
    # The store itself has it as a file under that key.
    assert host.check_output(f"find /var/lib/minio -type d -path '*/odoo/test/{fname}'")


def test_large_download_is_redirected(admin: Person, large: bytes, large_id: int):
    path = f"/web/content/{large_id}?download=1"
    answer = admin.download(path, follow=False)
    assert answer["status"] == 302
    assert answer["location"].startswith(f"http://localhost:9000/odoo/test/{stored_name(large)}?")
    assert "X-Amz-Signature=" in answer["location"] and "X-Amz-Expires=120" in answer["location"]
    assert "private" in answer["headers"]["Cache-Control"] and answer["headers"]["Referrer-Policy"] == "no-referrer"
    followed = admin.download(path)
    assert (followed["status"], followed["size"], followed["sha1"]) == (200, LARGE, stored_name(large)[3:])
    assert followed["store_headers"]["Content-Disposition"].endswith("filename*=UTF-8''Zeugnis%20%C3%A9.bin")
    (refused,) = admin.does({"do": "unsigned", "location": answer["location"]})
    assert refused == 403
    head = admin.download(path, method="HEAD")
    assert (head["status"], head["store_headers"]["Content-Length"]) == (200, str(LARGE))
    part = admin.download(path, Range="bytes=1000-1099")
    assert (part["status"], part["sha1"]) == (206, hashlib.sha1(large[1000:1100]).hexdigest())


def test_small_download_comes_from_odoo(admin: Person, small: bytes, small_id: int):
    answer = admin.download(f"/web/content/{small_id}")
    assert (answer["status"], answer["sha1"], answer["location"]) == (200, stored_name(small)[3:], "")


def test_nobody_else_gets_a_link(anonymous: Person, large_id: int):
    answer = anonymous.download(f"/web/content/{large_id}", follow=False)
    assert answer["status"] == 404
    assert "X-Amz" not in str(answer)


def test_what_was_there_before_the_addon_is_still_there(admin: Person):
    """The image of the company was written when Odoo's database was initialised."""
    answer = admin.download("/web/image/res.company/1/logo")
    assert answer["status"] == 200 and answer["size"] > 1000
    assert answer["headers"]["Content-Type"].startswith("image/")


def eventually(seconds: int, found: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not (there := found()) and time.monotonic() < until:
        time.sleep(1)
    return there


def test_the_store_is_gone(host: Host, admin: Person, large: bytes, large_id: int, small_id: int):
    """Pitfall 22: uploads go on, wait on this host, and get into the bucket by themselves."""
    form, rpc = random_bytes(SMALL), random_bytes(SMALL)
    host.check_output("systemctl stop silo")
    try:
        begin = time.monotonic()
        uploaded = admin.upload("waits.bin", form)["id"]
        created, read, image = admin.does(
            {"do": "create", "name": "waits.bin", "content": base64.b64encode(rpc).decode()},
            {"do": "download", "path": f"/web/content/{small_id}"},
            {"do": "download", "path": f"/web/image/{small_id}/32x32"},
        )
        assert read["status"] == image["status"] == 503
        assert "object store does not answer" in read["text"]
        kept = {uploaded: form, created["id"]: rpc}
        for number, content in kept.items():
            assert admin.download(f"/web/content/{number}")["sha1"] == stored_name(content)[3:]
            spooled = host.file(f"/var/lib/odoo/s3_spool/odoo/{stored_name(content)}")
            assert (spooled.user, spooled.mode, spooled.sha256sum) == ("odoo", 0o600, hashlib.sha256(content).hexdigest())
        assert time.monotonic() - begin < 60
        # The link needs no store; the browser says that nobody is there.
        assert admin.download(f"/web/content/{large_id}?download=1", follow=False)["status"] == 302
        assert eventually(45, lambda: "files wait on" in host.check_output("journalctl -u s3_attachment-outbox --no-pager"))
    finally:
        host.check_output("systemctl start silo")
    assert eventually(180, lambda: host.check_output("find /var/lib/odoo/s3_spool -type f") == "")
    for number, content in kept.items():
        assert inside(HEAD, stored_name(content), "--user", "odoo")[:2] == [SMALL, stored_name(content)[3:]]
        # For some seconds a process does not ask a store that was gone, and each of them learns by itself that it is back.
        again = [{"do": "download", "path": f"/web/content/{number}"}] * 8
        sha1 = stored_name(content)[3:]
        assert eventually(60, lambda again=again, sha1=sha1: {answer["sha1"] for answer in admin.does(*again)} == {sha1})
    assert admin.download(f"/web/content/{large_id}?download=1")["sha1"] == stored_name(large)[3:]


def test_odoo_s_side(host: Host):
    """The addon's own tests, in this database and against this store. Discussions, which one of them uploads to, come now: nothing else needs them."""
    odoo = (
        "runuser -u odoo -- env PYTHONDONTWRITEBYTECODE=1 /opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin -c /etc/odoo/odoo.conf -d odoo"
        " --workers=0 --max-cron-threads=0 --db_maxconn=32 --http-port=8169 --gevent-port=8172 --logfile= --log-level=warn"
    )
    # A deadlock, if somebody uses the tables that it changes.
    host.check_output("systemctl stop odoo")
    host.check_output(f"{odoo} -i mail --stop-after-init 2>&1")
    host.check_output("systemctl start odoo && timeout 60 sh -c 'until ss -Hltn sport = :8069 | grep -q .; do sleep 0.5; done'")
    result = host.run(f"{odoo} --log-handler=odoo.tests.result:INFO -u s3_attachment --test-tags=s3_attachment --stop-after-init 2>&1")
    print(result.stdout)
    assert (result.rc, re.findall(r": (?:FAIL|ERROR): (.*)", result.stdout)) == (0, [])
    written = sum(path.read_text().count("    def test_") for path in ADDON_TESTS.glob("test_*.py"))
    assert f"0 failed, 0 error(s) of {written} tests" in result.stdout
    assert "skip" not in result.stdout.lower()


def test_no_secret_is_anywhere(host: Host):
    """After all that: not on a command line, in the journal, or in a file that others can read."""
    script = """
import json, os, subprocess, sys
words = json.load(sys.stdin)
texts = {"journal": subprocess.run(["journalctl", "--no-pager"], capture_output=True, text=True).stdout}
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ"):
        try:
            texts[f"{name} of {pid}"] = open(f"/proc/{pid}/{name}", errors="replace").read()
        except OSError:
            pass
for root in ("/etc", "/opt/odoo/addons", "/var/lib/odoo", "/var/log", "/tmp"):
    for folder, _folders, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path) and os.stat(path).st_mode & 0o004:
                texts[path] = open(path, errors="replace").read()
print(json.dumps([place for place, text in texts.items() if any(word in text for word in words)]))
"""
    key = secret("secret_key")
    host.check_output("echo %s | systemd-cat && journalctl --sync", "canary-for-the-search")
    found = inside(script, ["canary-for-the-search"])
    assert "journal" in found, "the search finds nothing"
    assert inside(script, [key]) == []
