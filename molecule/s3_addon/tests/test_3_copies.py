"""A copy of the database may read, and nothing else; and when garbage is collected, and when not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import NAME, Person, inside, random_bytes, sql
from testinfra.backend.base import CommandResult
from testinfra.host import Host

ENGINE = "/opt/odoo/venv/bin/python -m engine.cli --config /etc/odoo/odoo.conf"

VERSIONS = """
import json, sys
sys.path.insert(0, "/opt/odoo/addons/s3_attachment")
from engine import sources, store
objects = store.ObjectStore(sources.load("/etc/odoo/odoo.conf", {}))
found = []
for page in objects._client().get_paginator("list_object_versions").paginate(Bucket="odoo", Prefix="test/"):
    for kind in ("Versions", "DeleteMarkers"):
        found += [[item["Key"], item["VersionId"], kind] for item in page.get(kind, [])]
print(json.dumps(sorted(found)))
"""

# What somebody does to a staging copy, to begin with a clean one.
CLEAN = """
attachments = env["ir.attachment"].search([("name", "=", "copied.bin")], limit=1)
print("READ", len(attachments.raw))
print("NEW", len(env["ir.attachment"].create({"name": "new.bin", "raw": b"new in the copy"}).raw))
env.cr.execute("SELECT array_agg(id) FROM ir_attachment WHERE store_fname IS NOT NULL")
env["ir.attachment"].browse(env.cr.fetchone()[0]).unlink()
env.cr.commit()
env.cr.execute("SELECT count(*) FROM s3_gc_mark")
print("MARKS", env.cr.fetchone()[0])
env.cr.commit()
env["s3.gc.mark"]._gc_objects()
env.ref("base.autovacuum_job").method_direct_trigger()
env.cr.commit()
"""


def engine(host: Host, command: str, database: str = "odoo", **settings: str) -> CommandResult:
    """The engine's command line, as Odoo's user; the settings get in by the environment."""
    environment = " ".join(f"ODOO_S3_{name.upper()}={value}" for name, value in settings.items())
    return host.run(
        f"cd /opt/odoo/addons/s3_attachment && runuser -u odoo -- env PYTHONDONTWRITEBYTECODE=1 {environment} {ENGINE} {command} --database {database}"
    )


def answer(result: CommandResult) -> dict[str, Any]:
    assert result.rc == 0, result.stderr
    return json.loads(result.stdout)


def odoo(host: Host, command: str, script: str = "") -> str:
    shell = f"runuser -u odoo -- env ODOO_S3_GC_GRACE_HOURS=0 PYTHONDONTWRITEBYTECODE=1 /opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin {command}"
    done = subprocess.run(["podman", "exec", "--interactive", NAME, "bash", "-c", f"{shell} 2>&1"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def copy(host: Host, admin: Person) -> Iterator[str]:
    """A copy by PostgreSQL itself, on the same server and with the same settings."""
    admin.upload("copied.bin", random_bytes(3000))
    hba = host.check_output("ls /etc/postgresql/*/main/pg_hba.conf")
    host.check_output("systemctl stop s3_attachment-outbox.timer odoo")
    host.check_output(f"cp -p {hba} {hba}.before && echo 'host odoo_copy odoo_a 127.0.0.1/32 scram-sha-256' >> {hba}")
    try:
        host.check_output("runuser -u postgres -- createdb --template=odoo --owner=odoo_owner odoo_copy")
        sql(host, "SELECT pg_reload_conf()")
        host.check_output("systemctl start odoo s3_attachment-outbox.timer")
        yield "odoo_copy"
    finally:
        host.check_output("runuser -u postgres -- dropdb --if-exists --force odoo_copy")
        host.check_output(f"mv {hba}.before {hba}; rm -rf /var/lib/odoo/filestore/odoo_copy")
        sql(host, "SELECT pg_reload_conf()")
        host.check_output("systemctl start odoo s3_attachment-outbox.timer")
        host.check_output(
            "until /opt/odoo/venv/bin/python -c 'import socket; socket.create_connection((\"127.0.0.1\", 8069), 2)' 2>/dev/null; do sleep 1; done"
        )


def test_adopting_is_explicit(host: Host, copy: str):
    """After a real restore: the copy takes the place of the original, and gives it back."""
    original, theirs = answer(engine(host, "fence")), answer(engine(host, "fence", copy))
    for owner in ("nobody", theirs["fingerprint"], original["fingerprint"][:8]):
        refused = engine(host, f"adopt --owner {owner}", copy)
        assert refused.rc == 1 and f"the owner is {original['fingerprint'][:12]}, and not {owner}" in refused.stderr
    assert answer(engine(host, f"adopt --owner {original['fingerprint'][:12]}", copy)) == {"changed": True}
    assert (answer(engine(host, "fence", copy))["state"], answer(engine(host, "fence"))["state"]) == ("ours", "foreign")
    assert answer(engine(host, f"adopt --owner {theirs['fingerprint']}")) == {"changed": True}
    assert answer(engine(host, f"adopt --owner {theirs['fingerprint']}")) == {"changed": False}


def test_copy_changes_nothing_in_the_bucket(host: Host, copy: str):
    """Pitfalls 11 and 12: by another name it reads everything and changes nothing, neutralized and not."""
    before = inside(VERSIONS, None)
    for neutralized in (False, True):
        if neutralized:
            # From the beginning again, as if it had just been copied.
            host.check_output("systemctl stop s3_attachment-outbox.timer odoo")
            host.check_output("runuser -u postgres -- dropdb --force odoo_copy && runuser -u postgres -- createdb --template=odoo --owner=odoo_owner odoo_copy")
            host.check_output("systemctl start odoo s3_attachment-outbox.timer")
            odoo(host, "neutralize -c /etc/odoo/odoo.conf -d odoo_copy")
            assert sql(host, "SELECT count(*) FROM s3_gc_mark", copy) == "0"
        state = answer(engine(host, "fence", copy))
        assert state["state"] == ("barred" if neutralized else "foreign")
        assert state["owner"] == answer(engine(host, "fence"))["fingerprint"]
        said = odoo(host, "shell -c /etc/odoo/odoo.conf -d odoo_copy --no-http", CLEAN)
        assert "READ 3000" in said and "NEW 15" in said
        assert int(said.split("MARKS ")[1].split()[0]) > 0, "there was nothing to collect"
        refused = engine(host, "gc", copy, gc_grace_hours="0")
        assert refused.rc == 1 and "may only read" in refused.stderr, refused.stderr
        assert inside(VERSIONS, None) == before
    assert answer(engine(host, "fence"))["state"] == "ours"


def test_server_that_does_not_say_who_it_is(host: Host):
    sql(host, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        state = answer(engine(host, "fence"))
        # Another fingerprint: rather a question too many than a copy that is taken for the original.
        assert (state["weak"], state["state"]) == (True, "foreign")
    finally:
        sql(host, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
    assert answer(engine(host, "fence"))["weak"] is False


def test_bucket_without_versions(host: Host):
    answer(engine(host, "adopt --owner nobody", bucket="plain"))
    assert answer(engine(host, "fence", bucket="plain"))["state"] == "ours"
    refused = engine(host, "gc", bucket="plain")
    assert refused.rc == 1 and "bucket plain at http://127.0.0.1:9000 keeps no versions" in refused.stderr
    assert answer(engine(host, "gc", bucket="plain", gc_unversioned="allow", gc_grace_hours="8760"))["deleted"] == 0


@contextlib.contextmanager
def session_of_another_role(host: Host) -> Iterator[None]:
    begin = "SELECT pg_sleep(60)"
    with subprocess.Popen(["podman", "exec", NAME, "runuser", "-u", "postgres", "--", "psql", "-qX", "-d", "odoo", "-c", begin], stdout=subprocess.DEVNULL):
        try:
            running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
            assert any(sql(host, running) == "1" for _attempt in range(50))
            yield
        finally:
            sql(host, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' AND pid <> pg_backend_pid() AND datname = 'odoo'")


def test_transactions_that_cannot_be_seen(host: Host):
    members = "odoo_owner, odoo_a, odoo_b"
    with session_of_another_role(host):
        assert answer(engine(host, "gc"))["deleted"] == 0
        sql(host, f"REVOKE pg_read_all_stats FROM {members}")
        try:
            refused = engine(host, "gc")
            assert refused.rc == 1 and "grant pg_read_all_stats to Odoo's role" in refused.stderr, refused.stdout
        finally:
            sql(host, f"GRANT pg_read_all_stats TO {members}")


def test_garbage_of_this_database_is_collected(host: Host, admin: Person):
    """So that what is above is worth something."""
    uploaded = admin.upload("garbage.bin", random_bytes(2000))
    ((row,),) = admin.does({"do": "search", "domain": [["id", "=", uploaded["id"]]], "fields": ["store_fname"]})
    before = inside(VERSIONS, None)
    admin.does({"do": "unlink", "ids": [uploaded["id"]]})
    # Where somebody's transaction is older than the mark, its turn comes later: Odoo's crons have some, too.
    for _attempt in range(30):
        report = answer(engine(host, "gc", gc_grace_hours="0"))
        assert report["failed"] == {}
        if report["deleted"]:
            break
        time.sleep(1)
    assert report["deleted"] >= 1
    assert [version[0] for version in inside(VERSIONS, None) if version not in before and version[2] == "DeleteMarkers"].count(
        f"test/{row['store_fname']}"
    ) == 1
