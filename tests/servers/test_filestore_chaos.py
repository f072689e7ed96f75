# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration while its surroundings break: the store killed, disks full, the network cut, people at work meanwhile.

Each is continued to the end, and then every file has to be where it should be with its own bytes, next to nothing was sent
twice, and nothing is gone from the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import time
import typing as t
from collections.abc import Callable, Iterator, Sequence

import pytest
from conftest import Server, free_port, minio
from filestore import Filestore
from test_filestore import MAY_CLEAN, let_clean
from test_filestore_runs import ENGINE, command

AT_ONCE = 4
SLOWLY = ("--concurrency", str(AT_ONCE), "--bandwidth")
CLEAN = ("--app-host", "app1", "--retention-days", "0")
MakeFilestore = Callable[..., Filestore]


@contextlib.contextmanager
def started(store: Filestore, phase: str, *options: str, inside: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, which is not left behind."""
    with subprocess.Popen([*inside, *command(store, phase, *options)], cwd=ENGINE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def stored(store: Filestore, at_least: int, run: subprocess.Popen[str]) -> None:
    """Wait until so many contents are in the bucket, while the run still has more to send."""
    while sum(store.versions().values()) < at_least:
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)


def whole(store: Filestore, breaks: int) -> None:
    """All is in the bucket and on the disk, and nothing was sent again except what was under way at a break."""
    assert store.objects() == store.contents == store.files()
    versions = store.versions()
    assert sum(versions.values()) - len(versions) <= AT_ONCE * breaks


def kill(server: Server) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory for a MinIO of the test's own."""
    found = tmp_path / "minio"
    found.mkdir()
    return found


@contextlib.contextmanager
def small_disk(path: pathlib.Path, size: str) -> Iterator[None]:
    """A file system of that size at a directory."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def enlarge(path: pathlib.Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True)


def test_store_killed_while_files_travel(make_filestore: MakeFilestore, place: pathlib.Path) -> None:
    """By SIGKILL and more than once, during one run: what MinIO had confirmed is there afterwards, the run waits for the rest."""
    server = Server("minio", f"http://127.0.0.1:{free_port()}")
    with contextlib.ExitStack() as stack:
        stack.enter_context(minio(server, place, drives=1))
        store = make_filestore(server)
        store.add_many(240, largest=4000)
        with started(store, "upload", *SLOWLY, "150000") as run:
            for kills in (1, 2):
                stored(store, 60 * kills, run)
                kill(server)
                stack.enter_context(minio(server, place, drives=1))
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        whole(store, breaks=2)


class Link(t.NamedTuple):
    """A network of its own for a run: how to start a command in it, and the address of this host seen from there."""

    inside: list[str]
    address: str
    name: str

    def set(self, state: str) -> None:
        subprocess.run(["ip", "link", "set", self.name, state], check=True)


@pytest.fixture
def link() -> Iterator[Link]:
    number = os.getpid()
    namespace, ours, theirs = f"chaos-{number}", f"ch-a-{number}", f"ch-b-{number}"
    address = f"10.254.{number // 64 % 256}.{number % 64 * 4 + 1}"

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    ip("netns", "add", namespace)
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", namespace)
        ip("address", "add", f"{address}/30", "dev", ours)
        ip("link", "set", ours, "up")
        ip("-n", namespace, "address", "add", f"{address.rpartition('.')[0]}.{number % 64 * 4 + 2}/30", "dev", theirs)
        ip("-n", namespace, "link", "set", theirs, "up")
        yield Link(["ip", "netns", "exec", namespace], address, ours)
    finally:
        ip("netns", "delete", namespace)


def test_network_cut_while_files_travel(make_filestore: MakeFilestore, place: pathlib.Path, link: Link) -> None:
    """Without a word from the other side: the run finds it out by its time-outs, and goes on when the network is back."""
    port = free_port()
    server = Server("minio", f"http://127.0.0.1:{port}")
    with minio(server, place, "--address", f":{port}", drives=1):
        store = make_filestore(server)
        store.add_many(160, largest=4000)
        far = dataclasses.replace(server, endpoint_url=f"http://{link.address}:{port}")
        seen = dataclasses.replace(store, server=far, times={"connect_timeout": 1, "read_timeout": 2})
        with started(seen, "upload", *SLOWLY, "100000", inside=link.inside) as run:
            stored(store, 40, run)
            link.set("down")
            time.sleep(1)  # what had arrived is stored
            before = store.versions()
            time.sleep(3)  # longer than a time-out
            assert store.versions() == before and run.poll() is None
            link.set("up")
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        whole(store, breaks=1)


def test_store_gone_for_longer_than_a_run_waits(make_filestore: MakeFilestore, place: pathlib.Path) -> None:
    server = Server("minio", f"http://127.0.0.1:{free_port()}")
    with minio(server, place, drives=1):
        store = make_filestore(server)
        store.add_many(60, largest=4000)
        with started(store, "upload", *SLOWLY, "60000") as run:
            stored(store, 20, run)
            kill(server)
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 1 and f"in bucket {store.bucket}" in errors and "Traceback" not in errors, errors
        assert store.files() == store.contents
    with minio(server, place, drives=1):
        assert store.run("upload")["problems"] == 0
        whole(store, breaks=1)


def test_state_on_a_full_disk(start_server: Callable[[str], Server], make_filestore: MakeFilestore) -> None:
    """What cannot be remembered is found out anew; and what cannot be written down is not removed."""
    store = make_filestore(start_server("minio"))
    store.add_many(200, largest=4000)
    with small_disk(store.state, "256k"):
        with started(store, "upload", *SLOWLY, "150000") as run:
            stored(store, 50, run)
            fill(store.state)
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 1 and "No space left on device; make room" in errors and "Traceback" not in errors, errors
        assert store.files() == store.contents
        (store.state / "filler").unlink()
        assert store.run("upload")["problems"] == 0
        whole(store, breaks=1)

        store.run("verify")
        let_clean(store)
        fill(store.state)
        with started(store, "clean", *CLEAN) as run:
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 1 and "No space left on device; make room" in errors, errors
        told = "".join(path.read_text() for path in store.state.glob("*/removed.log"))
        assert [name for name in set(store.contents) - set(store.files()) if name not in told] == []
        (store.state / "filler").unlink()
        store.run("clean", **MAY_CLEAN)
        assert store.files() == {}


def fill(path: pathlib.Path) -> None:
    """Leave no room at all."""
    with contextlib.suppress(OSError), (path / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 512):
            pass


def test_way_back_to_a_full_disk(start_server: Callable[[str], Server], make_filestore: MakeFilestore) -> None:
    store = make_filestore(start_server("minio"))
    store.add_many(60, largest=20_000)
    store.run("upload")
    wanted = dict(store.contents)
    with small_disk(store.path, "400k"):
        with started(store, "back", "--concurrency", str(AT_ONCE)) as run:
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 1 and "No space left on device; make room" in errors and "Traceback" not in errors, errors
        there = store.files()
        assert 0 < len(there) < len(wanted)
        assert all(wanted[name] == content for name, content in there.items()), "what is there is whole"
        enlarge(store.path, "4m")
        assert store.run("back")["problems"] == 0
        assert store.files() == wanted


def test_store_with_a_full_drive(make_filestore: MakeFilestore, place: pathlib.Path) -> None:
    server = Server("minio", f"http://127.0.0.1:{free_port()}")
    with small_disk(place / "disk1", "24m"), minio(server, place, drives=1):
        store = make_filestore(server)
        store.add_many(400, largest=200_000)
        with started(store, "upload", "--concurrency", str(AT_ONCE)) as run:
            _output, errors = run.communicate(timeout=300)
        assert run.returncode == 1 and f"in bucket {store.bucket}" in errors and "Traceback" not in errors, errors
        assert store.files() == store.contents
        there = store.objects()
        assert 0 < len(there) < len(store.contents)
        assert all(store.contents[name] == content for name, content in there.items())
        enlarge(place / "disk1", "256m")
        assert store.run("upload")["problems"] == 0
        whole(store, breaks=1)
