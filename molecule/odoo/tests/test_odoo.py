# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role promises, asked of the running Odoo."""

from __future__ import annotations

import json

import pytest
import testinfra
from conftest import Odoo, secret

UNIT = "odoo.service"
odoo = Odoo("odoo-git")


@pytest.fixture(scope="module")
def host():
    return testinfra.get_host("podman://odoo-git")


@pytest.fixture
def main_pid(host):
    return int(host.check_output(f"systemctl show --property=MainPID --value {UNIT}"))


def test_both_ends_are_healthy():
    for path, port in (("/web/health", 8069), ("/websocket/health", 8072)):
        status, text = odoo.ask(path, port=port)
        assert (status, json.loads(text)["status"]) == (200, "pass")


def test_listens_on_the_loopback_only(host):
    for port in (8069, 8072):
        assert host.socket(f"tcp://127.0.0.1:{port}").is_listening
        assert not host.socket(f"tcp://0.0.0.0:{port}").is_listening


def test_the_administrator_logs_in():
    answer = odoo.login(secret("admin_password"))
    assert answer["result"]["uid"] == 2
    assert answer["result"]["user_context"]["lang"] == "de_DE"
    assert answer["result"]["server_version"].startswith("19.0")


@pytest.mark.parametrize("password", ["admin", "wrong-password"])
def test_another_password_is_refused(password):
    assert "AccessDenied" in odoo.login(password)["error"]["data"]["name"]


def test_the_database_manager_is_closed():
    assert "The database manager has been disabled by the administrator" in odoo.ask("/web/database/manager")[1]
    assert "AccessDenied" in odoo.rpc("/web/database/list")["error"]["data"]["name"]


def test_the_database_is_as_asked_for():
    query = (
        "SELECT (SELECT string_agg(name, ',' ORDER BY name) FROM ir_module_module WHERE state = 'installed' AND name IN ('base', 'web', 'contacts')),"
        " (SELECT code FROM res_country WHERE id = (SELECT country_id FROM res_partner WHERE id = (SELECT partner_id FROM res_company WHERE id = 1))),"
        " (SELECT name FROM res_currency WHERE id = (SELECT currency_id FROM res_company WHERE id = 1)),"
        " (SELECT count(*) FROM ir_module_module WHERE state LIKE 'to %' OR demo),"
        " (SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
    )
    assert odoo.sql(query) == "base,contacts,web|DE|EUR|0|odoo_owner"


def test_the_service_runs_as_its_user(host, main_pid):
    processes = host.process.filter(user="odoo")
    # The parent, three workers, a cron and the process for websockets.
    assert len(processes) == 6
    assert main_pid in {process.pid for process in processes}
    user = host.user("odoo")
    assert (user.shell, user.home, user.groups) == ("/usr/sbin/nologin", "/var/lib/odoo", ["odoo"])


def test_no_process_of_the_service_dies(host):
    """The process for scheduled actions, for one, does not answer any health check."""
    log = host.check_output(f"journalctl --no-pager --output=cat _SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value {UNIT})")
    assert "Registry loaded" in log
    assert "Traceback" not in log
    assert " ERROR " not in log
    assert " CRITICAL " not in log


def test_the_configuration_is_closed(host):
    conf = host.file("/etc/odoo/odoo.conf")
    assert (conf.mode, conf.user, conf.group) == (0o640, "root", "odoo")
    assert secret("master_password") not in conf.content_string
    assert "admin_passwd = $pbkdf2-sha512$600000$" in conf.content_string
    assert host.run("runuser -u nobody -- cat /etc/odoo/odoo.conf").rc != 0


def test_odoo_itself_takes_the_master_password():
    program = (
        "import sys; from odoo.tools import config; config._parse_config(['-c', '/etc/odoo/odoo.conf']);"
        " print(config.verify_admin_password(sys.stdin.read().strip()), config.verify_admin_password('admin'), config['list_db'], config['workers'])"
    )
    environment = ["env", "PYTHONPATH=/opt/odoo/src", "/opt/odoo/venv/bin/python", "-c", program]
    out = odoo.execute("runuser", "-u", "odoo", "--", *environment, data=secret("master_password"))
    assert out.split() == ["True", "False", "False", "3"]


def test_no_secret_is_where_others_see_it(host):
    log = host.check_output("journalctl --no-pager --output=cat")
    processes = host.check_output("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
    assert "odoo-bin" in processes
    for name in ("admin_password", "database_password", "master_password"):
        assert secret(name) not in log
        assert secret(name) not in processes


def test_the_code_is_not_odoo_s_to_change(host):
    out = host.check_output("find /opt/odoo -not -user root -o -perm /022 -not -type l")
    assert out == ""


def test_the_sandbox_holds(host):
    """The unit with another program: one that tries to write to places where its user could, but for the sandbox."""
    program = "for i in /var/lib/odoo /opt/canary /srv/canary /tmp; do touch $i/odoo-canary && echo wrote $i; done; ls /root; id -u -n"
    host.check_output(
        "install -d -m 0777 /opt/canary /srv/canary && echo %s >/srv/canary/program &&"
        " sed -e 's|^ExecStart=.*|ExecStart=/bin/sh /srv/canary/program|' -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d'"
        " /etc/systemd/system/%s >/run/systemd/system/canary.service && systemctl daemon-reload && systemctl start canary.service; journalctl --sync",
        program,
        UNIT,
    )
    log = host.check_output("journalctl --unit=canary.service --no-pager --output=cat")
    outside = host.file("/tmp/odoo-canary").exists
    host.check_output("rm -rf /run/systemd/system/canary.service /opt/canary /srv/canary /var/lib/odoo/odoo-canary; systemctl daemon-reload")
    assert "wrote /var/lib/odoo" in log
    assert "wrote /tmp" in log
    assert not outside
    assert "wrote /opt/canary" not in log
    assert "cannot touch '/opt/canary/odoo-canary': Read-only file system" in log
    assert "cannot touch '/srv/canary/odoo-canary': Read-only file system" in log
    assert "/root" in log and "Permission denied" in log
    assert "odoo\n" in log


def test_the_hardening_is_rated(host):
    overall = host.check_output(f"systemd-analyze security {UNIT} --no-pager").splitlines()[-1]
    assert float(overall.split("level for odoo.service: ")[1].split()[0]) <= 1.5


def test_limits_are_in_force(host, main_pid):
    worker = host.check_output(f"pgrep --parent {main_pid}").split()[0]
    assert f"Max address space         {2560 * 2**20}" in host.file(f"/proc/{worker}/limits").content_string
