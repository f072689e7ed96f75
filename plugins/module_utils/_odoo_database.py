# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What odoo_database decides: from the state of a database and what is wanted to the steps that lead there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.odooops.stack.plugins.module_utils import _odoo_password

INSTALLED = ("installed", "to upgrade")
# What every new database of Odoo has.
FACTORY_PASSWORD = "admin"  # noqa: S105


@dataclass
class Wanted:
    """What was asked for."""

    modules: list[str]
    versions: dict[str, str]
    language: str | None
    country: str | None
    login: str
    password: str | None
    always_password: bool = False


@dataclass
class Plan:
    """The steps, in the order in which they are taken, and what is shown of them."""

    initialise: bool = False
    settle: dict[str, Any] = field(default_factory=dict)
    install: list[str] = field(default_factory=list)
    update: list[str] = field(default_factory=list)
    resume: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.initialise or self.settle or self.install or self.update or self.resume)

    @property
    def actions(self) -> list[str]:
        """The steps in words, without secrets."""
        words = ["initialise the database"] if self.initialise else []
        if self.settle.get("language"):
            words.append(f"install the language {self.settle['language']}")
        if self.settle.get("country"):
            words.append(f"set the country {self.settle['country']}")
        if self.settle.get("admin"):
            words.append("set the administrator's " + " and ".join(sorted(self.settle["admin"])))
        if self.install:
            words.append("install " + ", ".join(self.install))
        words += [f"update {name} to {self.after['versions'][name]}" for name in self.update]
        if self.resume:
            words.append("finish what was begun with " + ", ".join(self.resume))
        return words


def plan(state: Mapping[str, Any], wanted: Wanted, verify: Callable[[str, str], bool] = _odoo_password.verify) -> Plan:
    """The plan for a database in the state that `_odoo_inside.inspect` returns; {} is one that is not there, or empty."""
    modules: dict[str, str] = state.get("modules") or {}
    stored = state.get("hash") or ""
    found = Plan()
    empty = modules.get("base") not in INSTALLED
    # Who gives no password leaves that to somebody else.
    found.initialise = empty and wanted.password is not None
    factory = empty or stored == FACTORY_PASSWORD or verify(FACTORY_PASSWORD, stored)
    country = state.get("country")

    if wanted.language and (factory or wanted.language not in (state.get("languages") or [])):
        found.settle["language"] = wanted.language
    if wanted.country and (factory or not country) and wanted.country != country:
        found.settle["country"] = wanted.country
    admin = {}
    # Without a password the administrator is not this caller's to change.
    if wanted.password is not None:
        if factory or (wanted.always_password and not verify(wanted.password, stored)):
            admin["password"] = wanted.password
        if factory and wanted.login != state.get("login"):
            admin["login"] = wanted.login
    if admin:
        found.settle["admin"] = admin
    found.install = [name for name in wanted.modules if modules.get(name) not in INSTALLED and (name != "base" or not found.initialise)]
    versions = {name: version for name, version in (state.get("versions") or {}).items() if name in wanted.versions and modules[name] == "installed"}
    right = {name: _whole(wanted.versions[name], state["versions"]["base"]) for name in versions}
    found.update = sorted(name for name, version in versions.items() if version != right[name])
    # Of a first installation that was interrupted, only what is not wanted anyway; base is installed first in any case.
    found.resume = sorted(name for name, what in modules.items() if what.startswith("to ") and name not in found.install and name != "base")
    if modules.get("base") == "to upgrade":
        found.resume.insert(0, "base")

    present = sorted(name for name in {"base", *wanted.modules} if modules.get(name) in INSTALLED)
    found.before = {
        "database": "absent" if empty else "initialised",
        "modules": present,
        "versions": versions,
        "languages": list(state.get("languages") or []),
        "country": country,
        "login": state.get("login"),
        "admin_password": "not as given" if "password" in admin else "left alone",
        "unfinished": found.resume,
    }
    found.after = {
        "database": "absent" if empty and not found.initialise else "initialised",
        "modules": sorted({*present, *wanted.modules, *(["base"] if found.initialise else [])}),
        "versions": right,
        "languages": sorted({*(state.get("languages") or []), *([wanted.language] if wanted.language else [])}),
        "country": found.settle.get("country", country),
        "login": admin.get("login", state.get("login")),
        "admin_password": "as given" if "password" in admin else "left alone",
        "unfinished": [],
    }
    return found


def _whole(version: str, base: str) -> str:
    """A version as Odoo notes it: after the one of the release, which that of base begins with."""
    release = ".".join(base.split(".")[:2])
    return version if version.startswith(f"{release}.") else f"{release}.{version}"
