# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._odoo_database import Wanted, plan


def hashed(password: str) -> str:
    return f"hash of {password}"


def verify(password: str, stored: str) -> bool:
    return stored == hashed(password)


def wanted(**changes) -> Wanted:
    values = {"modules": ["web", "contacts"], "versions": {}, "language": "de_DE", "country": "DE"}
    values |= {"login": "boss", "password": "a secret", "always_password": False}
    return Wanted(**(values | changes))


def state(**changes) -> dict:
    values = {
        "server_version": 150000,
        "modules": {"base": "installed", "web": "installed", "contacts": "installed", "mail": "installed"},
        "versions": {"base": "19.0.1.3", "web": "19.0.1.0", "contacts": "19.0.1.0", "mail": "19.0.1.19"},
        "languages": ["de_DE", "en_US"],
        "country": "DE",
        "login": "boss",
        "hash": hashed("a secret"),
    }
    return values | changes


@pytest.mark.parametrize("empty", [{}, {"server_version": 150000, "modules": {}, "languages": [], "country": None, "login": None, "hash": None}])
def test_an_empty_database_is_initialised(empty):
    found = plan(empty, wanted(), verify)
    assert found.initialise
    assert found.settle == {"language": "de_DE", "country": "DE", "admin": {"password": "a secret", "login": "boss"}}
    assert found.install == ["web", "contacts"]
    assert found.before["database"] == "absent"
    assert found.after == {
        "database": "initialised",
        "modules": ["base", "contacts", "web"],
        "versions": {},
        "languages": ["de_DE"],
        "country": "DE",
        "login": "boss",
        "admin_password": "as given",
        "unfinished": [],
    }


def test_a_database_that_is_as_wanted_is_left_alone():
    found = plan(state(), wanted(), verify)
    assert not found.changed
    assert found.actions == []
    assert found.before == found.after


def test_no_secret_is_shown():
    for before in ({}, state(), state(hash=hashed("admin"), login="admin")):
        found = plan(before, wanted(always_password=True), verify)
        assert "secret" not in json.dumps([found.before, found.after, found.actions])


def test_a_base_that_was_interrupted_is_initialised_again():
    assert plan(state(modules={"base": "to install", "web": "uninstalled"}, hash=None), wanted(), verify).initialise


@pytest.mark.parametrize("stored", [hashed("admin"), "admin"])
def test_the_factory_password_is_replaced_by_default(stored):
    """So a first run that was interrupted after base is healed."""
    found = plan(state(hash=stored, login="admin", country=None, languages=["en_US"], modules={"base": "installed", "web": "to install"}), wanted(), verify)
    assert not found.initialise
    assert found.settle == {"language": "de_DE", "country": "DE", "admin": {"password": "a secret", "login": "boss"}}
    assert found.install == ["web", "contacts"]
    assert found.before != found.after


def test_a_password_that_a_person_chose_is_left_alone():
    assert not plan(state(hash=hashed("their own"), login="chief"), wanted(), verify).changed


def test_a_password_is_replaced_when_asked_for_and_the_login_never():
    found = plan(state(hash=hashed("their own"), login="chief"), wanted(always_password=True), verify)
    assert found.settle == {"admin": {"password": "a secret"}}
    assert found.actions == ["set the administrator's password"]
    assert not plan(state(), wanted(always_password=True), verify).changed


def test_a_login_that_is_not_verifiable_is_no_reason_to_change():
    assert not plan(state(hash=None), wanted(), verify).changed


def test_the_country_of_a_company_is_never_changed_but_set_where_there_is_none():
    assert not plan(state(country="FR"), wanted(), verify).changed
    assert plan(state(country=None), wanted(), verify).settle == {"country": "DE"}


def test_what_is_not_asked_for_is_left_alone():
    assert not plan(state(country=None, languages=["en_US"]), wanted(language=None, country=None, modules=[]), verify).changed


def test_a_language_is_added():
    found = plan(state(languages=["en_US"]), wanted(), verify)
    assert found.settle == {"language": "de_DE"}
    assert found.after["languages"] == ["de_DE", "en_US"]


def test_missing_modules_are_installed_in_their_order():
    found = plan(state(), wanted(modules=["web", "b", "a"]), verify)
    assert found.install == ["b", "a"]
    assert found.actions == ["install b, a"]


@pytest.mark.parametrize("what", ["to install", "to upgrade", "to remove"])
def test_what_was_begun_is_finished(what):
    found = plan(state(modules=state()["modules"] | {"mail": what}), wanted(), verify)
    assert found.resume == ["mail"]
    assert found.install == []
    assert found.before["unfinished"] == ["mail"]
    assert found.actions == ["finish what was begun with mail"]


def test_a_wanted_module_that_was_begun_is_installed():
    found = plan(state(modules=state()["modules"] | {"contacts": "to install"}), wanted(), verify)
    assert (found.install, found.resume) == (["contacts"], [])


def test_an_update_of_base_is_finished_first():
    found = plan(state(modules=state()["modules"] | {"base": "to upgrade", "mail": "to upgrade"}), wanted(), verify)
    assert not found.initialise
    assert found.resume == ["base", "mail"]


@pytest.mark.parametrize("password", ["admin", "a secret"])
def test_without_a_password_the_administrator_is_left_alone(password):
    found = plan(state(hash=hashed(password), login="somebody"), wanted(password=None, always_password=True, modules=["web", "crm"]), verify)
    assert "admin" not in found.settle
    assert found.install == ["crm"]
    assert (found.before["login"], found.after["login"]) == ("somebody", "somebody")


@pytest.mark.parametrize("version", ["1.19", "19.0.1.19"])
def test_a_module_of_the_right_version_is_left_alone(version):
    found = plan(state(), wanted(versions={"mail": version}), verify)
    assert not found.changed and found.before == found.after
    assert found.before["versions"] == {"mail": "19.0.1.19"}


@pytest.mark.parametrize("present", ["19.0.1.18", "19.0.1.20", "18.0.1.19", None])
def test_a_module_of_another_version_is_updated(present):
    before = state()
    before["versions"]["mail"] = present
    found = plan(before, wanted(versions={"mail": "1.19", "web": "1.0"}), verify)
    assert found.changed and found.update == ["mail"]
    assert found.actions == ["update mail to 19.0.1.19"]
    assert (found.before["versions"]["mail"], found.after["versions"]["mail"]) == (present, "19.0.1.19")


@pytest.mark.parametrize("what", ["to upgrade", "to install", None])
def test_a_module_that_is_not_installed_or_is_being_so_is_not_updated_for_its_version(what):
    """What was begun is finished in any case, and has the version of the disk then."""
    before = state()
    before["modules"] |= {"mail": what} if what else {}
    before["versions"]["mail"] = "19.0.1.18"
    if not what:
        del before["modules"]["mail"], before["versions"]["mail"]
    found = plan(before, wanted(versions={"mail": "1.19"}), verify)
    assert found.update == []
    assert found.resume == (["mail"] if what else [])


@pytest.mark.parametrize(("modules", "actions"), [([], []), (["contacts"], ["install contacts"])])
def test_who_gives_no_password_does_not_initialise(modules, actions):
    """In a check of a host that has nothing yet, somebody else will have done that by then."""
    found = plan({}, wanted(modules=modules, versions={"mail": "1.19"}, password=None, language=None, country=None), verify)
    assert found.actions == actions and (found.before == found.after) is not bool(actions)
