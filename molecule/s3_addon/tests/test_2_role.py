"""What the role leaves behind, and what further runs do."""

from __future__ import annotations

import json
import secrets
import urllib.parse
from typing import Any

import pytest
from conftest import EPHEMERAL, Person, play, random_bytes, secret, sql
from testinfra.host import Host

# What is asked for, and what has to be in the one sentence that comes back.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "bucket": ({"bucket": "No_Bucket"}, ["bucket (from s3_addon_bucket) is 'No_Bucket'"]),
    "no bucket": ({"bucket": ""}, ["bucket is missing"]),
    "url": ({"endpoint_url": "127.0.0.1:9000"}, ["s3_addon_endpoint_url", "must be http:// or https://"]),
    "prefix": ({"prefix": "test"}, ["s3_addon_prefix", "followed by '/'"]),
    "short": ({"presign_ttl": 59}, ["presign_ttl (from s3_addon_presign_ttl) is '59'", "60 to 900"]),
    "long": ({"presign_ttl": 901}, ["'901'", "60 to 900"]),
    "no key": ({"access_key": ""}, ["secret_key is set (from s3_addon_secret_key) without access_key"]),
    "further": ({"settings": {"secret_key": "x"}}, ["s3_addon_settings has secret_key"]),
    "time-out": ({"settings": {"connect_timeout": 0}}, ["connect_timeout (from s3_addon_settings) is '0'"]),
    "second store": (
        {"failover_endpoint_url": "http://127.0.0.1:9000"},
        ["failover_endpoint_url (from s3_addon_failover_endpoint_url) is endpoint_url itself"],
    ),
    "no second store": ({"failover_bucket": "plain"}, ["failover_bucket is set (from s3_addon_failover_bucket) without failover_endpoint_url"]),
    "archive": ({"storage_class": "GLACIER"}, ["storage_class (from s3_addon_storage_class) is 'GLACIER'", "can be read at once"]),
    "route": ({"routes": [{"code": "Cold"}]}, ["the route of the section s3_attachment:Cold"]),
    "route's setting": ({"routes": [{"code": "cold", "prefix": "cold"}]}, ["prefix (from s3_attachment:cold) is 'cold', but must be names"]),
    "route's web server": (
        {"routes": [{"code": "cold", "bucket": "plain", "serve_mode": "x_accel"}], "settings": {"addressing_style": "virtual"}},
        ["serve_mode of s3_attachment:cold is x_accel with another bucket, which needs addressing_style path"],
    ),
    "route's bucket": (
        {"routes": [{"code": "cold", "bucket": "no-such-bucket"}]},
        ["cannot use the object store", "in bucket no-such-bucket at http://127.0.0.1:9000", "Nothing has been changed for Odoo"],
    ),
    "route twice": ({"routes": [{"code": "cold"}, {"code": "cold"}]}, ["s3_addon_routes has cold more than once"]),
    "time": ({"gc_timer": "at night"}, ['s3_addon_gc_timer is "at night"', "give a time as systemd.time(7) has it"]),
    "path": ({"path": "addons"}, ['s3_addon_path is "addons"', "absolute paths"]),
    "not on addons_path": ({"path": "/srv/addons"}, ["s3_addon_path is /srv/addons, which is not on addons_path of /etc/odoo/odoo.conf", "/opt/odoo/addons"]),
    "python": ({"python": "/opt/python"}, ["s3_addon_python is /opt/python, which is not on this host"]),
    "certificates": ({"ca_bundle": "/etc/ssl/none.pem"}, ["s3_addon_ca_bundle is /etc/ssl/none.pem, which is not on this host"]),
}

STATE = "stat -c '%n %y %U:%G %a' /etc/odoo/* $(find /opt/odoo/addons); systemctl show odoo -p MainPID"


@pytest.fixture(scope="module")
def told(host: Host) -> dict[str, str]:
    before = host.check_output(STATE)
    run = play("wrong.yml", {"cases": [{"name": name, **case} for name, (case, _) in WRONG.items()]})
    assert run.changed == [], run.output
    assert host.check_output(STATE) == before, "something was changed before the wish was refused"
    assert secret("secret_key") not in run.output
    return json.loads((EPHEMERAL / "told.json").read_text())


@pytest.mark.parametrize("name", WRONG)
def test_refused(told: dict[str, str], name: str):
    for part in WRONG[name][1]:
        assert part in told[name]


def test_settings_are_for_root_and_odoo(host: Host):
    file = host.file("/etc/odoo/s3_attachment.conf")
    assert (file.mode, file.user, file.group) == (0o640, "root", "odoo")
    assert file.contains("^bucket = odoo$")
    assert host.run("runuser -u nobody -- cat /etc/odoo/s3_attachment.conf").rc != 0


def test_addon_is_not_odoo_s_to_change(host: Host):
    assert host.file("/opt/odoo/addons/s3_attachment/engine").is_directory
    assert not host.file("/opt/odoo/addons/s3_attachment/engine").is_symlink
    assert host.check_output("find /opt/odoo/addons ! -user root -o -perm /022 ! -type l") == ""
    assert host.run("runuser -u odoo -- touch /opt/odoo/addons/s3_attachment/x").rc != 0


def pid(host: Host) -> str:
    return host.check_output("systemctl show odoo --value -p MainPID")


def test_key_that_may_not_write_never_gets_into_use(host: Host):
    before = host.check_output(STATE)
    run = play("again.yml", {"s3_addon_access_key": "READER-KEY"}, "-vvv")
    assert run.code != 0
    assert "cannot use the object store with the settings for /etc/odoo/s3_attachment.conf: could not store test/.probe/" in run.output.replace("\n", " ")
    assert "AccessDenied (403)" in run.output and "Nothing has been changed for Odoo" in run.output
    assert secret("secret_key") not in run.output
    assert host.check_output(STATE) == before


def test_second_store_without_replication_is_read_only(host: Host):
    """The same server by another name, and a bucket that nothing is replicated to."""
    before = host.check_output(STATE)
    second = {"s3_addon_failover_endpoint_url": "http://localhost:9000", "s3_addon_failover_bucket": "plain"}
    run = play("again.yml", {**second, "s3_addon_failover_writes": "allow", "s3_addon_failover_timeout": 1}, "-vvv")
    said = run.output.replace("\n", " ")
    assert run.code != 0
    assert "failover_writes is allow, but what is stored in bucket odoo at http://127.0.0.1:9000 did not come to bucket plain at http://localhost:9000" in said
    assert "within 1 s: set up replication both ways between the two, or set failover_writes to refuse" in said
    assert host.check_output(STATE) == before and secret("secret_key") not in run.output
    assert play("again.yml", second).changed == ["Write the settings"]
    assert play("again.yml", {}).changed == ["Write the settings"]


def test_settings_need_no_restart(host: Host, admin: Person):
    before = pid(host)
    large = admin.upload("large.bin", random_bytes(2_000_000))["id"]

    def lifetimes() -> set[str]:
        # Each worker for itself has to know.
        links = (admin.download(f"/web/content/{large}?download=1", follow=False)["location"] for _time in range(8))
        return {urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["X-Amz-Expires"][0] for link in links}

    assert lifetimes() == {"120"}
    run = play("again.yml", {"s3_addon_presign_ttl": 180}, "--diff", "-vvv")
    assert run.changed == ["Write the settings"]
    assert secret("secret_key") not in run.output
    assert lifetimes() == {"180"}
    assert play("again.yml", {}).changed == ["Write the settings"]
    assert lifetimes() == {"120"}
    assert pid(host) == before


def test_route_to_another_bucket(host: Host):
    """It is proved as the one for all else is, before it is in force."""
    # What was proved once is not proved again.
    prefix = f"apart-{secrets.token_hex(4)}/"
    routes = {"s3_addon_routes": [{"code": "apart", "bucket": "plain", "prefix": prefix, "serve_mode": "proxy", "presign_ttl": 60}]}
    assert play("again.yml", routes).changed == ["Store and read an object as Odoo", "Write the settings"]
    assert host.check_output(f"find /var/lib/minio -path '*/plain/{prefix}.probe/*/xl.meta'")
    section = host.check_output("sed -n '/:apart/,$p' /etc/odoo/s3_attachment.conf").split("\n")
    assert section == ["[s3_attachment:apart]", "bucket = plain", f"prefix = {prefix}", "serve_mode = proxy", "presign_ttl = 60"]
    assert play("again.yml", {}).changed == ["Write the settings"]


def test_cache_is_looked_after(host: Host):
    """On each host by itself, once a day."""
    timer = host.check_output("systemctl show s3_attachment-cache.timer -p ActiveState -p UnitFileState -p TimersCalendar")
    assert "ActiveState=active" in timer and "UnitFileState=enabled" in timer and "OnCalendar=*-*-* 00:00:00" in timer
    host.check_output(
        "rm -rf /var/lib/odoo/s3_cache; cd / && runuser -u odoo -- mkdir -pm 700 /var/lib/odoo/s3_cache/ab"
        " && runuser -u odoo -- cp /etc/os-release /var/lib/odoo/s3_cache/ab/ab%s"
        " && runuser -u odoo -- touch -d '40 days ago' /var/lib/odoo/s3_cache/ab/ab%s /var/lib/odoo/s3_cache/CACHEDIR.TAG",
        *["0" * 38] * 2,
    )
    host.check_output("systemctl start s3_attachment-cache.service")
    assert host.run("find /var/lib/odoo/s3_cache -type f -name 'ab*'").stdout == ""
    said = host.check_output("journalctl -u s3_attachment-cache.service --no-pager -o cat")
    assert '"directory": "/var/lib/odoo/s3_cache", "max_bytes": 0' in said and '"removed_files": 1' in said


def test_garbage_collection_by_a_timer(host: Host):
    timer = host.check_output("systemctl show s3_attachment-gc.timer -p ActiveState -p UnitFileState -p TimersCalendar")
    assert "ActiveState=active" in timer and "UnitFileState=enabled" in timer and "OnCalendar=*-*-* 00:00:00" in timer
    host.check_output("systemctl start s3_attachment-gc.service")
    said = host.check_output("journalctl -u s3_attachment-gc.service --no-pager -o cat")
    assert '{"deleted": ' in said and '"complete": true' in said


def test_interrupted_run_is_made_good(host: Host):
    before = pid(host)
    # As if the addon had been written, and then the lights went out.
    host.check_output("sleep 2; touch /opt/odoo/addons/s3_attachment/storage.py")
    assert play("again.yml", {}).changed == ["Restart Odoo where it is older than the addon"]
    assert pid(host) != before


UPDATED = "Have the addon in the database as it is on the disk"


def older_database(host: Host) -> None:
    """What an older release has left: another version, and a table without a column that this one has."""
    sql(host, "ALTER TABLE s3_gc_mark DROP COLUMN asked_at; UPDATE ir_module_module SET latest_version = '0.0.9' WHERE name = 's3_attachment'")


def test_older_release_is_updated_in_the_database(host: Host):
    """Before Odoo gets to run with the new code; a check tells it as well."""
    older_database(host)
    host.check_output('sed -i \'s/"version": .*/"version": "0.0.9",/\' /opt/odoo/addons/s3_attachment/__manifest__.py')
    expected = ["Install the addon", UPDATED, "Restart Odoo where it is older than the addon"]
    assert play("again.yml", {}, "--check").changed == expected
    assert play("again.yml", {}).changed == expected
    assert sql(host, "SELECT count(*) FROM information_schema.columns WHERE table_name = 's3_gc_mark' AND column_name = 'asked_at'") == "1"
    assert play("again.yml", {}).changed == []


def test_update_that_did_not_come_to_pass_is_made_good(host: Host):
    older_database(host)
    assert play("again.yml", {}).changed == [UPDATED]
    assert play("again.yml", {}).changed == []


def test_check_where_odoo_is_not_there_yet():
    run = play("again.yml", {"test_hosts": "bare"}, "--check", "--diff")
    assert run.code == 0, run.output
    assert "s3_attachment/engine/store.py" in run.output or "+++ after: engine/store.py" in run.output
    assert secret("secret_key") not in run.output
    refused = play("again.yml", {"test_hosts": "bare"})
    assert refused.code != 0
    assert "s3_addon_python is /opt/odoo/venv/bin/python, which is not on this host" in " ".join(refused.output.split())


def test_garbage_collection_is_left_to_odoo(host: Host):
    """The last run of the role here: the timer is gone for good."""
    run = play("again.yml", {"s3_addon_gc_timer": ""})
    assert run.changed == ["Stop the timer of garbage collection", *["Remove it and its service"] * 2]
    assert host.run("systemctl cat s3_attachment-gc.timer").rc != 0 and host.run("systemctl cat s3_attachment-gc.service").rc != 0
    assert host.check_output("systemctl is-active s3_attachment-cache.timer s3_attachment-outbox.timer").split() == ["active", "active"]
