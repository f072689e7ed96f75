# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A packaged Odoo that runs with our configuration and our hardening."""

from __future__ import annotations

import pytest
import testinfra
from conftest import Odoo, secret

HOST = "odoo-package-debian13"
odoo = Odoo(HOST)


@pytest.fixture(scope="module")
def host():
    return testinfra.get_host(f"podman://{HOST}")


def test_both_ends_are_healthy():
    assert odoo.ask("/web/health")[0] == 200
    assert odoo.ask("/websocket/health", port=8072)[0] == 200


def test_the_administrator_logs_in():
    assert odoo.login(secret("admin_password"))["result"]["uid"] == 2
    assert "AccessDenied" in odoo.login("admin")["error"]["data"]["name"]


def test_listens_on_the_loopback_only(host):
    assert host.socket("tcp://127.0.0.1:8069").is_listening
    assert not host.socket("tcp://0.0.0.0:8069").is_listening


def test_the_unit_is_the_package_s_with_our_settings(host):
    shown = host.check_output("systemctl show odoo --property=FragmentPath,DropInPaths,ProtectSystem,ExecStart,User,Restart")
    assert "FragmentPath=/usr/lib/systemd/system/odoo.service" in shown
    assert "DropInPaths=/etc/systemd/system/odoo.service.d/odooops-stack.conf" in shown
    assert "ProtectSystem=strict" in shown
    assert "Restart=always" in shown
    # The program once, and no other.
    assert shown.count("argv[]=") == 1
    assert "argv[]=/usr/bin/python3 /usr/bin/odoo -c /etc/odoo/odoo.conf" in shown


def test_our_configuration_is_in_force(host):
    conf = host.file("/etc/odoo/odoo.conf")
    assert (conf.mode, conf.user, conf.group) == (0o640, "root", "odoo")
    # The parent, three workers, a cron and the process for websockets.
    assert len(host.process.filter(user="odoo")) == 6


def test_no_process_of_the_service_dies(host):
    log = host.check_output("journalctl --no-pager --output=cat _SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value odoo)")
    assert "Registry loaded" in log
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_the_database_belongs_to_its_owner():
    assert odoo.sql("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == "odoo_owner"
    assert odoo.sql("SELECT count(*) FROM ir_module_module WHERE demo OR state LIKE 'to %'") == "0"
