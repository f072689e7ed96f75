# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Copies of contents on this host, so that what is read often is not fetched each time.

All processes of the host share a directory, which may be removed at any time. A file's name is the SHA-1 of its bytes, and
it is held against them: a damaged file is as good as none. Nothing here ever makes a read fail: where the directory cannot
be used, contents come from the store. A read looks at its own file only. One number says how much is there, and when that is
too much all files are looked at, twice, and those that were not read for longest go; at most those of one minute are in memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from . import keys, metrics

if TYPE_CHECKING:  # it takes boto3, and the command line does without
    from .config import Config
    from .store import ObjectStore

_logger = logging.getLogger(__name__)

# Down to which part of the limit a full cache is emptied, and how large a part one content may be.
LOW_WATER = 0.8
LARGEST = 0.25
# What is never taken of a disk, in bytes.
RESERVE = 256 * 1024 * 1024
# Seconds: for so long a file counts as just used, so that reading it again writes nothing;
RECENT = 600
# after so long what a process had not finished is thrown away;
ABANDONED = 3600
# for so long a directory that cannot be used is left alone.
PAUSE = 60
_DAY = 86400
_CHUNK = 1024 * 1024
# How many files a process remembers to have checked.
_REMEMBERED = 10_000
# By this backups know that they need not take the directory, and we that it holds nobody's only copies (bford.info/cachedir).
_TAG = "CACHEDIR.TAG"
_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n# Copies of what is in an object store: it may be removed at any time.\n"
_UNFINISHED = "unfinished"
_NUMBER = struct.Struct("q")


@dataclass
class Usage:
    """What there is, and what was removed: numbers of contents and their bytes."""

    files: int = 0
    bytes: int = 0
    removed_files: int = 0
    removed_bytes: int = 0


class Cache:
    """The cached contents in a directory. An instance may be shared by threads and survives a fork.

    :param max_bytes: of all contents together; 0 is for no cache.
    :param days: a content that was not read for so long is removed.
    """

    def __init__(self, directory: str, max_bytes: int, days: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.days = days
        self._checked: dict[str, tuple[int, int, int]] = {}
        self._fault = ""
        self._next_try = 0.0

    @property
    def largest(self) -> int:
        """How many bytes one content may have: it must not take the place of all others."""
        return int(self.max_bytes * LARGEST)

    # -- reading --------------------------------------------------------------------------------------------------------

    def read(self, store: ObjectStore, fname: str) -> bytes:
        """The content: from here, or else from the store.

        :raises StoreError: as :meth:`ObjectStore.get_bytes` does.
        """
        if (file := self._open(fname)) is not None:
            content = b""
            with file, contextlib.suppress(OSError):
                content = file.read()
            # In memory it is checked each time: that costs little, by what is done with it.
            if hashlib.sha1(content, usedforsecurity=False).hexdigest() == keys.parse(fname).sha1:
                metrics.SHARED.cache("hit", served=len(content))
                return content
            self._drop(fname)
        content = store.get_bytes(fname)
        if self.ready():
            metrics.SHARED.cache("miss")
            if len(content) <= self.largest:
                self._keep(fname, content)
        return content

    def open(self, store: ObjectStore, fname: str) -> BinaryIO:
        """A file with the content, from here or else from the store. It lasts for as long as it is open.

        :raises StoreError: as :meth:`ObjectStore.get_to_file` does.
        """
        return self.find(fname) or self.fetch(store, fname)

    def find(self, fname: str) -> BinaryIO | None:
        """A file with the content if there is one here; nobody else is asked."""
        if (file := self._open(fname)) is None:
            return None
        status = os.fstat(file.fileno())
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        # A large one is sent in parts by many requests: each process looks at all of it once, and again when it has changed.
        if self._checked.get(fname) != seen:
            digest = hashlib.sha1(usedforsecurity=False)
            with contextlib.suppress(OSError):
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != keys.parse(fname).sha1:
                file.close()
                self._drop(fname)
                return None
            file.seek(0)
            if len(self._checked) >= _REMEMBERED:
                self._checked.clear()
            self._checked[fname] = seen
        metrics.SHARED.cache("hit", served=status.st_size)
        return file

    def fetch(self, store: ObjectStore, fname: str, result: str = "miss") -> BinaryIO:
        """As :meth:`open`, but from the store in any case.

        :param result: as what it is counted.
        """
        if self.ready():
            metrics.SHARED.cache(result)
            try:
                with self._unfinished() as unfinished:
                    store.get_to_file(fname, unfinished)
                    self._take(fname, unfinished)
                    # With or without a name, it is read by this.
                    return open(f"/proc/self/fd/{unfinished.fileno()}", "rb")
            except OSError as error:
                self._pause(error)
        file = tempfile.TemporaryFile(prefix="odoo-s3-")  # noqa: SIM115
        try:
            store.get_to_file(fname, file)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def holds(self, fname: str) -> bool:
        """Whether there is a file for the content; what is in it is not looked at."""
        return os.path.isfile(os.path.join(self.directory, fname))

    def fill(self, store: ObjectStore, fname: str) -> None:
        """Fetch a content that is about to be read."""
        self.fetch(store, fname, "prefetched").close()

    def _open(self, fname: str) -> BinaryIO | None:
        if not self.max_bytes:
            return None
        keys.parse(fname)
        with contextlib.suppress(OSError):
            file = open(os.path.join(self.directory, fname), "rb", opener=_open_private)  # noqa: SIM115
            with contextlib.suppress(OSError):
                status, now = os.fstat(file.fileno()), time.time_ns()
                # Not by reading alone: most file systems note that once a day, and some never.
                if now - status.st_atime_ns > RECENT * 10**9:
                    os.utime(file.fileno(), ns=(now, status.st_mtime_ns))
            return file
        return None

    def _drop(self, fname: str) -> None:
        _logger.warning("The file %s in the cache %s is not what its name says: it is removed, and the content comes from the store", fname, self.directory)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.directory, fname))

    # -- keeping --------------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether something can be kept here, as far as one can tell before."""
        if not self.max_bytes or time.monotonic() < self._next_try:
            return False
        try:
            self._prepare()
        except OSError as error:
            self._pause(error)
            return False
        return True

    def _prepare(self) -> None:
        tag = os.path.join(self.directory, _TAG)
        if os.path.isfile(tag):
            return
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        # What has no tag may be somebody's directory, where nothing may be removed.
        if set(os.listdir(self.directory)) - {_TAG}:
            raise OSError("there are files in it that are not of a cache")
        with open(tag, "wb", opener=_open_private) as file:
            file.write(_SIGNATURE)

    def _pause(self, error: OSError) -> None:
        fault = error.strerror or str(error)
        if fault != self._fault:
            _logger.warning("The cache %s cannot be used, so contents come from the store each time: %s", self.directory, fault)
        self._fault, self._next_try = fault, time.monotonic() + PAUSE

    def _keep(self, fname: str, content: bytes) -> None:
        try:
            with self._unfinished() as file:
                file.write(content)
                self._take(fname, file)
        except OSError as error:
            self._pause(error)

    @contextlib.contextmanager
    def _unfinished(self) -> Iterator[BinaryIO]:
        """A new file, which is gone afterwards unless it was given another name."""
        directory = os.path.join(self.directory, _UNFINISHED)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        path = os.path.join(directory, secrets.token_hex(8))
        with open(path, "x+b", opener=_open_private) as file:
            try:
                yield file
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def _take(self, fname: str, file: BinaryIO) -> None:
        """Give a complete content its name, if there is room for it."""
        file.flush()
        size = os.fstat(file.fileno()).st_size
        disk = os.fstatvfs(file.fileno())
        if size > self.largest or disk.f_bavail * disk.f_frsize < RESERVE:
            return
        path = os.path.join(self.directory, fname)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        for _attempt in range(2):
            with self._total() as total:
                if os.path.isfile(path):  # somebody else was first
                    return
                # The number and the names change together, so that it is never too low.
                if 0 <= total[0] <= self.max_bytes - size:
                    total[0] += size
                    os.replace(file.name, path)
                    metrics.SHARED.cache(stored=size)
                    return
            if self.evict(size) is None:
                return

    # -- room -----------------------------------------------------------------------------------------------------------

    def usage(self) -> Usage:
        """What there is now, by a look at all files."""
        found = Usage()
        for _path, status in self._files():
            found.files += 1
            found.bytes += status.st_size
        return found

    def evict(self, room: int | None = None) -> Usage | None:
        """Remove what was not read for too long, and if the cache is full what was not read for longest, down to the low-water mark.

        :param room: for so many bytes; without it, the cache is full above the low-water mark.
        :return: None if another process is about it, or if the directory is none of a cache.
        """
        return self._remove(time.time() - self.days * _DAY, self.max_bytes * LOW_WATER if room is None else self.max_bytes - room)

    def clear(self) -> Usage | None:
        """Remove everything; the result is as that of :meth:`evict`."""
        return self._remove(float("inf"), 0)

    def _remove(self, oldest: float, most: float) -> Usage | None:
        """Remove what was last read before ``oldest``, and if the rest has more bytes than ``most``, down to the low-water mark."""
        if not os.path.isfile(os.path.join(self.directory, _TAG)):
            return None
        try:
            # Whoever does not get it does not wait: it has its content already.
            lock = self._locked(".evicting", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        with lock:
            with self._total() as total:
                before = max(total[0], 0)
            found = Usage()
            by_minute: dict[float, int] = {}
            for _path, status in self._files():
                if status.st_atime >= oldest:
                    by_minute[status.st_atime // 60] = by_minute.get(status.st_atime // 60, 0) + status.st_size
            last, excess = self._cut(by_minute, most)
            on_the_edge: list[tuple[float, int, str]] = []
            for path, status in self._files():
                minute = status.st_atime // 60
                if status.st_atime < oldest or minute < last:
                    self._forget(path, status.st_size, found)
                elif minute == last and excess > 0:
                    on_the_edge.append((status.st_atime, status.st_size, path))
                else:
                    found.files += 1
                    found.bytes += status.st_size
            # What came last is about to be read.
            for _used, size, path in sorted(on_the_edge):
                if excess > 0:
                    self._forget(path, size, found)
                    excess -= size
                else:
                    found.files += 1
                    found.bytes += size
            self._sweep()
            with self._total() as total:
                # What came meanwhile counts in full, though it may have been seen.
                total[0] = found.bytes + max(total[0] - before, 0)
        metrics.SHARED.cache(removed=found.removed_bytes)
        return found

    def _forget(self, path: str, size: int, found: Usage) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        found.removed_files += 1
        found.removed_bytes += size

    def _cut(self, by_minute: dict[float, int], most: float) -> tuple[float, float]:
        """Up to which minute everything is to go if there are more than ``most`` bytes, and how many bytes of that minute itself."""
        excess = sum(by_minute.values()) - most
        if excess <= 0:
            return -1, 0
        excess += max(most - self.max_bytes * LOW_WATER, 0)
        for minute in sorted(by_minute):
            if by_minute[minute] >= excess:
                return minute, excess
            excess -= by_minute[minute]
        return float("inf"), 0

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """The contents: their paths and what is known of the files."""
        for number in range(256):
            directory = os.path.join(self.directory, f"{number:02x}")
            with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
                for entry in entries:
                    if keys.is_name(f"{number:02x}/{entry.name}") and entry.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):
                            yield entry.path, entry.stat(follow_symlinks=False)

    def _sweep(self) -> None:
        """Remove what processes that ended had not finished."""
        with contextlib.suppress(FileNotFoundError), os.scandir(os.path.join(self.directory, _UNFINISHED)) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - ABANDONED:
                        os.unlink(entry.path)

    @contextlib.contextmanager
    def _total(self) -> Iterator[list[int]]:
        """The number of bytes that are counted, as the one element of a list, for as long as nobody else changes it; -1 if it is not known."""
        with self._locked(".total", fcntl.LOCK_EX) as file:
            stored = os.pread(file.fileno(), _NUMBER.size, 0)
            total = [_NUMBER.unpack(stored)[0] if len(stored) == _NUMBER.size else -1]
            before = total[0]
            try:
                yield total
            finally:
                if total[0] != before:
                    os.pwrite(file.fileno(), _NUMBER.pack(total[0]), 0)

    def _locked(self, name: str, how: int) -> BinaryIO:
        """A file that is locked until it is closed.

        :raises BlockingIOError: somebody else has it, and ``how`` says not to wait.
        """
        path = os.path.join(self.directory, name)
        file = open(path, "r+b", buffering=0, opener=lambda path, flags: _open_private(path, flags | os.O_CREAT))  # noqa: SIM115
        try:
            fcntl.flock(file, how)
        except BaseException:
            file.close()
            raise
        return file


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def of(settings: Config, data_dir: str) -> Cache:
    """The cache that the settings of an Odoo with this data directory say."""
    return Cache(settings.cache_dir or os.path.join(data_dir, "s3_cache"), settings.cache_max_bytes, settings.cache_days)
