# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of pg_hba.conf that follow from the databases and rules that were asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
name: postgresql_hba
short_description: Compute the lines of pg_hba.conf for Odoo's databases
version_added: 0.1.0
description:
  - Admits the two login roles of each database from its addresses, to the database itself and to C(postgres), where Odoo listens for its bus and its cron.
  - Never admits the role that owns a database over a network.
options:
  _input:
    description: The databases, as O(odooops.stack.postgresql#role:main:postgresql_databases) takes them. Their passwords are not looked at.
    type: list
    elements: dict
    required: true
  rules:
    description: Further rules, as O(odooops.stack.postgresql#role:main:postgresql_hba) takes them.
    type: list
    elements: dict
    default: []
  require_tls:
    description: Whether an address other than the loopback has to use TLS.
    type: bool
    default: true
  listen:
    description:
      - Addresses that the server listens on.
      - If given, a client that could never reach one of them is an error.
    type: list
    elements: str
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Show who is admitted
  ansible.builtin.debug:
    msg: "{{ [{'name': 'odoo', 'client_addresses': ['10.0.0.5']}] | odooops.stack.postgresql_hba }}"
"""

RETURN = r"""
_value:
  description: Lines of pg_hba.conf, without the one of the superuser.
  type: list
  elements: str
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

LOGINS = ("a", "b")
NETWORK_TYPES = ("host", "hostssl", "hostnossl")
# PostgreSQL's own words for addresses.
_KEYWORDS = ("all", "samehost", "samenet")


def quote(word: str) -> str:
    """A name in quotes, so that none is taken for a keyword such as all or replication."""
    return '"' + word.replace('"', '""') + '"'


def network(address: str, variable: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a network, as a network."""
    try:
        return ipaddress.ip_network(str(address), strict=True)
    except ValueError as error:
        raise AnsibleFilterError(f"{variable} has {address!r}, which is no IP address and no network such as 10.0.0.0/24 ({error}).") from None


def is_loopback_only(listen: Iterable[str]) -> bool:
    """Whether nobody but this host can reach these addresses."""
    for address in listen:
        if address == "localhost":
            continue
        try:
            if not ipaddress.ip_address(address).is_loopback:
                return False
        except ValueError:
            return False
    return True


def database_lines(database: Mapping[str, Any], require_tls: bool, loopback_only: bool) -> list[str]:
    """The lines of one database."""
    name = database["name"]
    users = ",".join(quote(f"{name}_{login}") for login in LOGINS)
    lines = []
    for address in database.get("client_addresses") or ["127.0.0.1/32", "::1/128"]:
        net = network(address, f"postgresql_databases: client_addresses of {name}")
        if loopback_only and not net.is_loopback:
            raise AnsibleFilterError(
                f"postgresql_databases: {name} has the client {address}, which can never reach postgresql_listen_addresses: "
                "they are this host's loopback only; add an address of this host or '*'."
            )
        kind = "hostssl" if require_tls and not net.is_loopback else "host"
        lines.append(f"{kind} {quote(name)},{quote('postgres')} {users} {net} scram-sha-256")
    return lines


def rule_line(rule: Mapping[str, Any], owners: set[str]) -> str:
    """The line of a further rule."""
    kind, method = rule["type"], rule.get("method", "scram-sha-256")
    users = [str(user) for user in rule["users"]]
    address = rule.get("address") or ""
    shown = f"postgresql_hba: the rule {kind} for {', '.join(users)}"
    if method == "trust":
        raise AnsibleFilterError(f"{shown} has the method trust, which admits anybody without a password; take scram-sha-256.")
    if kind == "local" and address:
        raise AnsibleFilterError(f"{shown} has the address {address}; a local rule has none.")
    if kind in NETWORK_TYPES:
        if not address:
            raise AnsibleFilterError(f"{shown} has no address; an IP address, a network, samenet, samehost or a host name is wanted.")
        if method == "peer":
            raise AnsibleFilterError(f"{shown} has the method peer, which is for local rules only.")
        if method != "reject":
            barred = sorted(user for user in users if user.lstrip("+") in owners or user == "all")
            if barred:
                raise AnsibleFilterError(f"{shown} would admit {', '.join(barred)} over the network: name login roles, never all or the owner of a database.")
    if any("\n" in word for word in [address, *users, *rule["databases"]]):
        raise AnsibleFilterError(f"{shown} has more than one line.")
    fields = [
        kind,
        ",".join(word if word in ("all", "replication", "sameuser", "samerole") else quote(word) for word in rule["databases"]),
        # "+name" means the members of a role only without quotes around the sign.
        ",".join(user if user == "all" else "+" + quote(user[1:]) if user.startswith("+") else quote(user) for user in users),
    ]
    if kind in NETWORK_TYPES:
        # An address with digits or colons is checked; a name is the server's to resolve.
        if address not in _KEYWORDS and (":" in address or address.replace(".", "").replace("/", "").isdigit()):
            address = str(network(address, "postgresql_hba"))
        fields.append(address)
    fields.append(method)
    fields += [f"{key}={quote(str(value))}" for key, value in sorted((rule.get("options") or {}).items())]
    return " ".join(fields)


def postgresql_hba(
    databases: Iterable[Mapping[str, Any]],
    rules: Iterable[Mapping[str, Any]] | None = None,
    require_tls: bool = True,
    listen: Iterable[str] | None = None,
) -> list[str]:
    """Lines of pg_hba.conf; AnsibleFilterError says what is wrong with the wish."""
    databases = list(databases)
    loopback_only = listen is not None and is_loopback_only(listen)
    owners = {f"{database['name']}_owner" for database in databases}
    # Further rules come first: a reject has to win over what the databases admit.
    lines = [rule_line(rule, owners) for rule in rules or []]
    for database in databases:
        lines += database_lines(database, require_tls, loopback_only)
    return lines


class FilterModule:
    """The filter postgresql_hba."""

    def filters(self) -> dict[str, Any]:
        return {"postgresql_hba": postgresql_hba}
