"""Runs of the playbook: what they change, what they say, and what can be seen of them on the controller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import typing as t
from pathlib import Path

from conftest import EPHEMERAL, SCENARIO

# Where Ansible and Python put what is temporary on the controller.
TEMPORARY = EPHEMERAL / "temporary"


class Change(t.NamedTuple):
    """What one task has changed on one host, as the callback `changes` tells it."""

    phase: str  # the name of the play
    kind: str  # of secret
    task: str
    host: str

    @classmethod
    def parse(cls, line: str) -> Change:
        return cls(*line.split(" | "))

    def __str__(self) -> str:
        return " | ".join(self)


class Run:
    """A run of rotate.yml with all that Ansible has to say, killed right after the first change that is in `deadly`."""

    def __init__(self, *options: str, deadly: t.Iterable[Change] = (), canary: str = "") -> None:
        TEMPORARY.mkdir(mode=0o700, exist_ok=True)
        changes = EPHEMERAL / f"changes-{threading.get_ident()}"
        changes.write_text("")
        environment = {
            **os.environ,
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            # Or what was said last would be lost with who is killed.
            "PYTHONUNBUFFERED": "1",
            "ANSIBLE_CALLBACK_PLUGINS": str(SCENARIO / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks,changes",
            "ANSIBLE_LOCAL_TEMP": str(TEMPORARY),
            "TMPDIR": str(TEMPORARY),
            "ROTATION_CANARY": canary,
            "ROTATION_CHANGES": str(changes),
            "ROTATION_KILL": json.dumps([str(change) for change in deadly]),
        }
        command = ["ansible-playbook", "-vvv", "--diff", "-i", str(EPHEMERAL / "inventory"), *options, str(SCENARIO / "rotate.yml")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False)
        self.code, self.output = done.returncode, done.stdout
        self.killed = self.code == -signal.SIGKILL
        self.changed = [Change.parse(line) for line in changes.read_text().splitlines()]
        changes.unlink()


class Processes:
    """What anybody on the controller can see of its processes, looked at until :meth:`stop`."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:  # it has ended
                    continue
