# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Odoo's own backups, of the database manager and the command line: they have no files that are in the store only."""

from __future__ import annotations

import functools
import logging

from odoo import SUPERUSER_ID, api
from odoo.service import db

from . import compat, storage
from .engine import store

_logger = logging.getLogger(__name__)


def warn() -> None:
    """Have every such backup that this process makes say so in the log."""
    if db.dump_db.__module__ == __name__:
        return
    core = db.dump_db

    @functools.wraps(core, assigned=("__name__", "__doc__"))
    def dump_db(db_name, *arguments, **named):
        if (objects := _store_of(db_name)) is not None:
            where = objects.config.where if not isinstance(objects, storage.Unusable) else "the object store"
            _logger.warning(
                "This backup of the database %s is without the files that are in %s only: back up the bucket as well, after the database", db_name, where
            )
        return core(db_name, *arguments, **named)

    db.dump_db = dump_db


def _store_of(db_name: str) -> store.ObjectStore | storage.Unusable | None:
    """The store of a database; None if it has none, or does not have the addon."""
    with compat.new_cursor(db_name) as cr:
        cr.execute("SELECT to_regclass('s3_gc_mark')")
        return storage.get(api.Environment(cr, SUPERUSER_ID, {})) if cr.fetchone()[0] is not None else None
