# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Writers, copiers, deleters, rollbacks and the collector at once, looked at after every commit.

At the end alone a loss would hardly show: whoever stores the same content later mends it.
S3_ATTACHMENT_STRESS_SECONDS says for how long (15).
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import os
import random
import threading
import time

from odoo.modules.registry import DummyRLock, Registry
from odoo.tests import tagged

from .. import storage
from ..engine import errors
from ..engine.store import ObjectStore
from .common import CommittedCase

_logger = logging.getLogger(__name__)

SECONDS = float(os.environ.get("S3_ATTACHMENT_STRESS_SECONDS", "15"))
# A writer has two connections: it takes --db_maxconn=32.
WRITERS, CONTENTS = 6, 16


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

    def collector(self):
        while time.monotonic() < self.stop:
            with self.transaction() as env:
                report = storage.collect(env, self.store, 60)
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
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _logger.info("Stress for %s s: %s, lost %s", SECONDS, dict(self.counts), len(self.lost))
        self.assertEqual(failures, [])
        self.assertEqual(len(self.lost), 0)
        self.assertGreater(self.counts["deleted"], CONTENTS)
        with self.transaction() as env:
            for attachment in env["ir.attachment"].browse(self.alive):
                self.assertIn(attachment.raw, self.contents)
