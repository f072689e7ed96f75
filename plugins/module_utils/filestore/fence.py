# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Whose the objects under a prefix are.

One database owns them. It is noted in the object ``<prefix>.odoo-s3/owner.json`` by a fingerprint of what a copy of the
database does not have: a dump that is restored elsewhere has another server or number, ``CREATE DATABASE ... TEMPLATE``
gives another number, and a physical copy (base backup, point in time, promoted standby) has the same of both but, in its
odoo.conf, another ``instance_id``. Whoever is not the owner may read, and nothing else.

Where routes have another bucket or prefix, there is such a note in each of them, and a database has to own them all. The one in
the place for all else says of each such route where its contents are: settings that say something else would not find them.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import keys
from .config import Config
from .database import Cursor
from .errors import Denied, StoreError, Unavailable
from .notes import Notes, WritableNotes

OWNER = "owner.json"

OURS, FREE, FOREIGN, BARRED = "ours", "free", "foreign", "barred"
_WORST_FIRST = (BARRED, FOREIGN, FREE, OURS)


class NotOwner(StoreError):
    """The database may only read under this prefix."""


@dataclass(frozen=True)
class Fence:
    """``state``: ``ours``, ``free`` (nobody has claimed the prefix), ``foreign`` (somebody else has) or ``barred`` (whoever
    has: this database may not). ``reason`` is a sentence for an administrator, ``weak`` says that the server did not tell
    its identity, ``note`` is what the note says, and ``etag`` its ETag. Where routes have another bucket or prefix, all that is about the
    one where things are worst. ``moved``: the routes whose contents are elsewhere than the settings say, each with a sentence."""

    state: str
    reason: str
    database: str
    fingerprint: str
    owner: str = ""
    weak: bool = False
    etag: str = ""
    note: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    moved: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.state == OURS

    @property
    def faults(self) -> tuple[str, ...]:
        """What keeps this database from writing and deleting; nothing if it may do both."""
        return tuple(self.moved.values()) if self.ours else (self.reason,)

    def require(self) -> None:
        """:raises NotOwner: if this database may not write and delete.
        :raises Denied: if the settings do not say where all contents are."""
        for sentence in self.faults:
            raise (Denied if self.ours else NotOwner)(sentence)

    def require_place(self, fname: str) -> None:
        """:raises Denied: if the settings do not say where the contents are that are stored as this one."""
        if sentence := self.moved.get(keys.parse(fname).route):
            raise Denied(sentence)


@dataclass(frozen=True)
class Identity:
    """What tells a database from its copies."""

    database: str
    fingerprint: str
    weak: bool
    neutralized: bool
    uuid: str


def identify(cursor: Cursor, config: Config) -> Identity:
    """The identity of the database of that cursor."""
    name, oid, may_ask, address = _row(
        cursor,
        "SELECT current_database(), (SELECT oid FROM pg_database WHERE datname = current_database())::text,"
        " has_function_privilege('pg_control_system()', 'EXECUTE'), coalesce(inet_server_addr()::text, 'local') || ' ' || coalesce(inet_server_port(), 0)",
    )
    # Hosted servers may keep it to themselves. Then a copy on another server at the same address is not told apart.
    server = str(_row(cursor, "SELECT system_identifier::text FROM pg_control_system()")[0]) if may_ask else address
    parameters = {}
    cursor.execute("SELECT key, value FROM ir_config_parameter WHERE key IN ('database.is_neutralized', 'database.uuid')")
    for key, value in cursor.fetchall():
        parameters[key] = value or ""
    parts = [server, oid, name, config.bucket, config.prefix, config.instance_id]
    return Identity(
        database=name,
        fingerprint=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        weak=not may_ask,
        neutralized=parameters.get("database.is_neutralized", "").lower() not in ("", "0", "false"),
        uuid=parameters.get("database.uuid", ""),
    )


def examine(store: Notes, cursor: Cursor) -> Fence:
    """Ask the database and the store; nothing is changed."""
    found = _everywhere(store, identify(cursor, store.config))
    worst = min(found, key=lambda fence: _WORST_FIRST.index(fence.state))
    return dataclasses.replace(worst, moved=_moved(found[0].note, store.config, cursor))


def moved(store: Notes, cursor: Cursor) -> dict[str, str]:
    """The routes whose contents are elsewhere than the settings say, each with a sentence, whoever owns them."""
    note = store.get_note(OWNER)
    return _moved(_parse(note[0], store) if note else {}, store.config, cursor)


def _everywhere(store: Notes, identity: Identity) -> list[Fence]:
    """What the note in each of the settings' targets says."""
    return [_look(store.at(target), store.config, identity) for target in store.config.targets]


def _look(store: Notes, config: Config, identity: Identity) -> Fence:
    note = store.get_note(OWNER)
    owner = _parse(note[0], store) if note else {}
    where = f"{store.config.where}, prefix {store.config.prefix or '(none)'}"
    holder = f"the database {owner.get('database')} of the instance {owner.get('instance_id') or '(without instance_id)'}"

    def found(state: str, reason: str) -> Fence:
        etag = note[1] if note else ""
        return Fence(state, reason, identity.database, identity.fingerprint, owner.get("fingerprint", ""), identity.weak, etag, owner)

    if identity.neutralized:
        return found(BARRED, f"the database {identity.database} is neutralized, so it may only read in {where}")
    if config.database_uuid and identity.uuid != config.database_uuid:
        return found(BARRED, f"the database {identity.database} is not the one that database_uuid names, so it may only read in {where}")
    if not note:
        return found(FREE, f"nobody has claimed {where} yet")
    if owner["fingerprint"] != identity.fingerprint:
        return found(FOREIGN, f"{where} belongs to {holder}, so the database {identity.database} may only read there; if it has taken its place: adopt")
    return found(OURS, f"{where} belongs to this database, {identity.database}")


def claim(store: WritableNotes, cursor: Cursor) -> Fence:
    """As :func:`examine`; but what belongs to nobody is ours from now on, and where the contents of routes are is noted."""
    fence = examine(store, cursor)
    if fence.state == FREE:
        for target, one in zip(store.config.targets, _everywhere(store, identify(cursor, store.config)), strict=True):
            if one.state == FREE:
                # Whether it was us or somebody else at the same moment: the note says.
                store.at(target).put_note(OWNER, _note(one, store.config, target))
        fence = examine(store, cursor)
    if fence.ours and fence.note.get("routes", {}) != (routes := _routes(fence, store.config)):
        # If somebody else is faster, there is another time.
        _put_routes(store, fence, routes)
        fence = examine(store, cursor)
    return fence


def adopt(store: WritableNotes, cursor: Cursor, owner: str) -> bool:
    """Take the place of another database, after a restore or a move.

    :param owner: the beginning (12 digits or more) of the fingerprint of the owner that is replaced, so that nobody takes from somebody by mistake;
        or 'nobody'.
    :return: whether anything was changed.
    """
    found = _everywhere(store, identify(cursor, store.config))
    others = [fence for fence in found if not fence.ours]
    # Where there is an owner to be replaced, what has none goes with it.
    for fence in [fence for fence in others if fence.owner] or others:
        expected = fence.owner or "nobody"
        if fence.state == BARRED:
            raise NotOwner(fence.reason)
        if owner != expected and not (len(owner) >= 12 and expected.startswith(owner)):
            raise NotOwner(f"the owner is {expected[:12]}, and not {owner}: {fence.reason}")
    for target, fence in zip(store.config.targets, found, strict=True):
        if not fence.ours and not store.at(target).put_note(OWNER, _note(fence, store.config, target), replaces=fence.etag):
            raise NotOwner("the owner has changed at this moment: look again")
    return bool(others)


def note_move(store: WritableNotes, cursor: Cursor, route: str) -> bool:
    """Note that the contents of a route are where the store's settings say, which somebody has made sure of; returns whether that was not known."""
    fence = claim(store, cursor)
    if not fence.ours:
        raise NotOwner(fence.reason)
    if route not in fence.moved:
        return False
    left = {other: sentence for other, sentence in fence.moved.items() if other != route}
    routes = _routes(dataclasses.replace(fence, moved=left), store.config)
    if not _put_routes(store, fence, routes):
        raise Unavailable("the note about the owner has changed at this moment: do it again")
    return True


def _elsewhere(config: Config) -> dict[str, list[str]]:
    """The routes with another bucket or prefix than all else, each with these two."""
    return {route: list(own.target) for route, own in config.by_route.items() if own.target != config.target}


def _routes(fence: Fence, config: Config) -> dict[str, list[str]]:
    """What the note is to say of the routes: what the settings say, and of those that have moved what it says already."""
    noted = fence.note.get("routes", {})
    known = {route: where for route, where in _elsewhere(config).items() if route not in fence.moved}
    return known | {route: noted[route] for route in fence.moved if route in noted}


def _put_routes(store: WritableNotes, fence: Fence, routes: Mapping[str, list[str]]) -> bool:
    """Have the note say so of the routes; returns False if somebody else has changed it since it was looked at."""
    return store.put_note(OWNER, json.dumps({**fence.note, "routes": routes}, indent=1).encode(), replaces=fence.etag)


def _moved(note: Mapping[str, Any], config: Config, cursor: Cursor) -> dict[str, str]:
    here, noted, now = list(config.target), note.get("routes", {}), _elsewhere(config)
    found = {}
    # Where there is no note, nobody has said anything else.
    for route in sorted(noted.keys() | now.keys()) if note else ():
        # Of a route that is not noted the contents are where all else is.
        was, wanted = noted.get(route, here), now.get(route, here)
        if was == wanted:
            continue
        cursor.execute("SELECT 1 FROM ir_attachment WHERE store_fname LIKE %s LIMIT 1", [f"%-{route}"])
        if cursor.fetchall():
            found[route] = (
                f"the contents of the route {route} are in bucket {was[0]}, prefix {was[1] or '(none)'}, and the settings say bucket {wanted[0]}, "
                f"prefix {wanted[1] or '(none)'}: put back what they said, or move the contents as docs/addon.md says"
            )
    return found


def _note(fence: Fence, config: Config, target: Config) -> bytes:
    since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    content: dict[str, Any] = {"fingerprint": fence.fingerprint, "database": fence.database, "instance_id": config.instance_id, "since": since}
    # What another database has noted before us is true all the same.
    if target is config and (routes := fence.note.get("routes") or _elsewhere(config)):
        content["routes"] = routes
    return json.dumps(content, indent=1).encode()


def _parse(content: bytes, store: Notes) -> dict[str, Any]:
    try:
        owner = json.loads(content)
        if isinstance(owner, dict) and isinstance(owner.get("fingerprint"), str) and owner["fingerprint"] and isinstance(owner.get("routes", {}), dict):
            return owner
    except ValueError:
        pass
    # Not the same as no owner: whoever wrote it may be at work.
    raise Denied(f"{store.config.prefix}.odoo-s3/{OWNER} in {store.config.where} is not a note about the owner; look who has written it")


def _row(cursor: Cursor, query: str) -> tuple[Any, ...]:
    cursor.execute(query)
    return cursor.fetchall()[0]
