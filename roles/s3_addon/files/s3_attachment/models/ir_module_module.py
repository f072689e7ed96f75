# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

from odoo import models
from odoo.exceptions import UserError

from .. import storage


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        action = super().button_uninstall()
        if "s3_attachment" in self.mapped("name"):
            self._s3_check_uninstall()
        return action

    def _s3_check_uninstall(self) -> None:
        """Without this addon Odoo takes a content that is only in the store for an empty one."""
        attachments = self.env["ir.attachment"]
        if storage.get(self.env) is None:
            return
        self.env.cr.execute("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL")
        gone = sum(1 for (fname,) in self.env.cr.fetchall() if not attachments._s3_is_local(fname))
        if gone:
            raise UserError(
                self.env._(
                    "%(count)s files are only in the object store. Bring them back to the local filestore before you uninstall this module.",
                    count=gone,
                )
            )
