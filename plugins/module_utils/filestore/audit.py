# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Whether every content that a row refers to is where it should be, whole; and how what is not can be had back.

Database, disk and bucket are compared as in a migration. What seems wrong is looked at again before it is believed, since the
three are not of the same moment. For what is wrong a right copy is looked for: on this disk, among what waits on this host,
and among the former versions that the bucket keeps. A copy is right if its SHA-1 is the one in the name; nothing else is ever
taken, and what has none is only reported. A repair puts that copy in its place and takes nothing away, neither from the
database, the disk nor the bucket, so that it may be killed at any moment and run again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from . import keys
from .database import Transaction
from .digests import file_digests
from .errors import Corrupt, Denied, NotFound, Unavailable
from .migration import LEVELS as _LEVELS
from .migration import Job, Migration, _each, _Work
from .survey import Directory
from .transfer import moment

LEVELS = (*_LEVELS, "sample")
# Of so many contents a sample has one, each day others, so that after as many days each has been looked at.
SAMPLE = 30
_DAY = 86400


@dataclasses.dataclass
class Aids:
    """What an audit may use besides what a migration has.

    :param spool: the directory of what waits on this host; '' where there is none.
    :param repair: opens a transaction in the database, which is what a repair needs. None: only say what a repair would do.
    """

    spool: str = ""
    repair: Transaction | None = None


class Suspect(NamedTuple):
    """Something that seems wrong: ``kind`` is that of the finding, ``size`` in bytes."""

    fname: str
    size: int
    kind: str
    detail: str


class Remedy(NamedTuple):
    """A right copy of a content, in words, and what puts it into its place."""

    words: str
    apply: Callable[[], object]


class Audit(Migration):
    """The audit; its findings are of the kinds ``missing``, ``size``, ``checksum``, ``orphans_bucket`` and those of a migration."""

    def __init__(self, job: Job, aids: Aids) -> None:
        super().__init__(job)
        self.job.dry = aids.repair is None
        self._aids = aids
        self._suspects: deque[Suspect] = deque()
        self._no_versions = ""

    def audit(self) -> dict[str, Any]:
        """Compare, and repair if that is allowed.

        :raises StoreError: it is, and the bucket is not this database's.
        """
        if not self.job.dry:
            self.job.may_write()
        with self._running():
            with self._crew(_each(self._check)) as hand_out:
                for directory in self._directories():
                    work = _Work(directory.prefix)
                    hand_out(work, self._to_check(work, directory))
                    self._look_for_orphans(directory)
                    work.end()
                    self._settle()
            self._settle_vanished()
            self._settle()
        return self._finish()

    # -- what seems wrong -----------------------------------------------------------------------------------------------

    def _to_check(self, work: _Work, directory: Directory) -> Iterator[tuple[str, int, str, bool]]:
        """Name, size and ETag in the bucket, and whether the content is on this disk as well."""
        absent = []
        for fname, size in directory.names.items():
            there, here = directory.remote.get(fname), directory.local.get(fname)
            self.report.count("referenced", size or (here or 0))
            if there is None and here is None:
                absent.append((fname, size))
            elif there is None:
                self._not_uploaded(work, fname, here or 0)
            elif size and there.size != size:
                self._suspects.append(Suspect(fname, size, "size", f"the object has {there.size} bytes, and its rows say {size}"))
            elif self._chosen(fname):
                yield fname, there.size, there.etag, here is not None
            else:
                self.report.count("in_bucket" if self.job.level == "sample" else "verified", there.size)
        for fname, size in self._really_absent(absent):
            self._not_uploaded(work, fname, size)

    def _chosen(self, fname: str) -> bool:
        """Whether more than the size of a content is looked at."""
        if self.job.level == "sample":
            return int(keys.parse(fname).sha1[-6:], 16) % SAMPLE == int(self.job.clock() // _DAY) % SAMPLE
        return self.job.level != "size"

    def _missing(self, fname: str, size: int) -> None:
        self._suspects.append(Suspect(fname, size, "missing", "a row refers to it, and it is neither on this disk nor in the bucket"))

    def _not_uploaded(self, work: _Work, fname: str, size: int) -> None:
        if self.job.dry:
            super()._not_uploaded(work, fname, size)
        else:
            self._suspects.append(Suspect(fname, size, "not_uploaded", "it is only on this disk"))

    def _check(self, work: _Work, task: tuple[str, int, str, bool]) -> None:
        fname, size, etag, here = task
        try:
            if self.job.level == "content":
                self.job.transfer.read(fname)
                sound = True
            else:
                sound = self._proved(fname, size, etag, here, None)
            self._unavailable = 0
        except NotFound:
            self._missing(fname, size)
            return
        except Unavailable as error:
            self._failed(work, fname, size, error)
            return
        except Corrupt:
            sound = False
        if sound:
            self.report.count("verified", size)
        else:
            self._suspects.append(Suspect(fname, size, "checksum", f"the object's {size} bytes are not the content"))

    def _look_for_orphans(self, directory: Directory) -> None:
        unknown = [fname for fname in directory.remote if fname not in directory.names]
        # Whoever stores a content has marked its name before, and the row comes last.
        known = self.job.catalogue.marked(unknown) | set(self.job.catalogue.waiting(unknown))
        referenced = self.job.catalogue.referenced(unknown)
        young = self.job.clock() - self.job.transfer.config.gc_grace_hours * 3600
        for fname in unknown:
            entry = directory.remote[fname]
            if fname in referenced:
                continue
            if fname in known or (entry.modified and moment(entry.modified) > young):
                self.report.count("pending", entry.size)
            else:
                self.report.find("orphans_bucket", fname, entry.size, "no row refers to it, and garbage collection does not know of it")
        for name in directory.foreign:
            self.report.find("orphans_bucket", name, 0, "its name is not that of a content that is kept there")
        for _orphan in self._orphans(directory):
            pass

    # -- what is wrong --------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Look again at what seemed wrong, and find out what can be done; by one thread, as the database is asked."""
        while self._suspects:
            suspects = [self._suspects.popleft() for _number in range(min(len(self._suspects), 500))]
            names = {suspect.fname for suspect in suspects}
            referenced, waiting = self.job.catalogue.referenced(names), self.job.catalogue.waiting(names)
            for suspect in suspects:
                if suspect.fname not in referenced:
                    self.report.count("gone", suspect.size)
                    continue
                try:
                    self._settle_one(suspect, waiting.get(suspect.fname, ""))
                    self._unavailable = 0
                except Unavailable as error:
                    self._failed(_Work(suspect.fname[:2]), suspect.fname, suspect.size, error)

    def _settle_one(self, suspect: Suspect, hosts: str) -> None:
        fname, size, kind, detail = suspect
        if kind == "size":
            with contextlib.suppress(Corrupt, NotFound):
                self.job.transfer.read(fname)
                self.report.find("size", fname, size, f"{detail}; the content is right, so the rows are wrong")
                return
        remedy = self._remedy(fname)
        if remedy is None and hosts:
            self.report.find("waiting", fname, size, f"it waits on {hosts} until the store can take it")
        elif remedy is None:
            reason = f"; former versions cannot be looked at: {self._no_versions}" if self._no_versions else ""
            self.report.find("corrupt" if kind == "not_uploaded" else kind, fname, size, f"{detail}; no right copy was found{reason}")
        elif self._aids.repair is None:
            self.report.count("repairable", size)
            self.report.find("waiting" if hosts else kind, fname, size, f"{detail}; a repair would take {remedy.words}")
        elif self._repair(self._aids.repair, fname, remedy):
            self.report.find("repaired", fname, size, f"{detail}; {remedy.words} was put there")
        else:
            self.report.count("gone", size)

    def _repair(self, transaction: Transaction, fname: str, remedy: Remedy) -> bool:
        """Put a right copy into its place, unless the last row that refers to it has gone."""
        from . import gc  # noqa: PLC0415  # it loads boto3, which an audit without a repair does not need

        with transaction() as cursor:
            if not gc.hold_if_referenced(cursor, fname):
                return False
            remedy.apply()
            self.job.transfer.read(fname)
        return True

    def _remedy(self, fname: str) -> Remedy | None:
        """The first right copy, from where it costs least."""
        transfer, sha1 = self.job.transfer, keys.parse(fname).sha1
        places = [(self._path(fname), "the local file")]
        if self._aids.spool:
            places.append((os.path.join(self._aids.spool, fname), "what waits on this host"))
        for path, words in places:
            with contextlib.suppress(OSError):
                if file_digests(path)[0] == sha1:
                    return Remedy(words, partial(transfer.put, fname, path, replace=True))
        try:
            for version in transfer.versions(fname):
                if not version.deleted and not version.latest:
                    with contextlib.suppress(Corrupt, NotFound):
                        transfer.read(fname, version.identity)
                        words = f"the version {version.identity} of {version.modified}"
                        return Remedy(words, partial(transfer.restore, fname, version.identity))
        except Denied as error:
            self._no_versions = str(error)
        return None
