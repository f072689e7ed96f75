# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

from odoo import fields, models


class S3Outbox(models.Model):
    """A content that waits on a host until the store can take it.

    Rows are added and taken away by SQL only (engine/outbox.py). There is no unique key: two transactions that spool the
    same content must not get into each other's way.
    """

    _name = "s3.outbox"
    _description = "Files that wait for the object store"
    _log_access = False
    _order = "id"

    fname = fields.Char("Stored name", required=True, readonly=True, index=True)
    node = fields.Char("Host", required=True, readonly=True)
    reason = fields.Char(readonly=True)
    attempts = fields.Integer(required=True, readonly=True)
    created_at = fields.Datetime(required=True, readonly=True)
    next_try = fields.Datetime(required=True, readonly=True)

    def _hosts(self, fname: str) -> list[str]:
        """The hosts on which a content waits."""
        self.env.cr.execute("SELECT DISTINCT node FROM s3_outbox WHERE fname = %s ORDER BY node", [fname])
        return [row[0] for row in self.env.cr.fetchall()]
