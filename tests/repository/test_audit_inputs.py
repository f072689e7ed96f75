"""What playbooks/audit.yml refuses before it asks anything, and that it says what it could not look at."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRETS = "---\nstack_minio_root_password: thepasswordofroot\n"

# All that is wrong is told at once.
WRONG = {
    "audit_fail_on": "bad",
    "audit_key_days": "many",
    "audit_accepted": ["eve"],
    "audit_ports": ["http"],
    "audit_site_options": "--ask-vault-pass",
    "audit_report": "/no/such/place/report",
}
SENTENCES = (
    'audit_fail_on is "bad": it must be one of critical, high, medium, low, never.',
    'audit_key_days is "many": it must be a number.',
    'audit_accepted is ["eve"]: it must be a list, each element the name of a finding',
    'audit_ports of somewhere is ["http"]: it must be a list of port numbers',
    'audit_site_options is "--ask-vault-pass": it must be a list of options of ansible-playbook',
    "audit_report is /no/such/place/report: /no/such/place is no directory on the controller.",
    "it would call right what it has not seen (elsewhere): run it without --limit.",
)


def run(tmp_path: pathlib.Path, variables: dict[str, object], secrets: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "secrets.yml"
    if secrets is not None:
        file.write_text(secrets)
    groups = {name: {"hosts": {"somewhere": {}}} for name in ("app", "db", "s3", "web")}
    # Nobody answers there.
    groups["app"]["hosts"] |= {"elsewhere": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}}
    site = {"stack_instance": "shop", "stack_domain": "shop.test", "stack_store_domain": "files.shop.test", "stack_secrets_file": str(file)}
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False, "stack_address": "127.0.0.1"}
    given = {**site, **here, "audit_report": str(tmp_path / "report"), **variables}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": groups, "vars": given}}))
    command = ["ansible-playbook", f"--inventory={tmp_path / 'hosts.yml'}", *options, "playbooks/audit.yml"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False)


def text(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stdout.replace('\\"', '"').replace("\\n", " ").split())


@pytest.mark.parametrize(
    ("variables", "secrets", "sentences", "options"),
    [
        (WRONG, SECRETS, SENTENCES, ["--limit=somewhere"]),
        ({}, None, ["stack_minio_root_password has no value: run odooops.stack.site first"], []),
    ],
)
def test_refused_in_a_sentence(variables, secrets, sentences, options, tmp_path: pathlib.Path):
    done = run(tmp_path, variables, secrets, *options)
    assert done.returncode != 0
    assert [sentence for sentence in sentences if sentence not in text(done)] == [], done.stdout
    assert "changed=0" in done.stdout and "TASK [Look" not in done.stdout
    assert "thepasswordofroot" not in done.stdout
    assert not (tmp_path / "report.json").exists()


def test_what_cannot_be_looked_at_is_told(tmp_path: pathlib.Path):
    """On this host there is no such stack at all. The report is written, in a check as well, for nobody else to read."""
    done = run(tmp_path, {"stack_s3_port": 9}, SECRETS, "--check")
    assert done.returncode != 0, done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    unseen = {(each["host"], each["subject"]) for each in report["findings"] if each["check"] == "unseen"}
    assert {("somewhere", "store"), ("somewhere", "odoo"), ("elsewhere", "host")} <= unseen
    assert "The audit could not look at this (store): The module interpreter '/opt/minio-python/bin/python' was not found. Mend that" in done.stdout
    assert "changed=0" in done.stdout and "thepasswordofroot" not in done.stdout + (tmp_path / "report.html").read_text()
    assert {(tmp_path / f"report.{name}").stat().st_mode & 0o777 for name in ("json", "html")} == {0o600}


def test_an_encrypted_file_may_be_read_and_its_copies_in_the_clear_may_not(tmp_path: pathlib.Path):
    (tmp_path / "password").write_text("a password")
    (tmp_path / "secrets.yml.old").write_text(SECRETS)
    text = VaultLib([("default", VaultSecret(b"a password"))]).encrypt(SECRETS).decode()
    run(tmp_path, {"stack_s3_port": 9}, text, "--check", f"--vault-password-file={tmp_path / 'password'}")
    report = json.loads((tmp_path / "report.json").read_text())
    assert [each["subject"] for each in report["findings"] if each["host"] == "controller"] == [str(tmp_path / "secrets.yml.old")]


SITE = """
- hosts: somewhere
  gather_facts: false
  tasks:
    - name: Have the file
      ansible.builtin.copy: {dest: "{{ inventory_dir }}/declared", content: "{{ lookup('ansible.builtin.env', 'PWD') }} {{ more }} a canary", mode: '0600'}
    - name: Leave it
      ansible.builtin.file: {path: "{{ inventory_dir }}", state: directory}
"""


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (["--extra-vars=more=x"], ("medium", "somewhere", "site_differs", "Have the file")),
        ([], ("high", "somewhere", "unseen", "site")),
    ],
)
def test_what_site_would_change_is_told(options: list[str], finding: tuple[str, ...], tmp_path: pathlib.Path):
    (tmp_path / "site.yml").write_text(SITE)
    more = {"audit_site_check": True, "audit_site_playbook": str(tmp_path / "site.yml"), "audit_site_options": options}
    done = run(tmp_path, more, SECRETS, "-vvv")
    found = {tuple(each[key] for key in ("severity", "host", "check", "subject")) for each in json.loads((tmp_path / "report.json").read_text())["findings"]}
    assert {each for each in found if each[2] == "site_differs" or each[3] == "site"} == {finding}, text(done)
    assert "a canary" not in done.stdout and not (tmp_path / "declared").exists()
