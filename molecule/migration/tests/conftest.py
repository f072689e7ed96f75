"""What the tests share: the playbook, people at work, and ways to look at rows, files and objects."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
TESTS = Path(__file__).parent
NAME = "migration-odoo"
PYTHON = "/opt/odoo/venv/bin/python"
FILESTORE = "/var/lib/odoo/filestore/odoo"
READS = 100


def command(*arguments: str) -> list[str]:
    return ["podman", "exec", "--interactive", NAME, *arguments]


def rows() -> dict[int, tuple[str, str]]:
    """Of each stored attachment the digest of its whole row, and the name of its file."""
    query = "SELECT id, md5(a::text), store_fname FROM ir_attachment a WHERE store_fname IS NOT NULL ORDER BY id"
    done = subprocess.run(command("runuser", "-u", "postgres", "--", "psql", "-XAtc", query, "odoo"), capture_output=True, text=True, check=True)
    return {int(number): (digest, name) for number, digest, name in (line.split("|") for line in done.stdout.splitlines())}


def inside(script: str, job: Any) -> Any:
    """Run a script on the host with a job on its standard input; its last line is the answer, in JSON."""
    done = subprocess.run(command(PYTHON, "-c", script), input=json.dumps(job), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


PLAIN = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}


def playbook(variables: dict[str, str]) -> list[str]:
    # A phase takes seconds here, and is to be asked as often whether it is over.
    given = {"migrate_poll": "1", **variables}
    options = [part for name, value in given.items() if name != "check" for part in ("-e", f"{name}={value}")]
    return ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), *options, *(["--check"] if "check" in given else []), "odooops.stack.migrate_filestore"]


def play(**variables: str) -> dict[str, Any]:
    """Run the playbook to its end, as a person does; its output, and how many tasks changed something."""
    done = subprocess.run(playbook(variables), capture_output=True, text=True, check=False, env=PLAIN)
    recap = re.search(rf"{NAME} +: ok=\d+ +changed=(\d+)", done.stdout)
    return {"code": done.returncode, "output": done.stdout + done.stderr, "changed": int(recap[1]) if recap else None}


@contextlib.contextmanager
def playing(**variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The playbook while it runs; at the end it is killed with all that it has started here."""
    run = subprocess.Popen(playbook(variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=PLAIN)
    try:
        yield run
    finally:
        # Ansible's workers are in groups of their own.
        for pid in with_descendants(run.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.wait()


def with_descendants(pid: int) -> list[int]:
    """A process, and all that it and they have started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [pid, *(one for child in found for one in with_descendants(int(child)))]


class Work:
    """What people have done, once they have stopped."""

    counts: dict[str, Any]


@contextlib.contextmanager
def people_at_work(attachments: list[tuple[int, str]]) -> Iterator[Work]:
    """Ten people read these (id, SHA-1), and write and delete attachments of their own, until the block ends, and until they have read READS times."""
    job = {"certificate": "/etc/nginx/certificates/self-signed.crt", "attachments": attachments, "reads": READS}
    script = (TESTS / "users.py").read_text()
    work = Work()
    with subprocess.Popen(command(PYTHON, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as users:
        assert users.stdin and users.stdout
        users.stdin.write(json.dumps(job) + "\n")
        users.stdin.flush()
        assert json.loads(users.stdout.readline()) == "at work"
        try:
            yield work
        finally:
            users.stdin.close()
            work.counts = json.loads(users.stdout.readlines()[-1])


@pytest.fixture(scope="session")
def host() -> testinfra.host.Host:
    return testinfra.get_host(f"podman://{NAME}")
