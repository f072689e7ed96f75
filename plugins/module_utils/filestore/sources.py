# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Where the settings of the store come from.

The same names everywhere: the environment ``ODOO_S3_<NAME>`` wins over the section ``[s3_attachment]`` of odoo.conf,
which wins over the same section of ``s3_attachment.conf`` in the folder of odoo.conf. An empty value is as good as none. Sections of routes may be in
either file.

Below them are the database's own parameters ``s3_attachment.<name>``, where ``database_settings`` of one of the others says so: ``safe`` for
those of SAFE, which neither lead contents elsewhere nor endanger them, ``all`` for those that name the store and its key as well.
Every copy of the database has them too. What names the store is taken from one place: from the database only if no other names a bucket.
"""

from __future__ import annotations

import configparser
import dataclasses
import logging
import os
from collections.abc import Mapping

from .config import DATABASE, SAFE, SECTION, STORE, Config, parse
from .errors import ConfigError

FILE_NAME = "s3_attachment.conf"
ENVIRONMENT_PREFIX = "ODOO_S3_"

# The settings in a file, by route; '' are those that hold where a route says nothing.
Sections = dict[str, dict[str, str]]

_logger = logging.getLogger(__name__)

# For how many databases, or former settings of one, a process remembers what they make together with the host's.
_REMEMBERED = 32


class Watch:
    """The settings for the Odoo whose configuration file that is, as they are now.

    To be asked before each use: a file that has been replaced is read again, which two calls of ``stat`` find out. Settings that
    cannot be read, or are gone, leave the former ones in force, and the log says so once. May be shared by threads. ``opted`` is what may
    come from the database, none, safe or all, as the last look found it.

    :param settings: the text that ``s3_attachment.conf`` would have, to try it before it is in force.
    :raises ConfigError: where the first ones are wrong.
    """

    def __init__(self, odoo_conf: str, environ: Mapping[str, str], settings: str | None = None) -> None:
        self._odoo_conf, self._environ, self._instead = odoo_conf, dict(environ), settings
        self._by_values: dict[tuple[tuple[str, str], ...], tuple[Config | None, str, Config | None]] = {}
        seen = self._look()
        # In one attribute, so that a thread never sees the one without the other.
        self._state = (seen, self._read())

    def current(self) -> Config | None:
        """The settings; None if nobody has set any yet."""
        seen, settings = self._state
        # The look comes before the reading: what is replaced between them is noticed by the next one.
        now = self._look()
        if now == seen:
            return settings
        try:
            found = self._read()
            fault = "they are gone" if settings and not found else ""
        except ConfigError as error:
            found, fault = settings, str(error)
        if fault:
            _logger.error("The settings of the object store have changed, but those of before stay in force: %s", fault)
            found = settings
        self._state = (now, found)
        return found

    @property
    def database_settings(self) -> str:
        """What may come from the database: none, safe or all; as it is now."""
        self.current()
        return self.opted

    def with_database(self, values: Mapping[str, str]) -> Config | None:
        """The settings with those of a database below them; None if nobody has set any.

        Wrong ones in the database leave those of the host alone in force, if there are any, and the log says so once.

        :param values: the parameters by their names, without the prefix.
        :raises ConfigError: they are wrong, and there are no others.
        """
        host = self.current()
        key = tuple(sorted(values.items()))
        known = self._by_values.get(key)
        if known and known[0] is host and known[1] == self.opted:
            return known[2]
        try:
            found = self._load_with(values)
        except ConfigError as error:
            if host is None:
                raise
            _logger.error("The settings of the object store in the database are left out: %s", error)
            found = host
        if len(self._by_values) >= _REMEMBERED:
            self._by_values.clear()
        self._by_values[key] = (host, self.opted, found)
        return found

    def _load_with(self, values: Mapping[str, str]) -> Config | None:
        settings = _load(self._odoo_conf, self._environ, self._lowest(), values)
        return dataclasses.replace(settings, watch=self) if settings else None

    def _lowest(self) -> Sections:
        path = _beside(self._odoo_conf)
        return _sections(path) if self._instead is None else _parsed(self._instead, path)

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        found: list[tuple[int, int, int] | None] = []
        for path in (_beside(self._odoo_conf), self._odoo_conf):
            try:
                status = os.stat(path)
                found.append((status.st_mtime_ns, status.st_ino, status.st_size))
            except OSError:
                found.append(None)
        return tuple(found)

    def _read(self) -> Config | None:
        settings = self._load_with({})
        self.opted = settings.database_settings if settings else self._opted()
        return settings

    def _opted(self) -> str:
        """``database_settings`` where nothing else is set."""
        layers = (_environment(self._environ), _sections(self._odoo_conf).get("", {}), self._lowest().get("", {}))
        return next((found for layer in layers if (found := layer.get("database_settings"))), "none")


def load(odoo_conf: str, environ: Mapping[str, str]) -> Config | None:
    """The settings for the Odoo whose configuration file that is; None if nobody has set any.

    :raises ConfigError: with the name of the setting, where it was found and what is allowed.
    """
    return Watch(odoo_conf, environ).current()


def _beside(odoo_conf: str) -> str:
    return os.path.join(os.path.dirname(os.path.abspath(odoo_conf)), FILE_NAME)


def _load(odoo_conf: str, environ: Mapping[str, str], lowest: Sections, database: Mapping[str, str] | None = None) -> Config | None:
    given: dict[str, str] = {}
    origins: dict[str, str] = {}
    routes: dict[str, dict[str, str]] = {}
    upper = _sections(odoo_conf)
    layers = [(lowest.pop("", {}), _beside(odoo_conf)), (upper.pop("", {}), odoo_conf), (_environment(environ), "the environment")]
    for values, origin in layers:
        for name, value in values.items():
            if value:
                given[name], origins[name] = value, origin
    for name in from_database(given, database or {}):
        if name not in given and database and database.get(name):
            given[name], origins[name] = database[name], DATABASE
    for route, settings in [*lowest.items(), *upper.items()]:
        routes.setdefault(route, {}).update({name: value for name, value in settings.items() if value})
    if "bucket" not in given and (given.get("database_settings") == "all" or set(given) == {"database_settings"}):
        # The database may name one some day; what is there must be right all the same.
        parse({"bucket": "none", **given}, origins)
        return None
    return parse(given, origins, routes) if given else None


def from_database(host: Mapping[str, str], database: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the settings that may come from a database with these parameters; none while nobody names a bucket.

    :param host: what the host says.
    """
    allowed = host.get("database_settings", "none")
    if "bucket" in host:
        return SAFE if allowed in ("safe", "all") else ()
    return (*STORE, *SAFE) if allowed == "all" and database.get("bucket") else ()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name[len(ENVIRONMENT_PREFIX) :].lower(): value.strip() for name, value in environ.items() if name.startswith(ENVIRONMENT_PREFIX)}


def _sections(path: str) -> Sections:
    """The sections of a file that are ours; none if the file is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is there but cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    return _parsed(text, path)


def _parsed(text: str, path: str) -> Sections:
    # No interpolation: a secret may hold a '%'. No default section: its options belong to others.
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # The error's own text quotes the line, which may hold a secret.
        line = getattr(error, "lineno", None) or ", ".join(str(number) for number, _line in getattr(error, "errors", []))
        raise ConfigError(f"{path} is not a configuration file that can be read (line {line})") from None
    found: Sections = {}
    for section in parser.sections():
        kind, colon, route = section.partition(":")
        if kind == SECTION:
            # A colon without a route must not pass for the section that has none.
            found[route or colon] = {name: value.strip() for name, value in parser.items(section)}
    return found
