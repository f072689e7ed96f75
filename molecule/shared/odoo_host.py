"""The Odoo of a scenario, as its tests reach it: the host SCENARIO-odoo, and people who use Odoo there.

A scenario's conftest.py puts this directory on sys.path and takes what it wants.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
import testinfra
import testinfra.host

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
NAME = f"{os.environ['MOLECULE_SCENARIO_NAME']}-odoo"
PYTHON = "/opt/odoo/venv/bin/python"


def secret(name: str) -> str:
    """A secret that the playbook made."""
    return (EPHEMERAL / name).read_text().split()[0]


def random_bytes(size: int) -> bytes:
    """A file that Odoo takes for bytes and nothing else: one in 256 begins with "<", and what may be markup is not redirected."""
    return b"\0" + secrets.token_bytes(size - 1)


def inside(script: str, job: Any, *user: str) -> Any:
    """Run a script on the host with a job on its standard input; its last line is the answer, in JSON."""
    command = ["podman", "exec", "--interactive", *user, NAME, PYTHON, "-c", script]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class Person:
    """Somebody who uses Odoo over HTTP."""

    def __init__(self, password: str = "", base: str = "http://127.0.0.1:8069", certificate: str = "") -> None:
        self.password = password
        self.base = base
        self.certificate = certificate  # a file on the host with what to trust besides the usual

    def does(self, *steps: dict[str, Any]) -> list[Any]:
        job = {"base": self.base, "database": "odoo", "password": self.password, "certificate": self.certificate, "steps": steps}
        return inside((Path(__file__).parent / "odoo_person.py").read_text(), job)

    def upload(self, name: str, content: bytes, mimetype: str = "application/octet-stream") -> dict[str, Any]:
        (answer,) = self.does({"do": "upload", "name": name, "content": base64.b64encode(content).decode(), "mimetype": mimetype})
        assert answer["status"] == 200
        return answer["files"][0]

    def download(self, path: str, **step: Any) -> dict[str, Any]:
        (answer,) = self.does({"do": "download", "path": path, **step})
        return answer


@pytest.fixture(scope="session")
def host() -> testinfra.host.Host:
    return testinfra.get_host(f"podman://{NAME}")
