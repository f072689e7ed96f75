# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The proof that what is stored at one of two end points comes to the other one, both ways.

It is one object in both buckets, ``<prefix>.odoo-s3/replication-<pair>.json``, which names the two. It is stored at the first
as ``sent``; when that has come to the second, it is replaced there by ``returned``; when that has come back, it is replaced at
the first by ``proved``, and waited for at the second. So ``proved`` is there only where both ways have worked, and whoever
writes in an outage finds it at the second end point.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Any

from .config import Config
from .errors import ConfigError
from .notes import Notes, WritableNotes

# How often the other end point is asked, in seconds.
_PAUSE = 0.5


class NotProved(ConfigError):
    """What was stored at one end point did not come to the other one."""


def is_proved(config: Config, at: Notes) -> bool:
    """Whether the note at that end point says that both ways were proved between these two.

    :param config: of the first end point; its ``failover`` is the second one.
    """
    found = at.get_note(_name(config))
    return found is not None and _parsed(found[0]) == {**_pair(config), "state": "proved"}


def not_proved(config: Config, second: Notes) -> str:
    """What to say where there is no proof."""
    return (
        f"it was not proved that contents are replicated both ways between {config.where} and {second.config.where}: run the role s3_addon, "
        "or the engine's command probe, while both answer"
    )


def prove(first: WritableNotes, second: WritableNotes, *, write: bool = True, anew: bool = False, seconds: float = 60) -> bool:
    """Prove that it works both ways.

    :param write: do so if there is no proof; else only tell.
    :param anew: even if there is one.
    :param seconds: how long to wait for each of the three objects.
    :return: whether there was no proof.
    :raises NotProved: something did not arrive.
    """
    missing = not (is_proved(first.config, first) and is_proved(first.config, second))
    if write and (missing or anew):
        # Whatever is said in a run before this one is of another word.
        word = secrets.token_hex(8)
        _travels(first, second, first.config, {"state": "sent", "word": word}, seconds)
        _travels(second, first, first.config, {"state": "returned", "word": word}, seconds)
        _travels(first, second, first.config, {"state": "proved"}, seconds)
    return missing


def _travels(here: WritableNotes, there: Notes, config: Config, content: dict[str, str], seconds: float) -> None:
    name, body = _name(config), json.dumps({**_pair(config), **content}, indent=1).encode()
    found = here.get_note(name)
    if not here.put_note(name, body, replaces=found[1] if found else ""):
        raise NotProved(f"somebody else proves the replication of {here.config.where} at this moment: run it again")
    end = time.monotonic() + seconds
    while True:
        came = there.get_note(name)
        if came and came[0] == body:
            return
        if time.monotonic() > end:
            raise NotProved(
                f"failover_writes is allow, but what is stored in {here.config.where} did not come to {there.config.where} within {seconds:.0f} s: "
                "set up replication both ways between the two, or set failover_writes to refuse"
            )
        time.sleep(_PAUSE)


def _pair(config: Config) -> dict[str, str]:
    second = config.failover
    if second is None:
        raise ConfigError("there is no failover_endpoint_url")
    return {
        "first": f"{config.endpoint_url}/{config.bucket}/{config.prefix}",
        "second": f"{second.endpoint_url}/{second.bucket}/{second.prefix}",
    }


def _name(config: Config) -> str:
    pair = json.dumps(_pair(config), sort_keys=True).encode()
    return f"replication-{hashlib.sha256(pair).hexdigest()[:12]}.json"


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
