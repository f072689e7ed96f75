# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Garbage collection: deletes objects that no row refers to any more.

Rows of ``s3_gc_mark`` name what may be garbage. Whoever writes a content holds the shared lock of its prefix (the first
two digits of its name) from before the content is stored until the row that refers to it is committed. The collector takes
the same lock exclusively, in a READ COMMITTED transaction whose first statement that is, looks for references in a
later statement, and so sees every row that was committed while it waited. It never waits for a writer; a writer waits for
at most one request to the store. All locks end with their transaction, so that a pooler does no harm.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from dataclasses import dataclass, field

from .database import Cursor, Transaction
from .errors import Corrupt, NotFound, StoreError, Unavailable
from .fence import examine
from .store import ObjectStore
from .transfer import Transfer

_logger = logging.getLogger(__name__)

# The first of the two numbers of our advisory locks; the second is the prefix. ('s3' and a number of our own)
LOCK_SPACE = 0x73330001


class Refused(StoreError):
    """Collecting would not be safe; the message says why, and what to do."""


@dataclass
class Report:
    """Counts of names. ``restored``: were deleted after all, see :func:`_get_back`. ``failed``: each with the reason; they are tried again
    next time. ``busy``: prefixes that somebody wrote to. ``horizon_age``: seconds since the moment before which a mark must have been made."""

    deleted: int = 0
    restored: int = 0
    referenced: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    busy: list[str] = field(default_factory=list)
    horizon_age: int = 0
    complete: bool = True


def hold(cursor: Cursor, fname: str) -> str:
    """Keep the collector away from the names with the prefix of this one until the transaction ends.

    :return: a word that stays the same for as long as the lock has been held without a break. A rollback to a savepoint
        releases it: what was found out about the store before that is worth nothing after it.
    """
    # Local to the transaction, and undone by the same rollback as the lock.
    setting = f"s3_attachment.lock_{fname[:2]}"
    cursor.execute("SELECT current_setting(%s, true)", [setting])
    word = cursor.fetchall()[0][0]
    if not word:
        word = secrets.token_hex(8)
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [LOCK_SPACE, int(fname[:2], 16)])
        cursor.execute("SELECT set_config(%s, %s, true)", [setting, word])
    return str(word)


def try_lock(cursor: Cursor, prefix: str) -> bool:
    """Begin a READ COMMITTED transaction with the exclusive lock of a prefix, if nobody holds any lock of it."""
    # Odoo's cursors are REPEATABLE READ: in such a transaction rows that were committed meanwhile would stay unseen.
    cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_SPACE, int(prefix, 16)])
    return bool(cursor.fetchall()[0][0])


def hold_if_referenced(cursor: Cursor, fname: str) -> bool:
    """Begin a READ COMMITTED transaction in which nobody collects that content, unless the last row that refers to it has gone."""
    # What was committed while we waited for the lock is seen.
    cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    hold(cursor, fname)
    cursor.execute("SELECT 1 FROM ir_attachment WHERE store_fname = %s LIMIT 1", [fname])
    return bool(cursor.fetchall())


def collect(store: ObjectStore, transaction: Transaction, seconds: float = 3600) -> Report:
    """Delete what has been garbage for ``gc_grace_hours``.

    :param seconds: begin no further batch after this time.
    :raises Refused, NotOwner, Denied: nothing was deleted.
    """
    report = Report()
    deadline = time.monotonic() + seconds
    with transaction() as cursor:
        examine(store, cursor).require()
    for target in store.config.buckets.values() if store.config.gc_unversioned != "allow" else ():
        if not store.at(target).versioned():
            raise Refused(f"{target.where} keeps no versions, so that what is deleted cannot be had back: enable versioning, or set gc_unversioned to allow")
    _get_back(store, transaction, deadline, report)
    with transaction() as cursor:
        horizon, report.horizon_age = _horizon(cursor, store.config.gc_grace_hours)
        cursor.execute("SELECT DISTINCT left(fname, 2) FROM s3_gc_mark WHERE marked_at < %s ORDER BY 1", [horizon])
        prefixes = [row[0] for row in cursor.fetchall()]
    for prefix in prefixes:
        after: str | None = f"{prefix}/"
        while after is not None:
            if time.monotonic() > deadline:
                report.complete = False
                return report
            with transaction() as cursor:
                if not try_lock(cursor, prefix):
                    report.busy.append(prefix)
                    break
                after = _batch(store, transaction, cursor, after, report)
    return report


def _get_back(store: ObjectStore, transaction: Transaction, deadline: float, report: Report) -> None:
    """Restore what the store has deleted too late: it gave no answer when it was asked to, and somebody has stored the content again since."""
    with transaction() as cursor:
        cursor.execute(
            "SELECT DISTINCT fname FROM s3_gc_mark AS mark WHERE asked_at IS NOT NULL"
            " AND EXISTS (SELECT FROM ir_attachment WHERE store_fname = mark.fname)"
            " AND NOT EXISTS (SELECT FROM s3_outbox AS waits WHERE waits.fname = mark.fname)"
        )
        names = [row[0] for row in cursor.fetchall()]
    if not names:
        return
    transfer = Transfer(store.config)
    for fname in names:
        if time.monotonic() > deadline:
            report.complete = False
            return
        try:
            with transaction() as cursor:
                if hold_if_referenced(cursor, fname):
                    _get_back_one(store, transfer, fname, report)
        except StoreError as error:
            _logger.error("%s is referred to, may have been deleted too late, and could not be had back: %s", fname, error)
            report.failed[fname] = str(error)


def _get_back_one(store: ObjectStore, transfer: Transfer, fname: str, report: Report) -> None:
    try:
        store.head(fname)
        return
    except NotFound as error:
        missing = error
    for version in transfer.versions(fname):
        if not version.deleted:
            with contextlib.suppress(Corrupt, NotFound):
                transfer.read(fname, version.identity)
                transfer.restore(fname, version.identity)
                _logger.warning("%s was deleted too late, when it was referred to again: its version of %s was restored", fname, version.modified)
                report.restored += 1
                return
    raise NotFound(f"{missing}, and no former version is right") from missing


def _horizon(cursor: Cursor, grace_hours: int) -> tuple[str, int]:
    """The moment before which a mark must have been made, as text in UTC, and its age in seconds.

    It is before the beginning of every transaction that is still open: who holds no lock of ours, because it is of an
    older release or another tool, may refer to an old object all the same.
    """
    cursor.execute(
        # Of a login that this one may not look into the query alone is shown, as these words; of other processes than
        # clients there is no login. An own row is shown always, but for the fields that track_activities fills.
        "SELECT count(*) FILTER (WHERE query = '<insufficient privilege>' OR state = 'disabled'),"
        " (least(now() - %s * interval '1 hour', min(xact_start)) AT TIME ZONE 'UTC')::text,"
        " ceil(extract(epoch FROM now() - least(now() - %s * interval '1 hour', min(xact_start))))::int"
        " FROM pg_stat_activity WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()",
        [grace_hours, grace_hours],
    )
    hidden, horizon, age = cursor.fetchall()[0]
    if hidden:
        raise Refused(
            f"{hidden} connections to this database do not show since when their transactions run: "
            "grant pg_read_all_stats to Odoo's role, and leave track_activities on"
        )
    return horizon, age


def _batch(store: ObjectStore, transaction: Transaction, cursor: Cursor, after: str, report: Report) -> str | None:
    """Work off the next names after this one, of its prefix, whose lock is held; the last of them, or None if there are no more."""
    # Anew for each batch: transactions may have begun since.
    horizon, _age = _horizon(cursor, store.config.gc_grace_hours)
    size = store.config.gc_batch
    cursor.execute(
        # By one statement: who deletes the last row of a name between two of them has a mark that the first did not see, and which is
        # the only one that a transaction counts on that has copied the row and holds no lock of ours. By SQL: the ORM hides the rows
        # of fields and of other companies. What waits in an outbox would come into the store after its mark is gone.
        "SELECT fname, EXISTS (SELECT FROM ir_attachment WHERE store_fname = mark.fname),"
        " EXISTS (SELECT FROM s3_outbox AS waits WHERE waits.fname = mark.fname)"
        ' FROM s3_gc_mark AS mark WHERE fname COLLATE "C" > %s AND fname COLLATE "C" < %s'
        ' GROUP BY fname HAVING max(marked_at) < %s ORDER BY fname COLLATE "C" LIMIT %s',
        [after, f"{after[:2]}0", horizon, size],
    )
    found = cursor.fetchall()
    if not found:
        return None
    names = [row[0] for row in found]
    referenced = {row[0] for row in found if row[1]}
    spooled = {row[0] for row in found if row[2]}
    garbage = [name for name in names if name not in referenced | spooled]
    failed: dict[str, str] = {}
    if garbage:
        # Committed before: it may do so at any time, also when we are no more.
        with transaction() as noting:
            noting.execute("UPDATE s3_gc_mark SET asked_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE fname = ANY(%s)", [garbage])
        try:
            failed = store.delete(garbage)
        except Unavailable as error:
            _logger.warning("Garbage stays for now: %s", error)
            failed = dict.fromkeys(garbage, str(error))
    report.failed.update(failed)
    done = [name for name in names if name not in report.failed and name not in spooled]
    # What was asked for a short time ago may be done yet, to what is referred to again: see _get_back.
    cursor.execute(
        "DELETE FROM s3_gc_mark WHERE fname = ANY(%s) AND marked_at < %s AND (fname <> ALL(%s) OR coalesce(asked_at < %s, true))",
        [done, horizon, list(referenced), horizon],
    )
    report.deleted += len(garbage) - len(failed)
    report.referenced += len(referenced)
    return names[-1] if len(names) == size else None
