"""An Odoo beside the service, which reaches the store through a proxy that can spoil every request."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
sys.path[:0] = [str(ROOT / "molecule/shared"), str(ROOT / "tests/servers")]

from odoo_host import Person, host

__all__ = ["host"]

ODOO = {"ENDPOINT_URL": "http://127.0.0.1:9100", "CONNECT_TIMEOUT": 1, "READ_TIMEOUT": 1, "MAX_ATTEMPTS": 1, "OP_BUDGET": 2}


@pytest.fixture(scope="session")
def user(host: Host) -> Iterator[Person]:
    """Somebody whose Odoo reaches the store through the proxy."""
    host.check_output("printf '%%s' %s >/run/fault_proxy.py", (ROOT / "tests/servers/fault_proxy.py").read_text())
    host.check_output("echo none >/run/fault; systemd-run --collect --unit=fault-proxy python3 /run/fault_proxy.py 9100 9000 /run/fault")
    settings = " ".join(f"--setenv=ODOO_S3_{name}={value}" for name, value in ODOO.items())
    host.check_output(
        f"systemd-run --collect --unit=odoo-beside --uid=odoo --gid=odoo --setenv=PYTHONDONTWRITEBYTECODE=1 {settings}"
        " /opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin -c /etc/odoo/odoo.conf --workers=0 --max-cron-threads=0"
        " --http-interface=0.0.0.0 --http-port=8269 --gevent-port=8272 --logfile="
    )
    for _attempt in range(60):
        if host.check_output("ss -Hltn sport = :8269"):
            break
        time.sleep(0.5)
    yield Person("admin", "http://127.0.0.1:8269")
    host.check_output("systemctl stop odoo-beside fault-proxy")
