# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from . import (  # noqa: F401
    test_audit,
    test_backup,
    test_cache,
    test_content,
    test_database_settings,
    test_download,
    test_failover,
    test_fence,
    test_gc,
    test_gzip,
    test_killed,
    test_large,
    test_migration,
    test_monitoring,
    test_outbox,
    test_route,
    test_settings,
    test_stress,
    test_upload,
)
