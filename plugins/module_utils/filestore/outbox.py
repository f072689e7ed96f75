# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Contents that the store could not take: kept on this host, and stored as soon as it can.

A spooled content is a file in a directory of its own, synchronised to the disk, and a row of ``s3_outbox`` in the transaction
that refers to it. The row names the host, because the file is there. Each host works off its own rows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from . import gc, keys
from .database import Cursor, Transaction
from .errors import Corrupt, Denied, NotFound, Unavailable, of_this_host
from .fence import examine
from .journal import sync_directory
from .store import ObjectStore

_LONGEST_PAUSE = 600
# After so many refusals in a row it is not the files.
_REFUSED = 3


class Spool:
    """The spooled contents of one database on this host."""

    def __init__(self, directory: str, node: str) -> None:
        self.directory = directory
        self.node = node

    def path(self, fname: str) -> str:
        keys.parse(fname)
        return os.path.join(self.directory, fname)

    def holds(self, fname: str) -> bool:
        return os.path.isfile(self.path(fname))

    def put(self, cursor: Cursor, fname: str, content: bytes | BinaryIO, reason: str) -> None:
        """Keep a content, of a file all of it, for the transaction of that cursor, which has to hold the lock of its prefix (:func:`gc.hold`)."""
        path = self.path(fname)
        if made := not os.path.isdir(os.path.dirname(self.directory)):
            os.makedirs(os.path.dirname(self.directory), mode=0o700, exist_ok=True)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        # Of its own name, for another thread may spool the same content.
        temporary = f"{path}.{os.getpid()}-{time.monotonic_ns()}"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    content.seek(0)
                    shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        above = os.path.dirname(self.directory)
        for directory in (os.path.dirname(path), self.directory, above, *([os.path.dirname(above)] if made else [])):
            sync_directory(directory)
        cursor.execute(
            "INSERT INTO s3_outbox (fname, node, reason, attempts, created_at, next_try)"
            " VALUES (%s, %s, %s, 0, clock_timestamp() AT TIME ZONE 'UTC', clock_timestamp() AT TIME ZONE 'UTC')",
            [fname, self.node, reason],
        )

    def files(self) -> Iterator[tuple[str, list[str]]]:
        """Each prefix with the names of all files in its directory, unfinished ones too."""
        with contextlib.suppress(FileNotFoundError):
            for prefix in sorted(os.listdir(self.directory)):
                if names := os.listdir(os.path.join(self.directory, prefix)):
                    yield prefix, names


@dataclass
class Report:
    """``stored``, ``dropped`` (what nothing refers to) and ``waiting`` are counts; ``missing`` are names whose file is gone
    although the store does not have them."""

    stored: int = 0
    dropped: int = 0
    waiting: int = 0
    missing: list[str] = field(default_factory=list)
    error: str = ""


def drain(store: ObjectStore, spool: Spool, transaction: Transaction) -> Report:
    """Store what is spooled on this host, then remove the files that are no longer needed.

    :raises NotOwner: the database is a copy; everything stays.
    """
    report, answers, refused = Report(), True, 0
    with transaction() as cursor:
        cursor.execute("SELECT DISTINCT fname FROM s3_outbox WHERE node = %s AND next_try <= clock_timestamp() AT TIME ZONE 'UTC'", [spool.node])
        names = sorted(row[0] for row in cursor.fetchall())
        if names or any(spool.files()):
            try:
                examine(store, cursor).require()
            except Unavailable as error:
                names, answers, report.error = [], False, str(error)
    for fname in names:
        try:
            with transaction() as cursor:
                gc.hold(cursor, fname)
                if _store(store, spool, fname):
                    cursor.execute("DELETE FROM s3_outbox WHERE fname = %s AND node = %s", [fname, spool.node])
                    report.stored += 1
                else:
                    report.missing.append(fname)
        except (Unavailable, Corrupt, Denied, OSError) as error:
            report.error = of_this_host(error) if isinstance(error, OSError) else str(error)
            with transaction() as cursor:
                cursor.execute(
                    "UPDATE s3_outbox SET attempts = attempts + 1, reason = %s,"
                    " next_try = clock_timestamp() AT TIME ZONE 'UTC' + least(%s, 5 * 2 ^ least(attempts, 10)) * interval '1 second'"
                    " WHERE fname = %s AND node = %s",
                    [report.error, _LONGEST_PAUSE, fname, spool.node],
                )
            # A damaged file stays for a person to look at, and so does one that the store does not take; the others can do without it.
            # No other can do without the store, or with one that takes nothing.
            refused = refused + 1 if isinstance(error, Denied) else 0
            answers = not isinstance(error, Unavailable) and refused < _REFUSED
            if not answers:
                break
        else:
            refused = 0
    if answers:
        for prefix, files in spool.files():
            with transaction() as cursor:
                _sweep(store, spool, cursor, prefix, files, report=report)
    with transaction() as cursor:
        cursor.execute("SELECT count(DISTINCT fname) FROM s3_outbox WHERE node = %s", [spool.node])
        report.waiting = cursor.fetchall()[0][0]
    return report


def _store(store: ObjectStore, spool: Spool, fname: str) -> bool:
    """Whether the store has the content now."""
    try:
        with open(spool.path(fname), "rb") as file:
            store.put(fname, file, ask_first=True)
    except FileNotFoundError:
        try:
            return store.head(fname).sha1 == keys.parse(fname).sha1
        except NotFound:
            return False
    return True


def _sweep(store: ObjectStore, spool: Spool, cursor: Cursor, prefix: str, files: list[str], *, report: Report) -> None:
    """Remove the files of a prefix that no row of the outbox speaks of, unless somebody is writing there at this moment."""
    if not gc.try_lock(cursor, prefix):
        return
    # Whoever spools holds the lock until the row is committed, so a file without a row is of a transaction that failed,
    # or has been stored.
    names = {f"{prefix}/{file}" for file in files}
    cursor.execute("SELECT fname FROM s3_outbox WHERE node = %s AND fname = ANY(%s)", [spool.node, sorted(names)])
    names -= {row[0] for row in cursor.fetchall()}
    cursor.execute("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname = ANY(%s)", [sorted(names)])
    # The outbox of a database that was put back to an earlier state may lack rows: what is referred to is never taken for granted.
    referenced = {row[0] for row in cursor.fetchall()}
    for fname in sorted(names):
        try:
            if fname not in referenced or _store(store, spool, fname):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(spool.directory, fname))
        except (Corrupt, Denied, OSError) as error:
            report.error = of_this_host(error) if isinstance(error, OSError) else str(error)
    report.dropped += len(names - referenced)
