# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many processes of Odoo a host carries, within which limits, and how many database connections they may open."""

from __future__ import annotations

DOCUMENTATION = r"""
name: odoo_sizing
short_description: Compute Odoo's workers, limits and database connections
version_added: 0.1.0
description:
  - Computes the options of odoo.conf that depend on the memory and the processors of the host.
  - What is given is taken as it is, and refused where the host cannot carry it.
options:
  _input:
    description: Memory in MB that Odoo may use.
    type: int
    required: true
  cpus:
    description: Processors that Odoo may use.
    type: int
    required: true
  workers:
    description:
      - HTTP workers; V(0) for a single process with threads.
      - Computed, two for each processor and one more as far as the memory goes, when not given.
    type: int
  max_cron_threads:
    description: Processes for scheduled actions; computed when not given.
    type: int
  limit_memory_soft:
    description: Virtual memory in bytes after which a worker is replaced when its request has ended; computed when not given.
    type: int
  limit_memory_hard:
    description: Virtual memory in bytes that a worker never gets more of; computed when not given.
    type: int
  options:
    description: Further options of odoo.conf; C(db_maxconn) and C(db_maxconn_gevent) are looked at.
    type: dict
    default: {}
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Show what Odoo would get on this host
  ansible.builtin.debug:
    msg: "{{ ansible_facts['memtotal_mb'] | odooops.stack.odoo_sizing(cpus=ansible_facts['processor_vcpus']) }}"

- name: Show how many database connections it may open
  ansible.builtin.debug:
    msg: "{{ (8192 | odooops.stack.odoo_sizing(cpus=4)).connections }}"
"""

RETURN = r"""
_value:
  description: The options and what follows from them.
  type: dict
  contains:
    options:
      description: The computed options of odoo.conf.
      type: dict
    connections:
      description: Database connections that Odoo and one command for its maintenance may open at the same time.
      type: int
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

MIB = 2**20
# What a process takes at rest, and what one takes on average with a fifth of the requests being heavy
# (Odoo's own rule of thumb: 80 % at 150 MB, 20 % at 1 GB).
AT_REST_MB = 128
ON_AVERAGE_MB = 325
# Room for the system itself.
SPARE_MB = 256
# A worker serves one request at a time, which opens a second or third transaction now and then; the process for
# websockets serves all of them, each with a connection while it is at work.
CONNECTIONS_OF_WORKER = 8
CONNECTIONS_OF_GEVENT = 32
CONNECTIONS_OF_THREADS = 64


def _number(name: str, value: Any, least: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise AnsibleFilterError(f"{name} is {value!r}; a whole number from {least} on is allowed.")
    return number


def odoo_sizing(
    memory_mb: Any,
    cpus: Any,
    *,
    workers: Any = None,
    max_cron_threads: Any = None,
    limit_memory_soft: Any = None,
    limit_memory_hard: Any = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The options for a host; sizes in MB come in, limits in bytes go out. Raises AnsibleFilterError for what cannot work."""
    memory = _number("odoo_memory_mb", memory_mb, 1)
    processors = _number("odoo_cpus", cpus, 1)
    options = options or {}

    crons = (1 if processors <= 4 else 2) if max_cron_threads is None else _number("odoo_max_cron_threads", max_cron_threads, 0)
    if workers is None:
        # Besides them: the crons, the process for websockets, and the parent of all.
        carried = (memory - SPARE_MB - 2 * AT_REST_MB) // ON_AVERAGE_MB - crons
        http = max(1, min(2 * processors + 1, carried))
    else:
        http = _number("odoo_workers", workers, 0)
    processes = http + crons + 2 if http else 1
    needed = processes * AT_REST_MB
    if workers is not None and needed > memory:
        raise AnsibleFilterError(
            f"odoo_workers is {http}, which needs at least {needed} MB of memory ({AT_REST_MB} MB for each of {processes} processes), "
            f"but there are {memory} MB: "
            f"at most {max(0, memory // AT_REST_MB - crons - 2)} are allowed here."
        )

    if limit_memory_hard is None and limit_memory_soft is None:
        soft = min(2048, max(640, memory * 5 // 8)) * MIB
        hard = soft * 5 // 4
    elif limit_memory_hard is None:
        soft = _number("odoo_limit_memory_soft", limit_memory_soft, 1)
        hard = soft * 5 // 4
    else:
        hard = _number("odoo_limit_memory_hard", limit_memory_hard, 1)
        soft = hard * 4 // 5 if limit_memory_soft is None else _number("odoo_limit_memory_soft", limit_memory_soft, 1)
    if soft > hard:
        raise AnsibleFilterError(f"odoo_limit_memory_soft is {soft}, more than odoo_limit_memory_hard, {hard}: the soft limit has to be reached first.")
    for name, value, given in (("soft", soft, limit_memory_soft), ("hard", hard, limit_memory_hard)):
        if given is not None and value > memory * MIB:
            raise AnsibleFilterError(f"odoo_limit_memory_{name} is {value} bytes ({value // MIB} MB), more than the {memory} MB of memory that there are.")
        if given is not None and value < 512 * MIB:
            raise AnsibleFilterError(
                f"odoo_limit_memory_{name} is {value} bytes ({value // MIB} MB), with which no worker starts; 512 MB ({512 * MIB}) is the least."
            )

    computed: dict[str, Any] = {
        "workers": http,
        "max_cron_threads": crons,
        "limit_memory_soft": soft,
        "limit_memory_hard": hard,
        "db_maxconn": CONNECTIONS_OF_WORKER if http else CONNECTIONS_OF_THREADS,
    }
    if http:
        computed["db_maxconn_gevent"] = CONNECTIONS_OF_GEVENT
    for name in ("db_maxconn", "db_maxconn_gevent"):
        if options.get(name) is not None:
            computed[name] = _number(f"odoo_options: {name}", options[name], 1)
    each = computed["db_maxconn"]
    # One more: the command that installs or updates modules while the service runs.
    connections = (http + crons + 1) * each + computed["db_maxconn_gevent"] if http else 2 * each
    return {"options": computed, "connections": connections}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Any]:
        return {"odoo_sizing": odoo_sizing}
