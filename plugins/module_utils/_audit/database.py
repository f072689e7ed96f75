# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles of the database server, and whom it admits.

Seen: ``roles``, each ``{"name", "superuser", "createrole", "createdb", "replication", "bypassrls", "login", "password", "groups"}`` (``password`` is
the kind of the verifier, ``groups`` the roles that it belongs to, of which it may be a member of a member), and ``hba``: the rows of pg_hba_file_rules.
Declared: ``superuser`` (its name), ``databases`` (their names, each with an owner and two logins) and ``hba``: lines of pg_hba.conf.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import Area, Facts, Finding, joined

# Attributes of a role, each with how bad it is where it was not declared.
POWERS = {"superuser": "critical", "createrole": "high", "replication": "high", "bypassrls": "high", "createdb": "medium"}
# With one of these a role gets at the files of the server, and so at everything.
FILES = {"pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"}


def declared_roles(declared: Facts) -> dict[str, set[str]]:
    """The roles that there should be, with the attributes that they should have."""
    found: dict[str, set[str]] = {declared["superuser"]: {*POWERS}}
    for name in declared["databases"]:
        found |= {f"{name}_owner": {"createdb"}, f"{name}_a": set(), f"{name}_b": set()}
    return found


def roles(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Roles that are not declared, or may do more than is declared."""
    wanted = declared_roles(declared)
    superusers = {role["name"] for role in seen["roles"] if role["superuser"]}
    for role in seen["roles"]:
        name = role["name"]
        powers = [power for power in POWERS if role[power] and power not in wanted.get(name, ())]
        # Whoever is a superuser is a member of all.
        groups = set() if role["superuser"] else set(role["groups"]) & (FILES | superusers)
        if name not in wanted and (role["login"] or powers or groups):
            yield Finding(
                "critical" if "superuser" in powers or groups else "high",
                "role_unknown",
                name,
                f"The database server has the role {name}, which the inventory does not declare and which {abilities(role, powers, groups)}.",
                "Nobody watches over a role that is written down nowhere.",
                f'Remove it (REASSIGN OWNED and DROP OWNED in each database, then DROP ROLE "{name}"), or accept it in audit_accepted as role_unknown {name}.',
            )
        elif name in wanted and (powers or groups):
            yield Finding(
                "critical" if groups else POWERS[powers[0]],
                "role_powers",
                name,
                f"The role {name} {abilities(role, powers, groups)}, which the inventory does not declare.",
                "Odoo needs none of it, and whoever breaks into Odoo has it.",
                "Run the playbook site, or take it away by ALTER ROLE and REVOKE.",
            )
        if role["login"] and role["password"] == "md5":  # noqa: S105  # a kind, no password
            yield Finding(
                "medium",
                "role_md5",
                name,
                f"The password of the role {name} is kept as an MD5 hash.",
                "Who reads it from a backup can log in with the hash itself.",
                "Set the password anew, with password_encryption at scram-sha-256.",
            )


def abilities(role: Facts, powers: t.Iterable[str], groups: t.Iterable[str]) -> str:
    words = [*(power.upper() for power in powers), *(f"the rights of {group}" for group in sorted(groups))]
    return f"{'can log in' if role['login'] else 'cannot log in itself'}{' and has ' if words else ''}{joined(words)}"


def admission(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Lines of pg_hba.conf that admit somebody who is not declared, or admit without a real password."""
    wanted = {parsed(line) for line in declared["hba"]}
    there = set()
    for row in seen["hba"]:
        if row["error"]:
            yield Finding(
                "medium",
                "hba_error",
                f"line {row['line_number']}",
                f"Line {row['line_number']} of pg_hba.conf has an error: {row['error']}.",
                "The server keeps to what it read before, and would not start with it.",
                "Run the playbook site, which writes the file.",
            )
            continue
        rule = as_rule(row)
        there.add(rule)
        if rule in wanted or row["auth_method"] == "reject":
            continue
        line, method = text_of(rule), row["auth_method"]
        weak = {"trust": "without any password", "password": "with the password in the clear", "md5": "with an MD5 hash"}.get(method, f"by {method}")
        yield Finding(
            "critical" if method == "trust" and row["type"] != "local" else "high",
            f"hba_{method}" if method in ("trust", "password", "md5") else "hba_unknown",
            line,
            f"pg_hba.conf admits {weak} what the inventory does not declare: {line}.",
            "It opens the database to somebody who was not thought of.",
            "Run the playbook site, which writes the file, or declare it in postgresql_hba.",
        )
    for rule in sorted(wanted - there, key=text_of):
        yield Finding(
            "low",
            "hba_missing",
            text_of(rule),
            f"pg_hba.conf lacks a line that the inventory declares: {text_of(rule)}.",
            "Odoo, or whoever it is for, cannot connect.",
            "Run the playbook site, which writes the file.",
        )


class Rule(t.NamedTuple):
    """A line of pg_hba.conf, however it is spelled."""

    kind: str
    databases: tuple[str, ...]
    users: tuple[str, ...]
    address: str
    method: str
    options: tuple[str, ...]


def parsed(line: str) -> Rule:
    """A line as the role postgresql writes it."""
    # Quotes may be in the middle of a word, as in +"group" or database="a b".
    words = re.findall(r'(?:"(?:[^"]|"")*"|[^\s"])+', line)
    kind, names, users = words[:3]
    address = "" if kind == "local" else words[3]
    method, *options = words[3:] if kind == "local" else words[4:]
    return Rule(kind, listed(names), listed(users), network(address), method, tuple(sorted(map(unquoted, options))))


def as_rule(row: Facts) -> Rule:
    """A row of pg_hba_file_rules."""
    address = row["address"] or ""
    if row["netmask"]:
        mask = ipaddress.ip_address(row["netmask"])
        address += f"/{bin(int(mask)).count('1')}"
    names, users = (tuple(sorted(row[key] or [])) for key in ("database", "user_name"))
    return Rule(row["type"], names, users, network(address), row["auth_method"], tuple(sorted(row["options"] or [])))


def text_of(rule: Rule) -> str:
    return " ".join(filter(None, [rule.kind, ",".join(rule.databases), ",".join(rule.users), rule.address, rule.method, *rule.options]))


def listed(words: str) -> tuple[str, ...]:
    return tuple(sorted(unquoted(word) for word in re.findall(r'(?:"(?:[^"]|"")*"|[^,"])+', words)))


def unquoted(word: str) -> str:
    return re.sub(r'"((?:[^"]|"")*)"', lambda found: found[1].replace('""', '"'), word)


def network(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address))
    except ValueError:
        return address


def show(seen: Facts) -> dict[str, t.Any]:
    """The roles with what they may do, and the lines of pg_hba.conf."""
    people = [
        {
            "role": role["name"],
            "login": role["login"],
            "has": [power.upper() for power in POWERS if role[power]],
            "member of": "all" if role["superuser"] else role["groups"],
            "password": role["password"] or "none",
        }
        for role in seen["roles"]
    ]
    return {"roles": people, "pg_hba.conf": [text_of(as_rule(row)) for row in seen["hba"] if not row["error"]]}


AREA = Area((roles, admission), show)
