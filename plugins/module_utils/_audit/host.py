# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is looked at on each host: files with secrets, listening ports, certificates and units."""

from __future__ import annotations

import ipaddress
import re
import ssl
import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import Area, Facts, Finding, days, joined, moment

ANY = {"*", "0.0.0.0", "::"}  # noqa: S104  # compared, not listened on


def secret_files(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Files with secrets that more people can read or write than is declared.

    Seen: ``files``, as the module find returns them. Declared: ``files``, each ``{"path", "mode", "owner", "group"}``; what has such a path
    with more behind it, say .bak or a date, is a copy of it.
    """
    for file in seen["files"]:
        path = file["path"]
        # The longest is the nearest.
        wanted = max((each for each in declared["files"] if path.startswith(each["path"])), key=lambda each: len(each["path"]))
        mode, allowed = int(file["mode"], 8), int(wanted["mode"], 8)
        more = mode & 0o777 & ~allowed
        owner, group = file.get("pw_name") or str(file["uid"]), file.get("gr_name") or str(file["gid"])
        right = f"{wanted['owner']}:{wanted['group']} {wanted['mode']}"
        todo = f"Give it to {right}{'' if path == wanted['path'] else ', or remove it if nothing needs it'}, and change its secrets."
        if more & 0o006:
            yield Finding(
                "high",
                "file_open",
                path,
                f"The file {path} holds secrets and can be {'written' if more & 0o002 else 'read'} by everybody on the host ({file['mode']}).",
                "Any program on the host that is broken into has them.",
                todo,
            )
        elif more or owner not in ("root", wanted["owner"]) or (group not in ("root", wanted["group"]) and mode & 0o070):
            yield Finding(
                "medium",
                "file_owner",
                path,
                f"The file {path} holds secrets and is of {owner}:{group} with the mode {file['mode']}, where {right} is declared.",
                "Somebody can read or change it who does not need to.",
                todo,
            )


def listeners(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Ports on which the host listens for others and that are not declared, or not at that address.

    Seen: ``lines`` of ``ss -Hltnp``. Declared: ``ports``, each ``{"port", "addresses"}``, where ``*`` is any address.
    """
    wanted: dict[int, set[str]] = {}
    for entry in declared["ports"]:
        wanted.setdefault(int(entry["port"]), set()).update(map(str, entry["addresses"]))
    for port, address, name in sockets(seen["lines"]):
        where = f"{address} port {port}"
        if port not in wanted:
            yield Finding(
                "high",
                "port_unknown",
                where,
                f"{name} listens on {where}, which the inventory does not declare.",
                "Whatever listens can be attacked by whoever reaches the host.",
                "Stop it or let it listen on the loopback interface, or declare the port in audit_ports of the host.",
            )
        elif address not in wanted[port] and not wanted[port] & ANY:
            yield Finding(
                "medium",
                "port_wider",
                where,
                f"{name} listens on {where}, where the inventory declares {joined(sorted(wanted[port]))}.",
                "It is reached from networks that were not thought of.",
                "Run the playbook site, which lets it listen on the declared address.",
            )


def sockets(lines: t.Iterable[str]) -> list[tuple[int, str, str]]:
    """Port, address and program of each socket that is not on the loopback interface.

    Of a program of another user ss tells no name where root itself may not look, as in some containers.
    """
    found = set()
    for line in lines:
        address, port = line.split()[3].rsplit(":", 1)
        address = address.split("%")[0].strip("[]")
        name = re.search(r'users:\(\("([^"]*)"', line)
        if not is_loopback(address):
            found.add((int(port), address, name[1] if name else "A program"))
    return sorted(found)


def is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def certificates(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Certificates that end soon, or that could not be had.

    Seen: ``certificates``, each ``{"name", "where", "ends", "issuer"}``, ``ends`` as OpenSSL writes it, and empty where none was shown.
    """
    for each in seen["certificates"]:
        name, where = each["name"], each["where"]
        if not each["ends"]:
            yield Finding(
                "high",
                "certificate_none",
                name,
                f"No certificate was shown for {name} at {where}.",
                "Whoever connects there sees an error, or speaks without TLS.",
                "Look whether the service runs, and run the playbook site.",
            )
            continue
        left = days(ssl.cert_time_to_seconds(each["ends"]) - bounds["now"])
        if left < bounds["certificate_days"]:
            yield Finding(
                "critical" if left < 0 else "high",
                "certificate_ends",
                name,
                f"The certificate of {name} at {where} {'has ended' if left < 0 else f'ends in {left} days'} ({each['ends']}).",
                "Nobody connects after that without a warning, and most programs not at all.",
                "Find out why it was not renewed (systemctl status certbot.timer), or run the playbook site.",
            )


def units(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Units that are less hardened than they should be.

    Seen: ``units``, each ``{"name", "exposure"}``: what systemd-analyze security says, from 0 (none) to 10, or none where it says nothing.
    """
    for unit in seen["units"]:
        if unit["exposure"] is not None and float(unit["exposure"]) > bounds["unit_exposure"]:
            yield Finding(
                "medium",
                "unit_exposed",
                unit["name"],
                f"The unit {unit['name']} has an exposure of {unit['exposure']}, and {bounds['unit_exposure']} is allowed (audit_unit_exposure).",
                "Whoever breaks into it reaches more of the host than he had to.",
                f"Look for settings that weaken it (systemctl cat {unit['name']}), and run the playbook site.",
            )


def show_files(seen: Facts) -> dict[str, t.Any]:
    columns = {"path": "path", "mode": "mode", "owner": "pw_name", "group": "gr_name"}
    return {"files": [{column: file.get(key) for column, key in columns.items()} for file in seen["files"]]}


def show_listeners(seen: Facts) -> dict[str, t.Any]:
    return {"ports": [{"port": port, "address": address, "program": name} for port, address, name in sockets(seen["lines"])]}


def show_certificates(seen: Facts) -> dict[str, t.Any]:
    return {"certificates": [{**each, "ends": moment(ssl.cert_time_to_seconds(each["ends"])) if each["ends"] else ""} for each in seen["certificates"]]}


FILES = Area((secret_files,), show_files)
LISTENERS = Area((listeners,), show_listeners)
CERTIFICATES = Area((certificates,), show_certificates)
UNITS = Area((units,))
