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

from . import cache_cli, database, migration_cli, sources
from .errors import ConfigError, StoreError, of_this_host


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="engine.cli", description="Odoo's filestore in an object store.")
    parser.add_argument("--config", required=True, metavar="ODOO_CONF", help="Odoo's configuration file")
    commands = parser.add_subparsers(dest="command", required=True)
    probe = commands.add_parser("probe", help="store, look up and read an object with Odoo's key")
    probe.add_argument("--read-only", action="store_true", help="store nothing; only tell whether something would be stored")
    probe.add_argument("--anew", action="store_true", help="store the object even if it is there, say by another host")
    probe.add_argument(
        "--replication-timeout", type=float, default=60, metavar="SECONDS", help="how long an object may take to the other end point, for failover_writes"
    )
    probe.add_argument("--database", default="", help="see that this one's contents are where the settings say")
    probe.add_argument("--settings-on-stdin", action="store_true", help=f"try what standard input has, in the place of {sources.FILE_NAME}")
    for name, text in (
        ("fence", "tell whose the objects are"),
        ("adopt", "make the objects this database's, in the place of another one"),
        ("moved", "note that the contents of a route have been copied to another bucket or prefix, once all are there"),
        ("drain", "store what was kept on this host while the store did not answer"),
        ("gc", "delete objects that no attachment refers to"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--database", required=True)
        if name == "adopt":
            command.add_argument(
                "--owner", required=True, help="the owner that is replaced, by the first 12 digits of its fingerprint as `fence` shows it; or nobody"
            )
        if name == "moved":
            command.add_argument("--route", required=True)
            command.add_argument("--bucket", default="", help="the new one, if it is not that of the settings")
            command.add_argument("--prefix", default="", help="the new one, if it is not that of the settings")
    cache_cli.add_command(commands)
    migration_cli.add_commands(commands)
    options = parser.parse_args(arguments)
    try:
        # By standard input: it holds a secret, and nobody but root may write the file.
        instead = sys.stdin.read() if getattr(options, "settings_on_stdin", False) else None
        watch, named = sources.Watch(options.config, os.environ, instead), getattr(options, "database", "")
        settings = database.settings_for(watch, named, database.parameters_of(options.config)) if named else watch.current()
        if settings is None:
            raise ConfigError(
                f"there are no settings for the object store: neither {options.config} nor {sources.FILE_NAME} beside it has any; "
                "those in a database count for commands that name it, by --database, where database_settings is all"
            )
        if options.command in migration_cli.COMMANDS:
            return migration_cli.run(options, settings)
        if options.command == "cache":
            answer = cache_cli.run(options, settings)
        else:
            # boto3 takes longer to be loaded than a migration with nothing to do takes, and only these need it.
            from . import store_cli  # noqa: PLC0415

            answer = store_cli.run(options, settings)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{of_this_host(error)}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
