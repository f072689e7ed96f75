"""What the tests share: a person with a browser, and ways to run the role again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
sys.path.insert(0, str(SCENARIO.parent / "shared"))

from odoo_host import EPHEMERAL, NAME, Person, host, inside, random_bytes, secret

__all__ = ["EPHEMERAL", "NAME", "Person", "Run", "host", "inside", "play", "random_bytes", "secret", "sql"]


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


def sql(host: Host, query: str, database: str = "odoo") -> str:
    return host.check_output("runuser -u postgres -- psql -XqtA -v ON_ERROR_STOP=1 -d %s -c %s", database, query)


@pytest.fixture(scope="session")
def admin() -> Person:
    return Person(secret("admin_password"))


@pytest.fixture(scope="session")
def anonymous() -> Person:
    return Person()
