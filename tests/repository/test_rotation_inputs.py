"""What playbooks/rotate_keys.yml refuses before it changes anything."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRETS = """---
stack_s3_secret_key: thesecretkeyofthestore
stack_minio_root_password: thepasswordofroot
stack_database_password_a: thefirstpassword
stack_database_password_b: thesecondpassword
stack_odoo_master_password: themasterpassword
"""
KINDS = "database, master, minio, s3"
ALL_KINDS = "database, sessions, master, minio, s3"

# Variables, the file of secrets, and what is said.
REFUSED = {
    "direction": ({"direction": "up"}, SECRETS, 'direction is "up": it must be forward (the default) or back'),
    "kind": ({"rotate": "s3,passwords"}, SECRETS, 'rotate is "s3,passwords": ' + "it must be one or several, with commas between, of " + ALL_KINDS),
    "age": ({"rotate_max_age_days": "old"}, SECRETS, 'rotate_max_age_days is "old": it must be a number of days'),
    "grace": ({"rotate_grace_seconds": "-1"}, SECRETS, 'rotate_grace_seconds is "-1": it must be a whole number of seconds'),
    "back without a rotation": ({"direction": "back"}, SECRETS, f"direction is back, and no rotation of {KINDS} is under way"),
    "no file": ({}, None, "has no stack_database_password_a, stack_database_password_b, stack_odoo_master_password, stack_minio_root_password, stack_s3"),
    "an encrypted value": (
        {"rotate": "s3"},
        "stack_s3_secret_key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n",
        "and no password of ansible-vault opens them: give the right one",
    ),
    "an encrypted file": ({}, "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "and no password of ansible-vault opens them: give the right one"),
    "a command that fails": ({"stack_secrets_command": ["cat", "/no/such/file"]}, SECRETS, "cat read ended with 1: cat: read: No such file or directory"),
    "a variable that wins": ({"stack_s3_secret_key": "another"}, SECRETS, "The inventory says stack_s3_secret_key beside "),
    "the same in two places": ({"stack_s3_secret_key": "thesecretkeyofthestore"}, SECRETS, "The inventory says stack_s3_secret_key beside "),
    "a login that wins": ({"stack_database_login": "b"}, SECRETS, "The inventory says stack_database_login beside "),
    "no store of ours": ({"test_no_store": True, "rotate": "s3"}, SECRETS, "The group s3 has no host: the object store is somebody else's"),
}


def run(tmp_path: pathlib.Path, variables: dict[str, object], secrets: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "secrets.yml"
    if secrets is not None:
        file.write_text(secrets)
    groups = ["app", "web"] + ([] if variables.get("test_no_server") else ["db"]) + ([] if variables.get("test_no_store") else ["s3"])
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": {name: {"hosts": {"somewhere": {}}} for name in groups}}}))
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "stack_instance": "shop", "stack_address": "127.0.0.1"}
    given = {**here, "stack_secrets_file": str(file), "ansible_become": False, **variables}
    command = ["ansible-playbook", f"--inventory={tmp_path / 'hosts.yml'}", f"--extra-vars={json.dumps(given)}", *options, "playbooks/rotate_keys.yml"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_sentence(case: str, tmp_path: pathlib.Path):
    variables, secrets, sentence = REFUSED[case]
    done = run(tmp_path, variables, secrets)
    assert done.returncode != 0
    assert sentence in " ".join(done.stdout.replace('\\"', '"').split()), done.stdout
    assert "changed=0" in done.stdout
    assert [line for line in SECRETS.splitlines() if line.split(": ")[-1] in done.stdout and ": " in line] == []


def test_of_a_foreign_store_nothing_is_rotated(tmp_path: pathlib.Path):
    done = run(tmp_path, {"test_no_store": True}, SECRETS, "--check")
    assert done.returncode == 0, done.stdout
    assert "database, master would be rotated" in done.stdout and "changed=0" in done.stdout


def test_a_young_key_changes_nothing(tmp_path: pathlib.Path):
    done = run(tmp_path, {"rotate_max_age_days": 30000}, SECRETS)
    assert done.returncode == 0, done.stdout
    assert "Nothing is old enough to be rotated" in done.stdout and "changed=0" in done.stdout
    assert (tmp_path / "secrets.yml").read_text() == SECRETS
