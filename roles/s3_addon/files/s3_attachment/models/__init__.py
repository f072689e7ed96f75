# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from . import (  # noqa: F401
    ir_attachment,
    ir_attachment_object,
    ir_config_parameter,
    ir_http,
    ir_module_module,
    res_config_settings,
    s3_audit,
    s3_gc_mark,
    s3_migration,
    s3_outbox,
    s3_route,
)
