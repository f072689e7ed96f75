# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What is uploaded while the store does not answer."""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
import time
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger
from werkzeug.exceptions import ServiceUnavailable

from .. import storage
from ..engine import errors, fence, gc
from ..engine.store import ObjectStore
from .common import CommittedCase, random_bytes

LOGGERS = ("odoo.addons.s3_attachment.storage", "odoo.addons.s3_attachment.models.ir_attachment")


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestOutbox(CommittedCase):
    def setUp(self):
        super().setUp()
        self.committed(random_bytes(10))  # claims the prefix
        with self.transaction() as env:
            env.cr.execute("DELETE FROM s3_outbox WHERE node = 'this-host'")

    def spooled(self, raw):
        with self.outage(), mute_logger(*LOGGERS):
            return self.committed(raw)

    def drain(self, store=None):
        with self.transaction() as env:
            return storage.drain(env, store or self.store)

    def path(self, fname):
        with self.transaction() as env:
            return storage.spool(env, self.store).path(fname)

    def is_there(self, fname):
        return self.settings.prefix + fname in self._keys()

    def test_kept_and_stored_later(self):
        """Pitfall 22: loud, in order, and the file goes only when the store has it."""
        raw = random_bytes(100)
        with self.outage(), self.assertLogs(LOGGERS[1], "ERROR"):
            attachment, fname = self.committed(raw)
            self.assertEqual(self.read(attachment), raw)
        path = self.path(fname)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertFalse(self.is_there(fname))
        with self.transaction() as env:
            row = env["s3.outbox"].search([("fname", "=", fname)])
            self.assertEqual((row.node, row.attempts), ("this-host", 0))
        self.assertEqual(self.read(attachment), raw)
        report = self.drain()
        self.assertEqual((report.stored, report.waiting, report.missing), (1, 0, []))
        self.assertTrue(self.is_there(fname))
        self.assertFalse(os.path.exists(path))
        self.assertEqual(self.read(attachment), raw)

    def test_store_is_still_gone(self):
        fname = self.spooled(random_bytes(100))[1]
        with patch.object(self.store, "put", side_effect=errors.Unavailable("still gone")):
            report = self.drain()
        self.assertEqual((report.stored, report.waiting, report.error), (0, 1, "still gone"))
        with self.transaction() as env:
            row = env["s3.outbox"].search([("fname", "=", fname)])
            self.assertEqual((row.attempts, row.reason), (1, "still gone"))
            self.assertGreater(row.next_try, row.created_at)
        self.assertEqual(self.drain().stored, 0)
        with self.transaction() as env:
            env.cr.execute("UPDATE s3_outbox SET next_try = created_at WHERE fname = %s", [fname])
        self.assertEqual(self.drain().stored, 1)

    def test_other_host(self):
        """Pitfall 22: what waits on another host is said to, and is never taken for lost or empty."""
        attachment = self.spooled(random_bytes(100))[0]
        other = ObjectStore(dataclasses.replace(self.settings, node="other-host", spool_dir=self.settings.spool_dir + "/other"))
        with patch.object(storage, "_load", lambda: other), self.assertLogs(LOGGERS[0], "ERROR") as logs, self.assertRaises(ServiceUnavailable):
            self.read(attachment)
        self.assertIn("waits on this-host", logs.output[0])
        self.assertEqual(self.drain(other).stored, 0)
        self.drain()
        with patch.object(storage, "_load", lambda: other):
            self.assertEqual(len(self.read(attachment)), 100)

    def test_rollback(self):
        with self.assertRaises(ZeroDivisionError), self.outage(), mute_logger(*LOGGERS), self.transaction() as env:
            fname = self.attach(env, random_bytes(100)).store_fname
            raise ZeroDivisionError
        self.assertTrue(os.path.exists(self.path(fname)))
        self.drain()
        self.assertFalse(os.path.exists(self.path(fname)) or self.is_there(fname))

    def test_file_of_an_open_transaction_stays(self):
        """The same content is stored from an earlier transaction while a second one spools it."""
        raw = random_bytes(100)
        self.spooled(raw)
        with self.outage(), mute_logger(*LOGGERS), self.transaction() as env:
            attachment = self.attach(env, raw)
            self.assertEqual(self.drain().stored, 1)
            path = self.path(attachment.store_fname)
            self.assertTrue(os.path.exists(path))
        self.assertEqual(self.drain().stored, 1)
        self.assertFalse(os.path.exists(path))

    def test_garbage_collection_waits_for_it(self):
        raw = random_bytes(100)
        attachment, fname = self.spooled(raw)
        self.unlink(attachment)
        store = ObjectStore(dataclasses.replace(self.settings, gc_grace_hours=0))
        for drained in (False, True):
            self.collect_until(lambda drained=drained: not drained or not self.count_marks(fname), store)
            self.assertEqual(self.count_marks(fname) > 0, not drained)
            self.drain()
        self.assertFalse(self.is_there(fname))

    def test_file_is_gone(self):
        attachment, fname = self.spooled(random_bytes(100))
        os.unlink(self.path(fname))
        report = self.drain()
        self.assertEqual((report.stored, report.waiting, report.missing), (0, 1, [fname]))
        with mute_logger(*LOGGERS), self.assertRaises(ServiceUnavailable):
            self.read(attachment)

    def test_damaged_file_is_in_nobody_s_way(self):
        """It stays, and whatever comes after it is stored; also where no row of the outbox speaks of it."""
        damaged, *others = sorted(self.spooled(random_bytes(100))[1] for _number in range(3))
        with open(self.path(damaged), "r+b") as file:
            file.write(b"another beginning")
        for waiting in (1, 0):
            report = self.drain()
            self.assertEqual((report.stored, report.waiting, damaged in report.error), (len(others), waiting, True))
            self.assertEqual([os.path.exists(self.path(fname)) for fname in (damaged, *others)], [True, *[False] * len(others)])
            self.assertEqual([self.is_there(fname) for fname in (damaged, *others)], [False, *[True] * len(others)])
            others = []
            with self.transaction() as env:
                env.cr.execute("DELETE FROM s3_outbox WHERE fname = %s", [damaged])

    def test_file_that_the_store_does_not_take_is_in_nobody_s_way(self):
        refused = min(self.spooled(random_bytes(100))[1] for _number in range(3))
        put, asked = self.store.put, []

        def picky(fname, *arguments, **options):
            asked.append(fname)
            if fname in (refused, *all_refused):
                raise errors.Denied(f"{fname} is too large")
            return put(fname, *arguments, **options)

        all_refused = []
        with patch.object(self.store, "put", picky):
            report = self.drain()
        # Not which error: a damaged file that another test has left is one too, each time.
        self.assertEqual((report.stored, report.waiting, bool(report.error)), (2, 1, True))
        with self.transaction() as env:
            row = env["s3.outbox"].search([("fname", "=", refused)])
            self.assertEqual((row.attempts, row.reason), (1, f"{refused} is too large"))
            env.cr.execute("UPDATE s3_outbox SET next_try = created_at")
        # A store that takes nothing is not asked for each of very many.
        all_refused = [self.spooled(random_bytes(100))[1] for _number in range(5)]
        asked.clear()
        with patch.object(self.store, "put", picky):
            report = self.drain()
        self.assertEqual((report.stored, report.waiting, len(asked)), (0, 6, 3))
        with self.transaction() as env:
            env.cr.execute("UPDATE s3_outbox SET next_try = created_at")
        self.assertEqual((self.drain().stored, self.is_there(refused)), (6, True))

    def test_row_is_gone(self):
        """As in a database that was put back: what is referred to is stored before its file goes."""
        raw = random_bytes(100)
        attachment, fname = self.spooled(raw)
        with self.transaction() as env:
            env.cr.execute("DELETE FROM s3_outbox WHERE fname = %s", [fname])
        self.drain()
        self.assertTrue(self.is_there(fname))
        self.assertFalse(os.path.exists(self.path(fname)))
        self.assertEqual(self.read(attachment), raw)

    def test_denied_is_not_an_outage(self):
        wrong = ObjectStore(dataclasses.replace(self.settings, secret_key="wrong-" + secrets.token_hex(8)))
        with patch.object(storage, "_load", lambda: wrong), mute_logger(*LOGGERS), self.assertRaises(UserError):
            self.committed(random_bytes(100))
        gone = ObjectStore(dataclasses.replace(self.settings, bucket="no-such-bucket"))
        with patch.object(storage, "_load", lambda: gone), mute_logger(*LOGGERS), self.assertRaises(UserError):
            self.committed(random_bytes(100))

    def test_copy_of_the_database_stores_nothing(self):
        fname = self.spooled(random_bytes(100))[1]
        copy = ObjectStore(dataclasses.replace(self.settings, instance_id="staging"))
        self.assertRaises(fence.NotOwner, self.drain, copy)
        self.assertTrue(os.path.exists(self.path(fname)))

    def test_nobody_waits_for_a_store_that_is_gone(self):
        """Pitfall 21: a store that takes every request and answers none; an upload is over within its budget, and soon at once."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.addCleanup(listener.close)
        hole = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hole = ObjectStore(dataclasses.replace(self.settings, endpoint_url=hole, connect_timeout=1, read_timeout=1, op_budget=3))
        took = []
        with patch.object(storage, "_load", lambda: hole), mute_logger(*LOGGERS):
            for _number in range(20):
                begin = time.monotonic()
                self.committed(random_bytes(100))
                took.append(time.monotonic() - begin)
        # Each of them at its budget would make 60 s.
        self.assertLess(max(took), 10)
        self.assertLess(sum(took), 30)
        self.assertTrue(hole.breaker.open)
        self.assertGreaterEqual(self.drain().stored, 20)

    def test_lock_is_taken_before_anything_is_spooled(self):
        with self.outage(), mute_logger(*LOGGERS), self.transaction() as env:
            fname = self.attach(env, random_bytes(100)).store_fname
            with self.transaction() as sweeper:
                self.assertFalse(gc.try_lock(sweeper.cr, fname[:2]))
