# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""A route that gets another bucket or prefix, after somebody has copied its contents there."""

from __future__ import annotations

import dataclasses

from . import keys
from .catalogue import PREFIXES, Catalogue
from .config import Config, Route
from .errors import NotFound
from .transfer import Transfer


def planned(config: Config, route: str, bucket: str, prefix: str) -> Config:
    """The settings as they will be; '' is for what they say now."""
    routes = dict(config.routes)
    own = routes.get(route, Route(*config.placement()))
    routes[route] = own._replace(bucket=bucket or own.bucket, prefix=prefix or own.prefix)
    return dataclasses.replace(config, routes=tuple(routes.items()))


def check(config: Config, catalogue: Catalogue, route: str) -> int:
    """See that all contents of a route that rows refer to are where the settings say; returns how many there are.

    Whether they are whole an audit finds out.

    :raises NotFound: one is missing.
    """
    target = config.by_route.get(route, config)
    there, count = Transfer(config).at(target), 0
    for prefix, names in zip(PREFIXES, catalogue.names(PREFIXES), strict=True):
        wanted = [fname for fname in names if keys.parse(fname).route == route]
        if not wanted:
            continue
        listed = {fname for fname, _entry in there.list(f"{prefix}/")}
        # What waits on a host has never been in the former place.
        missing = [fname for fname in wanted if fname not in listed]
        missing = sorted(set(missing) - catalogue.waiting(missing).keys())
        if missing:
            raise NotFound(f"{target.where}, prefix {target.prefix or '(none)'} does not have {missing[0]}: copy all contents of the route {route} there first")
        count += len(wanted)
    return count
