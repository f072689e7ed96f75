# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import types

import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _odoo_inside as inside
from ansible_collections.odooops.stack.plugins.modules import odoo_database

CONF = """[options]
db_host = 10.0.0.5
db_port = 5433
db_user = odoo_a
db_password = 100%_$ure = yes; no # really
db_sslmode = verify-full
admin_passwd = x

[queue_job]
channels = root:2
"""


def test_reaches_the_database_as_odoo_conf_says(tmp_path):
    conf = tmp_path / "odoo.conf"
    conf.write_text(CONF)
    assert inside.connection_options(str(conf), "shop") == {
        "host": "10.0.0.5",
        "port": "5433",
        "user": "odoo_a",
        "password": "100%_$ure = yes; no # really",
        "sslmode": "verify-full",
        "dbname": "shop",
        "connect_timeout": 10,
        "application_name": "odoo_database",
    }


def test_false_in_odoo_conf_means_not_set(tmp_path):
    conf = tmp_path / "odoo.conf"
    conf.write_text("[options]\ndb_host = False\ndb_port = False\ndb_user = odoo\n")
    assert {"host", "port", "password"}.isdisjoint(inside.connection_options(str(conf), "shop"))


class Cursor:
    """Answers queries by the first table or function that they name."""

    def __init__(self, answers):
        self.answers = answers
        self.connection = types.SimpleNamespace(server_version=150018)
        self.rows = []

    def execute(self, query, values=()):
        self.rows = next(rows for word, rows in self.answers.items() if word in query)

    def fetchall(self):
        return self.rows

    def fetchone(self):
        return self.rows[0] if self.rows else None


def test_the_state_of_an_empty_database():
    state = inside.read_state(Cursor({"to_regclass": [(True,)]}))
    assert (state["modules"], state["login"], state["server_version"]) == ({}, None, 150018)


def test_the_state_of_a_base_that_is_not_installed_to_its_end():
    state = inside.read_state(Cursor({"to_regclass": [(False,)], "FROM ir_module_module": [("base", "to install", None)]}))
    assert (state["modules"], state["login"]) == ({"base": "to install"}, None)


def test_the_state_of_a_whole_database():
    answers = {
        "to_regclass": [(False,)],
        "FROM ir_module_module": [("base", "installed", "19.0.1.3"), ("web", "to upgrade", "19.0.1.0")],
        "FROM res_lang": [("de_DE",), ("en_US",)],
        "res_company": [("DE",)],
        "res_users": [("boss", "$hash")],
    }
    assert inside.read_state(Cursor(answers)) == {
        "server_version": 150018,
        "modules": {"base": "installed", "web": "to upgrade"},
        "versions": {"base": "19.0.1.3", "web": "19.0.1.0"},
        "languages": ["de_DE", "en_US"],
        "country": "DE",
        "login": "boss",
        "hash": "$hash",
    }


class Records:
    """As much of a recordset of Odoo as is asked for."""

    def __init__(self, found=True, **values):
        self.found = found
        self.written = []
        self.asked = []
        self.__dict__.update(values)

    def __bool__(self):
        return self.found

    def with_context(self, **_unused):
        return self

    def search(self, domain, **_unused):
        self.asked.append(domain)
        return self

    def create(self, values):
        self.written.append(values)
        return self

    def write(self, values):
        self.written.append(values)

    def lang_install(self):
        self.written.append("installed")


class Environment(dict):
    def __init__(self, **changes):
        super().__init__(
            {
                "res.lang": Records(active=False, ids=[7]),
                "res.country": Records(id=57, currency_id=Records(id=3)),
                "base.language.install": Records(),
            }
            | changes
        )
        self.admin, self.company = Records(), Records()

    def ref(self, name):
        return {"base.user_admin": self.admin, "base.main_company": self.company}[name]


@pytest.fixture
def pytz(monkeypatch):
    module = types.SimpleNamespace(country_timezones={"DE": ["Europe/Berlin", "Europe/Busingen"], "FR": ["Europe/Paris"]})
    monkeypatch.setitem(sys.modules, "pytz", module)


@pytest.mark.usefixtures("pytz")
def test_a_database_is_settled():
    env = Environment()
    inside.settle_in(env, {"language": "de_DE", "country": "FR", "admin": {"login": "boss@example.com", "password": "a secret"}})
    assert env["base.language.install"].written == [{"lang_ids": [(6, 0, [7])], "overwrite": False}, "installed"]
    assert env.company.written == [{"country_id": 57, "currency_id": 3}]
    assert env.admin.written == [{"login": "boss@example.com", "email": "boss@example.com", "password": "a secret", "lang": "de_DE", "tz": "Europe/Paris"}]


@pytest.mark.usefixtures("pytz")
def test_only_what_is_asked_for_is_settled():
    env = Environment(**{"res.lang": Records(active=True, ids=[7])})
    inside.settle_in(env, {"language": "de_DE"})
    assert env["base.language.install"].written == []
    assert env.admin.written == []
    inside.settle_in(env, {"admin": {"password": "a secret"}})
    assert env.admin.written == [{"password": "a secret"}]
    assert env.company.written == []
    inside.settle_in(env, {"country": "DE"})
    assert len(env.admin.written) == 1


@pytest.mark.parametrize(
    ("name", "job", "sentence"),
    [("res.lang", {"language": "xx_XX"}, "language is xx_XX, which this Odoo does not know"), ("res.country", {"country": "XX"}, "country is XX, which")],
)
def test_what_odoo_does_not_know_is_refused(name, job, sentence):
    env = Environment(**{name: Records(found=False)})
    with pytest.raises(inside.Refused, match=sentence):
        inside.settle_in(env, job)
    assert env.admin.written == []


def test_the_program_goes_through_standard_input():
    """As the module sends it: nothing of the job is on the command line, and a refusal comes back as a sentence."""
    source = importlib.util.find_spec(inside.__name__).loader.get_source(inside.__name__)
    source = source.decode() if isinstance(source, bytes) else source  # Ansible's own loader gives bytes
    program = source.replace('"settle": settle}', '"settle": settle, "refuse": refuse}') + ("\n\ndef refuse(job):\n    raise Refused(job['why'])\n")
    job = {"program": program, "do": "refuse", "why": "for the test"}
    done = subprocess.run([sys.executable, "-c", odoo_database.BOOT], input=json.dumps(job), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == inside.ANSWER + '{"refused": "for the test"}'
