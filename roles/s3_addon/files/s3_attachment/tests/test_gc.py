# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What is collected as garbage, and above all what is not."""

from __future__ import annotations

import dataclasses
import hashlib
from unittest.mock import Mock, patch

from odoo.sql_db import Cursor
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import storage
from ..engine import errors, gc
from ..engine.store import ObjectStore
from .common import CommittedCase, random_bytes


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestGarbage(CommittedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = dataclasses.replace(cls.settings, gc_grace_hours=0)
        cls.store = ObjectStore(cls.settings)

    def collect(self, store=None):
        with self.transaction() as env:
            return storage.collect(env, store or self.store, 60)

    def is_there(self, fname):
        return self.settings.prefix + fname in self._keys()

    def test_soft_delete(self):
        """Pitfall 33: what was deleted is behind a delete marker, and can come again."""
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        self.collect()
        self.assertTrue(self.is_there(fname))
        self.unlink(attachment)
        self.assertTrue(self.is_there(fname))
        self.assertCollected(fname)
        kinds = [kind for key, _version, kind, _latest in self.versions() if key.endswith(fname)]
        self.assertEqual(sorted(kinds), ["DeleteMarkers", "Versions"])
        self.assertEqual(self.read(self.committed(raw)[0]), raw)

    def test_installing_another_module(self):
        """Which looks after the tables of all models first, and then writes: each mark is made by another connection."""
        with self.transaction() as env:
            env["s3.gc.mark"].init()
            env.cr.execute("SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 's3_gc_mark'::regclass")
            self.assertLessEqual(set(env.cr.fetchall()), {("AccessShareLock",)})
            attachment = self.attach(env, random_bytes(100))
        self.assertTrue(self.read(attachment.id))

    def test_other_reference(self):
        """Pitfalls 2 and 3: another row with the same content, which no search shows."""
        raw = random_bytes(100)
        one, fname = self.committed(raw)
        other = self.committed(raw, res_model="res.partner", res_field="image_1920", res_id=1)[0]
        with self.transaction() as env:
            self.assertEqual(env["ir.attachment"].search([("store_fname", "=", fname)]).ids, [one])
        self.unlink(one)
        self.await_ripe(fname)
        self.assertEqual(self.collect().failed, {})
        self.assertEqual(self.count_marks(fname), 0)
        self.assertEqual(self.read(other), raw)
        self.unlink(other)
        self.assertCollected(fname)

    def test_row_that_goes_while_the_collector_looks(self):
        """Its mark is the one that counts for a transaction that has copied the row, whatever older marks there are."""
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        execute, seen = Cursor.execute, []

        def slow(cursor, query, params=None, **options):
            result = execute(cursor, query, params, **options)
            if "max(marked_at)" in str(query) and params[0] == f"{fname[:2]}/" and cursor.rowcount and not seen:
                seen.append(cursor.rowcount)
                self.unlink(attachment)
            return result

        with self.transaction() as env:
            env.cr.execute(
                "INSERT INTO ir_attachment (name, type, store_fname, checksum, file_size)"
                " SELECT 'copied', type, store_fname, checksum, file_size FROM ir_attachment WHERE id = %s RETURNING id",
                [attachment],
            )
            ((copied,),) = env.cr.fetchall()
            with patch.object(Cursor, "execute", slow):
                self.collect_until(lambda: seen)
        self.assertEqual(seen, [1])
        self.assertEqual(self.read(copied), raw)
        self.unlink(copied)
        self.assertCollected(fname)

    def test_rolled_back_delete(self):
        """Pitfall 1."""
        raw = random_bytes(100)
        attachment = self.committed(raw)[0]
        with self.assertRaises(ZeroDivisionError), self.transaction() as env:
            env["ir.attachment"].browse(attachment).unlink()
            raise ZeroDivisionError
        self.collect()
        self.assertEqual(self.read(attachment), raw)

    def test_rolled_back_create(self):
        """Pitfall 9: the object is found although nothing of the transaction is left."""
        with self.assertRaises(ZeroDivisionError), self.transaction() as env:
            fname = self.attach(env, random_bytes(100)).store_fname
            raise ZeroDivisionError
        self.assertTrue(self.is_there(fname))
        self.assertCollected(fname)

    def test_while_somebody_writes(self):
        """Pitfalls 4 and 7: the content is garbage when a writer finds it in the store."""
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        self.unlink(attachment)
        # So that only the lock is in the way.
        with patch.object(gc, "_horizon", lambda _cursor, _hours: ("9999-01-01", 0)):
            with self.transaction() as env:
                new = self.attach(env, raw).id
                self.assertEqual(self.collect().busy, [fname[:2]])
            self.collect()
        self.assertEqual(self.read(new), raw)

    def test_rows_that_were_committed_meanwhile_are_seen(self):
        """Pitfall 5: the isolation of Odoo's own transactions would hide them."""
        with self.transaction() as env:
            self.assertTrue(gc.try_lock(env.cr, "00"))
            fname = self.committed(random_bytes(100))[1]
            env.cr.execute("SELECT count(*) FROM ir_attachment WHERE store_fname = %s", [fname])
            self.assertEqual(env.cr.fetchone(), (1,))

    def test_long_transaction(self):
        """Pitfall 6: whoever holds no lock, but began before the mark was made, may know the object."""
        attachment, fname = self.committed(random_bytes(100))
        with self.transaction() as env:
            env.cr.execute("SELECT 1")
            self.unlink(attachment)
            self.collect()
            self.assertTrue(self.is_there(fname))
        self.assertCollected(fname)

    def test_rollback_to_a_savepoint(self):
        """It releases the lock: what was stored before it may be gone."""
        raw = random_bytes(100)
        with self.transaction() as env:
            with self.assertRaises(ZeroDivisionError), env.cr.savepoint():
                fname = self.attach(env, raw).store_fname
                raise ZeroDivisionError
            with self.transaction() as collector:
                self.assertTrue(gc.try_lock(collector.cr, fname[:2]))
                self.assertEqual(self.store.delete([fname]), {})
            attachment = self.attach(env, raw).id
            with self.transaction() as collector:
                self.assertFalse(gc.try_lock(collector.cr, fname[:2]))
        self.assertEqual(self.read(attachment), raw)

    def test_two_delete_the_same(self):
        """Pitfall 10: neither waits for the other, or fails."""
        raw = random_bytes(100)
        one, fname = self.committed(raw)
        two = self.committed(raw)[0]
        with self.transaction() as first, self.transaction() as second:
            first["ir.attachment"].browse(one).unlink()
            second["ir.attachment"].browse(two).unlink()
        self.assertCollected(fname)

    def test_reading_writes_nothing(self):
        """Pitfall 34: Odoo answers downloads in transactions that may only read."""
        raw = random_bytes(100)
        attachment = self.committed(raw)[0]
        with self.transaction() as env:
            env.cr.execute("SET TRANSACTION READ ONLY")
            self.assertEqual(env["ir.attachment"].browse(attachment).raw, raw)

    def test_grace(self):
        attachment, fname = self.committed(random_bytes(100))
        self.unlink(attachment)
        waits = ObjectStore(dataclasses.replace(self.settings, gc_grace_hours=1))
        self.collect(waits)
        self.assertTrue(self.is_there(fname))
        self.age(fname)
        # A newer mark: the last reference went a moment ago.
        self.unlink(self.committed(b"other" + random_bytes(9))[0])
        with self.transaction() as env:
            env["s3.gc.mark"]._mark(env.cr, fname)
        self.collect(waits)
        self.assertTrue(self.is_there(fname))
        self.age(fname)
        self.collect(waits)
        self.assertFalse(self.is_there(fname))

    def age(self, fname):
        """The marks of that name become older than the grace of an hour."""
        with self.transaction() as env:
            env.cr.execute("UPDATE s3_gc_mark SET marked_at = marked_at - interval '61 minutes' WHERE fname = %s", [fname])

    def ask_in_vain(self, fname, store, error):
        """Collect, and the store does not say whether it has deleted that content."""
        asked = []

        def delete(names):
            asked.extend(names)
            raise error

        self.age(fname)
        with patch.object(store, "delete", delete), mute_logger("odoo.addons.s3_attachment.engine.gc"):
            self.collect(store)
        self.assertIn(fname, asked)

    def test_deleted_too_late(self):
        """The store gave no answer, and does what it was asked to when somebody has stored the content again."""
        store = ObjectStore(dataclasses.replace(self.settings, gc_grace_hours=1))
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        self.unlink(attachment)
        self.ask_in_vain(fname, store, errors.Unavailable("no answer"))
        attachment = self.committed(raw)[0]
        # All marks are old enough, but it may still be done.
        self.age(fname)
        report = self.collect(store)
        self.assertEqual((report.restored, report.failed), (0, {}))
        self.assertEqual(store.delete([fname]), {})
        with self.assertLogs("odoo.addons.s3_attachment.engine.gc", "WARNING") as said:
            self.assertEqual(self.collect(store).restored, 1)
        self.assertIn(f"{fname} was deleted too late", said.output[0])
        self.assertEqual(self.read(attachment), raw)
        # It will not be done any more.
        with self.transaction() as env:
            env.cr.execute("UPDATE s3_gc_mark SET asked_at = asked_at - interval '61 minutes' WHERE fname = %s", [fname])
        self.collect(store)
        self.assertEqual(self.count_marks(fname), 0)
        self.unlink(attachment)
        self.assertCollected(fname)

    def test_collector_that_dies_while_the_store_is_asked(self):
        store = ObjectStore(dataclasses.replace(self.settings, gc_grace_hours=1))
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        self.unlink(attachment)
        with self.assertRaises(ZeroDivisionError):
            self.ask_in_vain(fname, store, ZeroDivisionError())
        attachment = self.committed(raw)[0]
        self.assertEqual(store.delete([fname]), {})
        with mute_logger("odoo.addons.s3_attachment.engine.gc"):
            self.assertEqual(self.collect(store).restored, 1)
        self.assertEqual(self.read(attachment), raw)
        self.unlink(attachment)

    def test_deleted_too_late_and_for_good(self):
        """What no right version is left of is told, again and again."""
        attachment, fname = self.committed(random_bytes(100))
        with self.transaction() as env:
            env.cr.execute("UPDATE s3_gc_mark SET asked_at = marked_at WHERE fname = %s", [fname])
        self.assertEqual(self.store.delete([fname]), {})
        wrong = errors.Corrupt("another SHA-1")
        for broken in ({"versions": lambda _transfer, _fname: []}, {"read": Mock(side_effect=wrong)}):
            with patch.multiple(gc.Transfer, **broken), self.assertLogs("odoo.addons.s3_attachment.engine.gc", "ERROR") as said:
                report = self.collect()
            self.assertIn("no former version is right", report.failed[fname])
            self.assertIn(f"{fname} is referred to, may have been deleted too late, and could not be had back", said.output[0])
            self.assertFalse(self.is_there(fname))
        self.unlink(attachment)

    def test_what_could_not_be_deleted_is_tried_again(self):
        """Pitfall 37: in batches, and a mark goes only with its object."""
        store = ObjectStore(dataclasses.replace(self.settings, gc_batch=3))
        found = []
        # One prefix, so that there is more than one batch.
        while len(found) < 8:
            raw = random_bytes(20)
            if hashlib.sha1(raw, usedforsecurity=False).hexdigest().startswith("a"):
                found.append(self.committed(raw))
        for attachment, _fname in found:
            self.unlink(attachment)
        self.await_ripe("a")
        sizes, real = [], store.delete

        def delete(fnames):
            sizes.append(len(fnames))
            failing = fnames[::3]
            left = [name for name in fnames if name not in failing]
            return dict.fromkeys(failing, "SlowDown") | (real(left) if left else {})

        with patch.object(store, "delete", delete):
            report = self.collect(store)
        self.assertLessEqual(max(sizes), 3)
        kept = {fname for _id, fname in found if self.is_there(fname)}
        self.assertEqual(set(report.failed) & {fname for _id, fname in found}, kept)
        self.assertTrue(kept)
        for _id, fname in found:
            self.assertEqual(self.count_marks(fname) > 0, fname in kept)
        with patch.object(store, "delete", side_effect=errors.Unavailable("gone")), mute_logger("odoo.addons.s3_attachment.engine.gc"):
            self.assertLessEqual(kept, set(self.collect(store).failed))
        for fname in kept:
            self.assertCollected(fname)
