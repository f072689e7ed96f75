# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import os
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger
from werkzeug.exceptions import InternalServerError, ServiceUnavailable

from .. import storage
from ..engine import errors
from .common import StoreCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.storage"


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestContent(StoreCase, TransactionCase):
    def marks(self, fname):
        """The committed ones, and those of this transaction."""
        with self.env.registry.cursor() as cr:
            cr.execute("SELECT count(*) FROM s3_gc_mark WHERE fname = %s", [fname])
            committed = cr.fetchone()[0]
        self.env.cr.execute("SELECT count(*) FROM s3_gc_mark WHERE fname = %s", [fname])
        return committed, self.env.cr.fetchone()[0]

    def test_create_read_write(self):
        first, second = random_bytes(5000), random_bytes(5000)
        attachment = self.create(first)
        self.assertEqual(attachment.store_fname, self.assertInStore(first))
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, first)
        self.assertEqual(attachment.file_size, 5000)
        self.assertEqual(attachment._file_read(attachment.store_fname, 10), first[:10])
        attachment.raw = second
        self.env.invalidate_all()
        self.assertEqual(attachment.store_fname, self.assertInStore(second))
        self.assertEqual(attachment.raw, second)
        self.assertInStore(first)

    def test_large(self):
        raw = random_bytes(3 * 1024 * 1024)
        attachment = self.create(raw)
        self.assertInStore(raw)
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)

    def test_same_content_is_one_object(self):
        """Pitfall 2."""
        raw = random_bytes(100)
        before = len(self._keys())
        one, two = self.create(raw), self.create(raw, name="other.txt", mimetype="text/plain")
        self.assertEqual(one.store_fname, two.store_fname)
        self.assertEqual(len(self._keys()), before + 1)
        one.unlink()
        self.env.invalidate_all()
        self.assertEqual(two.raw, raw)

    def test_content_is_not_sent_again(self):
        raw = random_bytes(100)
        attachment = self.create(raw)
        etag_before = self.store.head(attachment.store_fname)
        with patch.object(self.store, "put", wraps=self.store.put) as put:
            self.env.cr.precommit.data.clear()
            copied = attachment.copy()
        self.assertTrue(put.call_args.kwargs["ask_first"])
        self.assertEqual(copied.store_fname, attachment.store_fname)
        self.assertEqual(copied.raw, raw)
        self.assertEqual(copied.env.context, attachment.env.context)
        self.assertEqual(self.store.head(attachment.store_fname), etag_before)

    def test_rolled_back_create_leaves_a_marked_object(self):
        raw = random_bytes(100)
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            fname = self.create(raw).store_fname
            raise ZeroDivisionError
        self.assertFalse(self.env["ir.attachment"].search([("store_fname", "=", fname), ("id", "!=", 0)]))
        self.assertInStore(raw)
        self.assertEqual(self.marks(fname)[0], 1)

    def test_mark_comes_before_the_object(self):
        """Pitfall 9."""
        seen = []

        def put(fname, *arguments, **keywords):
            seen.append(self.marks(fname)[0])
            raise errors.Unavailable("gone")

        with patch.object(self.store, "put", put), mute_logger("odoo.addons.s3_attachment.models.ir_attachment"):
            self.create(b"mark first" + random_bytes(10))
        self.assertEqual(seen, [1])

    def test_unlink_marks_and_keeps_the_object(self):
        """Pitfall 1."""
        raw = random_bytes(100)
        attachment = self.create(raw)
        fname = attachment.store_fname
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            attachment.unlink()
            self.assertEqual(self.marks(fname)[1], 1)
            raise ZeroDivisionError
        self.env.invalidate_all()
        self.assertEqual(self.marks(fname)[1], 0)
        self.assertEqual(attachment.raw, raw)
        attachment.unlink()
        self.assertEqual(self.marks(fname)[1], 1)
        self.assertInStore(raw)
        self.assertFalse(os.path.exists(os.path.join(self.local_path("checklist"), fname)))

    def test_outage_of_a_write(self):
        raw = random_bytes(100)
        attachment = self.create(raw)
        fname = attachment.store_fname
        with self.outage(strict=True), mute_logger(LOGGER):
            # Not assertRaises, which rolls back: what swallows the error, as a controller of Odoo's does, goes on to commit.
            for write in (lambda: self.create(b"never", name="never.bin"), lambda: attachment.write({"raw": b"never either"})):
                raised = None
                try:
                    write()
                except UserError as error:
                    raised = error
                self.assertEqual(raised.http_status, 503)
            self.env.flush_all()
            self.env.cr.execute("SELECT count(*) FROM ir_attachment WHERE name = 'never.bin'")
            self.assertEqual(self.env.cr.fetchone(), (0,))
            self.env.cr.execute("SELECT store_fname, file_size FROM ir_attachment WHERE id = %s", [attachment.id])
            self.assertEqual(self.env.cr.fetchone(), (fname, 100))
        self.env.invalidate_all()
        self.assertEqual(attachment.store_fname, fname)
        self.assertEqual(attachment.file_size, 100)
        self.assertEqual(attachment.raw, raw)

    def test_outage_of_a_read(self):
        """Pitfall 8."""
        raw = random_bytes(100)
        attachment = self.create(raw)
        fname = attachment.store_fname
        self.env.invalidate_all()
        with self.outage(), mute_logger(LOGGER):
            for read in (lambda: attachment.raw, lambda: attachment.datas, attachment.copy, attachment._migrate):
                with self.assertRaises(ServiceUnavailable):
                    read()
        self.env.invalidate_all()
        self.assertEqual((attachment.store_fname, attachment.file_size, attachment.raw), (fname, 100, raw))

    def test_name_that_is_nowhere(self):
        attachment = self.create(random_bytes(100))
        for fname in ("ab/ab" + "0" * 38, "legacy/name"):
            self.env.cr.execute("UPDATE ir_attachment SET store_fname = %s WHERE id = %s", [fname, attachment.id])
            self.env.invalidate_all()
            with mute_logger(LOGGER), self.assertRaises(InternalServerError):
                attachment.raw  # noqa: B018

    def test_object_that_was_cut_short(self):
        raw = random_bytes(100)
        attachment = self.create(raw)
        self.store._client().put_object(Bucket=self.settings.bucket, Key=self.settings.prefix + attachment.store_fname, Body=raw[:50])
        self.env.invalidate_all()
        with mute_logger(LOGGER), self.assertRaises(InternalServerError):
            attachment.raw  # noqa: B018
        # The same content mends it when it comes again.
        self.env.cr.precommit.data.clear()
        self.create(raw)
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)

    def test_wrong_settings_are_loud(self):
        with self.unconfigured():
            local = self.create(b"written before this addon")
        attachment = self.create(random_bytes(100))
        self.env.invalidate_all()

        def load():
            raise errors.ConfigError("bucket is missing")

        with patch.object(storage, "_load", load), mute_logger(LOGGER):
            with self.assertRaises(UserError):
                self.create(b"never")
            with self.assertRaises(InternalServerError):
                attachment.raw  # noqa: B018
            self.assertEqual(local.raw, b"written before this addon")

    def test_not_configured_is_plain_odoo(self):
        raw = random_bytes(100)
        with self.unconfigured():
            attachment = self.create(raw)
            self.assertTrue(os.path.isfile(self.local_path(attachment.store_fname)))
            self.env.invalidate_all()
            self.assertEqual(attachment.raw, raw)
            fname = attachment.store_fname
            attachment.unlink()
            self.assertEqual(self.marks(fname), (0, 0))

    def test_local_file_first(self):
        raw = random_bytes(100)
        with self.unconfigured():
            attachment = self.create(raw)
        fname = attachment.store_fname
        path = self.local_path(fname)
        self.env.invalidate_all()
        with self.outage():
            self.assertEqual(attachment.raw, raw)
        self.create(raw)
        with open(path, "wb"):  # a full disk leaves empty files
            pass
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)
        attachment.unlink()
        self.assertEqual(self.marks(fname)[1], 1)
        self.assertTrue(os.path.exists(os.path.join(self.local_path("checklist"), fname)))

    def test_empty_content_asks_no_store(self):
        """Pitfall 41."""
        with self.outage():
            attachment = self.create(b"")
            copied = attachment.copy()
            self.env.invalidate_all()
            self.assertFalse(attachment.store_fname or copied.store_fname or attachment.raw)
            attachment.unlink()

    def test_name_cannot_be_set_from_outside(self):
        """Pitfall 42."""
        attachment = self.create(random_bytes(100))
        other = self.create(random_bytes(100), store_fname=attachment.store_fname)
        self.assertNotEqual(other.store_fname, attachment.store_fname)
        self.assertFalse(self.env["ir.attachment"].create({"name": "x", "store_fname": attachment.store_fname}).store_fname)

    def test_storage_is_a_filestore_to_odoo(self):
        """Pitfall 30: other words than these are not known to it."""
        attachment = self.create(random_bytes(100))
        self.assertEqual(self.env["ir.attachment"]._storage(), "file")
        before = attachment.store_fname
        self.env["ir.attachment"].force_storage()
        self.assertEqual(attachment.store_fname, before)

    def test_uninstalling_is_refused(self):
        """Pitfall 40."""
        self.create(random_bytes(100))
        module = self.env["ir.module.module"].search([("name", "=", "s3_attachment")])
        with self.assertRaisesRegex(UserError, "only in the object store"):
            module.button_uninstall()
