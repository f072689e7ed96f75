# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server, its databases and who may use them, asked by logging in."""

from __future__ import annotations

import pytest
import testinfra
from conftest import VERSION, Client, password
from testinfra.host import Host


@pytest.mark.parametrize("login", ["a", "b"])
def test_a_login_makes_tables_of_the_owner(local: Client, login: str) -> None:
    user = {"user": f"odoo-main_{login}", "password": password(login)}
    table = f"made_by_{login}"
    made = local.sql(
        f"CREATE TABLE {table} (id int)",
        f"SELECT tableowner, session_user, current_user FROM pg_tables WHERE tablename = '{table}'",
        **user,
    )
    assert made.rows == [["odoo-main_owner", f"odoo-main_{login}", "odoo-main_owner"]], made.error
    # The other login can do with it what it likes.
    other = {"a": "b", "b": "a"}[login]
    assert not local.sql(f"DROP TABLE {table}", user=f"odoo-main_{other}", password=password(other)).error


def test_a_login_makes_databases_of_the_owner(local: Client) -> None:
    user = {"user": "odoo-main_a", "password": password("a"), "dbname": "postgres"}
    made = local.sql(
        "CREATE DATABASE copy TEMPLATE template0",
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'copy'",
        **user,
    )
    assert made.value == "odoo-main_owner"
    assert not local.sql("DROP DATABASE copy", **user).error


def test_a_login_finds_the_database_by_its_owner(local: Client) -> None:
    # As Odoo does: a role that could not log in would not be in pg_user.
    query = "SELECT datname FROM pg_database JOIN pg_user ON usesysid = datdba WHERE usename = current_user"
    assert local.sql(query, user="odoo-main_b", password=password("b")).rows == [["odoo-main"]]


def test_a_login_sees_the_transactions_of_others(local: Client) -> None:
    query = "SELECT count(*) FILTER (WHERE backend_start IS NULL), count(*) FROM pg_stat_activity"
    hidden, count = local.sql(query, user="odoo-main_a", password=password("a")).rows[0]
    assert (hidden, count > 1) == (0, True)
    assert local.sql("SELECT pg_has_role('pg_read_all_stats', 'USAGE')", user="odoo-main_a", password=password("a")).value is True


def test_a_login_listens_on_the_database_of_the_bus(local: Client) -> None:
    assert not local.sql("LISTEN imbus", user="odoo-main_a", password=password("a"), dbname="postgres").error


def test_a_login_from_another_host_uses_tls(remote: Client) -> None:
    query = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert remote.sql(query, user="odoo-main_a", password=password("a")).rows == [[True, "TLSv1.3"]]


def test_a_login_from_another_host_without_tls_is_refused(remote: Client) -> None:
    answer = remote.sql("SELECT 1", user="odoo-main_a", password=password("a"), sslmode="disable")
    assert "no pg_hba.conf entry" in answer.error


@pytest.mark.parametrize("where", ["local", "remote"])
@pytest.mark.parametrize(
    ("user", "database", "says"),
    [
        ("odoo-main_a", "odoo-main", "password authentication failed"),
        ("odoo-main_owner", "odoo-main", "no pg_hba.conf entry"),
        ("postgres", "postgres", "no pg_hba.conf entry"),
        ("odoo-main_a", "template1", "no pg_hba.conf entry"),
        ("odoo-main_a", "shop", "no pg_hba.conf entry"),
    ],
)
def test_who_is_refused(request: pytest.FixtureRequest, where: str, user: str, database: str, says: str) -> None:
    client = request.getfixturevalue(where)
    wrong = "wrong" if "password" in says else password("a")
    assert says in client.sql("SELECT 1", user=user, dbname=database, password=wrong).error


@pytest.mark.parametrize("user", ["odoo-main_owner", "odoo-main_a"])
def test_the_socket_is_for_the_superuser_only(admin: Client, user: str) -> None:
    assert "no pg_hba.conf entry" in admin.sql("SELECT 1", user=user).error


def test_the_owner_has_no_password_and_no_connection(admin: Client) -> None:
    query = "SELECT rolpassword, rolconnlimit, rolcanlogin, rolcreatedb, rolsuper, rolcreaterole FROM pg_authid WHERE rolname = '{}_owner'"
    assert admin.sql(query.format("odoo-main")).rows == [[None, 0, True, True, False, False]]
    assert admin.sql(query.format("shop")).rows == [[None, 0, True, True, False, False]]


def test_the_database_is_as_odoo_wants_it(admin: Client) -> None:
    query = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = 'odoo-main'"
    assert admin.sql(query).rows == [["odoo-main_owner", "UTF8", "C", "C.UTF-8"]]
    query = "SELECT extname, pg_get_userbyid(extowner) FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
    assert admin.sql(query, dbname="odoo-main").rows == [["pg_trgm", "odoo-main_owner"], ["unaccent", "odoo-main_owner"]]
    assert admin.sql("SELECT lower('É')", dbname="odoo-main").value == "é"


def test_the_settings_are_in_force(admin: Client) -> None:
    rows = admin.sql("SELECT name, setting FROM pg_settings").rows
    settings = dict(rows)
    # 2048 MB and 40 connections, as converge.yml says; in pages of 8 kB, and in kB.
    assert settings["shared_buffers"] == str(512 * 128)
    assert settings["effective_cache_size"] == str(1536 * 128)
    assert settings["max_connections"] == "60"
    assert settings["work_mem"] == str(8 * 1024)
    assert settings["maintenance_work_mem"] == str(128 * 1024)
    assert settings["random_page_cost"] == "1.1"
    assert settings["password_encryption"] == "scram-sha-256"
    assert settings["statement_timeout"] == "900000"
    assert settings["data_checksums"] == "on"
    assert admin.sql("SELECT count(*) FROM pg_settings WHERE pending_restart").value == 0


def test_the_server_listens_where_it_was_told(server: Host) -> None:
    assert server.socket("tcp://0.0.0.0:5432").is_listening
    unit = server.service(f"postgresql@{VERSION}-main.service")
    assert unit.is_running
    assert "network-online.target" in server.check_output(f"systemctl show -P After postgresql@{VERSION}-main.service")
    assert server.service("postgresql").is_enabled


def test_pg_hba_is_ours_alone(server: Host) -> None:
    file = server.file(f"/etc/postgresql/{VERSION}/main/pg_hba.conf")
    assert (file.user, file.mode) == ("postgres", 0o640)
    rules = [line for line in file.content_string.splitlines() if not line.startswith("#")]
    assert rules[0] == "local all postgres peer"
    assert len(rules) == 4
    assert "trust" not in file.content_string


def test_no_password_is_in_the_log_of_the_server(server: Host) -> None:
    # log_statement is all, so the log has each ALTER ROLE.
    log = server.file(f"/var/log/postgresql/postgresql-{VERSION}-main.log").content_string
    assert 'CREATE USER "odoo-main_a" WITH ENCRYPTED PASSWORD \'SCRAM-SHA-256$4096:' in log
    assert 'CREATE USER "shop_a" WITH ENCRYPTED PASSWORD \'SCRAM-SHA-256$4096:' in log
    for name in ("a", "b", "shop_a"):
        assert password(name) not in log


def test_a_managed_server_gets_the_same(remote: Client, admin: Client) -> None:
    shop = {"user": "shop_a", "password": password("shop_a"), "dbname": "shop"}
    made = remote.sql("CREATE TABLE IF NOT EXISTS t (id int)", "SELECT tableowner FROM pg_tables WHERE tablename = 't'", **shop)
    assert made.value == "shop_owner"
    assert remote.sql("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", **shop).rows == [["unaccent"]]
    assert remote.sql("SELECT pg_has_role('pg_read_all_stats', 'USAGE')", **shop).value is True
    # No password was given for it, so nobody can log in with it.
    assert "password authentication failed" in remote.sql("SELECT 1", user="shop_b", password="guess", dbname="shop").error
    assert admin.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'manager'").value is False


def test_a_managed_server_needs_no_server_here() -> None:
    managed = testinfra.get_host("podman://postgresql-managed")
    assert managed.package("python3-psycopg2").is_installed
    assert not managed.package("postgresql-common").is_installed
