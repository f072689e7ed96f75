# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What further runs do: with another password, with other settings, and with what is wrong."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import EPHEMERAL, VERSION, Client, password, play
from testinfra.host import Host

STARTED = "SELECT pg_postmaster_start_time()::text"
FOREIGN_PORT = 5439

# What is asked for, and what has to be in the one sentence that comes back.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "port": ({"port": 99999}, ["postgresql_port is 99999", "1024 to 65535"]),
    "version": ({"version": "15.3"}, ["postgresql_version is 15.3"]),
    "taken port": ({"port": FOREIGN_PORT}, [f"Port {FOREIGN_PORT} is in use by", "postgresql_port"]),
    "foreign address": ({"listen": ["192.0.2.7"]}, ["postgresql_listen_addresses has 192.0.2.7", "no address of this host"]),
    "unreachable": (
        {"listen": ["localhost"], "database": {"client_addresses": ["10.0.0.0/24"]}},
        ["10.0.0.0/24", "can never reach postgresql_listen_addresses"],
    ),
    "client": ({"database": {"client_addresses": ["10.0.0.1/24"]}}, ["client_addresses of odoo-main", "10.0.0.1/24"]),
    "no password": ({"database": {"password_a": ""}}, ["odoo-main has neither password_a nor password_b"]),
    "weak password": ({"database": {"password_b": "hunter2"}}, ["password_b of odoo-main", "12 printable"]),
    "name": ({"database": {"name": "template1"}}, ["template1", "the server's own"]),
    "hungry": ({"settings": {"work_mem": "512MB"}}, ["work_mem", "more than the 2048 MB"]),
    "crowded": ({"connections": 5000}, ["postgresql_client_connections is 5000", "at most"]),
    "owner": (
        {"hba": [{"type": "host", "databases": ["all"], "users": ["odoo-main_owner"], "address": "10.0.0.0/8"}]},
        ["would admit odoo-main_owner over the network"],
    ),
    "trust": (
        {"hba": [{"type": "host", "databases": ["all"], "users": ["x"], "address": "10.0.0.0/8", "method": "trust"}]},
        ["value of method must be one of", "trust"],
    ),
    "unknown key": ({"database": {"pasword": "x"}}, ["pasword", "Supported parameters include"]),
    "unknown setting": (
        {"settings": {"wrok_mem": "8MB"}},
        [f"postgresql_settings: PostgreSQL {VERSION} does not take them", 'unrecognized configuration parameter "wrok_mem"'],
    ),
    "no login": ({"server": False}, ["postgresql_login_host"]),
    "no authority": ({"server": False, "host": "db.example.com", "sslmode": "verify-full"}, ["postgresql_login_ca_file"]),
}


@pytest.fixture(scope="module")
def told(server: Host) -> Iterator[dict[str, str]]:
    state = f"cd /etc/postgresql/{VERSION}/main && md5sum pg_hba.conf conf.d/*; cut -d' ' -f1 /var/lib/postgresql/{VERSION}/main/postmaster.pid"
    before = server.check_output(state)
    server.check_output(f"systemd-run --unit=squatter python3 -m http.server {FOREIGN_PORT}")
    try:
        run = play({"cases": [{"name": name, **case} for name, (case, _) in WRONG.items()]}, "wrong.yml")
    finally:
        server.check_output("systemctl stop squatter")
    assert run.changed("postgresql-server") == 0, "something was changed before the wish was refused"
    assert server.check_output(state) == before
    assert "hunter2" not in run.output
    yield json.loads((EPHEMERAL / "told.json").read_text())


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_in_a_sentence(told: dict[str, str], name: str) -> None:
    for part in WRONG[name][1]:
        assert part in told[name]


def rotate(name: str) -> tuple[str, str]:
    """Put a new password where converge.yml finds it; the old and the new one."""
    old, new = password(name), secrets.token_urlsafe(24)
    (EPHEMERAL / f"password_{name}").write_text(f"{new}\n")
    return old, new


def test_another_password_and_another_setting(local: Client, remote: Client, admin: Client, server: Host) -> None:
    started = admin.sql(STARTED).value
    old_a, new_a = rotate("a")
    old_shop, new_shop = rotate("shop_a")
    run = play({"test_settings": {"work_mem": "3MB"}}, "converge.yml", "-vv", "--diff")
    # The file of the settings, the reload, and the login.
    assert run.changed("postgresql-server") == 3, run.output
    assert run.changed("postgresql-managed") == 1, run.output
    for secret in (new_a, new_shop):
        assert secret not in run.output
        assert secret not in server.file(f"/var/log/postgresql/postgresql-{VERSION}-main.log").content_string
    for client, user, database, old, new in ((local, "odoo-main_a", "odoo-main", old_a, new_a), (remote, "shop_a", "shop", old_shop, new_shop)):
        assert client.sql("SELECT 1", user=user, dbname=database, password=new).value == 1
        assert "password authentication failed" in client.sql("SELECT 1", user=user, dbname=database, password=old).error
    # The other login is as it was.
    assert local.sql("SELECT 1", user="odoo-main_b", password=password("b")).value == 1
    assert admin.sql("SHOW work_mem").value == "3MB"
    assert admin.sql(STARTED).value == started, "a reload would have been enough"


def test_a_setting_that_needs_a_restart_and_one_that_is_also_set_elsewhere(admin: Client) -> None:
    started = admin.sql(STARTED).value
    assert not admin.sql("ALTER SYSTEM SET work_mem = '5MB'", "SELECT pg_reload_conf()").error
    try:
        run = play({"test_settings": {"max_connections": 70}}, "converge.yml", "--limit", "servers")
        assert admin.sql("SHOW max_connections").value == "70"
        assert admin.sql(STARTED).value != started
        assert run.code != 0
        assert "work_mem: set elsewhere too" in run.output
        assert "postgresql.auto.conf" in run.output
    finally:
        assert not admin.sql("ALTER SYSTEM RESET work_mem", "SELECT pg_reload_conf()").error
