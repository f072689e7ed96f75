# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import dataclasses
import gzip
import secrets
from unittest.mock import patch

from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger

from .. import http_stream, storage
from ..engine.store import ObjectStore
from .common import StoreCase, random_bytes


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestGzip(StoreCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = cls.store
        cls.store = ObjectStore(dataclasses.replace(cls.settings, gzip="text", gzip_min_size=100))
        # As if everybody had had the time to notice that something may be compressed.
        cls.store.put_note("gzip", b'{"since": 0}')

    def setUp(self):
        super().setUp()
        # Whatever the administrator's password is here.
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")
        self.text = "".join(f"{number};Wörter, die wiederkommen;{secrets.token_hex(8)}\n" for number in range(1000)).encode()

    def get(self, attachment, method="GET", **headers):
        return self.opener.request(method, f"{self.base_url()}/web/content/{attachment.id}?download=1", headers=headers, allow_redirects=False, timeout=30)

    def read_by(self, **settings):
        """From now on all is read with these settings."""
        store = ObjectStore(dataclasses.replace(self.settings, **settings))
        self.startPatcher(patch.object(storage, "_load", lambda: store))

    def assertPlain(self, attachment, text):
        """Pitfall 35: for every reader, of all of it and of a part, whoever sends downloads."""
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, text)
        self.assertEqual(attachment._file_read(attachment.store_fname, 100), text[:100])
        for serve_mode in ("redirect", "x_accel", "proxy"):
            self.read_by(serve_mode=serve_mode)
            accelerated = {http_stream._ACCEL_HEADER: "on"}
            whole = self.get(attachment, **accelerated)
            self.assertEqual((whole.status_code, whole.content), (200, text))
            self.assertNotIn("X-Accel-Redirect", whole.headers)
            part = self.get(attachment, Range="bytes=0-99", **accelerated)
            self.assertEqual((part.status_code, part.content), (206, text[:100]))
            head = self.get(attachment, "HEAD", **accelerated)
            self.assertEqual((head.status_code, head.headers["Content-Length"]), (200, str(len(text))))

    def test_text(self):
        attachment = self.create(self.text, name="words.csv", mimetype="text/csv")
        found = self.store._client().get_object(Bucket=self.settings.bucket, Key=self.settings.prefix + attachment.store_fname)
        self.assertEqual((found["ContentEncoding"], gzip.decompress(found["Body"].read())), ("gzip", self.text))
        self.assertEqual((attachment.file_size, attachment.checksum), (len(self.text), attachment.store_fname[3:]))
        copied = attachment.copy()
        self.assertEqual(copied.store_fname, attachment.store_fname)
        self.assertPlain(attachment, self.text)
        # The same bytes under another name and type.
        self.read_by(gzip="text")
        self.assertPlain(self.create(self.text, name="words.pdf", mimetype="application/pdf"), self.text)

    def test_what_waited(self):
        with self.outage(), mute_logger("odoo.addons.s3_attachment.models.ir_attachment"):
            attachment = self.create(self.text, name="words.txt", mimetype="text/plain")
        with open(storage.spool(self.env, self.store).path(attachment.store_fname), "rb+") as file:
            self.assertTrue(self.store.put(attachment.store_fname, file, ask_first=True))
            file.truncate(0)
        self.env.invalidate_all()
        with patch.object(type(storage.spool(self.env, self.store)), "path", lambda _spool, _fname: "/nowhere"):
            self.assertPlain(attachment, self.text)

    def test_all_else_goes_to_the_store_as_ever(self):
        attachment = self.create(random_bytes(5000))
        self.assertFalse(self.store.head(attachment.store_fname).packed)
        self.assertEqual(self.get(attachment).status_code, 302)

    def test_outage(self):
        """Nobody is sent to a store that may be back by then, and would send what is compressed; but where nothing ever was."""
        attachment = self.create(self.text)
        for setting, known, status in (("text", False, 503), ("none", True, 503), ("none", False, 302)):
            with self.subTest(setting=setting, known=known):
                gone = ObjectStore(dataclasses.replace(self.settings, gzip=setting, endpoint_url="http://127.0.0.1:9", max_attempts=1))
                gone._notice._since = 0 if known else None
                with patch.object(storage, "_load", lambda gone=gone: gone), mute_logger("odoo.addons.s3_attachment.storage", "odoo.http"):
                    self.assertEqual(self.get(attachment).status_code, status)
