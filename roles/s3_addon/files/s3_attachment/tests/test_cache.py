# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import os
import shutil
import tempfile
import threading
from unittest.mock import patch

from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger
from PIL import Image
from werkzeug.exceptions import ServiceUnavailable

from .. import storage
from ..engine import errors
from ..engine.store import ObjectStore
from .common import StoreCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.storage"


class CacheCase(StoreCase):
    """With a cache of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = tempfile.mkdtemp(prefix="s3-attachment-test-")
        cls.addClassCleanup(shutil.rmtree, directory)
        with_cache = {"cache_dir": os.path.join(directory, "cache"), "cache_max_bytes": 1_000_000}
        cls.settings = dataclasses.replace(cls.settings, **with_cache)
        cls.store = ObjectStore(cls.settings)
        cls.dead = ObjectStore(dataclasses.replace(cls.dead.config, **with_cache))

    def setUp(self):
        super().setUp()
        storage.cached(self.store).clear()
        self.fetched = []

        def fetch(fname, target):
            self.fetched.append(fname)
            return real(fname, target)

        real = self.store.get_to_file
        self.patch(self.store, "get_to_file", fetch)


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestCache(CacheCase, TransactionCase):
    def test_second_read(self):
        raw = random_bytes(5000)
        attachment = self.create(raw)
        fname = attachment.store_fname
        for _time in range(3):
            self.env.invalidate_all()
            self.assertEqual(attachment.raw, raw)
        self.assertEqual(attachment._file_read(fname, 10), raw[:10])
        self.assertEqual(self.fetched, [fname])
        with self.outage():
            self.env.invalidate_all()
            self.assertEqual(attachment.raw, raw)
            self.assertEqual(attachment._file_read(fname, 10), raw[:10])
        storage.cached(self.store).clear()
        with self.outage(), mute_logger(LOGGER), self.assertRaises(ServiceUnavailable):
            self.env.invalidate_all()
            attachment.raw  # noqa: B018

    def test_first_bytes_alone_are_not_kept(self):
        raw = random_bytes(5000)
        attachment = self.create(raw)
        self.assertEqual(attachment._file_read(attachment.store_fname, 10), raw[:10])
        self.assertFalse(storage.cached(self.store).holds(attachment.store_fname))

    def test_records_are_fetched_at_once(self):
        """As the thumbnails of a list: in parallel, and each once."""
        raws = [random_bytes(2000) for _number in range(20)]
        attachments = self.env["ir.attachment"].browse([self.create(raw).id for raw in raws])
        self.env.flush_all()
        together = threading.Barrier(4)  # nobody gets through alone
        real, entered = self.store.get_to_file, itertools.count()

        def fetch(fname, target):
            if next(entered) < 4:
                together.wait(60)
            return real(fname, target)

        for field, expected in (("raw", raws), ("datas", [base64.b64encode(raw) for raw in raws])):
            self.env.invalidate_all()
            with patch.object(self.store, "get_to_file", fetch):
                self.assertEqual(attachments.mapped(field), expected)
            self.assertEqual(sorted(self.fetched), sorted(attachments.mapped("store_fname")))

    def test_binary_fields_are_fetched_at_once(self):
        def image():
            file = io.BytesIO()
            Image.frombytes("RGB", (8, 8), random_bytes(8 * 8 * 3)).save(file, "PNG")
            return base64.b64encode(file.getvalue())

        partners = self.env["res.partner"].create([{"name": str(number), "image_1920": image()} for number in range(10)])
        self.env.flush_all()
        self.env.invalidate_all()
        with patch.object(storage, "prefetch", wraps=storage.prefetch) as prefetch:
            self.assertEqual(len({partner.image_128 for partner in partners}), 10)
        (names,) = (call.args[2] for call in prefetch.call_args_list)
        self.assertEqual(len(names), 10)
        self.assertEqual(set(self.fetched), set(names))

    def test_many_bytes_are_fetched_in_parts(self):
        raws = [random_bytes(100_000) for _number in range(12)]
        attachments = self.env["ir.attachment"].browse([self.create(raw).id for raw in raws])
        self.env.invalidate_all()
        with patch.object(storage, "prefetch", wraps=storage.prefetch) as prefetch:
            self.assertEqual(attachments.mapped("raw"), raws)
        # A quarter of the cache each time: two.
        self.assertEqual([len(call.args[2]) for call in prefetch.call_args_list], [2] * 6)
        self.assertEqual(len(set(self.fetched)), 12)
        # Of two that find the cache full at once, one makes room, and what the other one has is not kept.
        self.assertLessEqual(len(self.fetched), 16)
        self.assertLessEqual(storage.cached(self.store).usage().bytes, 1_000_000)

    def test_records_in_an_outage(self):
        raws = [random_bytes(100) for _number in range(10)]
        attachments = self.env["ir.attachment"].browse([self.create(raw).id for raw in raws])
        self.env.invalidate_all()
        with self.outage(), mute_logger(LOGGER), self.assertRaises(ServiceUnavailable):
            attachments.mapped("raw")
        # One that is missing does not hide the others.
        self.store._client().delete_object(Bucket=self.settings.bucket, Key=self.settings.prefix + attachments[0].store_fname)
        self.env.invalidate_all()
        self.assertEqual(attachments[1:].mapped("raw"), raws[1:])

    def test_wrong_settings_with_records(self):
        def load():
            raise errors.ConfigError("bucket is missing")

        with self.unconfigured():
            local = self.create(b"one") + self.create(b"two")
        self.env.invalidate_all()
        with patch.object(storage, "_load", load):
            self.assertEqual(local.mapped("raw"), [b"one", b"two"])


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestCachedDownload(CacheCase, HttpCase):
    def get(self, attachment, **headers):
        return self.opener.get(f"{self.base_url()}/web/content/{attachment.id}", headers=headers, allow_redirects=False, timeout=30)

    def test_download(self):
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")
        raw = random_bytes(500)
        attachment = self.create(raw)
        for _time in range(2):
            response = self.get(attachment)
            self.assertEqual((response.status_code, response.content), (200, raw))
        response = self.get(attachment, Range="bytes=100-199")
        self.assertEqual((response.status_code, response.content), (206, raw[100:200]))
        self.assertEqual(len(self.fetched), 1)
        # Whoever asks for no copy gets none: so does the proof that this host reads from the bucket.
        self.assertEqual(self.get(attachment, **{"Cache-Control": "no-cache"}).content, raw)
        self.assertEqual(len(self.fetched), 2)
        with self.outage():
            self.assertEqual(self.get(attachment).content, raw)
            with mute_logger(LOGGER):
                self.assertEqual(self.get(attachment, **{"Cache-Control": "no-cache"}).status_code, 503)
