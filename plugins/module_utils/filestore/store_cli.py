# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The commands of the engine's command line that speak with the store as Odoo does. Each answers with what is printed."""

from __future__ import annotations

import argparse
import dataclasses
import socket
from collections.abc import Callable
from typing import Any

from . import database, fence, gc, outbox, relocation
from .config import Config
from .errors import Denied, StoreError
from .failover import Failover, open_store
from .store import ObjectStore


def run(options: argparse.Namespace, settings: Config) -> dict[str, Any]:
    """Run a command."""
    commands: dict[str, Callable[[ObjectStore, argparse.Namespace], dict[str, Any]]]
    commands = {"probe": _probe, "fence": _fence, "adopt": _adopt, "moved": _moved, "drain": _drain, "gc": _gc}
    return commands[options.command](ObjectStore(settings), options)


def _transactions(options: argparse.Namespace) -> database.Transaction:
    return database.transactions(options.database, database.parameters_of(options.config))


def _probe(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    store = open_store(store.config)
    # Before anything is stored: contents that would not be found are worse than a key that does not work.
    moved = fence.moved(store, database.Queries(_transactions(options))) if options.database else {}
    for sentence in moved.values():
        raise Denied(sentence)
    changed = store.probe(write=not options.read_only, anew=options.anew)
    # With which key, and for how long its links are good at most: what a rotation has to know.
    longest = max(settings.presign_ttl for settings in (store.config, *store.config.by_route.values()))
    answer: dict[str, Any] = {"changed": changed, "store": store.config.where, "access_key": store.config.access_key, "presign_ttl": longest}
    if isinstance(store, Failover):
        answer["failover"] = store.second.config.where
        if store.config.failover_writes == "allow":
            missing = store.prove(write=not options.read_only, anew=options.anew, seconds=options.replication_timeout)
            answer["changed"] = changed or missing
    return answer


def _fence(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    with _transactions(options)() as cursor:
        found = fence.examine(store, cursor)
    return {
        "state": found.state,
        "reason": found.reason,
        "owner": found.owner or "nobody",
        "fingerprint": found.fingerprint,
        "weak": found.weak,
        "moved": found.moved,
    }


def _adopt(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    with _transactions(options)() as cursor:
        return {"changed": fence.adopt(store, cursor, options.owner)}


def _moved(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    settings = relocation.planned(store.config, options.route, options.bucket, options.prefix)
    with database.open_catalogue(options.database, database.parameters_of(options.config)) as catalogue:
        count = relocation.check(settings, catalogue, options.route)
    with _transactions(options)() as cursor:
        changed = fence.note_move(ObjectStore(settings), cursor, options.route)
    return {"changed": changed, "contents": count}


def _gc(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    return dataclasses.asdict(gc.collect(store, _transactions(options)))


def _drain(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    directory = database.spool_of(options.config, store.config.spool_dir, options.database)
    spool = outbox.Spool(directory, store.config.node or socket.gethostname())
    report = outbox.drain(store, spool, _transactions(options))
    if report.error or report.missing:
        lost = f"; the files of {', '.join(report.missing)} are gone from {spool.directory}" if report.missing else ""
        raise StoreError(f"{report.waiting} files wait on {spool.node}: {report.error or 'not all could be stored'}{lost}")
    return dataclasses.asdict(report)
