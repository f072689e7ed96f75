# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import datetime
import time

from odoo import api, fields, models
from odoo.exceptions import AccessError

from .. import compat, storage
from ..engine import fence, gc
from ..engine.catalogue import PREFIXES
from ..engine.errors import ConfigError, StoreError
from ..engine.report import SHOWN, Report
from ..engine.survey import FEW

# What the engine's report calls them, in the order in which they are shown.
KINDS = [
    ("missing", "Missing"),
    ("size", "Wrong size"),
    ("checksum", "Wrong content"),
    ("corrupt", "Corrupt on the disk of the host"),
    ("failed", "Could not be looked at"),
    ("orphans_bucket", "Orphan"),
    ("waiting", "Waits on a host"),
    ("not_uploaded", "Only on the disk of the host"),
    ("repaired", "Repaired"),
]
# The number behind those of the prefixes, which garbage collection locks.
_LOCK = len(PREFIXES)
_KEPT = 10
PERSON_WAITS = 20  # seconds


class S3Audit(models.Model):
    """Whether all that attachments refer to is in the object store, as the engine has found out.

    It goes through the 256 directories of names in as many runs as it takes; ``position`` is how many are done.
    """

    _name = "s3.audit"
    _description = "Audit of the object store"
    _order = "id desc"
    _rec_name = "began_at"

    began_at = fields.Datetime("Begun", required=True, readonly=True, default=fields.Datetime.now)
    ended_at = fields.Datetime("Ended", readonly=True)
    state = fields.Selection([("running", "Running"), ("done", "Done"), ("failed", "Failed")], required=True, readonly=True, default="running")
    level = fields.Selection(
        [("size", "Sizes"), ("sample", "Sizes, and the contents of a sample"), ("checksum", "Sizes and contents")],
        "What is looked at",
        required=True,
        readonly=True,
        default="sample",
    )
    repair = fields.Boolean("With repairs", readonly=True)
    position = fields.Integer("Directories of 256", readonly=True)
    fault = fields.Char(readonly=True)
    referenced = fields.Integer("Contents", readonly=True, help="Different contents that attachments refer to.")
    verified = fields.Integer("Contents looked at", readonly=True, help="Whose content was proved right, by the server's checksum or by reading it.")
    pending = fields.Integer("Perhaps garbage", readonly=True, help="Objects that no attachment refers to, but that are young or left to garbage collection.")
    repairable = fields.Integer(readonly=True, help="How many of the findings a repair would put right.")
    missing = fields.Integer(readonly=True)
    size = fields.Integer("Wrong size", readonly=True)
    checksum = fields.Integer("Wrong content", readonly=True)
    corrupt = fields.Integer("Corrupt on the disk of the host", readonly=True)
    failed = fields.Integer("Could not be looked at", readonly=True)
    orphans_bucket = fields.Integer("Orphans", readonly=True)
    waiting = fields.Integer("Waiting on a host", readonly=True)
    not_uploaded = fields.Integer("Only on the disk of the host", readonly=True)
    repaired = fields.Integer(readonly=True)
    finding_ids = fields.One2many("s3.audit.finding", "audit_id", "Findings", readonly=True)

    @api.model
    def _cron_audit(self):
        """Begin an audit, or go on with the one that is running; what does not fit into this run is for another, soon."""
        if storage.get(self.env) is None:
            return
        audit = self.search([("state", "=", "running")], limit=1) or self.create({})
        audit._go_on(compat.run_seconds())

    def _go_on(self, seconds: float) -> None:
        """Look at directories for so long, and have the rest done by the scheduled action."""
        self.ensure_one()
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [gc.LOCK_SPACE, _LOCK])
        if not self.env.cr.fetchone()[0]:
            return  # somebody else is at it
        try:
            self._look(time.monotonic() + seconds)
        except StoreError as error:
            self.write({"state": "failed", "fault": str(error), "ended_at": fields.Datetime.now()})
        if self.state == "running":
            self.env.ref("s3_attachment.s3_audit_cron")._trigger()

    def _look(self, until: float) -> None:
        store = storage.get(self.env)
        if store is None:
            raise ConfigError("no object store is configured")
        catalogue = storage.read_catalogue(self.env)
        # Sixteen directories in one step are faster where there is little, and one is enough where there is much.
        size = 16 if catalogue.count(PREFIXES[0]) <= FEW else 1
        ours = fence.examine(store, self.env.cr).ours
        while self.state == "running":
            step = size if self.position % size == 0 else 1
            audit = storage.auditor(self.env, store, f"{self.position // step + 1}/{len(PREFIXES) // step}", self.level, self.repair)
            if ours:
                audit.learn()
            audit.audit()
            self._take(audit.report)
            self.position += step
            if self.position >= len(PREFIXES):
                self._finish()
            elif time.monotonic() > until:
                break

    def _take(self, report: Report) -> None:
        """Add what was found in a step. Of each kind there are only so many lines, but all are counted."""
        names = ("referenced", "verified", "pending", "repairable", *(kind for kind, _title in KINDS))
        room = {kind: SHOWN - self[kind] for kind, _title in KINDS}
        lines = []
        for entry in report.findings:
            kind = entry["finding"]
            if room.get(kind, 0) > 0:
                room[kind] -= 1
                lines.append({"audit_id": self.id, "kind": kind, "fname": entry["name"], "size": entry["bytes"], "detail": entry["detail"]})
        self.env["s3.audit.finding"].create(lines)
        self.write({name: self[name] + report.files(name) for name in names})

    def _finish(self) -> None:
        self.write({"state": "done", "ended_at": fields.Datetime.now()})
        others = self.search([("id", "!=", self.id)])
        others.finding_ids.unlink()
        others[_KEPT:].unlink()

    @api.model
    def _begin(self, seconds: float, **values):
        """Begin an audit for a person, who sees of it what is found in so many seconds, and the rest later."""
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(self.env._("Only administrators may audit the object store."))
        audits = self.sudo()
        audit = audits.search([("state", "=", "running"), ("repair", "=", values.get("repair", False))], limit=1) or audits.create(values)
        audit._go_on(seconds)
        return {"type": "ir.actions.act_window", "res_model": self._name, "res_id": audit.id, "views": [[False, "form"]]}

    def action_repair(self):
        """Audit anew, and put right what there is a right copy of."""
        self.ensure_one()
        return self._begin(PERSON_WAITS, repair=True, level=self.level)

    @api.model
    def _last(self):
        """The last audit that came to its end."""
        return self.search([("state", "=", "done")], limit=1)

    @api.model
    def _metrics(self) -> str:
        """What the last audit has found, in the text format of Prometheus; nothing if there was none."""
        last = self._last()
        if not last:
            return ""
        lines = [
            "# HELP s3_attachment_audit_findings What the last complete audit has found.",
            "# TYPE s3_attachment_audit_findings gauge",
            *(f's3_attachment_audit_findings{{kind="{kind}"}} {last[kind]}' for kind, _title in KINDS),
            "# HELP s3_attachment_audit_ended_seconds When the last complete audit has ended, in seconds since 1970.",
            "# TYPE s3_attachment_audit_ended_seconds gauge",
            f"s3_attachment_audit_ended_seconds {int(last.ended_at.replace(tzinfo=datetime.timezone.utc).timestamp())}",
            "",
        ]
        return "\n".join(lines)


class S3AuditFinding(models.Model):
    _name = "s3.audit.finding"
    _description = "Finding of an audit of the object store"
    _log_access = False
    _order = "id"
    _rec_name = "fname"

    audit_id = fields.Many2one("s3.audit", required=True, readonly=True, index=True, ondelete="cascade")
    kind = fields.Selection(KINDS, required=True, readonly=True)
    fname = fields.Char("Stored name", required=True, readonly=True)
    size = fields.Integer("Bytes", readonly=True)
    detail = fields.Char(readonly=True)
    attachment_ids = fields.Many2many("ir.attachment", string="Attachments", compute="_compute_attachment_ids")

    def _compute_attachment_ids(self):
        for finding in self:
            # By SQL: the ORM hides those of fields.
            self.env.cr.execute("SELECT id FROM ir_attachment WHERE store_fname = %s ORDER BY id LIMIT 100", [finding.fname])
            finding.attachment_ids = self.env["ir.attachment"].browse(row[0] for row in self.env.cr.fetchall())
