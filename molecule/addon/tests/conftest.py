"""An Odoo beside the service, which reaches the store through a proxy that can spoil every request.

It stands for a further host: what it could not store waits in a directory of its own, which the service knows nothing of.
"""

from __future__ import annotations

import contextlib
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

NODE, SPOOL = "beside", "/var/lib/odoo/s3_spool_beside"
ODOO = {
    "ODOO_S3_ENDPOINT_URL": "http://127.0.0.1:9100",
    "ODOO_S3_CONNECT_TIMEOUT": "1",
    "ODOO_S3_READ_TIMEOUT": "1",
    "ODOO_S3_MAX_ATTEMPTS": "1",
    "ODOO_S3_OP_BUDGET": "2",
    "ODOO_S3_NODE": NODE,
    "ODOO_S3_SPOOL_DIR": SPOOL,
}
SETTINGS = " ".join(f"--setenv={name}={value}" for name, value in ODOO.items())


@contextlib.contextmanager
def fault(host: Host, name: str) -> Iterator[None]:
    host.check_output("echo %s >/run/fault; sleep 0.2", name)
    try:
        yield
    finally:
        host.check_output("echo none >/run/fault; sleep 0.2")


def sql(host: Host, statement: str) -> str:
    return host.check_output("runuser -u postgres -- psql -qXAtd odoo -c %s", statement)


def recovered(user: Person, old_id: int) -> None:
    """Wait until Odoo asks the store again: after some failures in a row it does so every 15 seconds only."""
    for _attempt in range(20):
        if user.download(f"/web/content/{old_id}")["status"] == 200:
            return
        time.sleep(1)
    raise AssertionError("the fault is over, and Odoo does not ask the store again")


@contextlib.contextmanager
def started(host: Host, unit: str, port: int, settings: dict[str, str]) -> Iterator[None]:
    """Another Odoo beside the service, on that port."""
    more = " ".join(f"--setenv={name}={value}" for name, value in settings.items())
    host.check_output(
        f"systemd-run --collect --unit={unit} --uid=odoo --gid=odoo --setenv=PYTHONDONTWRITEBYTECODE=1 {SETTINGS} {more}"
        " /opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin -c /etc/odoo/odoo.conf --workers=0 --max-cron-threads=0"
        f" --http-interface=0.0.0.0 --http-port={port} --gevent-port={port + 3} --logfile="
    )
    try:
        for _attempt in range(120):
            if host.check_output(f"ss -Hltn sport = :{port}"):
                break
            time.sleep(0.5)
        yield
    finally:
        host.check_output(f"systemctl stop {unit}")


@pytest.fixture(scope="session")
def proxy(host: Host) -> Iterator[None]:
    """What stands between them and the store."""
    host.check_output("printf '%%s' %s >/run/fault_proxy.py", (ROOT / "tests/servers/fault_proxy.py").read_text())
    host.check_output("echo none >/run/fault; systemd-run --collect --unit=fault-proxy python3 /run/fault_proxy.py 9100 9000 /run/fault")
    yield
    host.check_output("systemctl stop fault-proxy")


@pytest.fixture(scope="session")
def user(host: Host, proxy: None) -> Iterator[Person]:
    """Somebody whose Odoo reaches the store through the proxy."""
    with started(host, "odoo-beside", 8269, {}):
        yield Person("admin", "http://127.0.0.1:8269")
