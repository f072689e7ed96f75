"""All secrets are rotated while people work, by a run that is killed and one that goes on, and nobody notices."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
import testinfra.host
import yaml
from conftest import EPHEMERAL
from load import Load, Run
from site_person import address

APPS = ("rotation-app", "rotation-app2")
HOSTS = ("rotation-base", *APPS)
# What a rotation of each kind changes in the file of secrets.
VALUES = {"stack_database_login", "stack_sessions_login", "stack_odoo_master_password", "stack_minio_root_password", "stack_s3_access_key", "stack_s3_secret_key"}
# What it adds, and what is no secret.
KINDS = ("database", "sessions", "master", "minio", "s3")
TOLD = {"stack_database_login", "stack_sessions_login", "stack_s3_access_key", *(f"stack_{kind}_rotated" for kind in KINDS)}

# Asks with secrets that come by standard input, and tells how each is answered.
ASK = """
import boto3, botocore.exceptions, json, psycopg2, requests, sys

given = json.load(sys.stdin)

def store(key, secret):
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=given["store"], aws_access_key_id=key, aws_secret_access_key=secret)
    try:
        client.list_objects_v2(Bucket="rotation-filestore", MaxKeys=1)
        return "served"
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]

def database(name, user, password):
    try:
        psycopg2.connect(host=given["host"], dbname=name, user=user, password=password).close()
        return "served"
    except psycopg2.OperationalError as error:
        return "refused" if "password authentication failed" in str(error) else str(error)

def master(password):
    call = {"jsonrpc": "2.0", "method": "call", "params": {"service": "db", "method": "list_countries", "args": [password]}}
    answer = requests.post(given["odoo"], json=call, timeout=60).json()
    return "served" if "result" in answer else answer["error"]["data"]["name"]

print(json.dumps([globals()[what](*secrets) for what, secrets in given["ask"]]))
"""

# Every half second, what anybody on the host can see of the processes.
SAMPLE = "umask 077; while sleep 0.5; do cat /proc/[0-9]*/cmdline 2>/dev/null; done >/root/cmdlines"


def kept() -> dict[str, str]:
    return yaml.safe_load((EPHEMERAL / "secrets.yml").read_text())


class Rotated(t.NamedTuple):
    before: dict[str, str]
    after: dict[str, str]
    load: Load
    runs: list[Run]
    canary: str
    restart: tuple[int, int]  # of the object store, by the clock


def key(secrets: dict[str, str]) -> str:
    """The access key in use; a site that was never rotated has the default."""
    return secrets.get("stack_s3_access_key", "rotation-key1")


@pytest.fixture(scope="module")
def rotated(on: t.Any) -> t.Iterator[Rotated]:
    before = kept()
    canary = "canary" + os.urandom(12).hex()
    for name in HOSTS:
        on(name).run("systemctl stop canary sampler")
        on(name).check_output(f"logger -t test {canary}; systemd-run --quiet --collect --unit=canary sh -c 'sleep 3600; :' {canary}")
        on(name).check_output("systemd-run --quiet --collect --unit=sampler sh -c %s", SAMPLE)
    load = Load(address(on("rotation-base")), before["stack_odoo_admin_password"])
    try:
        # When one host has the new key and the other has not.
        runs = [Run(kill_at="PLAY [Roll it out]", time_of_it=2)]
        assert runs[0].killed, runs[0].output
        assert {name for name in kept() if name.endswith(("_next", "_former"))} == {f"{name}_next" for name in VALUES}
        runs.append(Run())
        assert runs[1].code == 0, runs[1].output
    finally:
        load.stop()
        # Before the tests themselves give secrets to processes.
        for name in HOSTS:
            on(name).run("systemctl stop sampler")
    query = "systemctl show silo --timestamp=unix --value -p ActiveExitTimestamp -p ActiveEnterTimestamp"
    began, ended = sorted(int(stamp.removeprefix("@") or 0) for stamp in on("rotation-base").check_output(query).split())
    yield Rotated(before, kept(), load, runs, canary, (began, ended))
    for name in HOSTS:
        on(name).run("systemctl stop canary; rm -f /root/cmdlines")


def pid(host: testinfra.host.Host) -> str:
    return host.check_output("systemctl show odoo --value -p MainPID")


def answers(on: t.Any, secrets: dict[str, str]) -> dict[str, str]:
    """How each secret is answered."""
    login, sessions = secrets.get("stack_database_login", "a"), secrets.get("stack_sessions_login", "a")
    ask = {
        "s3": ("store", key(secrets), secrets["stack_s3_secret_key"]),
        "minio": ("store", "rotation-root", secrets["stack_minio_root_password"]),
        "user": ("store", "rotation-odoo", secrets["stack_s3_user_secret"]),
        "database": ("database", "odoo", f"odoo_{login}", secrets[f"stack_database_password_{login}"]),
        "sessions": ("database", "odoo_sessions", f"odoo_sessions_{sessions}", secrets[f"stack_sessions_password_{sessions}"]),
        "master": ("master", secrets["stack_odoo_master_password"]),
    }
    base = address(on("rotation-base"))
    odoo = f"http://{address(on('rotation-app'))}:8069/jsonrpc"
    given = {"store": f"http://{base}:9000", "host": base, "odoo": odoo, "ask": [(what, secrets) for what, *secrets in ask.values()]}
    found = json.loads(on("rotation-app").check_output("printf %%s %s | /opt/odoo/venv/bin/python -c %s", json.dumps(given), ASK))
    return dict(zip(ask, found, strict=True))


def test_nobody_noticed(rotated: Rotated) -> None:
    assert rotated.load.failures == []
    assert rotated.load.uploads >= 20 and rotated.load.downloads >= 20
    # Links are good as long as they say, whatever has become of the key that signed them.
    assert rotated.load.old_links >= 1


def test_the_object_store_was_away_for_its_restart_only(rotated: Rotated) -> None:
    began, ended = rotated.restart
    assert began > 0
    # What Odoo has kept meanwhile is stored soon after.
    assert [when for when in rotated.load.away if not began - 1 <= when <= ended + 90] == []


def test_the_new_ones_work_and_the_old_ones_are_refused(on: t.Any, rotated: Rotated) -> None:
    assert key(rotated.after) != key(rotated.before)
    assert set(answers(on, rotated.after).values()) == {"served"}
    assert answers(on, rotated.before) == {
        "s3": "InvalidAccessKeyId",
        "minio": "SignatureDoesNotMatch",
        "user": "served",
        "database": "refused",
        "sessions": "refused",
        "master": "odoo.exceptions.AccessDenied",
    }
    # The other login had a password as well.
    other = {name: rotated.after[name] for name in ("stack_database_login", "stack_sessions_login")}
    assert {answers(on, {**rotated.before, **other})[name] for name in ("database", "sessions")} == {"refused"}


def test_each_host_has_the_new_ones(on: t.Any, rotated: Rotated) -> None:
    user = f"odoo_{rotated.after['stack_database_login']}"
    for name in APPS:
        files = {
            "/etc/odoo/s3_attachment.conf": f"access_key = {rotated.after['stack_s3_access_key']}\n",
            "/etc/odoo/odoo.conf": f"db_user = {user}\n",
        }
        for path, line in files.items():
            file = on(name).file(path)
            assert line in file.content_string
            assert (file.user, file.group, file.mode) == ("root", "odoo", 0o640)
        sessions = on(name).file("/etc/odoo/odoo-sessions.env")
        assert f"//odoo_sessions_{rotated.after['stack_sessions_login']}:" in sessions.content_string
        assert (sessions.user, sessions.group, sessions.mode) == ("root", "root", 0o600)
    assert not on("rotation-base").file("/etc/nginx/conf.d/odooops.conf").contains("[0-9]s down;")
    query = "select string_agg(distinct usename, ',') from pg_stat_activity where datname = 'odoo'"
    assert on("rotation-base").check_output(f'runuser -u postgres -- psql -XAtc "{query}"') == user


def test_nothing_is_left_of_it(rotated: Rotated) -> None:
    assert set(rotated.after) == set(rotated.before) | TOLD
    assert (EPHEMERAL / "secrets.yml").stat().st_mode & 0o777 == 0o600
    changed = {name for name, value in rotated.after.items() if rotated.before.get(name) != value}
    assert changed == TOLD | VALUES | {f"stack_{kind}_password_{login}" for kind in ("database", "sessions") for login in "ab"}


def test_no_secret_was_seen(on: t.Any, rotated: Rotated) -> None:
    secret = [value for secrets in (rotated.before, rotated.after) for name, value in secrets.items() if name not in TOLD]
    assert len(secret) == 20
    for run in rotated.runs:
        # The name of the key is no secret, and stands beside it wherever it is given: who sees it would see the other.
        assert "rotation-" in run.output and "PLAY [" in run.output
        assert [value for value in secret if value in run.output] == []
    assert rotated.after["stack_s3_access_key"] in rotated.runs[0].output
    for name in HOSTS:
        places = {"journal": "journalctl --no-pager --all", "processes": "cat /root/cmdlines"}
        for place, command in places.items():
            text = on(name).run(command).stdout_bytes
            assert rotated.canary.encode() in text, f"the scanner is blind in the {place} of {name}"
            assert [value for value in secret if value.encode() in text] == [], f"{place} of {name}"


def test_a_young_key_is_left_alone(rotated: Rotated) -> None:
    run = Run("-e", "rotate_max_age_days=30")
    assert run.code == 0, run.output
    assert run.changes == 0 and "Nothing is old enough" in run.output
    assert kept() == rotated.after


def test_check_tells_what_would_be_done(rotated: Rotated) -> None:
    run = Run("--check")
    assert run.code == 0, run.output
    assert run.changes == 0 and f"{', '.join(KINDS)} would be rotated" in run.output
    assert kept() == rotated.after


def test_phases_out_of_turn_and_back(on: t.Any, rotated: Rotated) -> None:
    pids = [pid(on(name)) for name in APPS]
    begun = Run("-e", "rotate=s3", "--tags", "create,prove,rollout,switch")
    assert begun.code == 0, begun.output
    newest = kept()
    assert newest["stack_s3_access_key_former"] == rotated.after["stack_s3_access_key"]
    early = Run("-e", "rotate=s3", "--tags", "disable")
    assert early.code != 0 and "run the phase grace before" in early.output
    # Killed in between, back does not turn round again.
    assert Run("-e", "rotate=s3", "-e", "direction=back", kill_at="PLAY [Prove it from each host]").killed
    back = Run("-e", "rotate=s3", "-e", "direction=back", "--tags", "create,prove,rollout,switch")
    assert back.code == 0, back.output
    now = kept()
    assert now["stack_s3_access_key"] == rotated.after["stack_s3_access_key"]
    assert now["stack_s3_secret_key"] == rotated.after["stack_s3_secret_key"]
    assert now["stack_s3_access_key_former"] == newest["stack_s3_access_key"]
    for name in APPS:
        assert on(name).file("/etc/odoo/s3_attachment.conf").contains(f"^access_key = {rotated.after['stack_s3_access_key']}$")
    # An access key needs no restart.
    assert [pid(on(name)) for name in APPS] == pids


def test_back_when_half_of_the_hosts_have_the_new_ones(on: t.Any, rotated: Rotated) -> None:
    kinds = "rotate=database,sessions,master,minio"
    values = {name for name in VALUES if "_s3_" not in name}
    assert Run("-e", kinds, kill_at="PLAY [Roll it out]", time_of_it=2).killed
    newest = kept()
    assert values <= {name.removesuffix("_next") for name in newest if name.endswith("_next")}
    back = Run("-e", kinds, "-e", "direction=back", "--tags", "create,prove,rollout,switch")
    assert back.code == 0, back.output
    now = kept()
    assert {name: now[name] for name in values} == {name: rotated.after[name] for name in values}
    assert {name: now[f"{name}_former"] for name in values} == {name: newest[f"{name}_next"] for name in values}
    assert set(answers(on, now).values()) == {"served"}
    for name in APPS:
        assert on(name).file("/etc/odoo/odoo.conf").contains(f"^db_user = odoo_{rotated.after['stack_database_login']}$")
