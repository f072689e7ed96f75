"""The addon's stress test once more: through a pooler of connections, and with another program in the database.

S3_ATTACHMENT_STRESS_SECONDS says for how long each of them lasts; if it does, also with neither, as it is in the scenario s3_addon.
"""

from __future__ import annotations

import os
import re

import pytest
from testinfra.host import Host

SECONDS = os.environ.get("S3_ATTACHMENT_STRESS_SECONDS", "30")
# Each with the options of Odoo and its environment.
WAYS = {
    # Behind it the lock of a session could be released by somebody else's, or stay with the connection.
    "PgBouncer": ("--db_port=6432", ""),
    # Since when its transactions run is hidden from all but those who have pg_read_all_stats.
    "another login": ("", "'S3_ATTACHMENT_STRESS_OTHER=host=/run/postgresql user=odoo dbname=odoo'"),
}
if "S3_ATTACHMENT_STRESS_SECONDS" in os.environ:
    WAYS["alone"] = ("", "")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost(host: Host, way: str):
    options, environment = WAYS[way]
    result = host.run(
        f"runuser -u odoo -- env PYTHONDONTWRITEBYTECODE=1 S3_ATTACHMENT_STRESS_SECONDS={SECONDS} {environment}"
        " /opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin -c /etc/odoo/odoo.conf -d odoo --workers=0 --max-cron-threads=0 --db_maxconn=32"
        f" --http-port=8169 --gevent-port=8172 --logfile= {options} --test-tags=s3_attachment/s3_attachment:TestStress --stop-after-init 2>&1"
    )
    print(*re.findall(r"Stress for .*", result.stdout))
    assert result.rc == 0 and "0 failed, 0 error(s) of 1 tests" in result.stdout, result.stdout
