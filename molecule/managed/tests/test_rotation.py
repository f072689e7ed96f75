"""Passwords are rotated where Odoo has one host, and the database server and the object store are somebody else's."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from pathlib import Path

from conftest import EPHEMERAL, kept

# Tries a password at the database that comes by standard input.
CONNECT = "PGPASSWORD=$(cat) psql -XAtc 'select current_user' 'host=managed-theirs dbname=odoo sslmode=require user=%s' 2>&1"


def rotate(*options: str) -> subprocess.CompletedProcess[str]:
    playbook = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "rotate.yml")
    command = ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), *options, str(playbook)]
    return subprocess.run(command, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def test_their_key_is_theirs_to_rotate() -> None:
    before = kept()
    done = rotate("-e", "rotate=s3")
    assert done.returncode != 0
    assert "The group s3 has no host: the object store is somebody else's" in " ".join(done.stdout.split()), done.stdout
    assert kept() == before


def test_rotated(on: t.Any, person: t.Any) -> None:
    before, host = kept(), on("managed-odoo")

    def let_in(login: str, password: str) -> str:
        return host.run("printf %%s %s | sh -c %s", password, CONNECT % f"odoo_{login}").stdout

    assert let_in("a", before["stack_database_password_a"]) == "odoo_owner\n"
    done = rotate()
    assert done.returncode == 0, done.stdout
    assert "as no other host answers meanwhile, people see errors for the seconds of that" in " ".join(done.stdout.split())
    after = kept()
    assert after["stack_database_login"] == "b" and after["stack_odoo_master_password"] != before["stack_odoo_master_password"]
    assert let_in("b", after["stack_database_password_b"]) == "odoo_owner\n"
    for login in "ab":
        assert "password authentication failed" in let_in(login, before[f"stack_database_password_{login}"])
    assert host.file("/etc/odoo/odoo.conf").contains("^db_user = odoo_b$")
    assert person()["equal"]
    again = rotate("-e", "rotate_max_age_days=1")
    assert again.returncode == 0 and "Nothing is old enough" in again.stdout, again.stdout
    assert re.search(r"managed-odoo +: ok=\d+ +changed=0 ", again.stdout), again.stdout
