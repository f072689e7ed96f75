# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Whose the objects under a prefix are.

One database owns them. It is noted in the object ``<prefix>.odoo-s3/owner.json`` by a fingerprint of what a copy of the
database does not have: a dump that is restored elsewhere has another server or number, ``CREATE DATABASE ... TEMPLATE``
gives another number, and a physical copy (base backup, point in time, promoted standby) has the same of both but, in its
odoo.conf, another ``instance_id``. Whoever is not the owner may read, and nothing else.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from .config import Config
from .database import Cursor
from .errors import Denied, StoreError

OWNER = "owner.json"

OURS, FREE, FOREIGN, BARRED = "ours", "free", "foreign", "barred"


class Notes(Protocol):
    """Where the note about the owner is: the store, or another way to it."""

    @property
    def config(self) -> Config: ...

    def get_note(self, name: str) -> tuple[bytes, str] | None: ...


class WritableNotes(Notes, Protocol):
    """The same, for those who claim and adopt."""

    def put_note(self, name: str, body: bytes, replaces: str = "") -> bool: ...


class NotOwner(StoreError):
    """The database may only read under this prefix."""


@dataclass(frozen=True)
class Fence:
    """``state``: ``ours``, ``free`` (nobody has claimed the prefix), ``foreign`` (somebody else has) or ``barred`` (whoever
    has: this database may not). ``reason`` is a sentence for an administrator, ``weak`` says that the server did not tell
    its identity, ``etag`` is that of the note."""

    state: str
    reason: str
    database: str
    fingerprint: str
    owner: str = ""
    weak: bool = False
    etag: str = ""

    @property
    def ours(self) -> bool:
        return self.state == OURS

    def require(self) -> None:
        """:raises NotOwner: if this database may not write and delete."""
        if not self.ours:
            raise NotOwner(self.reason)


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
    identity = identify(cursor, store.config)
    note = store.get_note(OWNER)
    owner = _parse(note[0], store) if note else {}
    where = f"{store.config.where}, prefix {store.config.prefix or '(none)'}"
    holder = f"the database {owner.get('database')} of the instance {owner.get('instance_id') or '(without instance_id)'}"

    def found(state: str, reason: str) -> Fence:
        return Fence(state, reason, identity.database, identity.fingerprint, owner.get("fingerprint", ""), identity.weak, note[1] if note else "")

    if identity.neutralized:
        return found(BARRED, f"the database {identity.database} is neutralized, so it may only read in {where}")
    if store.config.database_uuid and identity.uuid != store.config.database_uuid:
        return found(BARRED, f"the database {identity.database} is not the one that database_uuid names, so it may only read in {where}")
    if not note:
        return found(FREE, f"nobody has claimed {where} yet")
    if owner["fingerprint"] != identity.fingerprint:
        return found(FOREIGN, f"{where} belongs to {holder}, so the database {identity.database} may only read there; if it has taken its place: adopt")
    return found(OURS, f"{where} belongs to this database, {identity.database}")


def claim(store: WritableNotes, cursor: Cursor) -> Fence:
    """As :func:`examine`; but what belongs to nobody is ours from now on."""
    fence = examine(store, cursor)
    if fence.state == FREE:
        # Whether it was us or somebody else at the same moment: the note says.
        store.put_note(OWNER, _note(fence, store.config))
        fence = examine(store, cursor)
    return fence


def adopt(store: WritableNotes, cursor: Cursor, owner: str) -> bool:
    """Take the place of another database, after a restore or a move.

    :param owner: the beginning (12 digits or more) of the fingerprint of the owner that is replaced, so that nobody takes from somebody by mistake;
        or 'nobody'.
    :return: whether anything was changed.
    """
    fence = examine(store, cursor)
    if fence.ours:
        return False
    if fence.state == BARRED:
        raise NotOwner(fence.reason)
    expected = fence.owner or "nobody"
    if owner != expected and not (len(owner) >= 12 and expected.startswith(owner)):
        raise NotOwner(f"the owner is {expected[:12]}, and not {owner}: {fence.reason}")
    if not store.put_note(OWNER, _note(fence, store.config), replaces=fence.etag):
        raise NotOwner("the owner has changed at this moment: look again")
    return True


def _note(fence: Fence, config: Config) -> bytes:
    since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    content = {"fingerprint": fence.fingerprint, "database": fence.database, "instance_id": config.instance_id, "since": since}
    return json.dumps(content, indent=1).encode()


def _parse(content: bytes, store: Notes) -> dict[str, Any]:
    try:
        owner = json.loads(content)
        if isinstance(owner, dict) and isinstance(owner.get("fingerprint"), str) and owner["fingerprint"]:
            return owner
    except ValueError:
        pass
    # Not the same as no owner: whoever wrote it may be at work.
    raise Denied(f"{store.config.prefix}.odoo-s3/{OWNER} in {store.config.where} is not a note about the owner; look who has written it")


def _row(cursor: Cursor, query: str) -> tuple[Any, ...]:
    cursor.execute(query)
    return cursor.fetchall()[0]
