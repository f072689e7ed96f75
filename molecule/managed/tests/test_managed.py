"""Odoo on a database server and an object store of somebody else's."""

from __future__ import annotations

import typing as t

import pytest
from conftest import kept


@pytest.fixture(scope="module")
def seen(person: t.Any) -> dict[str, t.Any]:
    return person()


def test_a_file_comes_back_from_their_store(seen: dict[str, t.Any]) -> None:
    assert seen["equal"]
    assert seen["url"].startswith(f"https://managed-theirs:9000/theirs-filestore/{seen['sha1'][:2]}/{seen['sha1']}?")


def test_only_what_is_ours_was_generated() -> None:
    assert set(kept()) == {"stack_odoo_admin_password", "stack_odoo_master_password", "stack_database_password_a", "stack_database_password_b"}


def test_nothing_of_ours_runs_that_is_theirs(on: t.Any) -> None:
    packages = on("managed-odoo").check_output("systemctl list-units --state=active --plain --no-legend 'silo*' 'minio*'")
    assert packages == ""


def test_the_connection_to_their_database_is_encrypted(on: t.Any) -> None:
    query = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'odoo_a'"
    assert on("managed-theirs").check_output(f'runuser -u postgres -- psql -XAtc "{query}"') == "t"


def test_the_administrator_is_no_superuser_and_owns_no_table(on: t.Any) -> None:
    query = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert on("managed-theirs").check_output(f'runuser -u postgres -- psql -XAtc "{query}" odoo') == "odoo_owner"
    assert on("managed-theirs").check_output("runuser -u postgres -- psql -XAtc \"select rolsuper from pg_roles where rolname = 'manager'\"") == "f"
