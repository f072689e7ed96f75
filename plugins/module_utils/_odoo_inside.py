# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in Odoo's own interpreter, as Odoo's user: the text of this file is sent there through standard input.

So it imports nothing of this collection, and Odoo and psycopg2 only where they are needed. A job comes in as a dict
(decoded from JSON), the answer goes to standard output as one line of JSON after `ANSWER`.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

ANSWER = "odooops-answer:"
PENDING = ("to install", "to upgrade", "to remove")


class Refused(Exception):
    """What the caller asked for cannot be; the text is for a person."""


def connection_options(config_file: str, database: str) -> dict[str, Any]:
    """What psycopg2 needs to reach the database that odoo.conf names."""
    parser = configparser.RawConfigParser(strict=False)
    with open(config_file, encoding="utf-8") as stream:
        parser.read_file(stream)
    names = {"db_host": "host", "db_port": "port", "db_user": "user", "db_password": "password", "db_sslmode": "sslmode"}
    found = {}
    for option, name in names.items():
        value = parser.get("options", option, fallback="")
        # Odoo reads the word False as "not set".
        if value and value != "False":
            found[name] = value
    return {**found, "dbname": database, "connect_timeout": 10, "application_name": "odoo_database"}


def _column(cursor: Any, query: str, values: Iterable[Any] = ()) -> list[Any]:
    cursor.execute(query, tuple(values))
    return [row[0] for row in cursor.fetchall()]


def read_state(cursor: Any) -> dict[str, Any]:
    """The state of a database: modules with their states and the versions that they were installed in, languages, country and the administrator."""
    state: dict[str, Any] = {
        "server_version": cursor.connection.server_version,
        "modules": {},
        "versions": {},
        "languages": [],
        "country": None,
        "login": None,
        "hash": None,
    }
    # Without its tables the database is empty; without the administrator, base was not installed to its end.
    if _column(cursor, "SELECT to_regclass('ir_module_module') IS NULL OR to_regclass('ir_model_data') IS NULL") == [True]:
        return state
    cursor.execute("SELECT name, state, latest_version FROM ir_module_module WHERE state IN ('installed', 'to install', 'to upgrade', 'to remove')")
    for name, what, version in cursor.fetchall():
        state["modules"][name], state["versions"][name] = what, version
    if state["modules"].get("base") not in ("installed", "to upgrade"):
        return state
    state["languages"] = _column(cursor, "SELECT code FROM res_lang WHERE active ORDER BY code")
    countries = _column(
        cursor,
        "SELECT country.code FROM ir_model_data data JOIN res_company company ON company.id = data.res_id"
        " JOIN res_partner partner ON partner.id = company.partner_id JOIN res_country country ON country.id = partner.country_id"
        " WHERE data.module = 'base' AND data.name = 'main_company' AND data.model = 'res.company'",
    )
    state["country"] = countries[0] if countries else None
    cursor.execute(
        "SELECT users.login, users.password FROM ir_model_data data JOIN res_users users ON users.id = data.res_id"
        " WHERE data.module = 'base' AND data.name = 'user_admin' AND data.model = 'res.users'"
    )
    row = cursor.fetchone()
    if row:
        state["login"], state["hash"] = row
    return state


def inspect(job: dict[str, Any]) -> dict[str, Any]:
    """Read the state of the database; {"unreachable": reason} where it cannot be reached."""
    import psycopg2  # noqa: PLC0415

    try:
        connection = psycopg2.connect(**connection_options(job["config_file"], job["database"]))
    except psycopg2.OperationalError as error:
        return {"unreachable": str(error).strip()}
    try:
        connection.set_session(readonly=True)
        with connection.cursor() as cursor:
            return read_state(cursor)
    finally:
        connection.close()


def settle_in(env: Any, job: dict[str, Any]) -> None:
    """Give a database its language, its country, and its administrator the login and the password."""
    language, country_code, admin = job.get("language"), job.get("country"), job.get("admin") or {}
    if language:
        found = env["res.lang"].with_context(active_test=False).search([("code", "=", language)])
        if not found:
            raise Refused(f"language is {language}, which this Odoo does not know; a code such as en_US, de_DE or pt_BR is wanted.")
        if not found.active:
            env["base.language.install"].create({"lang_ids": [(6, 0, found.ids)], "overwrite": False}).lang_install()
    values: dict[str, Any] = {key: admin[key] for key in ("login", "password") if admin.get(key)}
    if "@" in values.get("login", ""):
        values["email"] = values["login"]
    if values and language:
        values["lang"] = language
    if country_code:
        country = env["res.country"].search([("code", "=", country_code)], limit=1)
        if not country:
            raise Refused(f"country is {country_code}, which this Odoo does not know; a code of two letters such as US, DE or BR is wanted.")
        company = {"country_id": country.id}
        if country.currency_id:
            company["currency_id"] = country.currency_id.id
        env.ref("base.main_company").write(company)
        import pytz  # noqa: PLC0415

        zones = pytz.country_timezones.get(country_code) or []
        if len(zones) == 1 and values:
            values["tz"] = zones[0]
    if values:
        env.ref("base.user_admin").write(values)


def settle(job: dict[str, Any]) -> dict[str, Any]:
    """Load Odoo and settle the database, in one transaction."""
    import odoo.cli  # noqa: F401, PLC0415
    from odoo import api  # noqa: PLC0415
    from odoo.modules.registry import Registry  # noqa: PLC0415
    from odoo.tools import config  # noqa: PLC0415

    config.parse_config(["-c", job["config_file"], "-d", job["database"], "--workers=0", "--max-cron-threads=0", "--no-http"])
    with Registry(job["database"]).cursor() as cursor:
        settle_in(api.Environment(cursor, 1, {}), job)
    return {}


def main(job: dict[str, Any]) -> None:
    """Do the job and print the answer."""
    try:
        answer = {"inspect": inspect, "settle": settle}[job["do"]](job)
    except Refused as refused:
        answer = {"refused": str(refused)}
    sys.stdout.write(f"\n{ANSWER}{json.dumps(answer)}\n")
    sys.stdout.flush()
    # Odoo's threads and pools must not hold up the end.
    os._exit(0)
