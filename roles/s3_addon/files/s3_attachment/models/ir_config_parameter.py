# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

from odoo import api, models, tools
from odoo.exceptions import ValidationError

from .. import compat, storage
from ..engine import config, database
from ..engine.errors import ConfigError

# Who may see the parameters of Odoo sees this one neither in a list nor by its name: see security/ir_rule.xml, too.
SECRET = f"{config.PARAMETER_PREFIX}secret_key"


class IrConfigParameter(models.Model):
    """The settings of the store that the host lets a database have: ``s3_attachment.<name>``."""

    _inherit = "ir.config_parameter"

    @api.model
    @tools.ormcache(cache=compat.PARAMETERS_CACHE)
    def _s3_settings(self) -> dict[str, str]:
        """All of them by their names, as they are; read once in each process until a parameter changes."""
        # As get_param does it, and for the same reasons.
        self.flush_model(["key", "value"])
        return database.stored_settings(self.env.cr)

    @api.model
    def get_param(self, key, default=False):
        if key == SECRET and not self.env.su:
            return default
        return super().get_param(key, default)

    @api.constrains("key", "value")
    def _check_s3_settings(self):
        allowed = storage.database_settings()
        for parameter in self:
            name = parameter.key.removeprefix(config.PARAMETER_PREFIX)
            if name == parameter.key or name not in (*config.STORE, *config.SAFE):
                continue
            if allowed == "safe" and name not in config.SAFE:
                raise ValidationError(
                    self.env._("%s is not taken from the database: database_settings of this host does not say all, or the host names a store.", parameter.key)
                )
            try:
                config.check(name, parameter.value.strip())
            except ConfigError as error:
                raise ValidationError(str(error)) from error
