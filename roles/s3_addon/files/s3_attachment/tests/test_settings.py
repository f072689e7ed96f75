# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import tempfile
from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged

from .. import storage
from ..engine import errors, fence, sources
from ..engine.store import ObjectStore
from ..storage import _load as load
from .common import StoreCase, random_bytes


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestSettings(StoreCase, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(cls.env, "s3-admin", "base.group_user,base.group_system")
        cls.employee = new_test_user(cls.env, "s3-employee", "base.group_user,base.group_erp_manager")

    def setUp(self):
        super().setUp()
        # Each test finds out anew that nobody is there.
        self.dead.breaker.succeeded()

    def page(self):
        return self.env["res.config.settings"].with_user(self.admin).create({})

    def test_page_says_where_everything_comes_from(self):
        page = self.page()
        self.assertEqual(page.s3_attachment_store, self.settings.where)
        self.assertFalse(page.s3_attachment_fault)
        table = page.s3_attachment_settings
        self.assertIn(f"<tr><td>bucket</td><td>{self.settings.bucket}</td><td>{self.settings.origins['bucket']}</td></tr>", table)
        self.assertIn("<tr><td>max_attempts</td><td>3</td><td>default</td></tr>", table)
        self.assertIn(f"<td>{self.settings.access_key}</td>", table)

    def test_page_keeps_secrets(self):
        table = self.page().s3_attachment_settings
        self.assertTrue(self.settings.secret_key)
        self.assertIn("<tr><td>secret_key</td><td>********</td>", table)
        for field in ("s3_attachment_settings", "s3_attachment_store", "s3_attachment_fault"):
            self.assertNotIn(self.settings.secret_key, str(self.page()[field]))
        self.assertFalse(self.env["ir.config_parameter"].search([("value", "=", self.settings.secret_key)]))

    def test_page_opens_whatever_the_settings_are(self):
        def load():
            raise errors.ConfigError("bucket is <missing>")

        with patch.object(storage, "_load", load):
            page = self.page()
            self.assertEqual((page.s3_attachment_fault, page.s3_attachment_store), ("bucket is <missing>", False))
            self.assertEqual(self.told(page), ("danger", "bucket is <missing>"))
        with self.unconfigured():
            page = self.page()
            self.assertFalse(page.s3_attachment_fault or page.s3_attachment_store or page.s3_attachment_settings)
            self.assertEqual(self.told(page)[0], "warning")

    def test_a_new_key_needs_no_restart(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        names = ("bucket", "prefix", "endpoint_url", "region", "access_key", "secret_key", "ca_bundle", "instance_id")

        def write(**other):
            given = {name: getattr(self.settings, name) for name in names} | other
            with open(f"{folder}/new", "w", encoding="utf-8") as file:
                file.write("".join(["[s3_attachment]\n", *(f"{name} = {value}\n" for name, value in given.items())]))
            os.replace(f"{folder}/new", f"{folder}/s3_attachment.conf")

        write(access_key="no-such-key")
        watch = sources.Watch(f"{folder}/odoo.conf", {})
        with patch.object(storage, "_watch", lambda: watch), patch.object(storage, "_load", load):
            held = storage.get()
            self.assertIs(storage.get(), held)
            with self.assertRaises(errors.Denied):
                held.probe(write=False)
            write()
            # Whoever is at work with the store, a long collection say, has the new key as well.
            for store in (held, storage.get()):
                store.versioned()
            self.assertInStore(self.create(random_bytes(10)).raw)
            write(presign_ttl=1)
            with self.assertLogs("odoo.addons.s3_attachment.engine.sources", "ERROR"):
                self.assertEqual(storage.get().config.access_key, self.settings.access_key)

    def told(self, page):
        action = page.action_s3_attachment_test()
        self.assertEqual(action["tag"], "display_notification")
        self.assertNotIn(self.settings.secret_key, str(action))
        return action["params"]["type"], action["params"]["message"]

    def test_connection(self):
        page = self.page()
        kind, text = self.told(page)
        self.assertEqual((kind, "belongs to this database" in text), ("success", True))
        self.assertIn("belongs to this database", self.page().s3_attachment_owner)
        with self.outage():
            self.assertIn("has not been asked", self.page().s3_attachment_owner)
            kind, text = self.told(page)
            self.assertEqual(kind, "danger")
            self.assertIn("no complete answer", text)

    def test_connection_of_a_copy(self):
        mine = dataclasses.replace(self.settings, prefix=f"{self.settings.prefix}copied/")
        fence.claim(ObjectStore(mine), self.env.cr)
        copy = ObjectStore(dataclasses.replace(mine, instance_id="copy"))
        with patch.object(storage, "_load", lambda: copy):
            kind, text = self.told(self.page())
        self.assertEqual((kind, "belongs to the database" in text), ("warning", True))
        self.assertFalse([key for key in self._keys() if "copied/.probe/" in key], "a copy has stored something")

    def test_marks_are_counted(self):
        before = self.page().s3_attachment_marks
        self.create(random_bytes(10)).unlink()
        self.assertGreater(self.page().s3_attachment_marks, before)

    def test_outage_is_shown(self):
        self.assertFalse(self.page().s3_attachment_silent)
        before = self.page().s3_attachment_waits
        with self.outage():
            self.create(random_bytes(10))
            for _time in range(3):
                self.told(self.page())
            page = self.page()
            self.assertTrue(page.s3_attachment_silent)
            self.assertEqual(page.s3_attachment_waits, before + 1)

    def test_for_administrators_only(self):
        attachment = self.create(random_bytes(10)).with_user(self.employee)
        attachment.sudo().public = True
        for name in ("s3_bucket", "s3_etag", "s3_version_id", "s3_storage_class"):
            self.assertNotIn(name, attachment.fields_get())
            # Not attachment[name], which 18.0 allows: nobody but code on the server can do that.
            with self.assertRaises(AccessError):
                attachment.read([name])
        page = self.env["res.config.settings"].with_user(self.employee)
        self.assertNotIn("s3_attachment_settings", page.fields_get())
        with self.assertRaises(AccessError):
            page.create({})
        with self.assertRaises(AccessError):
            page.browse().action_s3_attachment_test()
        with self.assertRaises(AccessError):
            self.env["s3.gc.mark"].with_user(self.employee).search([])
        with self.assertRaises(AccessError):
            self.env["s3.gc.mark"].with_user(self.admin).create({"fname": "x", "marked_at": "2026-01-01"})
        for name in ("s3_gc_mark_menu", "s3_outbox_menu"):
            menu = self.env.ref(f"s3_attachment.{name}")
            self.assertIn(menu.id, self.env["ir.ui.menu"].with_user(self.admin)._visible_menu_ids())
            self.assertNotIn(menu.id, self.env["ir.ui.menu"].with_user(self.employee)._visible_menu_ids())
        for model, mark in (("ir.attachment", "s3_bucket"), ("res.config.settings", "action_s3_attachment_test")):
            self.assertIn(mark, self.env[model].with_user(self.admin).get_view(view_type="form")["arch"])
        self.assertNotIn("s3_bucket", self.env["ir.attachment"].with_user(self.employee).get_view(view_type="form")["arch"])

    def test_attachment_knows_its_object(self):
        attachment = self.create(random_bytes(10)).with_user(self.admin)
        head = self.store.head(attachment.store_fname)
        self.assertEqual(
            (attachment.s3_bucket, attachment.s3_etag, attachment.s3_version_id, attachment.s3_storage_class),
            (self.settings.bucket, head.etag, head.version_id, "STANDARD"),
        )
        self.assertTrue(head.etag and head.version_id)

    def test_lists_ask_for_nothing(self):
        attachments = self.create(random_bytes(10)) + self.create(random_bytes(10))
        self.env.invalidate_all()
        with patch.object(self.store, "head") as head:
            self.assertEqual([row["s3_bucket"] for row in attachments.with_user(self.admin).read(["s3_bucket"])], [False, False])
        head.assert_not_called()

    def test_form_opens_in_an_outage(self):
        attachment = self.create(random_bytes(10)).with_user(self.admin)
        self.env.invalidate_all()
        with self.outage():
            self.assertEqual(attachment.read(["name", "s3_bucket"])[0]["s3_bucket"], False)
        with self.unconfigured():
            attachment.invalidate_recordset()
            self.assertEqual(attachment.read(["name", "s3_bucket"])[0]["s3_bucket"], False)
