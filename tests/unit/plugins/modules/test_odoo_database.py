# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.odooops.stack.plugins.module_utils import _odoo_inside
from ansible_collections.odooops.stack.plugins.modules import odoo_database

PASSWORD = "a very secret password"


class Done(Exception):
    pass


class Server:
    """Odoo and its database, as the commands of the module see them."""

    def __init__(self):
        self.commands = []
        self.inputs = []
        self.unreachable = None
        self.known = {"base", "web", "contacts", "mail"}
        self.state = {"server_version": 150000, "modules": {}, "versions": {}, "languages": [], "country": None, "login": None, "hash": None}
        self.on_disk = "19.0.1.0"
        self.dies_at = None

    def run_command(self, command, data=None, **_unused):
        assert command[:4] == ["runuser", "-u", "odoo", "--"]
        assert PASSWORD not in " ".join(command)
        self.commands.append(command)
        if self.dies_at and any(self.dies_at in word for word in command):
            self.dies_at = None
            return -9, "", "killed"
        if "-c" in command and odoo_database.BOOT in command:
            job = json.loads(data)
            self.inputs.append(job)
            return 0, f"noise\n{_odoo_inside.ANSWER}{json.dumps(self.inside(job))}\n", "log"
        for word in command:
            if word.startswith(("--init=", "--update=")):
                self.install(word.partition("=")[2].split(","))
        return 0, "", "log"

    def inside(self, job):
        if job["do"] == "inspect":
            return {"unreachable": self.unreachable} if self.unreachable else self.state
        if job.get("language"):
            self.state["languages"] = sorted({*self.state["languages"], job["language"]})
        self.state["country"] = job.get("country", self.state["country"])
        admin = job.get("admin", {})
        self.state["login"] = admin.get("login", self.state["login"])
        if "password" in admin:
            self.state["hash"] = odoo_database_hash(admin["password"])
        return {}

    def install(self, names):
        for name in self.known.intersection(names):
            self.state["modules"][name] = "installed"
            self.state["versions"][name] = self.on_disk
        if self.state["hash"] is None:
            self.state |= {"login": "admin", "hash": odoo_database_hash("admin"), "languages": ["en_US"]}


def odoo_database_hash(password):
    from ansible_collections.odooops.stack.plugins.module_utils import _odoo_password

    return _odoo_password.make(password, rounds=1)


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda _self, command, **options: server.run_command(command, **options))
    monkeypatch.setattr(odoo_database.Odoo, "hold_lock", lambda _self: None)
    return server


@pytest.fixture
def run(server, tmp_path, monkeypatch, capsys):
    for name in ("odoo.conf", "python", "odoo-bin"):
        (tmp_path / name).touch()

    def run(check=False, **changes):
        arguments = {
            "database": "shop",
            "config_file": str(tmp_path / "odoo.conf"),
            "python": str(tmp_path / "python"),
            "odoo_bin": str(tmp_path / "odoo-bin"),
            "language": "de_DE",
            "country": "DE",
            "modules": ["web", "contacts"],
            "admin_login": "boss",
            "admin_password": PASSWORD,
            "_ansible_check_mode": check,
        } | changes
        with patch_module_args(arguments), pytest.raises(SystemExit):
            odoo_database.main()
        out = capsys.readouterr().out
        assert PASSWORD not in out
        return json.loads(out)

    return run


def test_initialises_once(run, server):
    first = run()
    assert first["changed"]
    assert first["actions"] == [
        "initialise the database",
        "install the language de_DE",
        "set the country DE",
        "set the administrator's login and password",
        "install web, contacts",
    ]
    loads = [command for command in server.commands if "--stop-after-init" in command]
    assert [command[-1] for command in loads] == ["--init=base", "--init=web,contacts"]
    assert all({"--no-http", "--workers=0", "--max-cron-threads=0"} < set(command) for command in loads)
    second = run()
    assert (second["changed"], second["actions"]) == (False, [])
    assert second["diff"]["before"] == second["diff"]["after"]


def test_a_check_changes_nothing_and_says_the_same(run, server):
    checked = run(check=True)
    assert [job["do"] for job in server.inputs] == ["inspect"]
    done = run()
    assert (checked["changed"], checked["actions"], checked["diff"]) == (done["changed"], done["actions"], done["diff"])


@pytest.mark.parametrize("point", ["--init=base", "--init=web"])
def test_an_interrupted_run_is_continued(run, server, point):
    server.dies_at = point
    assert "exit status -9" in run()["msg"]
    assert run()["changed"]
    assert not run()["changed"]
    assert server.state["login"] == "boss"
    assert server.state["modules"] == {"base": "installed", "web": "installed", "contacts": "installed"}


def test_a_bare_host_can_be_checked(run, tmp_path):
    (tmp_path / "python").unlink()
    assert run(check=True)["diff"]["before"]["database"] == "absent"
    assert "python" in run()["msg"]
    assert "install Odoo first" in run()["msg"]


def test_a_database_that_cannot_be_reached(run, server):
    server.unreachable = 'database "shop" does not exist'
    assert run(check=True)["changed"]
    assert "cannot be reached with what" in run()["msg"]
    assert 'database "shop" does not exist' in run()["msg"]


def test_a_module_that_is_not_there_is_named(run, server):
    failed = run(modules=["web", "nonsense"])
    assert "Odoo did not install nonsense" in failed["msg"]
    assert "addons_path" in failed["msg"]


def test_what_was_begun_is_finished_by_its_kind(run, server):
    run()
    server.commands.clear()
    server.state["modules"] |= {"mail": "to upgrade"}
    assert run()["actions"] == ["finish what was begun with mail"]
    assert [command[-1] for command in server.commands if "--stop-after-init" in command] == ["--update=mail"]


def test_a_server_that_is_too_old(run, server):
    server.state["server_version"] = 110000
    assert run(minimum_server_version=13)["msg"] == "The server runs PostgreSQL 11; this release of Odoo needs 13 or later."


@pytest.mark.parametrize("password", ["", "admin"])
def test_the_factory_password_is_no_password(run, password):
    assert "choose another" in run(admin_password=password)["msg"]


def test_the_environment_is_odoo_s_own(run, server):
    run(source="/opt/odoo/src", ca_file="/etc/ssl/ca.pem")
    assert {"-i", "PYTHONPATH=/opt/odoo/src", "PGSSLROOTCERT=/etc/ssl/ca.pem"} < set(server.commands[0])


def test_a_module_whose_files_are_newer_is_updated_once(run, server):
    run()
    server.commands.clear()
    server.on_disk = "19.0.1.10"
    done = run(versions={"contacts": "1.10", "mail": "1.10"})
    assert done["actions"] == ["update contacts to 19.0.1.10"]
    assert [command[-1] for command in server.commands if "--stop-after-init" in command] == ["--update=contacts"]
    assert not run(versions={"contacts": "1.10"})["changed"]


def test_a_version_that_is_not_on_the_disk_is_told(run):
    run()
    assert "did not update contacts to 19.0.2.0" in run(versions={"contacts": "2.0"})["msg"]


@pytest.mark.parametrize("version", [1.1, 1, "", "latest", None])
def test_a_version_that_is_none_is_refused(run, server, version):
    assert run(versions={"contacts": version})["msg"].startswith("versions of contacts: give text")
    assert server.commands == []
