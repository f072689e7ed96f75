# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Writers, copiers, deleters, rollbacks and the collector at once, looked at after every commit.

At the end alone a loss would hardly show: whoever stores the same content later mends it.
S3_ATTACHMENT_STRESS_SECONDS says for how long (30). Where S3_ATTACHMENT_STRESS_OTHER says how another login is connected to the
database (the words that libpq takes), it takes part with transactions that last.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import logging
import os
import random
import threading
import time

import psycopg2
from odoo.modules.registry import DummyRLock, Registry
from odoo.tests import tagged

from .. import storage
from ..engine import errors, gc
from ..engine.store import ObjectStore
from .common import CommittedCase

_logger = logging.getLogger(__name__)

SECONDS = float(os.environ.get("S3_ATTACHMENT_STRESS_SECONDS", "30"))
# A writer has two connections: it takes --db_maxconn=32.
WRITERS, CONTENTS = 6, 16
OTHER = os.environ.get("S3_ATTACHMENT_STRESS_OTHER", "")
_INSERT = "INSERT INTO ir_attachment (name, type, store_fname, checksum, file_size, mimetype)"


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestStress(CommittedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = dataclasses.replace(cls.settings, gc_grace_hours=0)
        cls.store = ObjectStore(cls.settings)
        # Whoever runs the tests holds it, and other threads would wait for it.
        cls.classPatch(Registry, "_lock", DummyRLock())

    def setUp(self):
        super().setUp()
        self.counts = collections.Counter()
        self.lost = set()
        self.stop = time.monotonic() + SECONDS
        self.alive = set()
        self.guard = threading.Lock()
        nonce = os.urandom(8)
        self.contents = [nonce + bytes([number]) for number in range(CONTENTS)]
        # The first write claims the prefix, which the collector asks for.
        self.committed(nonce)

    def writer(self, seed):
        choose = random.Random(seed)  # noqa: S311
        while time.monotonic() < self.stop:
            # More goes than comes, so that contents become garbage all the time.
            action = choose.choice(("create", "create", "copy", "unlink", "unlink", "unlink", "unlink", "rollback", "replace"))
            with contextlib.suppress(ZeroDivisionError), self.transaction() as env:
                with self.guard:
                    # A row belongs to one thread at a time, so that it is known to be there.
                    mine = self.alive.pop() if self.alive and action in ("copy", "unlink", "replace") else None
                rows = {mine} if mine else set()
                if action == "unlink" and not mine:
                    continue
                if mine and action == "unlink":
                    env["ir.attachment"].browse(mine).unlink()
                    rows = set()
                elif mine and action == "copy":
                    rows.add(env["ir.attachment"].browse(mine).copy().id)
                elif mine and action == "replace":
                    env["ir.attachment"].browse(mine).raw = choose.choice(self.contents)
                else:
                    rows.add(self.attach(env, choose.choice(self.contents)).id)
                env.flush_all()
                time.sleep(choose.random() / 100)
                if action == "rollback":
                    raise ZeroDivisionError
                env.cr.commit()
                self.counts[action] += 1
                self.look(env, rows)
                with self.guard:
                    self.alive |= rows

    def look(self, env, rows):
        """These rows are committed and belong to this thread, so their contents have to be there."""
        env.cr.execute("SELECT DISTINCT store_fname FROM ir_attachment WHERE id = ANY(%s)", [list(rows)])
        for (fname,) in env.cr.fetchall():
            try:
                self.store.head(fname)
            except errors.NotFound:
                self.lost.add((fname, time.monotonic()))

    def stranger(self, seed):
        """Another login, whose long transactions store as Odoo does, or copy rows and know nothing of locks and marks."""
        choose = random.Random(seed)  # noqa: S311
        named = {self.name_of(content): content for content in self.contents}
        with contextlib.closing(psycopg2.connect(OTHER)) as connection:
            connection.set_session(isolation_level="REPEATABLE READ")
            while time.monotonic() < self.stop:
                action = choose.choice(("copies", "stores"))
                # A row that somebody else has deleted since this transaction began cannot be copied by it.
                with contextlib.suppress(psycopg2.errors.SerializationFailure):
                    with connection, connection.cursor() as cursor:
                        if action == "stores":
                            self.store_as_odoo(cursor, *choose.choice(list(named.items())))
                        else:
                            self.copy_rows(cursor, list(named))
                        rows = {row[0] for row in cursor.fetchall()}
                        time.sleep(choose.random())
                    self.counts[action] += len(rows)
                    with self.transaction() as env:
                        self.look(env, rows)
                    with self.guard:
                        self.alive |= rows

    def name_of(self, content):
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return f"{sha1[:2]}/{sha1}"

    def store_as_odoo(self, cursor, fname, content):
        gc.hold(cursor, fname)
        with self.transaction() as env:
            env["s3.gc.mark"]._mark(env.cr, fname)
        self.store.put(fname, content)
        cursor.execute(f"{_INSERT} VALUES ('stored', 'binary', %s, %s, %s, 'application/octet-stream') RETURNING id", [fname, fname[3:], len(content)])

    def copy_rows(self, cursor, names):
        # Not those that somebody is about to delete: their marks may be older than this transaction, for which there is the grace that this test
        # does without. Nobody has to wait for the rows afterwards.
        cursor.execute("SAVEPOINT choice; SELECT id FROM ir_attachment WHERE store_fname = ANY(%s) LIMIT 5 FOR UPDATE SKIP LOCKED", [names])
        chosen = [row[0] for row in cursor.fetchall()]
        select = "SELECT 'copied', type, store_fname, checksum, file_size, mimetype FROM ir_attachment WHERE id = ANY(%s) RETURNING id"
        cursor.execute(f"ROLLBACK TO choice; {_INSERT} {select}", [chosen])

    def collector(self):
        # It takes its time between looking and deleting: without the locks somebody would store just then.
        store, choose = ObjectStore(self.settings), random.Random(-1)  # noqa: S311
        real = store.delete

        def delete(names):
            time.sleep(choose.random() / 20)
            return real(names)

        store.delete = delete
        while time.monotonic() < self.stop:
            with self.transaction() as env:
                report = storage.collect(env, store, 60)
            self.counts["deleted"] += report.deleted
            self.counts["busy"] += len(report.busy)
            self.counts["collections"] += 1

    def test_nothing_is_lost(self):
        """Pitfalls 2, 4, 5, 6, 7 and 10."""
        failures = []

        def run(work, *arguments):
            try:
                work(*arguments)
            except Exception as error:
                _logger.exception("a thread of the stress test")
                failures.append(error)

        threads = [threading.Thread(target=run, args=(self.writer, seed)) for seed in range(WRITERS)]
        threads += [threading.Thread(target=run, args=(self.collector,))]
        threads += [threading.Thread(target=run, args=(self.stranger, WRITERS))] if OTHER else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _logger.info("Stress for %s s: %s, lost %s", SECONDS, dict(self.counts), len(self.lost))
        self.assertEqual(failures, [])
        self.assertEqual(len(self.lost), 0)
        self.assertGreater(self.counts["deleted"], CONTENTS)
        self.assertEqual(self.counts["copies"] > 0 and self.counts["stores"] > 0, bool(OTHER))
        with self.transaction() as env:
            for attachment in env["ir.attachment"].browse(self.alive):
                self.assertIn(attachment.raw, self.contents)
