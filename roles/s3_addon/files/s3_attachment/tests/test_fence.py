# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Whose the objects are: the owner stores and deletes, a copy reads."""

from __future__ import annotations

import dataclasses
import json
import os
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import storage
from ..engine import errors, fence
from ..engine.store import ObjectStore
from .common import CommittedCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.storage"


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestFence(CommittedCase):
    def setUp(self):
        super().setUp()
        self.raw = random_bytes(100)
        self.attachment_id, self.fname = self.committed(self.raw)

    def other(self, **settings):
        """The store as a copy with other settings, and the same database, sees it."""
        store = ObjectStore(dataclasses.replace(self.settings, **settings))
        self.addCleanup(storage._fences.clear)
        return store, patch.object(storage, "_load", lambda: store)

    def examine(self, store):
        with self.transaction() as env:
            return fence.examine(store, env.cr)

    def assertReadsOnly(self, store):
        before = self.versions()
        with mute_logger(LOGGER):
            self.assertEqual(self.read(self.attachment_id), self.raw)
            mine = random_bytes(100)
            new, fname = self.committed(mine)
        with self.transaction() as env:
            path = env["ir.attachment"]._full_path(fname)
        self.assertTrue(os.path.isfile(path))
        self.addCleanup(os.unlink, path)
        self.assertEqual(self.read(new), mine)
        copied = self.committed(self.raw)[0]
        self.assertEqual(self.read(copied), self.raw)
        for attachment in (self.attachment_id, copied, new):
            self.unlink(attachment)
        with self.transaction() as env:
            env.cr.execute("UPDATE s3_gc_mark SET marked_at = marked_at - interval '1 day' WHERE fname = %s", [self.fname])
            self.assertRaises(fence.NotOwner, storage.collect, env, store, 60)
            with self.assertLogs("odoo.addons.s3_attachment.models.s3_gc_mark", "WARNING"):
                env["s3.gc.mark"]._gc_objects()
        self.assertEqual(self.versions(), before)

    def test_first_write_claims(self):
        note, _etag = self.store.get_note(fence.OWNER)
        found = self.examine(self.store)
        self.assertEqual((found.state, found.owner, found.weak), (fence.OURS, found.fingerprint, False))
        self.assertEqual(json.loads(note)["instance_id"], self.settings.instance_id)
        again, _etag = self.store.get_note(fence.OWNER)
        self.assertEqual(note, again)

    def test_physical_copy(self):
        """Same server, number and name; but the instance in its odoo.conf is another one. Pitfall 11."""
        store, patched = self.other(instance_id="staging", gc_grace_hours=0)
        self.assertEqual(self.examine(store).state, fence.FOREIGN)
        with patched:
            self.assertReadsOnly(store)

    def test_neutralized(self):
        """Pitfall 11: Odoo's clean-up still runs there."""
        store, patched = self.other(gc_grace_hours=0)
        with self.transaction() as env:
            env["ir.config_parameter"].set_param("database.is_neutralized", "true")
        try:
            self.assertEqual(self.examine(store).state, fence.BARRED)
            storage._fences.clear()
            with patched:
                self.assertReadsOnly(store)
            with self.transaction() as env:
                self.assertRaisesRegex(fence.NotOwner, "neutralized", fence.adopt, store, env.cr, "nobody")
        finally:
            with self.transaction() as env:
                env["ir.config_parameter"].set_param("database.is_neutralized", False)
        self.assertEqual(self.examine(store).state, fence.OURS)

    def test_only_the_database_that_is_named(self):
        with self.transaction() as env:
            uuid = env["ir.config_parameter"].get_param("database.uuid")
        self.assertEqual(self.examine(self.other(database_uuid=uuid)[0]).state, fence.OURS)
        store, patched = self.other(database_uuid="00000000-0000-0000-0000-000000000000", gc_grace_hours=0)
        self.assertEqual(self.examine(store).state, fence.BARRED)
        with patched:
            self.assertReadsOnly(store)

    def test_copy_may_refuse_new_files(self):
        _store, patched = self.other(instance_id="staging", copy_writes="refuse")
        with patched, mute_logger(LOGGER), self.assertRaisesRegex(UserError, "a copy that may only read"):
            self.committed(random_bytes(100))

    def test_adopting(self):
        store, _patched = self.other(instance_id="moved")
        first = self.examine(self.store)
        with self.transaction() as env:
            for wrong in ("nobody", first.fingerprint[:11], "0" * 64):
                with self.assertRaisesRegex(fence.NotOwner, f"the owner is {first.fingerprint[:12]}, and not {wrong}"):
                    fence.adopt(store, env.cr, wrong)
            self.assertTrue(fence.adopt(store, env.cr, first.fingerprint[:12]))
            self.assertFalse(fence.adopt(store, env.cr, first.fingerprint[:12]))
        self.assertEqual((self.examine(store).state, self.examine(self.store).state), (fence.OURS, fence.FOREIGN))
        with self.transaction() as env:
            self.assertTrue(fence.adopt(self.store, env.cr, self.examine(store).fingerprint))
        self.assertEqual(self.examine(self.store).state, fence.OURS)

    def test_two_at_once(self):
        """Of two who claim or adopt at the same moment one is told that it came too late."""
        store, _patched = self.other(prefix=f"{self.settings.prefix}free/")
        self.assertTrue(store.put_note(fence.OWNER, b"{}"))
        self.assertFalse(store.put_note(fence.OWNER, b"{ }"))
        _content, etag = store.get_note(fence.OWNER)
        self.assertTrue(store.put_note(fence.OWNER, b"{  }", replaces=etag))
        self.assertFalse(store.put_note(fence.OWNER, b"{   }", replaces=etag))
        self.assertEqual(store.get_note(fence.OWNER)[0], b"{  }")

    def test_note_that_is_none(self):
        store, patched = self.other(prefix=f"{self.settings.prefix}damaged/")
        store.put_note(fence.OWNER, b"<html>")
        self.assertRaisesRegex(errors.Denied, "not a note about the owner", self.examine, store)
        with patched, mute_logger(LOGGER), self.assertRaises(UserError):
            self.committed(random_bytes(100))
