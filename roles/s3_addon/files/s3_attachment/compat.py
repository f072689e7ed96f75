# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""All that differs between the releases of Odoo is here: 18.0 and 19.0."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from odoo.addons.base.models import ir_config_parameter
from odoo.addons.base.models.ir_attachment import IrAttachment
from odoo.sql_db import db_connect
from odoo.tools import config

try:
    from odoo.http import Stream
except ImportError:  # where odoo.http has become a package of many
    from odoo.http.stream import Stream

__all__ = ["PARAMETERS_CACHE", "Stream", "data_dir", "new_cursor", "odoo_conf", "read_local", "run_seconds"]

_READS_IN_PART = "size" in inspect.signature(IrAttachment._file_read).parameters


# Where Odoo keeps what it has read of the system parameters, until one changes.
_PARAMETERS = getattr(ir_config_parameter, "IrConfig_Parameter", None) or ir_config_parameter.IrConfigParameter  # 19.0, 18.0
PARAMETERS_CACHE = _PARAMETERS._get_param.__cache__.cache_name


def odoo_conf() -> str:
    """The path of Odoo's configuration file (it need not exist)."""
    path = config.get("config")  # since 19.0
    return str(path or config.rcfile)


def run_seconds() -> float:
    """For how long a scheduled action may work: half of the time after which Odoo ends its worker, and five minutes at most."""
    limit = config["limit_time_real_cron"]
    if limit is None or limit < 0:
        limit = config["limit_time_real"]
    return min(300, (limit or 600) / 2)


def data_dir() -> str:
    return str(config["data_dir"])


def read_local(core: Callable[..., bytes], fname: str, size: int | None) -> bytes:
    """Call the core's ``_file_read``, which knows no size in 18.0."""
    if _READS_IN_PART:
        return core(fname, size)
    content = core(fname)
    return content if size is None else content[:size]


def new_cursor(dbname: str) -> Any:
    """A cursor with a connection of its own, also where Odoo's tests share one."""
    return db_connect(dbname).cursor()
