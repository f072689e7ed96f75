# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Counters of what is done with the store, by all processes of a host, in Prometheus's format.

Odoo's workers are processes that come and go, and any of them may be asked. So each counts in a file of its own, which is
mapped into memory; whoever is asked adds them up, and folds those of processes that are gone into one, so that no counter
ever falls. The series are known beforehand: a file is nothing but a row of numbers.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import mmap
import os
import struct
import threading
from collections.abc import Iterator

OPERATIONS = ("store", "read", "look up", "sign", "delete", "other")
OUTCOMES = ("ok", "NotFound", "Unavailable", "Denied", "Corrupt", "other")
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
DIRECTIONS = ("sent", "received")
CACHE_RESULTS = ("hit", "miss", "prefetched")
CACHE_BYTES = ("served", "stored", "removed")
FAILOVERS = ("read", "look up", "store")

_PREFIX = "s3_attachment_"
_HELP = {
    "operations_total": ("counter", "Operations on the object store."),
    "operation_seconds": ("histogram", "How long the operations took."),
    "bytes_total": ("counter", "Bytes of contents sent to the object store and received from it."),
    "cache_reads_total": ("counter", "Reads by whether the cache of this host had the content; prefetched is a miss before the read."),
    "cache_bytes_total": ("counter", "Bytes of contents that the cache of this host gave, took and removed."),
    "failovers_total": ("counter", "Operations that the second end point answered in the place of the first one."),
}


def _series() -> list[str]:
    names = [f'operations_total{{operation="{operation}",outcome="{outcome}"}}' for operation in OPERATIONS for outcome in OUTCOMES]
    for operation in OPERATIONS:
        names += [f'operation_seconds_bucket{{operation="{operation}",le="{bound}"}}' for bound in (*BUCKETS, "+Inf")]
        names += [f'operation_seconds_sum{{operation="{operation}"}}', f'operation_seconds_count{{operation="{operation}"}}']
    names += [f'bytes_total{{direction="{direction}"}}' for direction in DIRECTIONS]
    names += [f'cache_reads_total{{result="{result}"}}' for result in CACHE_RESULTS]
    names += [f'cache_bytes_total{{what="{what}"}}' for what in CACHE_BYTES]
    return names + [f'failovers_total{{operation="{operation}"}}' for operation in FAILOVERS]


_SERIES = _series()
_INDEX = {name: index for index, name in enumerate(_SERIES)}
_SIZE = 8 * len(_SERIES)
# Files of another release of this module have other series.
_TAG = hashlib.sha256("\n".join(_SERIES).encode()).hexdigest()[:8]


class Metrics:
    """Counts in a directory that all processes of the host share; without one, in this process only.

    Counting never raises: where the directory cannot be used, this process counts for itself.
    """

    def __init__(self, directory: str = "") -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._process: tuple[int, mmap.mmap | bytearray] = (0, bytearray())

    def count(self, operation: str, outcome: str, seconds: float, sent: int = 0, received: int = 0) -> None:
        """One operation that has ended; names that are not in OPERATIONS and OUTCOMES count as ``other``."""
        operation = operation if operation in OPERATIONS else "other"
        outcome = outcome if outcome in OUTCOMES else "other"
        with self._lock:
            self._add(f'operations_total{{operation="{operation}",outcome="{outcome}"}}', 1)
            for bound in BUCKETS:
                if seconds <= bound:
                    self._add(f'operation_seconds_bucket{{operation="{operation}",le="{bound}"}}', 1)
            self._add(f'operation_seconds_bucket{{operation="{operation}",le="+Inf"}}', 1)
            self._add(f'operation_seconds_sum{{operation="{operation}"}}', seconds)
            self._add(f'operation_seconds_count{{operation="{operation}"}}', 1)
            self._add('bytes_total{direction="sent"}', sent)
            self._add('bytes_total{direction="received"}', received)

    def cache(self, result: str = "", served: int = 0, stored: int = 0, removed: int = 0) -> None:
        """What the cache of this host did: a read with that result, if any, and bytes."""
        with self._lock:
            if result:
                self._add(f'cache_reads_total{{result="{result}"}}', 1)
            for what, count in zip(CACHE_BYTES, (served, stored, removed), strict=True):
                self._add(f'cache_bytes_total{{what="{what}"}}', count)

    def failover(self, operation: str) -> None:
        """One operation, of FAILOVERS, that the second end point has answered."""
        with self._lock:
            self._add(f'failovers_total{{operation="{operation}"}}', 1)

    def render(self) -> str:
        """All that was counted, in the text format of Prometheus."""
        with self._lock:
            totals = self._totals()
        lines = []
        for name, (kind, text) in _HELP.items():
            lines += [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} {kind}"]
            for series, value in zip(_SERIES, totals, strict=True):
                if series.startswith(name):
                    lines.append(f"{_PREFIX}{series} {value:g}" if value != int(value) else f"{_PREFIX}{series} {int(value)}")
        return "\n".join([*lines, ""])

    def _add(self, name: str, value: float) -> None:
        counters, at = self._counters(), 8 * _INDEX[name]
        struct.pack_into("d", counters, at, struct.unpack_from("d", counters, at)[0] + value)

    def _counters(self) -> mmap.mmap | bytearray:
        pid, counters = self._process
        if pid != os.getpid():
            # After a fork: what the parent has counted is in the parent's file.
            counters = self._open(os.path.join(self.directory, f"{os.getpid()}-{_TAG}")) if self.directory else bytearray(_SIZE)
            self._process = (os.getpid(), counters)
        return counters

    def _open(self, path: str) -> mmap.mmap | bytearray:
        try:
            os.makedirs(self.directory, mode=0o750, exist_ok=True)
            with self._folding():
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
                try:
                    # A file that a process of the same number has left is counted on.
                    os.ftruncate(descriptor, _SIZE)
                    # Or a full disk, which is noticed when a page is written, would end the process.
                    os.posix_fallocate(descriptor, 0, _SIZE)
                    return mmap.mmap(descriptor, _SIZE)
                finally:
                    os.close(descriptor)
        except OSError:
            return bytearray(_SIZE)

    @contextlib.contextmanager
    def _folding(self) -> Iterator[None]:
        descriptor = os.open(os.path.join(self.directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _totals(self) -> list[float]:
        own = self._counters()
        if not isinstance(own, mmap.mmap):
            return list(struct.unpack(f"{len(_SERIES)}d", bytes(own)))
        gone_path = os.path.join(self.directory, f"gone-{_TAG}")
        with self._folding():
            gone, totals = _read(gone_path), [0.0] * len(_SERIES)
            dead = []
            for path in glob.glob(os.path.join(self.directory, f"[0-9]*-{_TAG}")):
                values = _read(path)
                if _alive(int(os.path.basename(path).split("-")[0])):
                    totals = _sum(totals, values)
                else:
                    gone = _sum(gone, values)
                    dead.append(path)
            if dead:
                with open(f"{gone_path}.new", "wb") as file:
                    file.write(struct.pack(f"{len(_SERIES)}d", *gone))
                # In this order: a crash in between counts twice what is rare, and loses nothing.
                os.replace(f"{gone_path}.new", gone_path)
                for path in dead:
                    os.unlink(path)
        return _sum(gone, totals)


# What the operations of this process are counted by.
SHARED = Metrics()


def _read(path: str) -> list[float]:
    try:
        with open(path, "rb") as file:
            return list(struct.unpack(f"{len(_SERIES)}d", file.read(_SIZE)))
    except (FileNotFoundError, struct.error):
        return [0.0] * len(_SERIES)


def _sum(one: list[float], other: list[float]) -> list[float]:
    return [left + right for left, right in zip(one, other, strict=True)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
