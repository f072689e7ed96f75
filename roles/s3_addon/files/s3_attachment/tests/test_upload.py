# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import dataclasses
import io
import json
import os
import tempfile
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.http import Request
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger
from PIL import Image
from werkzeug.datastructures import FileStorage

from .. import storage, upload
from ..engine.store import ObjectStore
from .common import StoreCase, random_bytes

MIB = 1024 * 1024
LARGE = MIB  # what the web server puts on the disk
COMPARED = ("name", "mimetype", "file_size", "checksum", "store_fname", "db_datas", "res_model", "res_id", "type")


class LargeCase(StoreCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = dataclasses.replace(cls.settings, multipart_threshold=LARGE)
        cls.store = ObjectStore(cls.settings)
        cls.dead, cls.dead_strict = (ObjectStore(dataclasses.replace(store.config, multipart_threshold=LARGE)) for store in (cls.dead, cls.dead_strict))

    def bodies(self):
        """What is handed to the store, as the list that it becomes."""
        seen, put = [], ObjectStore.put

        def watched(store, fname, body, *arguments, **keywords):
            seen.append(body)
            return put(store, fname, body, *arguments, **keywords)

        self.startPatcher(patch.object(ObjectStore, "put", watched))
        return seen


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestUpload(LargeCase, TransactionCase):
    def upload(self, raw, name="file.bin", mimetype="GUESS", **values):
        with tempfile.TemporaryFile() as file:
            file.write(raw)
            file.seek(0)
            return self.env["ir.attachment"]._from_request_file(FileStorage(file, filename=name, content_type="text/plain"), mimetype=mimetype, **values)

    @mute_logger("odoo.tools.mimetypes", "odoo.tools.mimetypes.guess_mimetype")
    def test_same_as_from_memory(self):
        """Of names and beginnings that say a type, that do not, and of one that is a danger."""
        bodies = self.bodies()
        beginnings = (b"%PDF-1.7\n", b"PK\x03\x04", b"\x00\x01", b"<svg xmlns='http://www.w3.org/2000/svg'>", b"plain text\n")
        for beginning in beginnings:
            for name, mimetype in (("file", "GUESS"), ("file.docx", "GUESS"), ("file.html", "TRUST"), ("file", "image/x-icon")):
                raw = beginning + random_bytes(LARGE)
                large = self.upload(raw, name, mimetype, res_model="res.partner", res_id=self.env.user.partner_id.id)
                self.assertFalse(isinstance(bodies[-1], bytes))
                with patch.object(upload, "map_when_large"), patch("odoo.addons.s3_attachment.models.ir_attachment.map_when_large"):
                    plain = self.upload(raw, name, mimetype, res_model="res.partner", res_id=self.env.user.partner_id.id)
                self.assertEqual([large[field] for field in COMPARED], [plain[field] for field in COMPARED])
                self.assertInStore(raw)
                self.env.invalidate_all()
                self.assertEqual(large.raw, raw)

    def test_small_is_read(self):
        bodies = self.bodies()
        attachment = self.upload(b"x" * (LARGE - 1))
        self.assertTrue(isinstance(bodies[-1], bytes))
        self.assertEqual(attachment.file_size, LARGE - 1)

    def test_image_is_made_smaller_all_the_same(self):
        noise = Image.frombytes("RGB", (2000, 500), os.urandom(3 * 2000 * 500))
        file = io.BytesIO()
        noise.save(file, "PNG")
        raw = file.getvalue()
        self.assertGreater(len(raw), LARGE)
        attachment = self.upload(raw, "photo.png")
        self.env.invalidate_all()
        self.assertEqual(Image.open(io.BytesIO(attachment.raw)).size, (1920, 480))

    def test_nothing_of_it_is_indexed(self):
        attachment = self.upload(b"words " * LARGE, "words.txt", "TRUST")
        self.assertFalse(attachment.index_content)

    def test_route_of_the_store(self):
        with_route = ObjectStore(dataclasses.replace(self.settings, routes=(("media", self.settings.placement()),)))
        self.startPatcher(patch.object(storage, "_load", lambda: with_route))
        self.env["s3.route"].create({"name": "media", "code": "media", "min_size": LARGE})
        attachment = self.upload(random_bytes(LARGE))
        self.assertEqual(attachment.store_fname, f"{attachment.checksum[:2]}/{attachment.checksum}-media")
        self.assertEqual(with_route.head(attachment.store_fname).size, LARGE)

    def test_outage(self):
        raw = random_bytes(LARGE)
        with self.outage(), mute_logger("odoo.addons.s3_attachment.models.ir_attachment"):
            attachment = self.upload(raw)
        path = Path(storage.spool(self.env, self.store).path(attachment.store_fname))
        self.assertEqual(path.read_bytes(), raw)
        self.assertEqual(self.env["s3.outbox"]._hosts(attachment.store_fname), ["this-host"])
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)
        with self.outage(strict=True), mute_logger("odoo.addons.s3_attachment.storage"), self.assertRaises(UserError):
            self.upload(random_bytes(LARGE))

    def test_copy_of_the_database(self):
        """It keeps new files itself."""
        raw = random_bytes(LARGE)
        self.startPatcher(patch.object(storage, "may_write", lambda *_arguments: False))
        bodies = self.bodies()
        attachment = self.upload(raw)
        path = Path(self.local_path(attachment.store_fname))
        self.addCleanup(path.unlink)
        self.assertFalse(bodies)
        self.assertEqual(path.read_bytes(), raw)
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)

    def test_without_a_store(self):
        """A store that is no longer configured while a file comes, and attachments in the database."""
        raw = random_bytes(LARGE)
        with tempfile.TemporaryFile() as file:
            file.write(raw)
            mapped = upload.Upload(file)
        with self.unconfigured():
            attachment = self.create(mapped)
            self.addCleanup(Path(self.local_path(attachment.store_fname)).unlink)
            self.env.invalidate_all()
            self.assertEqual(attachment.raw, raw)
        self.env["ir.config_parameter"].set_param("ir_attachment.location", "db")
        attachment = self.create(mapped)
        self.env.invalidate_all()
        self.assertEqual((attachment.store_fname, attachment.raw), (False, raw))

    def test_memory(self):
        """100 MB take at most 64 MiB."""
        self.upload(random_bytes(LARGE))  # what is loaded once
        with tempfile.TemporaryFile() as file:
            for _number in range(100):
                file.write(random_bytes(1_000_000))
            file.seek(0)
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = self.resident("VmRSS")
            attachment = self.env["ir.attachment"]._from_request_file(FileStorage(file, filename="file.bin"), mimetype="GUESS")
            grown = self.resident("VmHWM") - before
        self.assertEqual(attachment.file_size, 100_000_000)
        self.assertLessEqual(grown, 64)

    def resident(self, field):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestUploadRoutes(LargeCase, HttpCase):
    def setUp(self):
        super().setUp()
        # Whatever the administrator's password is here.
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system,base.group_partner_manager", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")

    def post(self, path, files, **data):
        return self.opener.post(
            self.base_url() + path, data={"csrf_token": Request.csrf_token(self), **data}, files=[("ufile", file) for file in files], timeout=60
        )

    def test_upload(self):
        bodies = self.bodies()
        raws = [random_bytes(LARGE + number) for number in range(2)] + [b"small"]
        partner = self.env.user.partner_id
        answer = self.post("/web/binary/upload_attachment", [("file.bin", raw) for raw in raws], model="res.partner", id=str(partner.id))
        found = json.loads(answer.text)
        self.assertEqual([one["size"] for one in found], [len(raw) for raw in raws])
        self.assertEqual([isinstance(body, bytes) for body in bodies], [False, False, True])
        for one, raw in zip(found, raws, strict=True):
            attachment = self.env["ir.attachment"].browse(one["id"])
            self.assertEqual((attachment.raw, attachment.res_id, attachment.mimetype), (raw, partner.id, one["mimetype"]))
            self.assertInStore(raw)

    def test_upload_to_a_discussion(self):
        self.assertIn("mail.thread", self.env)
        bodies = self.bodies()
        raw = random_bytes(LARGE)
        partner = self.env.user.partner_id
        self.post("/mail/attachment/upload", [("file.bin", raw)], thread_model="res.partner", thread_id=str(partner.id)).raise_for_status()
        attachment = self.env["ir.attachment"].search([("res_model", "=", "res.partner"), ("res_id", "=", partner.id)], order="id desc", limit=1)
        self.assertEqual(attachment.raw, raw)
        self.assertFalse(isinstance(bodies[-1], bytes))
