# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The database that an Odoo uses, by its own configuration file.

What writes is given a function that opens a transaction: Odoo's own, or for the command line :func:`transactions`. What only
reads, the migration, has :func:`open_catalogue`.
"""

from __future__ import annotations

import configparser
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .catalogue import Catalogue
from .config import PARAMETER_PREFIX, Config
from .errors import ConfigError
from .sources import Watch

try:
    import psycopg2

    PSYCOPG2_IMPORT_ERROR: ImportError | None = None
except ImportError as error:
    PSYCOPG2_IMPORT_ERROR = error

_NAMES = {"db_host": "host", "db_port": "port", "db_user": "user", "db_password": "password", "db_sslmode": "sslmode"}


class Cursor(Protocol):
    """What is needed of a cursor."""

    def execute(self, query: str, params: Any = None) -> object: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


#: Opens a transaction of its own, which is committed at the end, or rolled back if there is an exception.
Transaction = Callable[[], contextlib.AbstractContextManager[Cursor]]


def options_of(odoo_conf: str) -> dict[str, str]:
    """The section ``[options]`` of odoo.conf, without what it says is not set.

    :raises ConfigError: it cannot be read. The message quotes nothing of the file.
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        with open(odoo_conf, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigError(f"{odoo_conf} cannot be read ({type(error).__name__}): give the configuration file that Odoo is started with") from None
    found = dict(parser.items("options")) if parser.has_section("options") else {}
    return {name: value.strip() for name, value in found.items() if value.strip() not in ("", "False", "None")}


def stored_settings(cursor: Cursor) -> dict[str, str]:
    """The parameters of the database with our prefix, by their names without it; see :mod:`config`."""
    cursor.execute("SELECT key, value FROM ir_config_parameter WHERE starts_with(key, %s)", [PARAMETER_PREFIX])
    return {key[len(PARAMETER_PREFIX) :]: value.strip() for key, value in cursor.fetchall() if value and value.strip()}


def settings_for(watch: Watch, database: str, parameters: dict[str, Any]) -> Config | None:
    """The settings of the host with those of the database below them, which is asked only if the host takes any from there.

    :param parameters: of ``psycopg2.connect``, except for the database's name.
    """
    if watch.database_settings == "none":
        return watch.current()
    with transactions(database, parameters)() as cursor:
        return watch.with_database(stored_settings(cursor))


def parameters_of(odoo_conf: str) -> dict[str, str]:
    """What psycopg2 needs to connect as that Odoo does, except for the database's name."""
    options = options_of(odoo_conf)
    return {ours: options[theirs] for theirs, ours in _NAMES.items() if theirs in options}


def data_dir_of(odoo_conf: str, instead: str = "give the path of the filestore") -> str:
    """Odoo's data directory.

    :param instead: what to do where it is not known, for the message.
    """
    directory = options_of(odoo_conf).get("data_dir")
    if not directory:
        raise ConfigError(f"{odoo_conf} does not say data_dir: {instead}")
    return directory


def filestore_of(odoo_conf: str, database: str) -> str:
    """The directory of the database's files."""
    return os.path.join(data_dir_of(odoo_conf), "filestore", database)


def spool_of(odoo_conf: str, spool_dir: str, database: str) -> str:
    """The directory of what waits on this host until the store can take it.

    :param spool_dir: the setting of that name.
    """
    directory = spool_dir or os.path.join(data_dir_of(odoo_conf, "set it there, or spool_dir in the settings of the store"), "s3_spool")
    return os.path.join(directory, database)


class Queries:
    """A cursor each of whose queries is a transaction of its own, opened by that function."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, query: str, params: Any = None) -> None:
        with self._transaction() as cursor:
            cursor.execute(query, params)
            self._rows = cursor.fetchall()

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class _ShortTransactions:
    """A cursor each of whose queries is a read only transaction of its own.

    Not by a setting of the session: behind a pooler of connections that would stay when somebody else gets the connection.
    """

    def __init__(self, connection: Any) -> None:
        # Two statements that are sent together are one transaction, in one journey.
        connection.autocommit = True
        self._cursor = connection.cursor()

    def execute(self, query: str, params: Any = None) -> None:
        self._cursor.execute(f"SET TRANSACTION READ ONLY; {query}", params)

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows


def _connect(database: str, parameters: dict[str, Any]) -> Any:
    if PSYCOPG2_IMPORT_ERROR is not None:
        raise ConfigError(f"the Python package psycopg2 is missing in the environment that runs this ({PSYCOPG2_IMPORT_ERROR})")
    try:
        return psycopg2.connect(dbname=database, application_name="s3_attachment", connect_timeout=10, **parameters)
    except (psycopg2.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"the database {database} cannot be reached: {' '.join(str(error).split())}") from None


def _strange(database: str, error: Exception) -> ConfigError:
    return ConfigError(f"the database {database} did not answer as one of Odoo's does: {' '.join(str(error).split())}")


def transactions(database: str, parameters: dict[str, Any]) -> Transaction:
    """Transactions in that database.

    :param parameters: of ``psycopg2.connect``, except for the database's name.
    """

    @contextlib.contextmanager
    def transaction() -> Iterator[Cursor]:
        connection = _connect(database, parameters)
        try:
            with contextlib.closing(connection), connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            raise _strange(database, error) from error

    return transaction


@contextlib.contextmanager
def open_catalogue(database: str, parameters: dict[str, Any]) -> Iterator[Catalogue]:
    """The catalogue of that database.

    :param parameters: of ``psycopg2.connect``, except for the database's name.
    :raises ConfigError: it cannot be reached, or is none of Odoo's.
    """
    connection = _connect(database, parameters)
    try:
        yield Catalogue(_ShortTransactions(connection))
    except psycopg2.Error as error:
        raise _strange(database, error) from error
    finally:
        connection.close()
