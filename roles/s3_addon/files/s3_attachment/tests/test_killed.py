# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""A worker that is killed at a named point: nothing is lost, nothing is in the way, and what it left is collected later.

The worker is a fork of this process, as those of Odoo's server are, with connections of its own. At the point it sends itself
SIGKILL: no handler runs, nothing is rolled back, closed or removed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import shutil
import signal
import tempfile
from unittest.mock import patch

from odoo import sql_db
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import storage
from ..engine import gc, outbox, parts
from ..engine.store import ObjectStore
from .common import CommittedCase, random_bytes

_logger = logging.getLogger(__name__)


def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner, name):
    """Die where this is called."""
    return patch.object(owner, name, die)


def after(owner, name, counts=lambda *_arguments: True):
    """Die where this has been called, or the first call of it that counts."""
    real = getattr(owner, name)

    def call(*arguments, **named):
        result = real(*arguments, **named)
        if counts(*arguments):
            die()
        return result

    return patch.object(owner, name, call)


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestKilled(CommittedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cache = tempfile.mkdtemp(prefix="s3-attachment-test-")
        cls.addClassCleanup(shutil.rmtree, cache)
        cls.settings = dataclasses.replace(
            cls.settings,
            gc_grace_hours=0,
            gc_batch=2,
            cache_dir=os.path.join(cache, "cache"),
            cache_max_bytes=100_000_000,
            multipart_threshold=parts.PART_SIZE,
        )
        cls.store = ObjectStore(cls.settings)
        cls.dead = ObjectStore(dataclasses.replace(cls.settings, endpoint_url="http://127.0.0.1:9", max_attempts=1))

    def setUp(self):
        super().setUp()
        self.raw = random_bytes(100)
        self.fname = self.name_of(self.raw)
        # Somebody else's file, which nothing of this may touch; and it claims the prefix.
        self.bystander, self.bystander_raw = None, random_bytes(100)
        self.bystander = self.committed(self.bystander_raw)[0]

    def tearDown(self):
        storage.cached(self.store).clear()
        self.assertEqual(self.read(self.bystander), self.bystander_raw)
        super().tearDown()

    def name_of(self, raw):
        sha1 = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        self.names.add(f"{sha1[:2]}/{sha1}")
        return f"{sha1[:2]}/{sha1}"

    def killed(self, point, work):
        """Let a worker do that, and die at that point. A worker that does not get there fails the test."""
        pid = os.fork()
        if not pid:
            try:
                # The parent's connections are the parent's.
                sql_db._Pool = None
                with point:
                    work()
            except BaseException:
                _logger.exception("a worker that was to be killed")
            finally:
                os._exit(1)
        status = os.waitpid(pid, 0)[1]
        self.assertTrue(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"it did not get to the point: {status}")
        # PostgreSQL notices by itself, and then its locks are gone.
        for prefix in {name[:2] for name in self.names}:
            self.eventually(lambda prefix=prefix: self.unlocked(prefix))

    def unlocked(self, prefix):
        with self.transaction() as env:
            return gc.try_lock(env.cr, prefix)

    def write(self):
        self.committed(self.raw)

    def write_in_an_outage(self):
        with self.outage():
            self.committed(self.raw)

    def collect(self):
        with self.transaction() as env:
            return storage.collect(env, self.store, 60)

    def drain(self):
        with self.transaction() as env:
            return storage.drain(env, self.store)

    def spooled_files(self):
        with self.transaction() as env:
            return [name for _prefix, names in storage.spool(env, self.store).files() for name in names]

    def is_there(self, fname):
        return self.settings.prefix + fname in self._keys()

    def rows(self, fname):
        with self.transaction() as env:
            env.cr.execute("SELECT count(*) FROM ir_attachment WHERE store_fname = %s", [fname])
            return env.cr.fetchone()[0]

    def assertStoresAgain(self):
        """Whoever does the same again has no trouble with what is left."""
        attachment = self.committed(self.raw)[0]
        self.assertEqual(self.read(attachment), self.raw)
        self.collect()
        self.assertEqual(self.read(attachment), self.raw)
        self.unlink(attachment)
        self.assertCollected(self.fname)

    # -- a write --------------------------------------------------------------------------------------------------------

    def test_after_the_mark(self):
        """Pitfall 9: the mark is there before the object, and goes as there is none."""
        self.killed(before(self.store, "put"), self.write)
        self.assertEqual((self.is_there(self.fname), self.rows(self.fname), self.count_marks(self.fname)), (False, 0, 1))
        self.assertCollected(self.fname)
        self.assertStoresAgain()

    def test_after_the_upload(self):
        """Pitfall 9: the object is there and nothing refers to it."""
        self.killed(after(self.store, "put"), self.write)
        self.assertEqual((self.is_there(self.fname), self.rows(self.fname), self.count_marks(self.fname)), (True, 0, 1))
        self.assertCollected(self.fname)
        self.assertStoresAgain()

    def test_after_the_commit(self):
        self.killed(after(self, "committed"), self.write)
        self.assertEqual(self.rows(self.fname), 1)
        self.eventually(lambda: self.collect() and not self.count_marks(self.fname))
        with self.transaction() as env:
            attachment = env["ir.attachment"].search([("store_fname", "=", self.fname)])
            self.assertEqual(attachment.raw, self.raw)
            attachment.unlink()
        self.assertCollected(self.fname)

    def test_in_the_middle_of_a_large_upload(self):
        """Its parts are no object, and do not keep the content from being stored."""
        self.raw = random_bytes(parts.PART_SIZE + 5)
        self.fname = self.name_of(self.raw)
        self.killed(after(parts, "_send"), self.write)
        self.assertEqual((self.is_there(self.fname), self.rows(self.fname)), (False, 0))
        unfinished = self.unfinished(self.fname)
        self.assertEqual(len(unfinished), 1)
        self.assertStoresAgain()
        for upload in unfinished:
            self.store._client().abort_multipart_upload(Bucket=self.settings.bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    # -- garbage collection ---------------------------------------------------------------------------------------------

    def garbage(self, count):
        """So many contents with one prefix that nothing refers to, and one that something does."""
        found = []
        while len(found) <= count:
            raw = random_bytes(20)
            if hashlib.sha1(raw, usedforsecurity=False).hexdigest().startswith("0f"):
                found.append((raw, *self.committed(raw)))
        kept = found.pop()
        # So that the first batch is of these, whatever else has been marked and wherever the one that stays is in their order.
        with self.transaction() as env:
            env.cr.execute("DELETE FROM s3_gc_mark WHERE fname LIKE '0f/%'")
        for _raw, attachment, _fname in found:
            self.unlink(attachment)
        # Until nothing older is open: then the collector begins with them.
        self.await_ripe("0f/")
        return found, kept

    def collection_killed(self, point):
        """Kill the collector where that is, and look at what is left; return what was deleted."""
        garbage, (raw, attachment, fname) = self.garbage(5)
        self.killed(point, self.collect)
        deleted = [name for _raw, _id, name in garbage if not self.is_there(name)]
        for _raw, _id, name in garbage:
            self.assertTrue(self.count_marks(name), "what was not done to the end is forgotten")
        self.assertEqual(self.read(attachment), raw)
        # What was deleted can come again before the marks are gone, and then it stays.
        for again, _id, name in garbage[:1]:
            back = self.committed(again)[0]
            self.eventually(lambda name=name: self.collect() and not self.count_marks(name))
            self.assertEqual(self.read(back), again)
        for _raw, _id, name in garbage[1:]:
            self.assertCollected(name)
        self.assertEqual(self.read(attachment), raw)
        self.assertTrue(self.is_there(fname))
        return deleted

    def test_before_a_deletion(self):
        self.assertEqual(self.collection_killed(before(self.store, "delete")), [])

    def test_after_a_deletion_before_its_marks_go(self):
        self.assertEqual(len(self.collection_killed(after(self.store, "delete", lambda names: names[0].startswith("0f/")))), 2)

    # -- the outbox -----------------------------------------------------------------------------------------------------

    @mute_logger("odoo.addons.s3_attachment.models.ir_attachment")
    def test_before_the_spooled_file_is_complete(self):
        self.killed(before(outbox.os, "fsync"), self.write_in_an_outage)
        self.assertEqual((self.rows(self.fname), len(self.spooled_files())), (0, 1))
        self.eventually(lambda: self.drain() and not self.spooled_files())
        self.assertFalse(self.is_there(self.fname))
        self.assertStoresAgain()

    @mute_logger("odoo.addons.s3_attachment.models.ir_attachment")
    def test_after_the_spooled_file_before_its_row_is_committed(self):
        self.killed(after(outbox.Spool, "put"), self.write_in_an_outage)
        self.assertEqual((self.rows(self.fname), self.spooled_files()), (0, [self.fname[3:]]))
        self.eventually(lambda: self.drain() and not self.spooled_files())
        self.assertFalse(self.is_there(self.fname))
        self.assertStoresAgain()

    @mute_logger("odoo.addons.s3_attachment.models.ir_attachment")
    def test_after_a_spooled_write_is_committed(self):
        self.killed(after(self, "committed"), self.write_in_an_outage)
        self.assertWaits()
        self.assertDrained()

    def spooled(self):
        with mute_logger("odoo.addons.s3_attachment.models.ir_attachment"):
            self.write_in_an_outage()

    def assertWaits(self):
        self.assertEqual((self.rows(self.fname), self.spooled_files()), (1, [self.fname[3:]]))
        self.assertReadable()

    def assertReadable(self):
        with self.transaction() as env:
            self.assertEqual(env["ir.attachment"].search([("store_fname", "=", self.fname)]).raw, self.raw)

    def assertDrained(self):
        self.eventually(lambda: self.drain() and not self.spooled_files())
        self.assertEqual(self.store.get_bytes(self.fname), self.raw)
        with self.transaction() as env:
            self.assertEqual(env["s3.outbox"]._hosts(self.fname), [])
        self.assertReadable()

    def test_after_the_upload_of_a_spooled_file(self):
        """Its row says that it waits, and it is stored: the next run finds that out."""
        self.spooled()
        self.killed(after(self.store, "put"), self.drain)
        self.assertTrue(self.is_there(self.fname))
        self.assertWaits()
        with self.transaction() as env:
            self.assertEqual(env["s3.outbox"]._hosts(self.fname), ["this-host"])
        self.assertDrained()

    def test_after_the_row_before_the_spooled_file_goes(self):
        self.spooled()
        self.killed(before(outbox, "_sweep"), self.drain)
        self.assertTrue(self.is_there(self.fname))
        self.assertWaits()
        self.assertDrained()

    def test_between_head_and_unlink(self):
        """What is referred to without a row of the outbox is looked up before its file goes."""
        self.spooled()
        with self.transaction() as env:
            env.cr.execute("DELETE FROM s3_outbox WHERE fname = %s", [self.fname])
        self.killed(before(outbox.os, "unlink"), self.drain)
        self.assertTrue(self.is_there(self.fname))
        self.assertWaits()
        self.assertDrained()

    # -- the cache ------------------------------------------------------------------------------------------------------

    def test_while_the_cache_is_filled(self):
        attachment = self.committed(self.raw)[0]
        cache = storage.cached(self.store)
        for point in (before(type(cache), "_take"), before(os, "replace"), after(os, "replace")):
            with self.subTest(point=point.attribute):
                cache.clear()
                self.killed(point, lambda: self.read(attachment))
                self.assertEqual(self.read(attachment), self.raw)
                self.assertTrue(cache.holds(self.fname))
                with self.outage():
                    self.assertEqual(self.read(attachment), self.raw)
        unfinished = os.path.join(self.settings.cache_dir, "unfinished")
        left = os.listdir(unfinished)
        self.assertEqual(len(left), 2)
        for name in left:
            os.utime(os.path.join(unfinished, name), (0, 0))
        cache.evict()
        self.assertEqual(os.listdir(unfinished), [])
