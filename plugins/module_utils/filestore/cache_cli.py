# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The command of the engine's command line for the cache of this host."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from . import cache, database
from .config import Config
from .errors import StoreError


def add_command(commands: Any) -> None:
    """Add it to the parser's commands."""
    command = commands.add_parser("cache", help="tell how much of the contents is kept on this host, or remove some or all of it")
    command.add_argument("--database", help="whose settings count too, where the host takes some from there")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--evict", action="store_true", help="remove what was not read for long, and if it is nearly full the oldest")
    what.add_argument("--clear", action="store_true", help="remove all")


def run(options: argparse.Namespace, settings: Config) -> dict[str, Any]:
    """Run the command; give what is printed."""
    found = cache.of(settings, "" if settings.cache_dir else database.data_dir_of(options.config, "set it there, or cache_dir in the settings of the store"))
    try:
        done = found.clear() if options.clear else found.evict() if options.evict else None
        answer = dataclasses.asdict(done or found.usage())
    except OSError as error:
        raise StoreError(f"the cache {found.directory} cannot be looked at ({error.strerror}): run this as Odoo's user") from error
    return {"directory": found.directory, "max_bytes": found.max_bytes, "days": found.days, **answer}
