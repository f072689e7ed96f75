# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What a migration remembers between its runs, and who may run.

Little: which of the 256 directories have been uploaded and verified, and when. What is where is asked anew each time, from
the database, the disk and the bucket, so that a run which was killed leaves nothing behind that could be wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from .catalogue import PREFIXES
from .errors import ConfigError, StoreError

_VERSION = 1


class Busy(StoreError):
    """Another run works on the same files."""


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: str, text: str, mode: int = 0o600, durable: bool = True) -> None:
    """Replace a file so that it is the old one or the new one, whenever the process dies; if ``durable``, also the machine."""
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        # A full disk is not to be filled further by each attempt.
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    if durable:
        sync_directory(os.path.dirname(path))


class State:
    """The memory of one migration, in a directory of its own.

    :param directory: of all migrations of this host.
    :param identity: what it is about: filestore, bucket and so on. Another one is another migration, with another memory.
    """

    def __init__(self, directory: str, identity: dict[str, str]) -> None:
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        self.directory = os.path.join(os.path.abspath(directory), f"{identity['database']}-{digest}")
        self.identity = identity
        self._path = os.path.join(self.directory, "state.json")

    def make(self) -> None:
        """Make the directory, which only the caller may read: names of files are nobody else's business."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)

    def read(self) -> dict[str, Any]:
        """``{"features": {...}, "prefixes": {"ab": {"uploaded_at": ..., "verified_at": ..., "verified_since": ...}}}``, times in seconds since 1970."""
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            return {"version": _VERSION, "identity": self.identity, "prefixes": {}}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self._path}, the memory of the migration, cannot be read ({error}): move it away, and upload and verify again") from None
        if found.get("version") != _VERSION:
            raise ConfigError(f"{self._path} was written by another release of this collection: move it away, and upload and verify again")
        return dict(found)

    @contextlib.contextmanager
    def changed(self) -> Iterator[dict[str, Any]]:
        """The state, to be changed: nobody else changes it meanwhile."""
        with open(os.path.join(self.directory, "state.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.read()
            yield state
            write_atomically(self._path, json.dumps(state, indent=1, sort_keys=True) + "\n")

    def mark(self, marks: dict[str, dict[str, float | None]]) -> None:
        """Note of prefixes what is true of them now; None takes a mark away. ``verified_since`` stays as old as it is."""
        with self.changed() as state:
            for prefix, values in marks.items():
                known = state["prefixes"].setdefault(prefix, {})
                for name, value in values.items():
                    if value is None:
                        known.pop(name, None)
                    elif name != "verified_since" or name not in known:
                        known[name] = value

    @contextlib.contextmanager
    def hold(self, prefixes: Iterable[str]) -> Iterator[None]:
        """Keep others from working on these prefixes, on this host, for as long as this process lives: other threads of it as well.

        :raises Busy: somebody does already.
        """
        with open(os.path.join(self.directory, "run.lock"), "a+", encoding="utf-8") as file:
            for prefix in prefixes:
                # One byte for each: shards that overlap in part find each other as well. (A struct flock, as lockf knows only locks of the whole process.)
                wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, PREFIXES.index(prefix), 1, 0)
                try:
                    fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
                except OSError:
                    raise Busy(f"another run works on the directory {prefix} of this filestore: let it end, or give this one another shard") from None
            yield


class Journal:
    """Lines that are on the disk before what they tell of is done. May be used by several threads."""

    def __init__(self, path: str) -> None:
        self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()
        sync_directory(os.path.dirname(path))

    def write(self, entries: Iterable[dict[str, Any]]) -> None:
        """Append entries; they are safe when this returns."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._lock:
            self._file.writelines(json.dumps({"at": now, **entry}) + "\n" for entry in entries)
            self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
