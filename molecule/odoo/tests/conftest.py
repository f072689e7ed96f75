# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: a way to ask Odoo from its own host, where alone it listens, and a way to run the playbook again."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])

# Runs on the host; what it is to ask comes by standard input, so that no password is on a command line.
CLIENT = """
import json, sys, urllib.error, urllib.request
url, body = json.load(sys.stdin)
request = urllib.request.Request(url, data=body and json.dumps(body).encode(), headers={"Content-Type": "application/json"} if body else {})
try:
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
"""


def secret(name: str) -> str:
    """A password that converge.yml made."""
    return (EPHEMERAL / name).read_text().split()[0]


@dataclass
class Odoo:
    """An Odoo, asked from its host."""

    container: str
    port: int = 8069
    database: str = "odoo"

    def execute(self, *command: str, data: str = "") -> str:
        done = subprocess.run(["podman", "exec", "--interactive", self.container, *command], input=data, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str, body: dict[str, Any] | None = None, port: int | None = None) -> tuple[int, str]:
        status, text = json.loads(self.execute("python3", "-c", CLIENT, data=json.dumps([f"http://127.0.0.1:{port or self.port}{path}", body])))
        return status, text

    def rpc(self, path: str, **params: Any) -> dict[str, Any]:
        status, text = self.ask(path, {"jsonrpc": "2.0", "method": "call", "params": params})
        assert status == 200
        return json.loads(text)

    def login(self, password: str, login: str = "admin") -> dict[str, Any]:
        return self.rpc("/web/session/authenticate", db=self.database, login=login, password=password)

    def sql(self, query: str, database: str | None = None) -> str:
        return self.execute("runuser", "-u", "postgres", "--", "psql", "-qAt", "-v", "ON_ERROR_STOP=1", database or self.database, data=query).strip()


@dataclass
class Run:
    """A run of a playbook."""

    code: int
    output: str

    def changed(self, host: str) -> int:
        found = re.search(rf"^{host}\s.*changed=(\d+)", self.output, re.MULTILINE)
        assert self.code == 0 and found, self.output
        return int(found[1])


def start(variables: dict[str, Any], playbook: str = "converge.yml", *options: str) -> subprocess.Popen[str]:
    """Start a playbook with other variables. These go by a file: a command line is for everybody to see."""
    extra = EPHEMERAL / "extra.json"
    extra.write_text(json.dumps(variables))
    command = ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), "-e", f"@{extra}", *options, str(SCENARIO / playbook)]
    # Molecule forces colours, which would be in the midst of what is looked for.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> Run:
    output = process.communicate()[0]
    return Run(process.returncode, output)


def play(variables: dict[str, Any], playbook: str = "converge.yml", *options: str) -> Run:
    return finish(start(variables, playbook, *options))
