# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from unittest.mock import patch

from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from .. import storage
from ..engine import errors, parts
from ..engine.store import ObjectStore
from .common import StoreCase, random_bytes

_logger = logging.getLogger(__name__)

MIB = 1024 * 1024
SIZE = 2 * parts.PART_SIZE + 5


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestLarge(StoreCase, TransactionCase):
    def test_in_parts(self):
        raw = random_bytes(SIZE)
        attachment = self.create(raw)
        self.assertTrue(attachment.s3_etag.endswith("-3"))
        fname = self.assertInStore(raw)
        self.env.cr.precommit.data.clear()
        with patch.object(parts, "upload") as upload:
            copied = attachment.copy()
        upload.assert_not_called()
        self.env.invalidate_all()
        self.assertEqual((attachment.raw, copied.store_fname), (raw, fname))
        self.assertFalse(self.unfinished(fname))

    def test_storage_class(self):
        other = ObjectStore(dataclasses.replace(self.settings, storage_class="REDUCED_REDUNDANCY"))
        with patch.object(storage, "_load", lambda: other):
            for size in (1000, SIZE):
                attachment = self.create(random_bytes(size))
                self.assertEqual((attachment.s3_storage_class, attachment.s3_bucket), ("REDUCED_REDUNDANCY", self.settings.bucket))

    def test_fault_in_the_middle(self):
        """What came is given up, and the content waits on this host as a small one does."""
        raw = random_bytes(SIZE)
        send = parts._send

        def fail(client, fname, upload_id, part):
            if part.number == 2:
                raise errors.Unavailable("gone")
            return send(client, fname, upload_id, part)

        with patch.object(parts, "_send", fail), mute_logger("odoo.addons.s3_attachment.models.ir_attachment"):
            attachment = self.create(raw)
        fname = attachment.store_fname
        self.assertFalse(self.unfinished(fname))
        self.assertEqual(self.env["s3.outbox"]._hosts(fname), ["this-host"])
        with self.assertRaises(errors.NotFound):
            self.store.head(fname)
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)
        with open(storage.spool(self.env, self.store).path(fname), "rb") as file:
            self.assertTrue(self.store.put(fname, file))
        self.assertInStore(raw)

    def test_memory(self):
        """100 MB up and down take at most 64 MiB more than with a local filestore."""
        size = 100_000_000
        self.create(random_bytes(1000))  # what is loaded once
        with self.unconfigured():
            local = self._figures(size)
        ours = self._figures(size)
        _logger.info("MiB beside a content of 100 MB, up and down: %s in the local filestore, %s in the store", local, ours)
        for here, there in zip(local, ours, strict=True):
            self.assertLessEqual(there - here, 64)

    def _figures(self, size):
        raw = random_bytes(size)
        up, attachment = self._peak(lambda: self.create(raw))
        attachment.env.invalidate_all()
        down, again = self._peak(lambda: attachment.raw)
        self.assertEqual(again, raw)
        return round(up, 1), round(down - size / MIB, 1)

    def _peak(self, act):
        """By how many MiB this process grows at most, and what came of it."""

        def resident(field):
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))

        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        before = resident("VmRSS")
        result = act()
        return resident("VmHWM") - before, result
