# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: a way to really log in, and a way to run the playbook again."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import testinfra

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
# What the distribution has.
VERSION = {"12": 15, "13": 17}[os.environ.get("SANDBOX_DEBIAN", "12")]

# Runs on a host: connects as it is told on standard input and prints the rows, or the error, as JSON.
SCRIPT = """
import json, sys, psycopg2
order = json.load(sys.stdin)
answer = {"rows": [], "error": ""}
try:
    connection = psycopg2.connect(**order["login"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in order["statements"]:
            cursor.execute(statement)
        answer["rows"] = cursor.fetchall() if cursor.description else []
except psycopg2.Error as error:
    answer["error"] = str(error)
print(json.dumps(answer, default=str))
"""


def password(name: str) -> str:
    """The password that converge.yml made."""
    return (EPHEMERAL / f"password_{name}").read_text().split()[0]


@dataclass
class Answer:
    rows: list[list[Any]]
    error: str

    @property
    def value(self) -> Any:
        assert not self.error, self.error
        return self.rows[0][0]


@dataclass
class Client:
    """A host that logs in to the server."""

    container: str
    login: dict[str, Any] = field(default_factory=dict)

    def sql(self, *statements: str, **login: Any) -> Answer:
        login = {"connect_timeout": 10, **self.login, **login}
        order = {"login": login, "statements": statements}
        # The socket lets in only whom the system knows by that name.
        user = ["--user", "postgres"] if login["host"].startswith("/") and login["user"] == "postgres" else []
        command = ["podman", "exec", "--interactive", *user, self.container, "python3", "-c", SCRIPT]
        done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, check=True)
        return Answer(**json.loads(done.stdout))


@dataclass
class Run:
    """A run of a playbook."""

    code: int
    output: str

    def changed(self, host: str) -> int:
        found = re.search(rf"^{host}\s.*changed=(\d+)", self.output, re.MULTILINE)
        assert self.code == 0 and found, self.output
        return int(found[1])


def play(variables: dict[str, Any], playbook: str = "converge.yml", *options: str) -> Run:
    """Run a playbook with other variables. These go by a file: a command line is for everybody to see."""
    extra = EPHEMERAL / "extra.json"
    extra.write_text(json.dumps(variables))
    command = ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), "-e", f"@{extra}", *options, str(SCENARIO / playbook)]
    # Molecule forces colours, which would be in the midst of what is looked for.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def server() -> testinfra.host.Host:
    return testinfra.get_host("podman://postgresql-server")


@pytest.fixture(scope="session")
def local() -> Client:
    """The server's own host, over its loopback."""
    return Client("postgresql-server", {"host": "127.0.0.1", "dbname": "odoo-main"})


@pytest.fixture(scope="session")
def remote(server: testinfra.host.Host) -> Client:
    """Another host."""
    address = server.check_output("hostname -I").split()[0]
    return Client("postgresql-managed", {"host": address, "dbname": "odoo-main", "sslmode": "require"})


@pytest.fixture(scope="session")
def admin() -> Client:
    """The superuser."""
    return Client("postgresql-server", {"host": "/var/run/postgresql", "user": "postgres", "dbname": "postgres"})
