# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a PostgreSQL server that serves Odoo, computed from its host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: postgresql_tuning
short_description: Compute the settings of a PostgreSQL server for Odoo
version_added: 0.1.0
description:
  - Computes settings from the memory, processors and kind of disk of a host and from the connections of its clients.
  - It is a pure function, and refuses settings that the host cannot carry.
positional: _input, cpus, connections, version
options:
  _input:
    description: Memory that the server may use, in MB.
    type: int
    required: true
  cpus:
    description: Processors of the host.
    type: int
    required: true
  connections:
    description: Connections that clients may open at the same time.
    type: int
    required: true
  version:
    description: Major version of the server.
    type: int
    required: true
  disk:
    description: Kind of the disk that holds the data.
    type: str
    choices: [ssd, hdd]
    default: ssd
  settings:
    description:
      - Settings that replace or extend the computed ones.
      - V(null) takes a computed one out, so that the server's own default holds.
    type: dict
    default: {}
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Show the settings of a host with 16 GB
  ansible.builtin.debug:
    msg: "{{ 16384 | odooops.stack.postgresql_tuning(4, 80, 15, settings={'work_mem': '32MB'}) }}"
"""

RETURN = r"""
_value:
  description: Names and values of settings, as postgresql.conf takes them, sorted by name.
  type: dict
"""

import re
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

SUPPORTED_VERSIONS = (14, 18)

# Besides what clients open: the server's own reserve for superusers (3) and room for
# backups, monitoring and an administrator, so that a full pool never locks them out.
SPARE_CONNECTIONS = 20

# Each has a variable of its own, or would take the server away from where the role looks for it.
RESERVED = {
    "port": "postgresql_port",
    "listen_addresses": "postgresql_listen_addresses",
    "hba_file": "postgresql_hba",
    "ident_file": "postgresql_hba",
    "config_file": "",
    "data_directory": "",
    "external_pid_file": "",
    "unix_socket_directories": "",
    "include": "",
    "include_dir": "",
    "include_if_exists": "",
}

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)?\s*$")
_BYTES = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
# What a number without unit counts, by setting (pg_settings.unit).
_BASE = {"shared_buffers": 8192, "effective_cache_size": 8192, "work_mem": 1024, "maintenance_work_mem": 1024, "autovacuum_work_mem": 1024}


def size_in_mb(name: str, value: Any) -> float:
    """The size that a setting of memory means, in MB."""
    match = _SIZE.match(str(value))
    if not match:
        raise AnsibleFilterError(f"postgresql_settings: {name} is {value!r}, which is no size: a number with B, kB, MB, GB or TB is wanted, such as 64MB.")
    factor = _BYTES[match[2]] if match[2] else _BASE[name]
    return float(match[1]) * factor / 2**20


def render(name: str, value: Any) -> str:
    """A value as postgresql.conf takes it, without the quotes around it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ",".join(render(name, item) for item in value)
    if isinstance(value, (str, int, float)):
        text = str(value)
        if "\n" in text or "\r" in text or "\0" in text:
            raise AnsibleFilterError(f"postgresql_settings: {name} has more than one line; a setting has one.")
        return text
    raise AnsibleFilterError(f"postgresql_settings: {name} is of the type {type(value).__name__}; text, a number, a boolean, a list or null is wanted.")


def compute(memory_mb: int, cpus: int, connections: int, version: int, disk: str) -> dict[str, Any]:
    """The computed settings, before anything is replaced."""
    ssd = disk == "ssd"
    max_connections = connections + SPARE_CONNECTIONS
    shared_buffers = memory_mb // 4
    # A query may take work_mem several times over, yet hardly ever do all connections at once.
    work_mem = (memory_mb - shared_buffers) // (3 * max_connections)
    if work_mem < 1:
        most = (memory_mb - shared_buffers) // 3 - SPARE_CONNECTIONS
        raise AnsibleFilterError(
            f"postgresql_client_connections is {connections}, which is too many for {memory_mb} MB of memory: "
            f"at most {max(most, 0)} are allowed here; give the server more memory or let a pooler share connections."
        )
    settings: dict[str, Any] = {
        "max_connections": max_connections,
        "shared_buffers": f"{shared_buffers}MB",
        "effective_cache_size": f"{memory_mb * 3 // 4}MB",
        "work_mem": f"{min(work_mem, 128)}MB",
        "maintenance_work_mem": f"{min(max(memory_mb // 16, 32), 1024)}MB",
        # Several autovacuum workers run at once, so each gets less than a VACUUM by hand.
        "autovacuum_work_mem": f"{min(max(memory_mb // 64, 16), 512)}MB",
        "min_wal_size": "256MB" if memory_mb < 4096 else "1GB",
        "max_wal_size": "1GB" if memory_mb < 4096 else "4GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "lz4" if version >= 15 else True,
        "random_page_cost": "1.1" if ssd else "4",
        "effective_io_concurrency": 200 if ssd else 2,
        "max_worker_processes": max(8, cpus),
        "max_parallel_workers": max(cpus, 1),
        "max_parallel_workers_per_gather": min(cpus // 2, 4),
        "max_parallel_maintenance_workers": max(min(cpus // 2, 4), 1),
        # Odoo's tables are wide in number and small in rows: compiling a plan costs more than it brings.
        "jit": False,
        # The defaults wait until a fifth of a table is dead, which on mail_message or ir_attachment is years.
        "autovacuum_max_workers": min(max(cpus // 2, 3), 6),
        "autovacuum_naptime": "30s",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.02",
        "autovacuum_vacuum_cost_limit": 1000 if ssd else 400,
        "password_encryption": "scram-sha-256",
        "log_checkpoints": True,
        "log_lock_waits": True,
        "log_autovacuum_min_duration": "10s",
        "log_temp_files": "64MB",
    }
    return settings


def _integer(name: str, value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise AnsibleFilterError(f"postgresql_settings: {name} is {value!r}; a whole number is wanted.") from None


def check(settings: dict[str, Any], memory_mb: int, connections: int) -> None:
    """Refuse what the host cannot carry or the clients cannot work with."""
    size = {name: size_in_mb(name, settings[name]) for name in _BASE if name in settings and str(settings[name]) != "-1"}
    wanted = _integer("max_connections", settings.get("max_connections", 100))
    least = connections + _integer("superuser_reserved_connections", settings.get("superuser_reserved_connections", 3))
    if wanted < least:
        raise AnsibleFilterError(
            f"postgresql_settings: max_connections is {wanted}, less than the {least} that postgresql_client_connections ({connections}) "
            "and superuser_reserved_connections need: raise the one or lower the other."
        )
    if size.get("effective_cache_size", 0) > memory_mb:
        raise AnsibleFilterError(
            f"postgresql_settings: effective_cache_size is {settings['effective_cache_size']}, more than the {memory_mb} MB of memory that there are."
        )
    if size.get("shared_buffers", 0) > memory_mb * 0.75:
        raise AnsibleFilterError(
            f"postgresql_settings: shared_buffers is {settings['shared_buffers']}; at most three quarters of the {memory_mb} MB of memory are allowed."
        )
    demand = size.get("shared_buffers", 128) + wanted * size.get("work_mem", 4)
    if demand > memory_mb:
        raise AnsibleFilterError(
            f"postgresql_settings: shared_buffers ({settings.get('shared_buffers', '128MB')}) and max_connections x work_mem "
            f"({wanted} x {settings.get('work_mem', '4MB')}) can take {demand:.0f} MB, more than the {memory_mb} MB of memory: lower one of them."
        )
    maintenance = size.get("maintenance_work_mem", 64)
    workers = _integer("autovacuum_max_workers", settings.get("autovacuum_max_workers", 3))
    demand = max(maintenance, workers * size.get("autovacuum_work_mem", maintenance))
    if demand > memory_mb / 2:
        raise AnsibleFilterError(
            f"postgresql_settings: maintenance_work_mem, and autovacuum_work_mem for {workers} workers, can take {demand:.0f} MB; "
            f"at most half of the {memory_mb} MB of memory is allowed."
        )


def postgresql_tuning(
    memory_mb: int, cpus: int, connections: int, version: int, *, disk: str = "ssd", settings: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Settings by name, for a server with memory_mb MB of memory; AnsibleFilterError says what is wrong with the wish."""
    memory_mb, cpus, connections, version = int(memory_mb), int(cpus), int(connections), int(version)
    first, last = SUPPORTED_VERSIONS
    if version < first:
        raise AnsibleFilterError(f"postgresql_version is {version}: {first} to {last} are supported.")
    if memory_mb < 256:
        raise AnsibleFilterError(f"postgresql_memory_mb is {memory_mb}: at least 256 are needed.")
    if connections < 1:
        raise AnsibleFilterError(f"postgresql_client_connections is {connections}: at least 1 is needed.")
    if disk not in ("ssd", "hdd"):
        raise AnsibleFilterError(f"postgresql_disk is {disk!r}: ssd or hdd is allowed.")

    result = compute(memory_mb, cpus, connections, version, disk)
    for raw, value in (settings or {}).items():
        name = str(raw)
        if not _NAME.match(name):
            raise AnsibleFilterError(f"postgresql_settings: {name!r} is no name of a setting.")
        # PostgreSQL does not mind capitals; two entries for one setting would hide each other.
        name = name.lower()
        if name in RESERVED:
            own = RESERVED[name]
            raise AnsibleFilterError(f"postgresql_settings: {name} cannot be set here" + (f"; use {own}." if own else ": the role relies on it."))
        if name == "password_encryption" and value != "scram-sha-256":
            raise AnsibleFilterError(f"postgresql_settings: password_encryption is {value!r}; only scram-sha-256 is allowed.")
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    check(result, memory_mb, connections)
    return {name: render(name, result[name]) for name in sorted(result)}


class FilterModule:
    """The filter postgresql_tuning."""

    def filters(self) -> dict[str, Any]:
        return {"postgresql_tuning": postgresql_tuning}
