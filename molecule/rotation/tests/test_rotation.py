"""All secrets are rotated while people work, by a run that is killed and one that goes on, and nobody notices."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import testinfra.host
import urllib3
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from conftest import EPHEMERAL, KILLS, SCENARIO, VAULT_PASSWORD
from load import Load
from run import TEMPORARY, Change, Processes, Run
from site_person import address

# How many requests people send at least while secrets are rotated.
REQUESTS = int(os.environ.get("ROTATION_REQUESTS", "1000"))

APPS = ("rotation-app", "rotation-app2")
HOSTS = ("rotation-base", *APPS)
# When one host has the new ones, and the other one is sent nothing, as it has yet to be restarted.
HALF = Change("Roll it out", "odoo", "Send it nothing new: Let NGINX read it", "rotation-app2")
# What systemd says when it stops a unit, and when it has started one.
UNIT_STOPPING, UNIT_STARTED = "de5b426a63be47a7b6ac3eaac82e2f6f", "39f53479d3a045ac8e11786248231fbf"
KINDS = ("database", "sessions", "master", "minio", "s3")
# What a rotation of each kind changes in the file of secrets.
VALUES = {
    "stack_database_login",
    "stack_sessions_login",
    "stack_odoo_master_password",
    "stack_minio_root_password",
    "stack_s3_access_key",
    "stack_s3_secret_key",
}
# What it adds, and what is no secret.
TOLD = {"stack_database_login", "stack_sessions_login", "stack_s3_access_key", *(f"stack_{kind}_rotated" for kind in KINDS)}

# How those that are rotated are answered when they are no longer in use.
REFUSED = {
    "s3": "InvalidAccessKeyId",
    "minio": "SignatureDoesNotMatch",
    "user": "served",
    "database": "refused",
    "sessions": "refused",
    "master": "odoo.exceptions.AccessDenied",
}

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
# Where a secret could be left on a host, and how all that is there is read.
PLACES = {
    "journal": "journalctl --no-pager --all",
    "processes": "cat /root/cmdlines",
    "logs": "find /var/log -path /var/log/journal -prune -o -type f -exec zcat -f {} +",
    "temporary files": "find /tmp /var/tmp /dev/shm /root/.ansible -type f -exec cat {} + 2>/dev/null",
}
PLANT = """
logger -t test {0}
systemd-run --quiet --collect --unit=canary sh -c 'sleep 86400; :' {0}
mkdir -p /root/.ansible && echo {0} | tee /var/log/canary /tmp/canary >/root/.ansible/canary
"""


def kept() -> dict[str, str]:
    text = (EPHEMERAL / "secrets.yml").read_text()
    assert text.startswith("$ANSIBLE_VAULT;1.2;AES256;site\n")
    return yaml.safe_load(VaultLib([("site", VaultSecret(VAULT_PASSWORD.read_bytes()))]).decrypt(text))


def key(secrets: dict[str, str]) -> str:
    """The access key in use; a site that was never rotated has the default."""
    return secrets.get("stack_s3_access_key", "rotation-key1")


def listed(nightly: bool) -> list[Change]:
    """The changes after each of which the playbook is killed: those of CI are marked."""
    lines = (SCENARIO / "tests" / "changes.txt").read_text().splitlines()
    return [Change.parse(line[2:]) for line in lines if line.startswith("* " if not nightly else ("* ", "  "))]


class Site:
    """The site while its secrets are rotated: the runs so far, what the file of secrets had after each, and where to kill the playbook yet."""

    def __init__(self, deadly: list[Change], canary: str) -> None:
        self.runs: list[Run] = []
        self.between: list[dict[str, str]] = []
        self._deadly, self._canary = deadly, canary

    def run(self, *options: str) -> Run:
        """Run until the end is reached. Each run before is killed after another of these changes, the first that it makes."""
        while True:
            run = Run(*options, deadly=self._deadly, canary=self._canary)
            self.runs.append(run)
            self.between.append(kept())
            if not run.killed:
                return run
            self._deadly.remove(run.changed[-1])

    def rotate(self, *options: str) -> None:
        run = self.run(*options)
        assert run.code == 0, run.output

    def everybody_was_killed(self) -> bool:
        """Whether each of these changes was made by now, and was the last of a run."""
        return self._deadly == []


def restarts(store: testinfra.host.Host, since: float) -> list[tuple[float, float]]:
    """From when to when the object store was stopped, by the clock."""
    began: list[float] = []
    ended: list[float] = []
    for line in store.check_output("journalctl --unit silo --since @%s --output json --output-fields MESSAGE_ID", str(int(since))).splitlines():
        entry = json.loads(line)
        if entry.get("MESSAGE_ID") in {UNIT_STOPPING, UNIT_STARTED}:
            (began if entry["MESSAGE_ID"] == UNIT_STOPPING else ended).append(int(entry["__REALTIME_TIMESTAMP"]) / 1e6)
    return [(when, min(end for end in ended if end > when)) for when in began]


class Rotated(t.NamedTuple):
    before: dict[str, str]
    after: dict[str, str]
    site: Site
    load: Load
    canary: str
    seen: set[bytes]  # of the processes of the controller
    early: Run  # of a phase that comes too early
    pids: list[list[str]]  # of Odoo on each host, before and after a rotation of the access key
    restarts: list[tuple[float, float]]  # of the object store, by the clock


@pytest.fixture(scope="module")
def rotated(on: t.Any) -> t.Iterator[Rotated]:
    before = kept()
    canary = "canary" + os.urandom(12).hex()
    for name in HOSTS:
        on(name).run("systemctl stop canary sampler")
        on(name).check_output(PLANT.format(canary))
        on(name).check_output("systemd-run --quiet --collect --unit=sampler sh -c %s", SAMPLE)
    TEMPORARY.mkdir(mode=0o700, exist_ok=True)
    (TEMPORARY / "canary").write_text(canary)
    here = subprocess.Popen(["sh", "-c", "sleep 86400; :", canary], start_new_session=True)
    processes = Processes()
    site = Site(listed(nightly=KILLS == "all"), canary)
    load = Load(address(on("rotation-base")), before["stack_odoo_admin_password"], REQUESTS)
    try:
        pids = [[pid(on(name)) for name in APPS]]
        site.rotate("-e", "rotate=s3", "--tags", "create,prove,rollout,switch")
        pids.append([pid(on(name)) for name in APPS])
        # However long it has taken to get there, this is too early.
        early = site.run("-e", "rotate=s3", "-e", "rotate_grace_seconds=86400", "--tags", "disable")
        site.rotate()
        while len(load.asked) < REQUESTS:
            site.rotate()
    finally:
        load.stop()
        # Before the tests themselves give secrets to processes.
        processes.stop()
        os.killpg(here.pid, signal.SIGKILL)
        here.wait()
        for name in HOSTS:
            on(name).run("systemctl stop sampler")
        Path(os.environ["ARTIFACTS"]).mkdir(exist_ok=True)
        Path(os.environ["ARTIFACTS"], "rotation_load.json").write_text(json.dumps({**load.report(), "runs": len(site.runs)}, indent=2) + "\n")
    yield Rotated(before, kept(), site, load, canary, processes.seen, early, pids, restarts(on("rotation-base"), load.began))
    for name in HOSTS:
        on(name).run("systemctl stop canary; rm -f /root/cmdlines /var/log/canary /tmp/canary /root/.ansible/canary")


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
    assert len(rotated.load.asked) >= REQUESTS and rotated.load.downloads >= REQUESTS / 5
    # Links are good as long as they say, whatever has become of the key that signed them.
    assert rotated.load.old_links >= 1


def test_the_object_store_was_away_for_its_restart_only(rotated: Rotated) -> None:
    assert len(rotated.restarts) >= 1
    # What Odoo has kept meanwhile is stored soon after.
    assert [each for each in rotated.load.away if not any(began - 1 <= each.when <= ended + 90 for began, ended in rotated.restarts)] == []


def test_each_change_is_listed(rotated: Rotated) -> None:
    """What is in no list would never be a place where the playbook is killed."""
    assert {change for run in rotated.site.runs for change in run.changed} == set(listed(nightly=True))


def test_it_was_killed_in_each_phase_that_changes_something(rotated: Rotated) -> None:
    assert rotated.site.everybody_was_killed()
    killed = {run.changed[-1]: secrets for run, secrets in zip(rotated.site.runs, rotated.site.between, strict=True) if run.killed}
    assert {change.phase for change in killed} == {change.phase for change in listed(nightly=True)}
    # One host had the new ones, and the other had not. Who is killed before NGINX has read that the second one is sent nothing has it read
    # for the first one when it goes on: so at night, when all are killed there too, this change is first made by a later rotation.
    half = killed[HALF]
    assert KILLS == "all" or {name for name in half if name.endswith(("_next", "_former"))} == {
        f"{name}_{'former' if '_s3_' in name else 'next'}" for name in VALUES
    }


def test_a_phase_that_comes_too_early_says_so(rotated: Rotated) -> None:
    assert rotated.early.code != 0 and "run the phase grace before" in rotated.early.output


def test_an_access_key_needs_no_restart(rotated: Rotated) -> None:
    assert rotated.pids[0] == rotated.pids[1]


def test_the_new_ones_work_and_the_old_ones_are_refused(on: t.Any, rotated: Rotated) -> None:
    assert key(rotated.after) != key(rotated.before)
    assert set(answers(on, rotated.after).values()) == {"served"}
    assert answers(on, rotated.before) == REFUSED
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


def secrets_of(rotated: Rotated) -> set[str]:
    """All that there were at any time."""
    names = {f"{name}{suffix}" for name in TOLD for suffix in ("", "_next", "_former")}
    values = {
        value
        for secrets in (rotated.before, *rotated.site.between, rotated.after)
        for name, value in secrets.items()
        if name not in names and not name.endswith("_going_back")
    }
    assert len(values) >= 16
    return values


def test_no_secret_was_said(rotated: Rotated) -> None:
    secrets = secrets_of(rotated)
    for run in rotated.site.runs:
        assert rotated.canary in run.output and "PLAY [" in run.output
        assert [value for value in secrets if value in run.output] == []
    # The name of the key is no secret, and stands beside it wherever it is given: who sees it would see the other.
    assert any(rotated.after["stack_s3_access_key"] in run.output for run in rotated.site.runs)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", HOSTS)
def test_no_secret_was_left_on_a_host(on: t.Any, rotated: Rotated, name: str, place: str) -> None:
    text = on(name).run(PLACES[place]).stdout_bytes
    assert rotated.canary.encode() in text, f"the scanner is blind in the {place} of {name}"
    assert [value for value in secrets_of(rotated) if value.encode() in text] == []


def test_no_secret_was_left_on_the_controller(rotated: Rotated) -> None:
    files = [path for path in EPHEMERAL.rglob("*") if path.is_file()]
    for where, text in {"processes": b"".join(rotated.seen), "temporary files": b"".join(path.read_bytes() for path in files)}.items():
        assert rotated.canary.encode() in text, f"the scanner is blind in the {where}"
        assert [value for value in secrets_of(rotated) if value.encode() in text] == [], where


@pytest.fixture(scope="module")
def harmless(rotated: Rotated) -> tuple[Run, Run]:
    """Two runs beside each other, as neither changes anything: by age, and a check."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        young, check = pool.map(lambda options: Run(*options), (("-e", "rotate_max_age_days=30"), ("--check",)))
    return young, check


def test_a_young_key_is_left_alone(rotated: Rotated, harmless: tuple[Run, Run]) -> None:
    run = harmless[0]
    assert run.code == 0, run.output
    assert run.changed == [] and "Nothing is old enough" in run.output
    assert kept() == rotated.after


def test_check_tells_what_would_be_done(rotated: Rotated, harmless: tuple[Run, Run]) -> None:
    run = harmless[1]
    assert run.code == 0, run.output
    assert run.changed == [] and f"{', '.join(KINDS)} would be rotated" in run.output
    assert kept() == rotated.after


@contextlib.contextmanager
def stranger(on: t.Any, secrets: dict[str, str]) -> Iterator[None]:
    """Somebody who has a link that is good for longer than those of Odoo, and opens it again and again."""
    access = {"aws_access_key_id": key(secrets), "aws_secret_access_key": secrets["stack_s3_secret_key"], "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=f"http://{address(on('rotation-base'))}:9000", **access)
    link = client.generate_presigned_url("get_object", Params={"Bucket": "rotation-filestore", "Key": "nothing"}, ExpiresIn=3600)
    over = threading.Event()

    def open_it() -> None:
        while not over.wait(0.5):
            urllib3.request("GET", link, retries=False)

    thread = threading.Thread(target=open_it)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_back_from_disable_and_from_half_of_the_hosts(on: t.Any, rotated: Rotated) -> None:
    with stranger(on, rotated.after):
        noticed = Run("-e", "rotate=s3", "-e", "rotate_quiet_seconds=3", "--tags", "create,prove,rollout,switch,grace,disable")
    assert noticed.code != 0, noticed.output
    told = f"Somebody uses the access key {key(rotated.after)} beside Odoo: GetObject by a link that it has signed, from "
    assert told in " ".join(noticed.output.split()), noticed.output
    begun = Run("-e", "rotate=s3", "-e", "rotate_quiet_seconds=3", "--tags", "grace,disable")
    assert begun.code == 0, begun.output
    assert answers(on, rotated.after)["s3"] == "InvalidAccessKeyId"
    assert Run("-e", "rotate=database,sessions,master,minio", deadly=[HALF]).killed
    newest = kept()
    others = {name for name in VALUES if "_s3_" not in name}
    assert newest["stack_s3_access_key_former"] == rotated.after["stack_s3_access_key"]
    assert others <= {name.removesuffix("_next") for name in newest if name.endswith("_next")}
    # Killed in between, back does not turn round again.
    let_in = Change("Create the new secret", "s3", "Have the new access key at the object store: Have the new access key, with the same rights", "any host")
    killed = Run("-e", "direction=back", deadly=[let_in])
    assert killed.killed, killed.output
    back = Run("-e", "direction=back", "--tags", "create,prove,rollout,switch")
    assert back.code == 0, back.output
    now = kept()
    assert {name: now[name] for name in VALUES} == {name: rotated.after[name] for name in VALUES}
    new = {name: newest.get(f"{name}_next", newest[name]) for name in VALUES}
    assert {name: now[f"{name}_former"] for name in VALUES} == new
    assert set(answers(on, now).values()) == {"served"}
    for name in APPS:
        assert on(name).file("/etc/odoo/s3_attachment.conf").contains(f"^access_key = {rotated.after['stack_s3_access_key']}$")
        assert on(name).file("/etc/odoo/odoo.conf").contains(f"^db_user = odoo_{rotated.after['stack_database_login']}$")
    decided = {Change("Create the new secret", kind, "Decide for the one of before: Write the file of secrets", "any host") for kind in KINDS}
    assert {change for run in (noticed, begun, killed, back) for change in run.changed} <= {*listed(nightly=True), *decided}
