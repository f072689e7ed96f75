# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import io
import zipfile

from odoo.service import db
from odoo.tests import common, tagged
from odoo.tools import config

from .. import backup
from .common import CommittedCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.backup"


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestBackup(CommittedCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(config.__setitem__, "list_db", config["list_db"])
        config["list_db"] = True

    def test_zip_of_the_database_manager(self):
        """Pitfall 39: it has the row and not the file, and says so."""
        core = db.dump_db
        self.assertEqual(core.__module__, backup.__name__)
        backup.warn()  # as when the addon is loaded again: it is said once
        self.assertIs(db.dump_db, core)
        fname = self.committed(random_bytes(100))[1]
        made = io.BytesIO()
        with self.assertLogs(LOGGER, "WARNING") as logs:
            db.dump_db(common.get_db_name(), made)
        self.assertEqual(len(logs.output), 1)
        self.assertIn(f"without the files that are in {self.settings.where} only: back up the bucket as well, after the database", logs.output[0])
        with zipfile.ZipFile(made) as archive:
            self.assertIn(fname.encode(), archive.read("dump.sql"))
            self.assertNotIn(f"filestore/{fname}", archive.namelist())
        with self.unconfigured(), self.assertNoLogs(LOGGER):
            db.dump_db(common.get_db_name(), io.BytesIO())
