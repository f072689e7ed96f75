# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret gets out of a run of ansible-playbook, wherever one looks; a planted one is found in each of these places first."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from conftest import Server, StartServer

LOG = Path("/dev/log")
# Seconds for which a process is looked at again and again.
YOUNG = 2.0
POLICY = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"}}
# Where secrets could get out.
PLACES = ("output", "log", "results", "files", "processes", "syslog")
Task = dict[str, t.Any]


def spellings(secret: str) -> set[str]:
    """A secret as it may be written: as it is, in Base64, and in hexadecimal digits."""
    data = secret.encode()
    return {secret, base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("="), data.hex()}


def somebody_listens() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        return asking.connect_ex(str(LOG)) == 0


class Watch:
    """Looks at the arguments of all processes and at what the host's log is told, as long as it is open."""

    def __init__(self) -> None:
        self.arguments: set[str] = set()
        self.told: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.look)]
        if not somebody_listens():
            # A host without a log: modules tell it nevertheless. A run that was killed may have left the name behind.
            LOG.unlink(missing_ok=True)
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(str(LOG))
            self.socket.settimeout(0.1)
            self.threads.append(threading.Thread(target=self.listen))

    def __enter__(self) -> Watch:
        self.since = int(time.time())
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        if hasattr(self, "socket"):
            self.socket.close()
            LOG.unlink()
        else:
            journal = ["journalctl", "--quiet", "--output=cat", "--all", f"--since=@{self.since}"]
            self.told.append(subprocess.run(journal, capture_output=True, text=True, check=True).stdout)

    def look(self) -> None:
        since: dict[str, float] = {}
        while not self.over.wait(0.01):
            now = time.monotonic()
            there = [name for name in os.listdir("/proc") if name.isdecimal()]
            since = {name: since.get(name, now) for name in there}
            for name in there:
                # One that is new may still become another program, with arguments of its own; to read those of all others takes a whole core.
                if now - since[name] < YOUNG:
                    with contextlib.suppress(OSError):
                        self.arguments.add(Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    def listen(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                self.told.append(self.socket.recv(65536).decode(errors="replace"))


def play(directory: Path, tasks: list[Task], variables: dict[str, t.Any], *options: str) -> dict[str, str]:
    """What a run of ansible-playbook gives away, by place; each task's result is printed and written to a file, if the task lets it."""
    directory.mkdir()
    every: list[Task] = []
    shown = []
    for number, task in enumerate(tasks):
        every.append({**task, "register": f"result_{number}"})
        if not task.get("no_log"):
            shown.append(f"result_{number}")
            every.append({"ansible.builtin.debug": {"var": shown[-1]}})
    written = {"content": f"{{{{ [{', '.join(shown)}] | to_nice_json }}}}", "dest": str(directory / "results"), "mode": "0600"}
    every.append({"ansible.builtin.copy": written, "check_mode": False})
    (directory / "secrets.yml").write_text(yaml.safe_dump(variables))
    (directory / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "vars_files": ["secrets.yml"], "tasks": every}]))
    environment = {
        **os.environ,
        "ANSIBLE_LOG_PATH": str(directory / "log"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "temporary/local"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "temporary/remote"),
        "ANSIBLE_KEEP_REMOTE_FILES": "0",
    }
    command = ["ansible-playbook", "-vvv", "--diff", "-c", "local", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", *options]
    with Watch() as watch:
        done = subprocess.run([*command, str(directory / "play.yml")], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert any("play.yml" in arguments for arguments in watch.arguments), "nobody looked at the processes"
    return {
        "output": done.stdout + done.stderr,
        "log": (directory / "log").read_text(),
        "results": (directory / "results").read_text(),
        "files": "\n".join(file.read_text(errors="replace") for file in (directory / "temporary").rglob("*") if file.is_file()),
        "processes": "\n".join(watch.arguments),
        "syslog": "\n".join(watch.told),
    }


def found(secret: str, places: dict[str, str]) -> set[str]:
    return {place for place, text in places.items() if any(spelling in text for spelling in spellings(secret))}


@pytest.mark.parametrize("spell", ["{}", "{} | b64encode"], ids=["plain", "Base64"])
def test_a_planted_secret_is_found_in_each_place(tmp_path: Path, spell: str) -> None:
    canaries = {f"in_{place}": secrets.token_urlsafe(24) for place in PLACES}

    def planted(place: str) -> str:
        return "{{ " + spell.format(f"in_{place}") + " }}"

    tasks: list[Task] = [
        {"ansible.builtin.debug": {"msg": planted("output")}},
        {"ansible.builtin.debug": {"msg": planted("log")}},
        {"ansible.builtin.set_fact": {"kept": planted("results")}},
        {"ansible.builtin.copy": {"content": planted("files"), "dest": str(tmp_path / "run/temporary/left"), "mode": "0600"}, "no_log": True},
        {"ansible.builtin.command": {"argv": ["sh", "-c", "sleep 1", planted("processes")]}, "no_log": True},
        {"ansible.builtin.stat": {"path": planted("syslog")}},
    ]
    places = play(tmp_path / "run", tasks, canaries)
    for place in PLACES:
        assert place in found(canaries[f"in_{place}"], places), f"not found in {place}"
    # And only where it was put: no_log keeps what only a file or a process has out of the rest.
    assert found(canaries["in_files"], places) == {"files"}
    assert found(secrets.token_urlsafe(24), places) == set()


def tasks_of(server: Server, state: str) -> list[Task]:
    """Every module with every secret that it takes, and errors among them."""
    url = {"endpoint_url": server.endpoint_url, "region": server.region, "ca_bundle": server.ca_bundle or "{{ omit }}"}
    root = {**url, "access_key": server.access_key, "secret_key": "{{ root }}"}
    user = {"name": "watched", "secret": "{{ user }}"}
    key = {"key": "WATCHEDKEY", "user": "watched", "secret": "{{ key }}"}
    wishes: list[tuple[str, dict[str, t.Any]]] = [
        ("s3_bucket", {**root, "name": "watched", "versioning": "enabled"}),
        ("s3_bucket_info", {**root, "name": "watched"}),
        ("s3_bucket_info", {**url, "profile": "watched", "name": "watched"}),
        ("minio_policy", {**root, "name": "watched", "policy": POLICY}),
        ("minio_policy_info", root),
        ("minio_user", {**root, **user, "policies": ["watched"]}),
        ("minio_user", {**root, **user, "secret": "{{ new_user }}"}),
        ("minio_user_info", {**url, "profile": "watched"}),
        ("minio_group", {**root, "name": "watched", "members": ["watched"]}),
        ("minio_group_info", root),
        ("minio_access_key", {**root, **key}),
        ("minio_access_key", {**root, **key, "secret": "{{ new_key }}", "policy": POLICY}),
        ("minio_access_key_info", {**root, "user": "watched"}),
    ]
    wrong: list[tuple[str, dict[str, t.Any]]] = [
        ("minio_user", {**root, "secret_key": "{{ wrong }}", **user}),
        ("s3_bucket", {**root, "secret_key": "{{ wrong }}", "name": "watched"}),
        ("minio_user", {**root, "name": "watched", "secret": "{{ wrong }}", "policies": "{{ {'a': 'b'} }}", "enabled": "perhaps"}),
        ("minio_access_key", {**root, **key, "secret": "{{ wrong }}{{ wrong }}"}),
        ("s3_bucket", {**root, "session_token": "{{ token }}", "name": "watched"}),
    ]
    if state == "absent":
        gone = [("minio_access_key", {"key": "WATCHEDKEY"}), ("minio_group", {"name": "watched"}), ("minio_user", {"name": "watched", "secret": "{{ user }}"})]
        gone += [("minio_policy", {"name": "watched"}), ("s3_bucket", {"name": "watched", "force": True})]
        wishes, wrong = [(module, {**root, **arguments, "state": "absent"}) for module, arguments in gone], []
    tasks: list[Task] = [{f"odooops.stack.{module}": arguments} for module, arguments in wishes]
    return tasks + [{f"odooops.stack.{module}": arguments, "failed_when": False} for module, arguments in wrong]


def test_no_secret_gets_out(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("minio")
    kinds = ("user", "new_user", "key", "new_key", "wrong", "token")
    generated = {"root": server.secret_key, **{kind: secrets.token_urlsafe(24) for kind in kinds}}
    profile = f"[watched]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text(profile)

    runs = {
        "applied": play(tmp_path / "applied", tasks_of(server, "present"), generated),
        # Now there is something to change in every secret.
        "checked": play(tmp_path / "checked", tasks_of(server, "present"), generated, "--check"),
        "removed": play(tmp_path / "removed", tasks_of(server, "absent"), generated),
    }
    for run, places in runs.items():
        assert "watched" in places["results"] and "odooops.stack.minio_user" in places["output"] and "Invoked with" in places["syslog"], run
        leaks = {kind: found(secret, places) for kind, secret in generated.items() if found(secret, places)}
        assert not leaks, f"{run}: {leaks}"
    # What was refused was refused in sentences.
    assert "the secret_key is not that of the access key" in runs["applied"]["results"]
    assert "another than the one given" in runs["checked"]["results"]


def test_a_secret_that_is_made_up_is_kept_by_no_log(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("minio")
    root = {"endpoint_url": server.endpoint_url, "access_key": server.access_key, "secret_key": "{{ root }}", "key": "MADEUPKEY", "user": server.access_key}
    kept = tmp_path / "kept"
    tasks: list[Task] = [
        {"odooops.stack.minio_access_key": root, "no_log": True},
        {"ansible.builtin.copy": {"content": "{{ result_0.secret }}", "dest": str(kept), "mode": "0600"}, "no_log": True},
        {"odooops.stack.minio_access_key": {**root, "description": "again"}},
        {"odooops.stack.minio_access_key_info": {name: value for name, value in root.items() if name != "user"}},
        {"odooops.stack.minio_access_key": {**root, "state": "absent"}},
    ]
    places = play(tmp_path / "run", tasks, {"root": server.secret_key})
    made_up = kept.read_text()
    assert len(made_up) == 40 and "MADEUPKEY" in places["results"] and found(made_up, places) == set()
