# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Two end points, of which the first one is gone; the second one is the store of all other tests."""

from __future__ import annotations

import dataclasses
import json
import os
from unittest.mock import patch

from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger
from werkzeug.exceptions import ServiceUnavailable

from .. import storage
from ..engine import fence, replication
from ..engine.failover import Failover, open_store
from .common import CommittedCase, StoreCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.engine.failover"
LARGE = 5000
GONE = "http://127.0.0.1:9"
TOKEN = "a-token-of-the-tests"  # noqa: S105


def broken(settings, **other):
    """Settings whose first end point nobody listens at."""
    # With time-outs as the settings have them where there are two.
    given = {"endpoint_url": GONE, "public_endpoint_url": GONE, "failover_endpoint_url": settings.endpoint_url, "read_timeout": 10, "max_attempts": 1}
    return dataclasses.replace(settings, **given, **other)


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestFailover(StoreCase, HttpCase):
    def setUp(self):
        super().setUp()
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")

    def two(self, **other):
        """The store with two end points, for the time of the test."""
        store = open_store(broken(self.settings, **other))
        self.enterContext(patch.object(storage, "_load", lambda: store))
        self.enterContext(mute_logger(LOGGER, "odoo.addons.s3_attachment.engine.log"))
        return store

    def get(self, attachment, query="", **headers):
        return self.opener.get(f"{self.base_url()}/web/content/{attachment.id}{query}", headers=headers, allow_redirects=False, timeout=30)

    def test_reading(self):
        small, large = random_bytes(500), random_bytes(LARGE)
        attachments = self.create(small) + self.create(large)
        self.env.flush_all()
        self.two()
        self.env.invalidate_all()
        self.assertEqual(attachments.mapped("raw"), [small, large])
        self.assertEqual(self.get(attachments[0]).content, small)
        link = self.get(attachments[1], "?download=1")
        self.assertEqual(link.status_code, 302)
        self.assertTrue(link.headers["Location"].startswith(self.settings.endpoint_url), link.headers["Location"])

    def test_nginx_knows_the_first_one_only(self):
        raw = random_bytes(LARGE)
        attachment = self.create(raw)
        self.two(serve_mode="x_accel")
        answer = self.get(attachment, "?download=1", **{"X-S3-Attachment-Accel": "on"})
        self.assertEqual((answer.status_code, answer.content), (200, raw))
        self.assertNotIn("X-Accel-Redirect", answer.headers)

    def test_what_neither_has_is_an_outage(self):
        attachment = self.create(random_bytes(100))
        key = self.settings.prefix + attachment.store_fname
        self.store._client().delete_object(Bucket=self.settings.bucket, Key=key)
        self.two()
        self.env.invalidate_all()
        with mute_logger("odoo.addons.s3_attachment.storage"), self.assertRaises(ServiceUnavailable):
            attachment.raw  # noqa: B018

    def test_state_is_told(self):
        attachment = self.create(random_bytes(100))
        self.two(metrics_token=TOKEN)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        page = self.env["res.config.settings"].create({})
        self.assertIn(f"is read from {self.settings.where}", page.s3_attachment_failover)
        self.env.invalidate_all()
        self.assertEqual(len(attachment.raw), 100)
        page = self.env["res.config.settings"].create({})
        self.assertIn(f"files are read from {self.settings.where}", page.s3_attachment_failover)
        health = self.opener.get(f"{self.base_url()}/s3_attachment/health", headers=headers, timeout=30)
        self.assertEqual((health.status_code, health.json()["status"], health.json()["failover"]), (200, "failover", self.settings.where))
        metrics = self.opener.get(f"{self.base_url()}/s3_attachment/metrics", headers=headers, timeout=30).text
        self.assertRegex(metrics, r's3_attachment_failovers_total\{operation="read"\} [1-9]')
        gone = dataclasses.replace(broken(self.settings, metrics_token=TOKEN), failover_endpoint_url="http://127.0.0.1:10")
        gone = open_store(gone)
        with patch.object(storage, "_load", lambda: gone):
            health = self.opener.get(f"{self.base_url()}/s3_attachment/health", headers=headers, timeout=30)
        self.assertEqual((health.status_code, health.json()["status"]), (503, "fault"))


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestFailoverWrites(CommittedCase):
    def setUp(self):
        super().setUp()
        self.committed(random_bytes(10))  # claims the prefix
        self.addCleanup(storage._fences.clear)
        self.enterContext(mute_logger(LOGGER, "odoo.addons.s3_attachment.engine.log", "odoo.addons.s3_attachment.models.ir_attachment"))

    def two(self, proved=True, **other):
        store = open_store(broken(self.settings, failover_writes="allow", **other))
        assert isinstance(store, Failover)
        name = replication._name(store.config)
        if proved:
            self.store.put_note(name, json.dumps({**replication._pair(store.config), "state": "proved"}).encode())
            self.addCleanup(self.store._client().delete_object, Bucket=self.settings.bucket, Key=self.store._note(name))
        return store, patch.object(storage, "_load", lambda: store)

    def is_there(self, fname):
        return self.settings.prefix + fname in self._keys()

    def test_owner_writes_where_replication_was_proved(self):
        """Also in a process that has never asked whose the objects are."""
        raw = random_bytes(100)
        _store, patched = self.two()
        with patched:
            attachment, fname = self.committed(raw)
            self.assertEqual(self.read(attachment), raw)
        self.assertTrue(self.is_there(fname))
        self.assertEqual(self.count_marks(fname), 1)
        with self.transaction() as env:
            self.assertFalse(env["s3.outbox"].search([("fname", "=", fname)]))

    def test_nobody_writes_without_the_proof(self):
        raw = random_bytes(100)
        _store, patched = self.two(proved=False)
        with patched:
            attachment, fname = self.committed(raw)
            self.assertEqual(self.read(attachment), raw)
        self.assertFalse(self.is_there(fname))
        with self.transaction() as env:
            self.assertTrue(env["s3.outbox"].search([("fname", "=", fname)]))
            self.assertEqual(storage.drain(env, self.store).stored, 1)

    def test_copy_never_writes(self):
        store, patched = self.two(instance_id="staging")
        before = self.versions()
        with patched:
            _attachment, fname = self.committed(random_bytes(100))
        self.assertFalse(self.is_there(fname))
        self.assertEqual(self.versions(), before)
        with self.transaction() as env:
            self.assertEqual(store.owner_in_outage(env.cr).state, fence.FOREIGN)
            waiting = storage.spool(env, store).path(fname)
            self.assertTrue(os.path.isfile(waiting))
            env.cr.execute("DELETE FROM s3_outbox WHERE fname = %s", [fname])
        os.unlink(waiting)

    def test_garbage_stays_in_an_outage(self):
        attachment, fname = self.committed(random_bytes(100))
        self.unlink(attachment)
        store, _patched = self.two(gc_grace_hours=0)
        with self.transaction() as env, self.assertRaises(storage.errors.Unavailable):
            storage.collect(env, store, 60)
        self.assertTrue(self.is_there(fname))
