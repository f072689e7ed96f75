# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The migration's commands of the engine's command line."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from typing import Any

from . import proof
from .client import Features
from .config import Config
from .database import filestore_of, open_catalogue, parameters_of, spool_of
from .migration import LEVELS
from .runs import AUDIT_LEVELS, PHASES, Run, execute

_HELP = {
    "plan": "say what an upload would do, and change nothing",
    "upload": "store what is not in the bucket yet",
    "verify": "see whether everything is in the bucket, and remember that",
    "clean": "remove local copies of what is in the bucket",
    "back": "bring everything back to this disk",
    "audit": "compare database, disk and bucket, and say what a repair would do",
}
COMMANDS = (*PHASES, "prove")


def add_commands(commands: Any) -> None:
    """Add them to the parser's commands."""
    for phase in PHASES:
        command = commands.add_parser(phase, help=_HELP[phase])
        _add_common(command)
        command.add_argument("--report-dir", metavar="PATH", help="where to write the report and progress.log")
        command.add_argument("--shard", default="1/1", metavar="N/TOTAL", help="only this part of the filestore, such as 2/4")
        command.add_argument("--concurrency", type=int, default=16, metavar="N", help="how many files travel at once (default: 16)")
        command.add_argument("--bandwidth", type=int, default=0, metavar="BYTES", help="bytes a second at most")
        command.add_argument("--deadline", type=float, default=0, metavar="SECONDS", help="begin nothing new after so long")
        command.add_argument("--orphans", action="store_true", help="also files that no row refers to")
        text = "what not to use although the server seems to have it; may be given often"
        command.add_argument("--without", action="append", default=[], choices=Features._fields, help=text)
        command.add_argument("--dry-run", action="store_true", help="find out all, and change nothing")
        if phase in ("verify", "back"):
            command.add_argument("--level", choices=LEVELS, default="checksum", help="what to look at (default: checksum)")
        if phase == "audit":
            text = "how closely to look; sample is one of 30, each day others (default: checksum)"
            command.add_argument("--level", choices=AUDIT_LEVELS, default="checksum", help=text)
            command.add_argument("--repair", action="store_true", help="put right what there is a right copy of")
        if phase == "clean":
            command.add_argument("--retention-days", type=float, default=14, metavar="DAYS", help="since the first verification (default: 14)")
            command.add_argument("--max-age-hours", type=float, default=24, metavar="HOURS", help="since the last verification, and of proofs (default: 24)")
            command.add_argument("--app-host", action="append", default=[], metavar="NAME", help="a host of Odoo that has run prove; may be given often")
            command.add_argument("--unversioned", action="store_true", help="although the bucket keeps no former versions")
    prove = commands.add_parser("prove", help="show that the Odoo of this host reads from the bucket, while a local copy is hidden")
    _add_common(prove)
    prove.add_argument("--host", default=socket.gethostname(), metavar="NAME", help="what clean is told as --app-host (default: this host's name)")
    prove.add_argument("--url", default="http://127.0.0.1:8069", help="where Odoo listens on this host (default: http://127.0.0.1:8069)")


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--database", required=True, metavar="NAME")
    command.add_argument("--filestore", metavar="PATH", help="its files (default: as odoo.conf's data_dir says)")
    command.add_argument("--state-dir", default="/var/lib/odooops-filestore", metavar="PATH", help="the memory of migrations on this host")


def run(options: argparse.Namespace, settings: Config) -> int:
    """Run a command; 0 if all was looked at and nothing is wrong, 2 if there is something to look into."""
    job = Run(
        store=settings,
        database=options.database,
        filestore=options.filestore or filestore_of(options.config, options.database),
        connection=parameters_of(options.config),
        state_directory=os.path.abspath(options.state_dir),
        progress=sys.stderr,
    )
    if options.command == "prove":
        with open_catalogue(job.database, job.connection) as catalogue:
            shown = proof.prove(catalogue, job.transfer(), job.filestore, database=job.database, host=options.host, url=options.url)
        sys.stdout.write(json.dumps(shown) + "\n")
        return 0
    job.report_directory = options.report_dir
    for name in ("shard", "concurrency", "bandwidth", "deadline", "orphans"):
        setattr(job, name, getattr(options, name))
    job.dry, job.without = options.dry_run, tuple(options.without)
    job.level = getattr(options, "level", job.level)
    if options.command == "audit":
        job.repair, job.spool = options.repair, spool_of(options.config, settings.spool_dir, options.database)
    if options.command == "clean":
        job.retention_days, job.max_age_hours = options.retention_days, options.max_age_hours
        job.app_hosts, job.unversioned = tuple(options.app_host), options.unversioned
    result = execute(options.command, job)
    sys.stdout.write(json.dumps(result) + "\n")
    return 2 if result["problems"] or not result["complete"] else 0
