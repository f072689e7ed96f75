"""Odoo's own tests, without the addon and with all contents in the store: what differs is in the list below, and only that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from odoo_host import inside, secret
from testinfra.host import Host

# These look into the local filestore: for a file of that name, or for the header that lets a web server send it from there.
# Each has an equivalent among the addon's own tests, which looks for the object and for its bytes.
LOCAL_FILESTORE = {
    "TestIrAttachment.test_02_store_on_disk": "TestContent.test_create_read_write",
    "TestIrAttachment.test_04_keep_file": "TestContent.test_same_content_is_one_object",
    "TestIrAttachment.test_05_change_data_change_file": "TestContent.test_create_read_write",
    "TestIrAttachment.test_12_gc": "TestGarbage.test_soft_delete",
    "TestIrAttachment.test_13_rollback": "TestGarbage.test_rolled_back_create",
    "TestPermissions.test_write_error": "TestContent.test_outage_of_a_write",
    "TestHttpStatic.test_static03_attachment_fallback": "TestDownload.test_fallback_address",
    "TestHttpStatic.test_static04_web_content": "TestDownload.test_web_server_is_not_sent_to_a_local_file",
    "TestHttpStatic.test_static05_web_image": "TestDownload.test_web_server_is_not_sent_to_a_local_file",
    "TestHttpStatic.test_static08_binary_field": "TestDownload.test_web_server_is_not_sent_to_a_local_file",
    "TestHttpStatic.test_static20_web_assets": "TestDownload.test_asset_bundle",
    "TestHttpStatic.test_static21_web_assets": "TestDownload.test_asset_bundle",
}

MOVE = """
import json, os, sys
sys.path.insert(0, "/opt/odoo/addons/s3_attachment")
from engine import keys, sources, store
objects = store.ObjectStore(sources.load("/etc/odoo/odoo.conf", {}))
root, moved = "/var/lib/odoo/filestore/odoo", 0
for folder, _folders, names in os.walk(root):
    for path in (os.path.join(folder, name) for name in names):
        if keys.is_name(os.path.relpath(path, root)):
            with open(path, "rb") as file:
                objects.put(os.path.relpath(path, root), file)
            os.unlink(path)
            moved += 1
print(json.dumps(moved))
"""

# How many requests of each kind the server has had since it was started.
REQUESTS = """
import base64, hashlib, hmac, json, re, sys, time, urllib.request
user, password = json.load(sys.stdin)
def part(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=")
token = part(b'{"alg":"HS512","typ":"JWT"}') + b"." + part(json.dumps({"sub": user, "iss": "prometheus", "exp": int(time.time()) + 60}).encode())
token += b"." + part(hmac.digest(password.encode(), token, hashlib.sha512))
request = urllib.request.Request("http://127.0.0.1:9000/minio/v2/metrics/node", headers={"Authorization": "Bearer " + token.decode()})
text = urllib.request.urlopen(request).read().decode()
print(json.dumps({name: int(float(value)) for name, value in re.findall(r'minio_s3_requests_total{api="([a-z]+)".*} ([0-9.e+]+)', text)}))
"""


@dataclass
class Outcome:
    """What a run of Odoo's tests said."""

    started: set[str]
    failed: set[str]
    requests: dict[str, int]
    output: str


def requests_so_far() -> dict[str, int]:
    return inside(REQUESTS, ["root-of-the-store", secret("root_password")])


def odoo_tests(host: Host, database: str, tags: str) -> Outcome:
    before = requests_so_far()
    result = host.run(
        "runuser -u odoo -- env PYTHONDONTWRITEBYTECODE=1 /opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin -c /etc/odoo/odoo.conf"
        " --workers=0 --max-cron-threads=0 --http-port=8169 --gevent-port=8172 --logfile= --stop-after-init"
        f" --load=base,web,rpc,test_http --database={database} --db-filter=^{database}$ --test-tags={tags} 2>&1"
    )
    after = requests_so_far()
    return Outcome(
        started=set(re.findall(r": Starting (\w+\.\w+) \.\.\.", result.stdout)),
        failed=set(re.findall(r": (?:FAIL|ERROR): (?:Subtest )?(\w+\.\w+)", result.stdout)),
        requests={name: after[name] - before.get(name, 0) for name in after},
        output=result.stdout,
    )


@pytest.fixture(scope="module", autouse=True)
def quiet(host: Host) -> Iterator[None]:
    """Nobody else asks the store meanwhile, so that its requests can be counted."""
    host.check_output("systemctl stop s3_attachment-outbox.timer s3_attachment-gc.timer s3_attachment-outbox.service s3_attachment-gc.service odoo")
    yield
    host.check_output("systemctl start odoo s3_attachment-outbox.timer s3_attachment-gc.timer")


@pytest.fixture(scope="module")
def without(host: Host) -> Outcome:
    return odoo_tests(host, "plain", "/odoo_own_tests")


@pytest.fixture(scope="module")
def moved() -> int:
    return inside(MOVE, None, "--user", "odoo")


@pytest.fixture(scope="module")
def with_addon(host: Host, without: Outcome, moved: int) -> Outcome:
    return odoo_tests(host, "odoo", "/odoo_own_tests")


def test_without_the_addon(without: Outcome):
    assert len(without.started) > 150 and not without.failed, without.output
    assert not sum(without.requests.values()), "the comparison uses the store"


def test_with_the_addon(without: Outcome, with_addon: Outcome):
    assert with_addon.started == without.started
    assert with_addon.failed == set(LOCAL_FILESTORE), with_addon.output


def test_the_store_was_used(with_addon: Outcome):
    assert with_addon.requests["getobject"] > 50 and with_addon.requests["putobject"] > 50, with_addon.requests


def test_no_content_is_local(host: Host, with_addon: Outcome):
    assert host.check_output("find /var/lib/odoo/filestore/odoo -type f -path '*/??/*' -not -path '*/checklist/*'") == ""


def test_each_has_an_equivalent(host: Host, with_addon: Outcome):
    wanted = set(LOCAL_FILESTORE.values())
    ours = odoo_tests(host, "odoo", ",".join(f"s3_attachment/s3_attachment:{name}" for name in sorted(wanted)))
    assert ours.started == wanted and not ours.failed, ours.output
