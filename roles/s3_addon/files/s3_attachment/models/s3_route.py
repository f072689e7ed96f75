# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import fnmatch
import logging
import re

from odoo import api, fields, models, tools
from odoo.exceptions import ValidationError

from .. import storage
from ..engine.errors import StoreError

_logger = logging.getLogger(__name__)

_MIMETYPE = re.compile(r"[\w.+*-]+/[\w.+*-]+")


class S3Route(models.Model):
    """A rule that says by which route new contents go to the store.

    A route is a section of the settings, which only the host can change, and the end of the names of the contents that went by it. So what
    is stored is found whatever becomes of the rules and of the settings.
    """

    _name = "s3.route"
    _description = "Route to the object store"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    code = fields.Selection("_routes", "Route", required=True, help="A section [s3_attachment:<route>] of the settings on the host.")
    company_id = fields.Many2one("res.company", "Company", ondelete="cascade", help="Only files of this company.")
    model_id = fields.Many2one("ir.model", "Model", ondelete="cascade", help="Only files that belong to records of this model.")
    mimetype = fields.Char("MIME type", help="Only files of this type, such as video/mp4 or image/*.")
    min_size = fields.Integer("From (bytes)", help="Only files of at least this size.")
    max_size = fields.Integer("Up to (bytes)", help="Only files of at most this size; 0 for no limit.")

    @api.model
    def _routes(self):
        """The routes of the settings."""
        store = storage.get(self.env)
        try:
            return [(route, route) for route, _placement in store.config.routes] if store is not None else []
        except StoreError:  # the settings are wrong, which others say
            return []

    @api.constrains("code")
    def _check_code(self):
        for rule in self:
            if rule.code not in dict(self._routes()):
                raise ValidationError(self.env._("There is no route %s in the settings of the object store.", rule.code))

    @api.constrains("mimetype", "min_size", "max_size")
    def _check_limits(self):
        for rule in self:
            if rule.mimetype and not _MIMETYPE.fullmatch(rule.mimetype):
                raise ValidationError(self.env._("%s is no MIME type: give one such as video/mp4 or image/*.", rule.mimetype))
            if rule.min_size < 0 or rule.max_size < 0 or (rule.max_size and rule.max_size < rule.min_size):
                raise ValidationError(self.env._("No file is from %(low)s up to %(high)s bytes large.", low=rule.min_size, high=rule.max_size))

    @api.model_create_multi
    def create(self, vals_list):
        rules = super().create(vals_list)
        self.env.registry.clear_cache()
        return rules

    def write(self, vals):
        done = super().write(vals)
        self.env.registry.clear_cache()
        return done

    def unlink(self):
        done = super().unlink()
        self.env.registry.clear_cache()
        return done

    @tools.ormcache()
    def _rules(self):
        """All active rules in their order, as (route, company, model, MIME type, least size, largest size); None or 0 where a rule does not ask."""
        # Until the module has been upgraded there is no table, and files are stored all the same.
        if not tools.sql.table_exists(self.env.cr, self._table):
            return ()
        rules = self.sudo().with_context(active_test=True).search([])
        return tuple(
            (rule.code, rule.company_id.id or None, rule.model_id.model or None, rule.mimetype or None, rule.min_size, rule.max_size) for rule in rules
        )

    @api.model
    def _route(self, company, model, mimetype, size) -> str:
        """The route of a new content: that of the first rule that fits; '' if none does.

        :param company: its id, or False.
        :param size: in bytes.
        """
        for route, wanted_company, wanted_model, pattern, low, high in self._rules():
            if (
                wanted_company in (None, company)
                and wanted_model in (None, model)
                and (pattern is None or fnmatch.fnmatchcase(mimetype or "", pattern))
                and low <= size
                and (not high or size <= high)
            ):
                if route in dict(self._routes()):
                    return route
                _logger.warning("There is no route %s in the settings of the object store: what its rules are for is stored as all else", route)
                return ""
        return ""
