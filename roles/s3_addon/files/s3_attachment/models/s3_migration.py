# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence

from odoo import api, models

from .. import compat, storage
from ..engine import runs, survey
from ..engine.catalogue import PREFIXES
from ..engine.errors import StoreError

_logger = logging.getLogger(__name__)

# System parameters.
_HOSTS = "s3_attachment.migration_hosts"
_RETENTION = "s3_attachment.migration_retention_days"


class S3Migration(models.AbstractModel):
    """The files of this host to the store, by two scheduled actions: the first uploads and verifies, the second removes local copies.

    They work through the 256 directories of names, as far as they get in one run; what is done is remembered on the host,
    by the engine, whose own phases these are. No row is changed.
    """

    _name = "s3.migration"
    _description = "Migration of local files to the object store"

    @api.model
    def _cron_upload(self):
        """Upload what is only on this host, then verify it; a directory that is done is not looked at again."""
        run = self._run()
        if run is None:
            return
        try:
            # What is to be removed soon has to be verified again and again.
            soon = self.env.ref("s3_attachment.s3_migration_clean_cron").active
            if self._phase("upload", run, "uploaded_at", 0):
                self._phase("verify", run, "verified_at", time.time() - run.max_age_hours * 1800 if soon else 0)
        except StoreError as error:
            _logger.error("The upload of local files has stopped: %s", error)

    @api.model
    def _cron_clean(self):
        """Remove local copies, unless something is in the way, which the log tells."""
        run = self._run()
        if run is None:
            return
        try:
            # Of all directories at once, before the first one is begun.
            whole = storage.migrator(self.env, run, "clean")
            whole.check(runs.conditions_of(run, whole.job.transfer))
            self._directories("clean", run, [prefix for prefix in PREFIXES if survey.scan(run.filestore, prefix)[0]])
        except StoreError as error:
            _logger.warning("No local files were removed: %s", error)

    def _run(self) -> runs.Run | None:
        store = storage.get(self.env)
        if store is None:
            return None
        get = self.env["ir.config_parameter"].sudo().get_param
        hosts = tuple(name.strip() for name in (get(_HOSTS) or "").split(",") if name.strip())
        try:
            return dataclasses.replace(storage.run_of(self.env, store), app_hosts=hosts, retention_days=float(get(_RETENTION) or 14))
        except (StoreError, ValueError) as error:
            _logger.error("Nothing is migrated: %s", error)
            return None

    def _phase(self, phase: str, run: runs.Run, mark: str, since: float) -> bool:
        """Go on with a phase of which the directories have a mark that were done after that moment; whether all of them are."""
        done = run.state().read()["prefixes"]
        return self._directories(phase, run, [prefix for prefix in PREFIXES if done.get(prefix, {}).get(mark, -1.0) < since])

    def _directories(self, phase: str, run: runs.Run, prefixes: Sequence[str]) -> bool:
        until = time.monotonic() + compat.run_seconds()
        for number, prefix in enumerate(prefixes, 1):
            part = dataclasses.replace(run, shard=f"{PREFIXES.index(prefix) + 1}/{len(PREFIXES)}")
            migration = storage.migrator(self.env, part, phase)
            migration.clean(runs.conditions_of(part, migration.job.transfer)) if phase == "clean" else getattr(migration, phase)()
            for finding in migration.report.findings:
                if finding["finding"] in runs.PROBLEMS:
                    _logger.warning("%s of %s: %s (%s)", phase, finding["name"], finding["finding"], finding["detail"])
            if time.monotonic() > until and number < len(prefixes):
                _logger.info("Local files: %s has %s of %s directories left", phase, len(prefixes) - number, len(PREFIXES))
                return False
        return True
