# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

from odoo import fields, models

from .. import storage
from ..engine import keys
from ..engine.errors import StoreError


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    # Not stored: they are the object's, which many attachments may share, and a write here would be one more reason for
    # two transactions to get into each other's way.
    s3_bucket = fields.Char("Bucket", compute="_compute_s3_object", groups="base.group_system", exportable=False)
    s3_etag = fields.Char("ETag", compute="_compute_s3_object", groups="base.group_system", exportable=False)
    s3_version_id = fields.Char("Version", compute="_compute_s3_object", groups="base.group_system", exportable=False)
    s3_storage_class = fields.Char("Storage class", compute="_compute_s3_object", groups="base.group_system", exportable=False)

    def _compute_s3_object(self):
        self.update(dict.fromkeys(("s3_bucket", "s3_etag", "s3_version_id", "s3_storage_class"), False))
        store = storage.get(self.env)
        # Each costs a request, so nobody gets them for a list by the way.
        if len(self) != 1 or store is None or not self.store_fname or not keys.is_name(self.store_fname) or self._s3_is_local(self.store_fname):
            return
        try:
            head = store.head(self.store_fname)
        except StoreError:
            # The form of an attachment must open all the more when something is wrong with its content.
            return
        self.s3_bucket = store.config.of(self.store_fname).bucket
        self.s3_etag = head.etag
        self.s3_version_id = head.version_id
        self.s3_storage_class = head.storage_class
