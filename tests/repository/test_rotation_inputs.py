"""What playbooks/rotate_keys.yml refuses before it changes anything."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRETS = "---\nstack_s3_secret_key: thesecretkeyofthestore\nstack_minio_root_password: thepasswordofroot\n"

# Variables, the file of secrets, and what is said.
REFUSED = {
    "direction": ({"direction": "up"}, SECRETS, 'direction is "up": it must be forward (the default) or back'),
    "kind": ({"rotate": "s3,passwords"}, SECRETS, 'rotate is "s3,passwords": it must be one or several, with commas between, of s3'),
    "age": ({"rotate_max_age_days": "old"}, SECRETS, 'rotate_max_age_days is "old": it must be a number of days'),
    "grace": ({"rotate_grace_seconds": "-1"}, SECRETS, 'rotate_grace_seconds is "-1": it must be a whole number of seconds'),
    "back without a rotation": ({"direction": "back"}, SECRETS, "direction is back, and no rotation of s3 is under way"),
    "no file": ({}, None, "has no stack_s3_secret_key, or has it encrypted"),
    "an encrypted value": ({}, "stack_s3_secret_key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n", "has no stack_s3_secret_key, or has it encrypted"),
    "an encrypted file": ({}, "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "is encrypted as a whole, which a rotation cannot change: run 'ansible-vault decrypt"),
    "a variable that wins": ({"stack_s3_secret_key": "another"}, SECRETS, "The inventory says stack_s3_secret_key otherwise than"),
    "no store of ours": ({"test_no_store": True}, SECRETS, "The group s3 has no host: the object store is somebody else's"),
}


def run(tmp_path: pathlib.Path, variables: dict[str, object], secrets: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "secrets.yml"
    if secrets is not None:
        file.write_text(secrets)
    groups = ["app", "web", "db"] + ([] if variables.get("test_no_store") else ["s3"])
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
    assert "thesecretkeyofthestore" not in done.stdout


def test_a_young_key_changes_nothing(tmp_path: pathlib.Path):
    done = run(tmp_path, {"rotate_max_age_days": 30000}, SECRETS)
    assert done.returncode == 0, done.stdout
    assert "Nothing is old enough to be rotated" in done.stdout and "changed=0" in done.stdout
    assert (tmp_path / "secrets.yml").read_text() == SECRETS
