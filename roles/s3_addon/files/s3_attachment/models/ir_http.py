# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

from odoo import models
from odoo.http import request

from .. import upload

# Routes that make an attachment of what ``ufile.read()`` gives them, and do nothing else with it.
_ROUTES = {
    "/web/binary/upload_attachment",
    "/mail/attachment/upload",
    "/product/document/upload",
    "/sale_pdf_quote_builder/quotation_document/upload",
}


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _pre_dispatch(cls, rule, args):
        super()._pre_dispatch(rule, args)
        if not _ROUTES.isdisjoint(rule.endpoint.routing["routes"]):
            for file in request.httprequest.files.getlist("ufile"):
                upload.map_when_large(request.env, file)
