# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The scheduled actions that move local files; the phases themselves are tested with the engine."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
import time
from unittest.mock import patch

from odoo.addons.base.models.ir_attachment import IrAttachment
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import compat, storage
from ..engine.catalogue import PREFIXES, Catalogue
from .common import CommittedCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.models.s3_migration"


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestMigration(CommittedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A filestore of its own: that of this Odoo stays as it is.
        folder = tempfile.mkdtemp(prefix="s3-attachment-filestore-")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.classPatch(IrAttachment, "_filestore", lambda _self: os.path.join(folder, "filestore"))
        cls.classPatch(compat, "data_dir", lambda: folder)
        names = Catalogue.names
        cls.classPatch(
            Catalogue,
            "names",
            lambda self, prefixes: ({fname: size for fname, size in found.items() if fname in cls.names} for found in names(self, prefixes)),
        )

    def test_two_phases(self):
        """Pitfalls 24, 25 and 29: resumed where it stopped, rows as they were, those of fields too; the second phase waits for the first."""
        contents = [random_bytes(100) for _number in range(6)]
        with self.unconfigured(), self.transaction() as env:
            attachments = [
                self.attach(env, raw, **({"res_model": "res.partner", "res_field": "image_1920", "res_id": 1} if raw == contents[0] else {}))
                for raw in contents
            ]
            fnames = [attachment.store_fname for attachment in attachments]
        paths = [self.local_file(fname) for fname in fnames]
        self.assertTrue(all(os.path.exists(path) for path in paths))
        rows = self.rows(fnames)
        self.assertIn("the upload is not complete", self.clean())
        self.assertIn("no host of Odoo is named", self.clean())
        with patch.object(compat, "run_seconds", lambda: 0):
            self.upload()
            first = self.marks("uploaded_at")
            self.assertEqual(len(first), 1)
            self.upload()
            self.assertEqual(len(self.marks("uploaded_at")), 2)
        self.assertFalse(self.marks("verified_at"))
        self.upload()
        self.assertEqual((len(self.marks("uploaded_at")), len(self.marks("verified_at"))), (len(PREFIXES), len(PREFIXES)))
        for fname, raw in zip(fnames, contents, strict=True):
            self.assertEqual(self.store.get_bytes(fname), raw)
        before = self.versions()
        self.upload()
        self.assertEqual(self.versions(), before)
        with self.transaction() as env:
            state = storage.run_of(env, self.store).state()
        state.mark({PREFIXES[7]: {"verified_at": 1.0}})
        self.upload()
        self.assertEqual(state.read()["prefixes"][PREFIXES[7]]["verified_at"], 1.0)
        self.assertIn("the verification is older than 24 hours", self.clean())
        self.let_clean(True)
        self.upload()
        self.assertGreater(state.read()["prefixes"][PREFIXES[7]]["verified_at"], 1.0)
        # The first phase is done, and still no host has shown that it reads from the store, nor have the days gone by.
        self.assertIn("less than 14 days ago", self.clean())
        with self.transaction() as env:
            parameters = env["ir.config_parameter"].sudo()
            parameters.set_param("s3_attachment.migration_retention_days", "0.000001")
            parameters.set_param("s3_attachment.migration_hosts", "app1")
        try:
            self.assertIn("app1 has not shown", self.clean())
            with self.transaction() as env:
                database = env.cr.dbname
            proof = json.dumps({"host": "app1", "database": database, "at": time.time()}).encode()
            self.store._client().put_object(Bucket=self.settings.bucket, Key=f"{self.settings.prefix}.readers/app1", Body=proof)
            # A damaged object is no reason to remove anything.
            bad = fnames[1]
            self.store._client().put_object(Bucket=self.settings.bucket, Key=self.settings.prefix + bad, Body=b"x" * 100, Metadata={"sha1": bad[3:]})
            deadline = time.monotonic() + 60
            with mute_logger(LOGGER):
                while any(os.path.exists(path) for path in paths if path != self.local_file(bad)) and time.monotonic() < deadline:
                    with self.transaction() as env:
                        env["s3.migration"]._cron_clean()
        finally:
            self.let_clean(False)
            with self.transaction() as env:
                env["ir.config_parameter"].sudo().search([("key", "like", "s3_attachment.migration_%")]).unlink()
        self.assertEqual([fname for fname, path in zip(fnames, paths, strict=True) if os.path.exists(path)], [bad])
        self.assertEqual(self.rows(fnames), rows)
        for attachment, raw in zip(attachments, contents, strict=True):
            self.assertEqual(self.read(attachment.id), raw)

    def test_inactive_and_without_a_store(self):
        with self.transaction() as env:
            for name in ("upload", "clean"):
                self.assertFalse(env.ref(f"s3_attachment.s3_migration_{name}_cron").active)
            with self.unconfigured():
                env["s3.migration"]._cron_upload()
                env["s3.migration"]._cron_clean()

    def test_a_copy_moves_nothing(self):
        copy = storage.store.ObjectStore(dataclasses.replace(self.settings, instance_id="copy"))
        self.committed(random_bytes(10))  # which makes the original the owner
        before = self.versions()
        with patch.object(storage, "_load", lambda: copy), self.transaction() as env, self.assertLogs(LOGGER, "ERROR") as log:
            env["s3.migration"]._cron_upload()
        self.assertIn("belongs to the database", log.output[0])
        self.assertEqual(self.versions(), before)

    def let_clean(self, active):
        with self.transaction() as env:
            env.ref("s3_attachment.s3_migration_clean_cron").active = active

    def local_file(self, fname):
        return os.path.join(compat.data_dir(), "filestore", fname)

    def rows(self, fnames):
        with self.transaction() as env:
            env.cr.execute("SELECT md5(a::text) FROM ir_attachment a WHERE store_fname = ANY(%s) ORDER BY id", [fnames])
            return env.cr.fetchall()

    def upload(self):
        with self.transaction() as env:
            env["s3.migration"]._cron_upload()

    def clean(self):
        """What is in the way."""
        with self.transaction() as env, self.assertLogs(LOGGER, "WARNING") as log:
            env["s3.migration"]._cron_clean()
        return log.output[0]

    def marks(self, name):
        with self.transaction() as env:
            return {prefix for prefix, marks in storage.run_of(env, self.store).state().read()["prefixes"].items() if name in marks}
