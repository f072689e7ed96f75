# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import logging

from odoo import api, fields, models, tools

from .. import storage
from ..engine.errors import StoreError

_logger = logging.getLogger(__name__)

# How long one run of Odoo's daily clean-up may take, in seconds; the rest is for the next one, or the timer on the host.
_RUN_LASTS = 300


class S3GcMark(models.Model):
    """A name whose object may have become garbage.

    Rows are added by SQL, and changed by nobody but the collector. There is no unique key: two transactions that mark the same name
    must not get into each other's way. Whether the object really is garbage is found out by whoever collects it.
    """

    _name = "s3.gc.mark"
    _description = "Possible garbage in the object store"
    _log_access = False

    fname = fields.Char("Stored name", required=True, readonly=True)
    marked_at = fields.Datetime(required=True, readonly=True)
    asked_at = fields.Datetime("Deletion asked for", readonly=True)

    def init(self):
        # IF NOT EXISTS locks the table before it looks. This runs whenever a module is installed that extends all models, and what that one
        # writes then would wait for its own lock, as marks are made in a transaction of their own.
        if tools.sql.index_exists(self.env.cr, "s3_gc_mark_collect_idx"):
            return
        # In the order in which the collector goes through them, whatever the database's collation is.
        self.env.cr.execute('CREATE INDEX s3_gc_mark_collect_idx ON s3_gc_mark (fname COLLATE "C", marked_at)')

    def _mark(self, cr, fname: str) -> None:
        """Mark a name in the transaction of that cursor."""
        # Not now(), which is when the transaction began: a mark must not look older than it is.
        cr.execute("INSERT INTO s3_gc_mark (fname, marked_at) VALUES (%s, clock_timestamp() AT TIME ZONE 'UTC')", [fname])

    @api.autovacuum
    def _gc_objects(self):
        store = storage.get(self.env)
        if store is None:
            return
        try:
            report = storage.collect(self.env, store, _RUN_LASTS)
        except StoreError as error:
            _logger.warning("No garbage was collected in the object store: %s", error)
            return
        _logger.info("Garbage in the object store: %s", report)
