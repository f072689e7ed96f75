"""Odoo's access key is rotated while people work, by a run that is killed and one that goes on, and nobody notices."""

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

# Asks the object store for the list of objects with an access key that comes by standard input, and tells how it answers.
ASK = """
import boto3, botocore.exceptions, json, sys
given = json.load(sys.stdin)
client = boto3.client("s3", region_name="us-east-1", endpoint_url=given["url"], aws_access_key_id=given["key"], aws_secret_access_key=given["secret"])
try:
    client.list_objects_v2(Bucket="rotation-filestore", MaxKeys=1)
    print("served")
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""

# Every half second, what anybody on the host can see of the processes.
SAMPLE = "umask 077; while sleep 0.5; do cat /proc/[0-9]*/cmdline 2>/dev/null; done >/root/cmdlines"


def kept() -> dict[str, str]:
    return yaml.safe_load((EPHEMERAL / "secrets.yml").read_text())


class Rotated(t.NamedTuple):
    pids: list[str]
    before: dict[str, str]
    after: dict[str, str]
    load: Load
    runs: list[Run]
    canary: str


def key(secrets: dict[str, str]) -> str:
    """The access key in use; a site that was never rotated has the default."""
    return secrets.get("stack_s3_access_key", "rotation-key1")


@pytest.fixture(scope="module")
def rotated(on: t.Any) -> t.Iterator[Rotated]:
    before, pids = kept(), [pid(on(name)) for name in APPS]
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
        assert {name for name in kept() if name.endswith(("_next", "_former"))} == {"stack_s3_access_key_next", "stack_s3_secret_key_next"}
        runs.append(Run())
        assert runs[1].code == 0, runs[1].output
    finally:
        load.stop()
        # Before the tests themselves give secrets to processes.
        for name in HOSTS:
            on(name).run("systemctl stop sampler")
    yield Rotated(pids, before, kept(), load, runs, canary)
    for name in HOSTS:
        on(name).run("systemctl stop canary; rm -f /root/cmdlines")


def pid(host: testinfra.host.Host) -> str:
    return host.check_output("systemctl show odoo --value -p MainPID")


def answer(on: t.Any, secrets: dict[str, str]) -> str:
    given = {"url": f"http://{address(on('rotation-base'))}:9000", "key": key(secrets), "secret": secrets["stack_s3_secret_key"]}
    return on("rotation-app").check_output("printf %%s %s | /opt/odoo/venv/bin/python -c %s", json.dumps(given), ASK)


def test_nobody_noticed(rotated: Rotated) -> None:
    assert rotated.load.failures == []
    assert rotated.load.uploads >= 20 and rotated.load.downloads >= 20
    # Links are good as long as they say, whatever has become of the key that signed them.
    assert rotated.load.old_links >= 1


def test_the_new_key_works_and_the_old_one_is_refused(on: t.Any, rotated: Rotated) -> None:
    assert key(rotated.after) != key(rotated.before)
    assert rotated.after["stack_s3_secret_key"] != rotated.before["stack_s3_secret_key"]
    assert answer(on, rotated.after) == "served"
    assert answer(on, rotated.before) == "InvalidAccessKeyId"


def test_each_host_has_the_new_key_and_was_not_restarted(on: t.Any, rotated: Rotated) -> None:
    for name in APPS:
        file = on(name).file("/etc/odoo/s3_attachment.conf")
        assert f"access_key = {rotated.after['stack_s3_access_key']}\n" in file.content_string
        assert (file.user, file.group, file.mode) == ("root", "odoo", 0o640)
    assert [pid(on(name)) for name in APPS] == rotated.pids


def test_nothing_is_left_of_it(rotated: Rotated) -> None:
    assert set(rotated.after) == set(rotated.before) | {"stack_s3_access_key", "stack_s3_rotated"}
    assert (EPHEMERAL / "secrets.yml").stat().st_mode & 0o777 == 0o600
    assert {name for name, value in rotated.after.items() if rotated.before.get(name) != value} == {
        "stack_s3_access_key",
        "stack_s3_secret_key",
        "stack_s3_rotated",
    }


def test_no_secret_was_seen(on: t.Any, rotated: Rotated) -> None:
    told = {"stack_s3_access_key", "stack_s3_rotated"}  # which are no secrets
    secret = [value for secrets in (rotated.before, rotated.after) for name, value in secrets.items() if name not in told]
    assert len(secret) == 16
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
    assert run.changes == 0 and "s3 would be rotated" in run.output
    assert kept() == rotated.after


def test_phases_out_of_turn_and_back(on: t.Any, rotated: Rotated) -> None:
    begun = Run("--tags", "create,prove,rollout,switch")
    assert begun.code == 0, begun.output
    newest = kept()
    assert newest["stack_s3_access_key_former"] == rotated.after["stack_s3_access_key"]
    early = Run("--tags", "disable")
    assert early.code != 0 and "run the phase grace before" in early.output
    # Killed in between, back does not turn round again.
    assert Run("-e", "direction=back", kill_at="PLAY [Prove it from each host]").killed
    back = Run("-e", "direction=back", "--tags", "create,prove,rollout,switch")
    assert back.code == 0, back.output
    now = kept()
    assert now["stack_s3_access_key"] == rotated.after["stack_s3_access_key"]
    assert now["stack_s3_secret_key"] == rotated.after["stack_s3_secret_key"]
    assert now["stack_s3_access_key_former"] == newest["stack_s3_access_key"]
    for name in APPS:
        assert on(name).file("/etc/odoo/s3_attachment.conf").contains(f"^access_key = {rotated.after['stack_s3_access_key']}$")
