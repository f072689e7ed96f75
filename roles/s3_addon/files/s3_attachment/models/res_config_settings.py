# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.tools import format_datetime

from .. import storage
from ..engine import config, fence
from ..engine.errors import StoreError
from ..engine.failover import Failover
from .ir_config_parameter import SECRET
from .s3_audit import PERSON_WAITS


class ResConfigSettings(models.TransientModel):
    """The state of the object store, to be looked at: it is configured on the host, which may let Odoo have a part of the settings."""

    _inherit = "res.config.settings"

    s3_attachment_store = fields.Char("Object store", compute="_compute_s3_attachment", groups="base.group_system")
    s3_attachment_fault = fields.Char("Fault of the settings", compute="_compute_s3_attachment", groups="base.group_system")
    s3_attachment_settings = fields.Html("Settings of the object store", compute="_compute_s3_attachment", groups="base.group_system", sanitize=False)
    s3_attachment_owner = fields.Char("Owner of the objects", compute="_compute_s3_attachment", groups="base.group_system")
    s3_attachment_waits = fields.Integer("Files that wait for the object store", compute="_compute_s3_attachment", groups="base.group_system")
    s3_attachment_silent = fields.Boolean("The object store did not answer", compute="_compute_s3_attachment", groups="base.group_system")
    s3_attachment_failover = fields.Char("Second end point", compute="_compute_s3_attachment", groups="base.group_system")
    s3_attachment_marks = fields.Integer("Names to look at for garbage", compute="_compute_s3_attachment", groups="base.group_system")

    s3_attachment_database_settings = fields.Char("Taken from the database", compute="_compute_s3_attachment", groups="base.group_system")
    # Only where the host takes them from the database; the secret is written and never read.
    s3_attachment_bucket = fields.Char("Bucket", config_parameter="s3_attachment.bucket", groups="base.group_system")
    s3_attachment_prefix = fields.Char("Prefix", config_parameter="s3_attachment.prefix", groups="base.group_system")
    s3_attachment_endpoint_url = fields.Char("End point", config_parameter="s3_attachment.endpoint_url", groups="base.group_system")
    s3_attachment_public_endpoint_url = fields.Char("End point for browsers", config_parameter="s3_attachment.public_endpoint_url", groups="base.group_system")
    s3_attachment_region = fields.Char("Region", config_parameter="s3_attachment.region", groups="base.group_system")
    s3_attachment_access_key = fields.Char("Access key", config_parameter="s3_attachment.access_key", groups="base.group_system")
    s3_attachment_secret_key = fields.Char("New secret key", groups="base.group_system")

    s3_attachment_audit = fields.Char("Last audit", compute="_compute_s3_attachment", groups="base.group_system")

    @api.depends("company_id")
    def _compute_s3_attachment(self):
        store = storage.get(self.env)
        values = dict.fromkeys(("s3_attachment_store", "s3_attachment_fault", "s3_attachment_settings", "s3_attachment_owner", "s3_attachment_silent"), False)
        values["s3_attachment_failover"] = False
        values["s3_attachment_database_settings"] = storage.database_settings()
        try:
            if store is not None:
                values["s3_attachment_store"] = store.config.where
                values["s3_attachment_settings"] = self._s3_attachment_table(store.config)
                values["s3_attachment_silent"] = store.breaker.open
                values["s3_attachment_failover"] = self._s3_attachment_failover(store)
                # The page must open when the store does not answer, so it is not asked.
                found = storage.last_known_owner(self.env, store)
                known = "; ".join((found.reason, *found.moved.values())) if found else ""
                values["s3_attachment_owner"] = known or self.env._("Whose the objects are has not been asked yet in this process")
        except StoreError as error:
            values["s3_attachment_fault"] = str(error)
        self.env.cr.execute("SELECT (SELECT count(*) FROM s3_outbox), (SELECT count(*) FROM s3_gc_mark)")
        values["s3_attachment_waits"], values["s3_attachment_marks"] = self.env.cr.fetchone()
        values["s3_attachment_audit"] = self._s3_attachment_audit()
        self.update(values)

    def set_values(self):
        secret = self.s3_attachment_secret_key
        if secret:
            # Neither in this row, nor to be read by anybody through the parameters.
            self.env["ir.config_parameter"].sudo().set_param(SECRET, secret)
            self.s3_attachment_secret_key = False
        super().set_values()
        if fault := storage.fault(self.env):
            raise ValidationError(fault)

    @api.model
    def _s3_attachment_failover(self, store) -> str | bool:
        """What the second end point does at the moment, in a sentence."""
        if not isinstance(store, Failover):
            return False
        where = store.second.config.where
        if store.away:
            return self.env._("The first end point did not answer this process when it was last asked: files are read from %s.", where)
        return self.env._("What the first end point does not answer is read from %s.", where)

    @api.model
    def _s3_attachment_audit(self) -> str | bool:
        """The last complete audit, in a sentence."""
        last = self.env["s3.audit"].sudo()._last()
        if not last:
            return False
        return self.env._(
            "The last audit ended at %(time)s: of %(contents)s contents %(missing)s are missing and %(wrong)s wrong; there are %(orphans)s orphans.",
            time=format_datetime(self.env, last.ended_at),
            contents=last.referenced,
            missing=last.missing,
            wrong=last.size + last.checksum,
            orphans=last.orphans_bucket,
        )

    def action_s3_attachment_audit(self):
        """Audit now, and show what is found."""
        return self.env["s3.audit"]._begin(PERSON_WAITS)

    @api.model
    def _s3_attachment_table(self, settings: config.Config) -> Markup:
        """Every setting, its value (of a secret only that it is there), and where it comes from."""
        rows = Markup().join(
            Markup("<tr><td>%s</td><td>%s</td><td>%s</td></tr>") % (name, value, origin or self.env._("default"))
            for name, value, origin in config.shown(settings)
        )
        titles = (self.env._("Setting"), self.env._("Value"), self.env._("From"))
        return Markup('<table class="table table-sm"><thead><tr><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>%s</tbody></table>') % (*titles, rows)

    def action_s3_attachment_test(self):
        """Look up and read an object with Odoo's own key, ask whose the objects are, and say how it went."""
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(self.env._("Only administrators may test the object store."))
        store = storage.get(self.env)
        kind, text = "success", ""
        try:
            if store is None:
                kind, text = "warning", self.env._("No object store is configured: attachments stay in the local filestore.")
            else:
                owner = fence.examine(store, self.env.cr)
                # Where the objects belong to another database, nothing is stored.
                store.probe(write=owner.ours)
                kind = "warning" if owner.faults else "success"
                text = self.env._(
                    "The object store answers, and what was stored there comes back as it was: %s.", "; ".join((owner.reason, *owner.moved.values()))
                )
                if not owner.ours:
                    text = self.env._("The object store answers, but nothing is stored there: %s.", owner.reason)
        except StoreError as error:
            kind, text = "danger", str(error)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"title": self.env._("Object store"), "message": text, "type": kind, "sticky": kind != "success"},
        }
