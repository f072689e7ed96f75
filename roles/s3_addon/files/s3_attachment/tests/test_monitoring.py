# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import dataclasses
import re
from unittest.mock import patch

from odoo.tests import HttpCase, tagged

from .. import storage
from ..engine import errors
from ..engine.store import ObjectStore
from .common import StoreCase, random_bytes

TOKEN = "a-token-of-the-tests"  # noqa: S105


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestMonitoring(StoreCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.store = ObjectStore(dataclasses.replace(cls.settings, metrics_token=TOKEN))
        cls.dead = ObjectStore(dataclasses.replace(cls.dead.config, metrics_token=TOKEN))

    def ask(self, page, token=TOKEN):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.opener.get(f"{self.base_url()}/s3_attachment/{page}", headers=headers, timeout=30)

    def read(self, series):
        response = self.ask("metrics")
        self.assertEqual(response.status_code, 200)
        self.assertTrue(response.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        (found,) = re.findall(rf"^s3_attachment_{re.escape(series)} (\S+)$", response.text, re.MULTILINE)
        return float(found)

    def test_operations_are_counted(self):
        series = ['operations_total{operation="store",outcome="ok"}', 'bytes_total{direction="sent"}', 'bytes_total{direction="received"}']
        before = [self.read(name) for name in series]
        attachment = self.create(random_bytes(1234))
        self.env.invalidate_all()
        self.assertEqual(len(attachment.raw), 1234)
        stored, sent, received = (self.read(name) - count for name, count in zip(series, before, strict=True))
        self.assertEqual((stored >= 1, sent >= 1234, received >= 1234), (True, True, True))
        failed = 'operations_total{operation="read",outcome="Unavailable"}'
        count = self.read(failed)
        with self.assertRaises(errors.Unavailable):
            self.dead.get_bytes(attachment.store_fname)
        self.assertEqual(self.read(failed), count + 1)

    def test_last_audit(self):
        """Only an audit that came to its end counts; the one that is running tells nothing yet."""
        self.env["s3.audit"].search([]).unlink()
        self.assertNotIn("audit", self.ask("metrics").text)
        self.env["s3.audit"].create({"state": "done", "ended_at": "2026-01-02 03:04:05", "missing": 3, "orphans_bucket": 2})
        self.env["s3.audit"].create({"missing": 1})
        self.env.flush_all()
        self.assertEqual([self.read(f'audit_findings{{kind="{kind}"}}') for kind in ("missing", "checksum", "orphans_bucket")], [3, 0, 2])
        self.assertEqual(self.read("audit_ended_seconds"), 1767323045)

    def test_health(self):
        response = self.ask("health")
        self.assertEqual((response.status_code, response.json()), (200, {"status": "ok", "store": self.settings.where}))
        with self.outage():
            response = self.ask("health")
        self.assertEqual((response.status_code, response.json()["status"]), (503, "fault"))
        self.assertIn("no complete answer", response.json()["fault"])
        self.assertNotIn(self.settings.secret_key, response.text)
        self.assertNotIn("Set-Cookie", response.headers)

    def test_nobody_else(self):
        def load():
            raise errors.ConfigError("bucket is missing")

        for page in ("metrics", "health"):
            for token in ("", "wrong", TOKEN[:-1], TOKEN + "x"):
                self.assertEqual(self.ask(page, token).status_code, 404, (page, token))
            for without in (lambda: ObjectStore(self.settings), lambda: None, load):
                with patch.object(storage, "_load", without):
                    for token in ("", TOKEN):
                        self.assertEqual(self.ask(page, token).status_code, 404, page)
