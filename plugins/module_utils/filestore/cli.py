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
import json
import os
import sys
from collections.abc import Sequence

from . import config, migration_cli
from .errors import ConfigError, StoreError
from .store import ObjectStore


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="engine.cli", description="Odoo's filestore in an object store.")
    parser.add_argument("--config", required=True, metavar="ODOO_CONF", help="Odoo's configuration file")
    commands = parser.add_subparsers(dest="command", required=True)
    probe = commands.add_parser("probe", help="store, look up and read an object with Odoo's key")
    probe.add_argument("--read-only", action="store_true", help="store nothing; only tell whether something would be stored")
    migration_cli.add_commands(commands)
    options = parser.parse_args(arguments)
    try:
        settings = config.load(options.config, os.environ)
        if settings is None:
            raise ConfigError(f"there are no settings for the object store: neither {options.config} nor {config.FILE_NAME} beside it has any")
        if options.command in migration_cli.COMMANDS:
            return migration_cli.run(options, settings)
        stored = ObjectStore(settings).probe(write=not options.read_only)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"changed": stored, "store": settings.where}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
