# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The engine from the command line, with the settings of an Odoo on this host.

    python -m engine.cli --config /etc/odoo/odoo.conf probe

It is to be run by Odoo's user and Odoo's interpreter, so that what it proves is true for Odoo. It answers with one line
of JSON, or with one sentence on standard error and the status 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from . import config, database, fence, gc, migration_cli, outbox
from .errors import ConfigError, StoreError
from .store import ObjectStore


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="engine.cli", description="Odoo's filestore in an object store.")
    parser.add_argument("--config", required=True, metavar="ODOO_CONF", help="Odoo's configuration file")
    commands = parser.add_subparsers(dest="command", required=True)
    probe = commands.add_parser("probe", help="store, look up and read an object with Odoo's key")
    probe.add_argument("--read-only", action="store_true", help="store nothing; only tell whether something would be stored")
    probe.set_defaults(run=_probe)
    for name, run, text in (
        ("fence", _fence, "tell whose the objects are"),
        ("adopt", _adopt, "make the objects this database's, in the place of another one"),
        ("drain", _drain, "store what was kept on this host while the store did not answer"),
        ("gc", _gc, "delete objects that no attachment refers to"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--database", required=True)
        command.set_defaults(run=run)
        if run is _adopt:
            command.add_argument("--owner", required=True, help="the owner that is replaced, by the first 12 digits of its fingerprint as `fence` shows it; or nobody")
    migration_cli.add_commands(commands)
    options = parser.parse_args(arguments)
    try:
        settings = config.load(options.config, os.environ)
        if settings is None:
            raise ConfigError(f"there are no settings for the object store: neither {options.config} nor {config.FILE_NAME} beside it has any")
        if options.command in migration_cli.COMMANDS:
            return migration_cli.run(options, settings)
        answer = options.run(ObjectStore(settings), options)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _probe(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    return {"changed": store.probe(write=not options.read_only), "store": store.config.where}


def _fence(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    with database.transactions(options.config, options.database)() as cursor:
        found = fence.examine(store, cursor)
    return {"state": found.state, "reason": found.reason, "owner": found.owner or "nobody", "fingerprint": found.fingerprint, "weak": found.weak}


def _adopt(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    with database.transactions(options.config, options.database)() as cursor:
        return {"changed": fence.adopt(store, cursor, options.owner)}


def _gc(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    return dataclasses.asdict(gc.collect(store, database.transactions(options.config, options.database)))


def _drain(store: ObjectStore, options: argparse.Namespace) -> dict[str, Any]:
    directory = store.config.spool_dir or os.path.join(_data_dir(options.config), "s3_spool")
    spool = outbox.Spool(os.path.join(directory, options.database), store.config.node or socket.gethostname())
    report = outbox.drain(store, spool, database.transactions(options.config, options.database))
    if report.error or report.missing:
        lost = f"; the files of {', '.join(report.missing)} are gone from {spool.directory}" if report.missing else ""
        raise StoreError(f"{report.waiting} files wait on {spool.node}: {report.error or 'not all could be stored'}{lost}")
    return dataclasses.asdict(report)


def _data_dir(odoo_conf: str) -> str:
    directory = database.options_of(odoo_conf).get("data_dir")
    if not directory:
        raise ConfigError(f"{odoo_conf} has no data_dir: set it there, or spool_dir in the settings of the store")
    return directory


if __name__ == "__main__":
    raise SystemExit(main())
