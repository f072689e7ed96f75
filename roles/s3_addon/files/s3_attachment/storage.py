# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The store of this process, and what its errors are for Odoo."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import socket
import time
from collections.abc import Iterable
from typing import NoReturn

from odoo.api import Environment
from odoo.exceptions import UserError
from werkzeug.exceptions import InternalServerError, ServiceUnavailable

from . import compat
from .engine import audit, cache, catalogue, config, database, errors, failover, fence, gc, metrics, migration, outbox, runs, sources, store
from .engine import prefetch as prefetching

_logger = logging.getLogger(__name__)

# For how many seconds a process believes what it found out about the owner. It is about writing only, which takes nothing
# away; whoever deletes asks anew.
FENCE_LASTS = 60
# How many objects travel, or are looked up, at once.
_AT_ONCE = 8
_fences: dict[tuple[str, config.Config], tuple[float, fence.Fence]] = {}


class Unusable:
    """Stands for a store whose settings are wrong: everything that is asked of it says so."""

    def __init__(self, error: errors.ConfigError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error


@functools.lru_cache(maxsize=1)
def _watch() -> sources.Watch:
    # Of this host alone: where several share the directory, the numbers of their processes mean nothing to each other.
    metrics.SHARED.directory = os.path.join(compat.data_dir(), "s3_attachment", f"metrics-{socket.gethostname()}")
    return sources.Watch(compat.odoo_conf(), os.environ)


# The connections of former settings are dropped with their store.
_store = functools.lru_cache(maxsize=1)(failover.open_store)


def _load() -> store.ObjectStore | None:
    settings = _watch().current()
    return _store(settings) if settings else None


# Of as many databases as a process is likely to serve, each with settings of its own.
_store_of_database = functools.lru_cache(maxsize=16)(failover.open_store)
_cache = functools.lru_cache(maxsize=16)(cache.of)


def _load_for(env: Environment | None) -> store.ObjectStore | None:
    """As :func:`_load`, with the settings of the database below those of the host, if the host takes any from there."""
    found = _load()
    # Which has just looked: each attachment comes by here.
    if env is None or (watch := _watch()).opted == "none":
        return found
    settings = watch.with_database(env["ir.config_parameter"]._s3_settings())
    if settings is None:
        return None
    found = _store_of_database(settings)
    # The same settings may have been found elsewhere before.
    found.config = settings
    return found


def database_settings() -> str:
    """What this host takes from databases: none, safe, or all, which is as good as safe where the host names a store itself."""
    try:
        watch = _watch()
        return "safe" if watch.database_settings == "all" and watch.current() else watch.database_settings
    except errors.ConfigError:
        return "none"


def get(env: Environment | None = None) -> store.ObjectStore | Unusable | None:
    """The store, or None if none is configured: then all stays as it is without this addon.

    :param env: of the database whose contents it is about; without it, as the host alone says.
    """
    try:
        return _load_for(env)
    except errors.ConfigError as error:
        return Unusable(error)


def fault(env: Environment) -> str:
    """What is wrong with the settings, in a sentence; '' if nothing is."""
    try:
        _load_for(env)
    except errors.ConfigError as error:
        return str(error)
    return ""


def report(env: Environment) -> None:
    """Say in the log what is done with attachments here."""
    try:
        settings = _load_for(env)
    except errors.ConfigError as error:
        _logger.error("The object store cannot be used, so attachments can neither be stored nor, if they are there, be read: %s", error)
        return
    if settings is None:
        _logger.warning("No object store is configured: attachments stay in the local filestore")
    else:
        _logger.info("Attachments are kept in %s", settings.config.where)


def may_write(env: Environment, objects: store.ObjectStore, fname: str) -> bool:
    """Whether this database may store that content; if not, and the settings allow it, new files are kept locally.

    :raises NotOwner: if the settings do not allow it.
    :raises Denied: if the contents of its route are elsewhere than the settings say.
    """
    key = (env.cr.dbname, objects.config)
    until, found = _fences.get(key, (0.0, None))
    if found is None or time.monotonic() >= until:
        before = found
        try:
            found = fence.claim(objects, env.cr)
        except errors.Unavailable as error:
            found = _owner_in_outage(env, objects, before, error)
        _fences[key] = (time.monotonic() + FENCE_LASTS, found)
        if not found.ours and (before is None or before.ours):
            _logger.warning("Nothing is stored or deleted in the object store: %s", found.reason)
    if not found.ours and objects.config.copy_writes == "refuse":
        found.require()
    if found.ours:
        found.require_place(fname)
    return found.ours


def _owner_in_outage(env: Environment, objects: store.ObjectStore, before: fence.Fence | None, error: errors.Unavailable) -> fence.Fence:
    """That this database is the owner, by what the second end point knows, where new contents may go there.

    :raises Unavailable: it is not known to be; so nothing is stored anywhere but on this host.
    """
    if isinstance(objects, failover.Failover) and (before is None or before.ours) and objects.writes():
        with contextlib.suppress(errors.StoreError):
            found = objects.owner_in_outage(env.cr)
            if found.ours:
                return found
    raise error


def last_known_owner(env: Environment, objects: store.ObjectStore) -> fence.Fence | None:
    """What this process found out when it last wanted to write; nobody is asked."""
    return _fences.get((env.cr.dbname, objects.config), (0.0, None))[1]


def cached(objects: store.ObjectStore) -> cache.Cache:
    """The contents that are kept on this host, for all its databases."""
    return _cache(objects.config, compat.data_dir())


def at_once(objects: store.ObjectStore | Unusable) -> int:
    """How many bytes may be fetched before they are read: no more than the cache keeps until then."""
    try:
        return cached(objects).largest
    except errors.StoreError:
        return 0


def prefetch(env: Environment, objects: store.ObjectStore | Unusable, names: Iterable[str]) -> None:
    """Fetch at once what is neither in the cache nor waits on this host. Who reads it is told what went wrong."""
    with contextlib.suppress(errors.StoreError):
        waiting = spool(env, objects)
        prefetching.prefetch(cached(objects), objects, [name for name in names if not waiting.holds(name)])


def spool(env: Environment, objects: store.ObjectStore) -> outbox.Spool:
    """Where contents wait on this host."""
    directory = objects.config.spool_dir or os.path.join(compat.data_dir(), "s3_spool")
    return outbox.Spool(os.path.join(directory, env.cr.dbname), objects.config.node or socket.gethostname())


def drain(env: Environment, objects: store.ObjectStore) -> outbox.Report:
    """Store what waits on this host, in transactions of its own: see :func:`outbox.drain`."""
    return outbox.drain(objects, spool(env, objects), _transaction(env))


def collect(env: Environment, objects: store.ObjectStore, seconds: float) -> gc.Report:
    """Delete garbage, in transactions of its own: see :func:`gc.collect`."""

    return gc.collect(objects, _transaction(env), seconds)


def read_catalogue(env: Environment) -> catalogue.Catalogue:
    """What the committed rows of this database refer to, asked in short transactions of their own."""
    return catalogue.Catalogue(database.Queries(_transaction(env)))


def auditor(env: Environment, objects: store.ObjectStore, shard: str, level: str, repair: bool) -> audit.Audit:
    """An audit of a part of the contents: see :class:`engine.audit.Audit`."""
    run = dataclasses.replace(run_of(env, objects), shard=shard, level=level, spool=spool(env, objects).directory, repair=repair)
    return runs.audit_of(run, read_catalogue(env), _transaction(env))


def migrator(env: Environment, run: runs.Run, phase: str) -> migration.Migration:
    """A phase of the migration of this host's files: see :class:`engine.migration.Migration`."""
    return runs.migration_of(phase, run, read_catalogue(env), _transaction(env))


def run_of(env: Environment, objects: store.ObjectStore) -> runs.Run:
    """What all runs of the engine on this host have in common."""
    return runs.Run(
        store=objects.config,
        database=env.cr.dbname,
        filestore=env["ir.attachment"]._filestore(),
        connection={},
        state_directory=os.path.join(compat.data_dir(), "s3_attachment", "state"),
        concurrency=_AT_ONCE,
    )


def _transaction(env: Environment) -> database.Transaction:
    @contextlib.contextmanager
    def transaction():
        with compat.new_cursor(env.cr.dbname) as cr:
            yield cr

    return transaction


def not_stored(env: Environment, error: errors.StoreError) -> UserError:
    """What to raise where a content could not be stored: the user keeps the file, and nothing of it is saved here."""
    _logger.error("An attachment was refused: %s", error)
    if isinstance(error, errors.Unavailable):
        text = env._("The file could not be stored, because the object store does not answer. Nothing was saved. Please try again later.")
    elif isinstance(error, fence.NotOwner):
        text = env._("The file could not be stored, because this database is a copy that may only read in the object store. Nothing was saved.")
    else:
        text = env._("The file could not be stored, because the object store does not accept it. Nothing was saved. Please tell your administrator.")
    # Not a class of our own: the web client has its dialog for this one.
    refused = UserError(text)
    refused.http_status = 503
    return refused


def not_read(env: Environment, error: errors.StoreError, fname: str = "") -> ServiceUnavailable | InternalServerError:
    """What to raise where a content could not be read.

    Not a UserError: Odoo's download routes answer those with 404 or with a placeholder image, as if there was nothing.

    :param fname: its name, where the store may lack it because it waits on another host.
    """
    if isinstance(error, errors.NotFound) and (hosts := env["s3.outbox"]._hosts(fname)):
        error = errors.Unavailable(f"{fname} is not in the store yet: it waits on {', '.join(hosts)}")
    _logger.error("An attachment could not be read: %s", error)
    if isinstance(error, errors.Unavailable):
        return ServiceUnavailable(env._("The object store does not answer. Please try again later."))
    return InternalServerError(env._("The stored file cannot be read. Please tell your administrator."))
