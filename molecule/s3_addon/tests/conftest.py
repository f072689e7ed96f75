"""What the tests share: a person with a browser, and ways to run the role again."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
NAME = "s3_addon-odoo"
PYTHON = "/opt/odoo/venv/bin/python"


def secret(name: str) -> str:
    """A secret that the playbook made."""
    return (EPHEMERAL / name).read_text().split()[0]


def inside(script: str, job: Any, *user: str) -> Any:
    """Run a script on the host with a job on its standard input; its last line is the answer, in JSON."""
    command = ["podman", "exec", "--interactive", *user, NAME, PYTHON, "-c", script]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class Person:
    """Somebody who uses Odoo over HTTP."""

    def __init__(self, password: str = "") -> None:
        self.password = password

    def does(self, *steps: dict[str, Any]) -> list[Any]:
        job = {"base": "http://127.0.0.1:8069", "database": "odoo", "password": self.password, "steps": steps}
        return inside((SCENARIO / "tests/inside.py").read_text(), job)

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        (answer,) = self.does({"do": "upload", "name": name, "content": base64.b64encode(content).decode()})
        assert answer["status"] == 200
        return answer["files"][0]

    def download(self, path: str, **step: Any) -> dict[str, Any]:
        (answer,) = self.does({"do": "download", "path": path, **step})
        return answer


@dataclass
class Run:
    """A run of a playbook."""

    code: int
    output: str

    @property
    def changed(self) -> list[str]:
        """The names of the tasks that changed something."""
        assert self.code == 0, self.output
        found, task = [], ""
        for line in self.output.splitlines():
            if header := re.match(r"TASK \[(?:.* : )?(.*)\] \**$", line):
                task = header[1]
            elif line.startswith("changed: "):
                found.append(task)
        return found


def play(playbook: str, variables: dict[str, Any], *options: str) -> Run:
    """Run a playbook with other variables. These go by a file: a command line is for everybody to see."""
    extra = EPHEMERAL / "extra.json"
    extra.write_text(json.dumps(variables))
    command = ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), "-e", f"@{extra}", *options, str(SCENARIO / playbook)]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return Run(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def host() -> testinfra.host.Host:
    return testinfra.get_host(f"podman://{NAME}")


@pytest.fixture(scope="session")
def admin() -> Person:
    return Person(secret("admin_password"))


@pytest.fixture(scope="session")
def anonymous() -> Person:
    return Person()
