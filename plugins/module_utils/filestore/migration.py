# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The filestore of one database to a bucket, and back.

The phases are upload, verify, clean (remove local copies) and back (download); audit is in a file of its own. Each can be
killed at any moment and run again: what there is to do is found out anew from the database, the disk and the bucket. The
database is only read, and no phase but ``clean`` removes a file, each of which is proved to be in the bucket before.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from . import keys
from .catalogue import Catalogue
from .client import Features
from .digests import file_digests
from .errors import Corrupt, NotFound, StoreError, Unavailable
from .journal import Journal, State
from .report import Report
from .survey import Crew, Directory, shard_prefixes, survey
from .transfer import Transfer

LEVELS = ("size", "checksum", "content")
_SAVE_SECONDS = 5.0
_CHUNK_FILES = 16
_CHUNK_BYTES = 512 * 1024
# So many removals wait for one write to the disk.
_JOURNAL_FILES = 64


class Refused(StoreError):
    """Local copies may not be removed yet; the message says what is missing."""


@dataclasses.dataclass
class Job:
    """What a phase works with.

    :param filestore: the directory of the database, ``<data_dir>/filestore/<database>``.
    :param shard: see :func:`survey.shard_prefixes`.
    :param deadline: seconds after which nothing new is begun; 0 is none.
    :param orphans: whether files that no row refers to are moved as well.
    :param without: names of :class:`client.Features` that are not used although the server has them.
    :param level: how verify and audit look, and back at what is on this disk: at the ``size``, the ``checksum``, or the ``content`` itself, which is read back.
    :param dry: find out all, and change nothing anywhere.
    :param may_write: called before the bucket is written to or relied on; raises a StoreError where it is not this database's.
    :param in_place: called before anything is looked at; raises a StoreError where the settings do not say where all contents are.
    :param clock: seconds since 1970.
    """

    filestore: str
    catalogue: Catalogue
    transfer: Transfer
    state: State
    report: Report
    shard: str = "1/1"
    concurrency: int = 16
    deadline: float = 0
    orphans: bool = False
    without: Collection[str] = ()
    level: str = "checksum"
    dry: bool = False
    may_write: Callable[[], None] = lambda: None
    in_place: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.time


@dataclasses.dataclass
class Conditions:
    """When local copies may be removed.

    :param retention: seconds that must have passed since a file was first verified, and since its object was stored.
    :param max_age: seconds since the last verification, at most.
    :param unversioned: whether the bucket may be one that keeps no former versions.
    :param read_by_hosts: raises Refused unless each host of Odoo has shown that it reads from the bucket.
    """

    retention: float
    max_age: float
    unversioned: bool
    read_by_hosts: Callable[[], None]


class _Work:
    """What is left to do in one directory; its end is noted when all of it is done."""

    def __init__(self, prefix: str, ended: Callable[[str, bool], None] = lambda _prefix, _sound: None) -> None:
        self.prefix = prefix
        self.sound = True
        self._ended = ended
        self._open = 1
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            self._open += 1

    def end(self) -> None:
        with self._lock:
            self._open -= 1
            last = not self._open
        if last:
            self._ended(self.prefix, self.sound)


class Migration:
    """The phases. Each returns the report's result, whose ``complete`` says whether everything was looked at."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.report = job.report
        self.prefixes = shard_prefixes(job.shard)
        self.report.all_prefixes = len(self.prefixes)
        self._until = time.monotonic() + job.deadline if job.deadline else None
        self._in_time = True
        self._marks: dict[str, dict[str, float | None]] = {}
        self._marks_lock = threading.Lock()
        self._saved = time.monotonic()
        self._vanished: deque[tuple[str, int]] = deque()
        self._unavailable = 0
        whose = f"{socket.gethostname()} {job.state.directory}"
        self._mine = hashlib.sha1(whose.encode(), usedforsecurity=False).hexdigest()[:12]

    # -- upload ---------------------------------------------------------------------------------------------------------

    def upload(self) -> dict[str, Any]:
        """Store what the rows refer to and the bucket does not have."""
        if not self.job.dry:
            self.job.may_write()

        def ended(prefix: str, sound: bool) -> None:
            self._mark(prefix, uploaded_at=self.job.clock() if sound else None)

        with self._running(), self._crew(self._upload_some) as hand_out:
            for directory in self._directories():
                work = _Work(directory.prefix, ended)
                hand_out(work, self._to_upload(directory))
                work.end()
        self._settle_vanished()
        return self._finish()

    def _to_upload(self, directory: Directory) -> Iterator[tuple[str, int, bool]]:
        absent = []
        for fname, size in directory.names.items():
            there, here = directory.remote.get(fname), directory.local.get(fname)
            self.report.count("referenced", size or (here or 0))
            if here is None:
                if there is None:
                    absent.append((fname, size))
                else:
                    self.report.count("only_bucket", there.size)
            elif there is None or there.size != here:
                yield fname, here, there is not None
            else:
                self.report.count("in_bucket", here)
        for fname, size in self._really_absent(absent):
            yield fname, size, False
        yield from self._orphans(directory)

    def _really_absent(self, absent: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Look again for what was neither on the disk nor in the bucket; what is on the disk now is returned."""
        referenced = self.job.catalogue.referenced(fname for fname, _size in absent)
        for fname, size in absent:
            if fname not in referenced:
                self.report.count("gone", size)
                continue
            with contextlib.suppress(OSError):
                yield fname, os.stat(self._path(fname)).st_size
                continue
            try:
                self.report.count("only_bucket", self.job.transfer.head(fname).size)
            except NotFound:
                self._missing(fname, size)

    def _missing(self, fname: str, size: int) -> None:
        self.report.find("missing", fname, size, "a row refers to it; it is neither on this disk nor in the bucket")

    def _orphans(self, directory: Directory) -> Iterator[tuple[str, int, bool]]:
        unknown = [fname for fname in directory.local if fname not in directory.names]
        # A row that was committed while we looked has a file that was not unknown for long.
        new = self.job.catalogue.referenced(unknown)
        for fname in unknown:
            there, size = directory.remote.get(fname), directory.local[fname]
            if fname not in new:
                self.report.find("orphans_local", fname, size, "no row refers to it")
            if (self.job.orphans or fname in new) and (there is None or there.size != size):
                yield fname, size, there is not None
        for fname in directory.strange:
            self.report.find("orphans_local", fname, 0, "its name is not that of a content")

    def _upload_some(self, work: _Work, tasks: list[tuple[str, int, bool]]) -> None:
        new = [] if self.job.dry else [(fname, self._path(fname)) for fname, _size, replace in tasks if not replace]
        stored = self.job.transfer.put_small(new) if len(new) > 1 else set()
        for task in tasks:
            if task[0] in stored:
                self.report.count("uploaded", task[1])
                self._unavailable = 0
            else:
                self._upload_one(work, task)

    def _upload_one(self, work: _Work, task: tuple[str, int, bool]) -> None:
        fname, size, replace = task
        try:
            if self.job.dry:
                if file_digests(self._path(fname))[0] != keys.parse(fname).sha1:
                    raise Corrupt("its content has another SHA-1 than its name says")
                self.report.count("to_upload", size)
            elif self.job.transfer.put(fname, self._path(fname), replace):
                self.report.count("uploaded", size)
            else:
                self.report.count("in_bucket", size)
            self._unavailable = 0
        except Corrupt as error:
            self.report.find("corrupt", fname, size, str(error))
        except FileNotFoundError:
            self._vanished.append((fname, size))
        except OSError as error:
            work.sound = False
            self.report.find("unreadable", fname, size, error.strerror or str(error))
        except (Unavailable, NotFound) as error:
            self._failed(work, fname, size, error)

    def _settle_vanished(self) -> None:
        """Look again for what was gone when its turn came; by one thread, as the database is asked."""
        while self._vanished:
            some = [self._vanished.popleft() for _number in range(min(len(self._vanished), 500))]
            for fname, _size in self._really_absent(some):
                self.report.find("failed", fname, 0, "it came back while it was being uploaded")

    # -- verify ---------------------------------------------------------------------------------------------------------

    def verify(self) -> dict[str, Any]:
        """See whether the bucket has what the rows refer to, and note it as the ground for removing local copies."""

        def ended(prefix: str, sound: bool) -> None:
            now = self.job.clock()
            self._mark(prefix, verified_at=now if sound else None, verified_since=now if sound else None)

        with self._running(), self._crew(_each(self._verify_one)) as hand_out:
            for directory in self._directories():
                work = _Work(directory.prefix, ended)
                hand_out(work, self._to_verify(work, directory))
                work.end()
        self._settle_vanished()
        return self._finish()

    def _to_verify(self, work: _Work, directory: Directory) -> Iterator[tuple[str, int, str, bool]]:
        """Name, size and ETag in the bucket, and whether the content is on this disk as well."""
        absent = []
        for fname, size in directory.names.items():
            there, here = directory.remote.get(fname), directory.local.get(fname)
            self.report.count("referenced", size or (here or 0))
            if there is not None:
                yield fname, there.size, there.etag, here is not None
            elif here is not None:
                self._not_uploaded(work, fname, here)
            else:
                absent.append((fname, size))
        for fname, size in self._really_absent(absent):
            self._not_uploaded(work, fname, size)

    def _not_uploaded(self, work: _Work, fname: str, size: int) -> None:
        try:
            corrupt = file_digests(self._path(fname))[0] != keys.parse(fname).sha1
        except FileNotFoundError:
            self._vanished.append((fname, size))
            return
        if corrupt:
            # It never gets into the bucket, and nothing waits for it.
            self.report.find("corrupt", fname, size, "its content has another SHA-1 than its name says")
        else:
            work.sound = False
            self.report.find("not_uploaded", fname, size, "upload it first")

    def _verify_one(self, work: _Work, task: tuple[str, int, str, bool]) -> None:
        fname, size, etag, here = task
        try:
            if self.job.level == "size":
                wanted = os.stat(self._path(fname)).st_size if here else size
                sound = size == wanted
            elif self.job.level == "content":
                self.job.transfer.read(fname)
                sound = True
            else:
                sound = self._proved(fname, size, etag, here, None)
            self._unavailable = 0
        except (Corrupt, NotFound):
            sound = False
        except FileNotFoundError:
            return  # deleted by Odoo, or removed by another run
        except Unavailable as error:
            self._failed(work, fname, size, error)
            return
        if sound:
            self.report.count("verified", size)
        else:
            work.sound = False
            self.report.find("differing", fname, size, f"what the bucket holds ({size} bytes) is not the content")

    def _proved(self, fname: str, size: int, etag: str, here: bool, server_sha1: str | None) -> bool:
        """Whether the object is the content: by the server's SHA-1, by its ETag and the file here, or by reading it back."""
        sha1 = keys.parse(fname).sha1
        if server_sha1 is not None:
            return server_sha1 == sha1
        if here:
            with contextlib.suppress(OSError):
                found, tag = file_digests(self._path(fname), self.job.transfer.part_size if "-" in etag else 0)
                if found == sha1 and tag == etag:
                    return True
                if found != sha1:
                    self.report.find("corrupt", fname, size, f"the local file has the SHA-1 {found}")
        head = self.job.transfer.head(fname)
        if head.sha1 is not None:
            return head.sha1 == sha1
        self.job.transfer.read(fname)
        return True

    # -- clean ----------------------------------------------------------------------------------------------------------

    def clean(self, conditions: Conditions) -> dict[str, Any]:
        """Remove local copies of what is proved to be in the bucket, each looked up there right before.

        :raises Refused: they may not be removed yet.
        """
        if not self.job.dry:
            self.job.may_write()
        self.check(conditions)
        journal: Journal | None = None
        with self._running(), contextlib.ExitStack() as stack:
            if not self.job.dry:
                journal = Journal(os.path.join(self.job.state.directory, "removed.log"))
                stack.callback(journal.close)

            def some(work: _Work, tasks: list[tuple[str, int]]) -> None:
                self._clean_some(work, tasks, conditions, journal)

            hand_out = stack.enter_context(self._crew(some, _JOURNAL_FILES))
            for directory in self._directories():
                work = _Work(directory.prefix)
                hand_out(work, self._to_clean(directory))
                work.end()
        return self._finish()

    def check(self, conditions: Conditions) -> None:
        """See whether local copies may be removed.

        :raises Refused: with all that is in the way.
        """
        wrong = []
        if not self.job.catalogue.has_addon():
            wrong.append("the addon s3_attachment is not installed in the database, and without it Odoo cannot read the bucket")
        transfer = self.job.transfer
        for bucket, target in transfer.config.buckets.items() if not conditions.unversioned else ():
            if not transfer.at(target).versioned():
                which = "the bucket" if bucket == transfer.config.bucket else f"the bucket {bucket}"
                wrong.append(f"{which} does not keep former versions, so a mistake could not be undone")
        known = self.job.state.read()["prefixes"]
        now = self.job.clock()
        states = [known.get(prefix, {}) for prefix in self.prefixes]
        if any("uploaded_at" not in one for one in states):
            wrong.append("the upload is not complete")
        if any("verified_at" not in one for one in states):
            wrong.append("not everything is verified")
        elif any(one["verified_at"] < now - conditions.max_age for one in states):
            wrong.append(f"the verification is older than {conditions.max_age / 3600:.0f} hours: verify again")
        elif any(one["verified_since"] > now - conditions.retention for one in states):
            left = max(one["verified_since"] for one in states) + conditions.retention - now
            wrong.append(f"it was verified for the first time less than {conditions.retention / 86400:g} days ago: wait {left / 3600:.1f} hours")
        try:
            conditions.read_by_hosts()
        except Refused as error:
            wrong.append(str(error))
        if wrong:
            raise Refused("local copies may not be removed: " + "; ".join(wrong))

    def _to_clean(self, directory: Directory) -> Iterator[tuple[str, int]]:
        for fname, size in directory.local.items():
            there = directory.remote.get(fname)
            if fname not in directory.names and not self.job.orphans:
                self.report.find("orphans_local", fname, size, "no row refers to it")
            elif there is None or there.size != size:
                self.report.find("kept", fname, size, "the bucket does not have it")
            else:
                yield fname, size

    def _clean_some(self, work: _Work, tasks: list[tuple[str, int]], conditions: Conditions, journal: Journal | None) -> None:
        ready = []
        for fname, size in tasks:
            try:
                head = self.job.transfer.head(fname)
                if head.size != size or not self._proved(fname, size, head.etag, True, head.sha1):
                    self.report.find("differing", fname, size, "what the bucket holds is not the content; the local copy stays")
                elif head.modified > self.job.clock() - conditions.retention:
                    self.report.count("kept", size)
                else:
                    ready.append((fname, size, head))
                self._unavailable = 0
            except (Corrupt, NotFound) as error:
                self.report.find("differing", fname, size, str(error))
            except Unavailable as error:
                self._failed(work, fname, size, error)
        if journal is not None and ready:
            journal.write({"removed": fname, "bytes": size, "etag": head.etag, "version": head.version_id} for fname, size, head in ready)
        for fname, size, _head in ready:
            if journal is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(fname))
            self.report.count("to_clean" if journal is None else "cleaned", size)

    # -- back -----------------------------------------------------------------------------------------------------------

    def back(self) -> dict[str, Any]:
        """Bring back to this disk what the rows refer to; the bucket stays as it is."""
        with self._running(), self._crew(_each(self._download_one)) as hand_out:
            for directory in self._directories():
                work = _Work(directory.prefix)
                hand_out(work, self._to_download(directory))
                work.end()
        if not self.job.dry:
            os.sync()
        return self._finish()

    def _to_download(self, directory: Directory) -> Iterator[tuple[str, int]]:
        absent = []
        for fname, size in directory.names.items():
            there, here = directory.remote.get(fname), directory.local.get(fname)
            self.report.count("referenced", size or (here or 0))
            if here is not None and (there is None or there.size == here):
                if self.job.dry or self.job.level == "size":
                    self.report.count("local", here)
                else:
                    yield fname, here
            elif there is not None:
                yield fname, there.size
            else:
                absent.append((fname, size))
        referenced = self.job.catalogue.referenced(fname for fname, _size in absent)
        for fname, size in absent:
            if fname in referenced:
                yield fname, size
            else:
                self.report.count("gone", size)

    def _download_one(self, work: _Work, task: tuple[str, int]) -> None:
        fname, size = task
        if self.job.dry:
            self.report.count("to_download", size)
            return
        path = self._path(fname)
        folder, name = os.path.split(path)
        # Another host that sees this filestore has a lock of its own; and what a killed run has left the next one of this host overwrites.
        part = os.path.join(folder, f".{name}.{self._mine}.part")
        damaged = False
        try:
            if self.job.level != "size" and os.path.isfile(path):
                # The one here may be the only one soon.
                damaged = not self._is_right(fname, path)
                if not damaged:
                    self.report.count("local", size)
                    return
            _make_like_parent(folder)
            # Buffered, because that writes all of a piece or raises: an unbuffered write to a full disk may store a part of it.
            with open(part, "wb") as file:

                def restart() -> None:
                    file.seek(0)
                    file.truncate()

                written = self.job.transfer.get(fname, file.write, restart)
            owner = os.stat(folder)
            if os.geteuid() == 0:
                os.chown(part, owner.st_uid, owner.st_gid)
            os.chmod(part, 0o640)
            os.replace(part, path)
            self.report.count("downloaded", written)
            self._unavailable = 0
        except NotFound:
            if damaged:
                self.report.find("corrupt", fname, size, "what is on this disk has another SHA-1 than its name, and the bucket does not have it")
            else:
                self.report.find("missing", fname, size, "a row refers to it; it is neither on this disk nor in the bucket")
        except Corrupt as error:
            self.report.find("differing", fname, size, str(error))
        except Unavailable as error:
            self._failed(work, fname, size, error)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    def _is_right(self, fname: str, path: str) -> bool:
        try:
            return file_digests(path)[0] == keys.parse(fname).sha1
        except OSError:  # it cannot be read, and the bucket may have it
            return False

    # -- what all have in common ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Hold the lock, and know the server."""
        self.job.in_place()
        with contextlib.ExitStack() as stack:
            if not self.job.dry:
                self.job.state.make()
                stack.enter_context(self.job.state.hold(self.prefixes))
                self.learn()
            features = self.job.state.read().get("features")
            # Of a server that is not known yet nothing is taken for proved, and nothing is sent to it.
            known = Features(**features) if features else Features(checksum=False)
            self.job.transfer.features = known._replace(**dict.fromkeys(self.job.without, False))
            yield

    def learn(self) -> None:
        """Find out what the server can do, which stores a small object, unless this host knows it."""
        known = self.job.state.read().get("features")
        # What an older release has found out may be less than what is asked today.
        if known is None or known.keys() != set(Features._fields):
            self.job.state.make()
            features = self.job.transfer.probe()._asdict()
            with self.job.state.changed() as state:
                state["features"] = features

    @contextlib.contextmanager
    def _crew(self, do: Callable[[_Work, list[Any]], None], most: int = _CHUNK_FILES) -> Iterator[Callable[[_Work, Iterable[Any]], None]]:
        """Threads that do the tasks that are handed out for a directory, a few at a time; a task is a name, its size and perhaps more."""

        def some(item: tuple[_Work, list[Any]]) -> None:
            work, tasks = item
            do(work, tasks)
            work.end()

        crew = Crew(self.job.concurrency, some)

        def hand_out(work: _Work, tasks: Iterable[Any]) -> None:
            chunk: list[Any] = []
            total = 0
            for task in tasks:
                if self._late():
                    work.sound = False
                    break
                chunk.append(task)
                total += task[1]
                if len(chunk) >= most or total >= _CHUNK_BYTES:
                    work.begin()
                    crew.put((work, chunk))
                    chunk, total = [], 0
                    self._save()
            if chunk:
                work.begin()
                crew.put((work, chunk))

        try:
            yield hand_out
            crew.finish()
        finally:
            crew.stop()
            self._save(now=True)

    def _directories(self) -> Iterator[Directory]:
        for directory in survey(self.job.filestore, self.job.catalogue, self.job.transfer, self.prefixes):
            if self._late():
                return
            yield directory
            self._settle_vanished()
            self.report.done_prefixes += 1
            self._save()

    def _late(self) -> bool:
        self._in_time = self._in_time and (self._until is None or time.monotonic() < self._until)
        return not self._in_time

    def _finish(self) -> dict[str, Any]:
        for fname in self.job.catalogue.others():
            self.report.find("other_names", fname, 0, "not the name of a content: left alone")
        return self.report.finish(self._in_time)

    def _failed(self, work: _Work, fname: str, size: int, error: StoreError) -> None:
        work.sound = False
        self.report.find("failed", fname, size, str(error))
        self._unavailable += 1
        if self._unavailable > 2 * self.job.concurrency:
            # Nothing has succeeded for a while: it is not this file.
            raise error

    def _mark(self, prefix: str, **values: float | None) -> None:
        with self._marks_lock:
            self._marks[prefix] = values

    def _save(self, now: bool = False) -> None:
        self.report.tell()
        if self.job.dry or not (now or time.monotonic() - self._saved > _SAVE_SECONDS):
            return
        with self._marks_lock:
            marks, self._marks = self._marks, {}
        self._saved = time.monotonic()
        if marks:
            self.job.state.mark(marks)

    def _path(self, fname: str) -> str:
        return os.path.join(self.job.filestore, fname)


def _each(do: Callable[[_Work, Any], None]) -> Callable[[_Work, list[Any]], None]:
    def some(work: _Work, tasks: list[Any]) -> None:
        for task in tasks:
            do(work, task)

    return some


def _make_like_parent(folder: str) -> None:
    """Make a directory, and the filestore itself, with the owner of what is above it."""
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        _make_like_parent(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o750)
        if os.geteuid() == 0:
            above = os.stat(parent)
            os.chown(folder, above.st_uid, above.st_gid)
