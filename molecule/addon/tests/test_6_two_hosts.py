"""Two hosts of Odoo: one could not store a file, and Odoo's scheduled actions run on the other."""

from __future__ import annotations

import base64
import hashlib
import time

from conftest import NODE, SETTINGS, SPOOL, fault, recovered, sql
from odoo_host import Person, random_bytes
from testinfra.host import Host

DRAIN = "/opt/odoo/venv/bin/python -m engine.cli --config /etc/odoo/odoo.conf drain --database odoo"


def eventually(host: Host, command: str) -> None:
    for _attempt in range(120):
        if host.run(command).rc == 0:
            return
        time.sleep(0.5)
    raise AssertionError(f"it never came true: {command}")


def test_file_that_waits_on_another_host(host: Host, user: Person):
    """Pitfall 22: the host that has it drains it, by its own timer; nobody else takes it for lost, empty or garbage meanwhile."""
    elsewhere = Person(user.password)
    # The larger one is what the store itself would send.
    contents = {hashlib.sha1(content).hexdigest(): content for content in (random_bytes(5000), random_bytes(2 * 1024 * 1024))}
    stored = user.upload("stored.bin", random_bytes(100))["id"]
    with fault(host, "refuse"):
        created = user.does(*[{"do": "create", "name": "waits.bin", "content": base64.b64encode(content).decode()} for content in contents.values()])
        downloads = [{"do": "download", "path": f"/web/content/{answer['id']}?download=1"} for answer in created]
        assert [answer["sha1"] for answer in user.does(*downloads)] == list(contents)
        # The service is the other host: it reaches the store, and has all jobs of Odoo and a timer of its own.
        for _time in range(2):
            for refused in elsewhere.does(*downloads):
                assert (refused["status"], "object store does not answer" in refused["text"]) == (503, True)
            host.check_output("systemctl start s3_attachment-outbox.service")
            host.check_output("cd /opt/odoo/addons/s3_attachment && runuser -u odoo -- env ODOO_S3_GC_GRACE_HOURS=0 " + DRAIN.replace("drain", "gc"))
        said = host.check_output("journalctl --no-pager -u odoo")
        for sha1 in contents:
            fname = f"{sha1[:2]}/{sha1}"
            assert f"{fname} is not in the store yet: it waits on {NODE}" in said
            assert sql(host, f"SELECT node FROM s3_outbox WHERE fname = '{fname}'") == NODE
            assert host.file(f"{SPOOL}/odoo/{fname}").exists
    host.check_output(
        f"systemd-run --collect --unit=outbox-beside --on-active=0 --on-unit-inactive=1 --timer-property=AccuracySec=100ms --uid=odoo --gid=odoo {SETTINGS}"
        f" --setenv=PYTHONDONTWRITEBYTECODE=1 --working-directory=/opt/odoo/addons/s3_attachment {DRAIN}"
    )
    try:
        eventually(host, f'test -z "$(find {SPOOL} -type f)"')
    finally:
        host.check_output("systemctl stop outbox-beside.timer")
    assert sql(host, "SELECT count(*) FROM s3_outbox") == "0"
    assert [answer["sha1"] for answer in elsewhere.does(*downloads)] == list(contents)
    recovered(user, stored)
    assert [answer["sha1"] for answer in user.does(*downloads)] == list(contents)
