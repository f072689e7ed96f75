# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What a database of Odoo says about its stored files. It is only read, and by SQL: the ORM hides most rows of it.

Works with any DB-API cursor of PostgreSQL, so with psycopg2's as well as with Odoo's ``env.cr``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from . import keys

BATCH = 5000
PREFIXES = tuple(f"{number:02x}" for number in range(256))
# The same as keys.is_name, for the server; without a back reference, which takes it a hundred times as long.
_NAME = r"^[0-9a-f]{2}/[0-9a-f]{40}(-[a-z0-9]{1,12})?$"
_IS_NAME = "(store_fname ~ %s AND left(store_fname, 2) = substr(store_fname, 4, 2))"


class Cursor(Protocol):
    """What is needed of a cursor."""

    def execute(self, query: str, params: Any = None) -> object: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


class Catalogue:
    """The distinct ``store_fname`` of all rows of ``ir_attachment``, of every company, field and user.

    Each call is one or a few short queries: no transaction is kept open while files travel, if the cursor's connection
    commits by itself.
    """

    def __init__(self, cursor: Cursor, batch: int = BATCH) -> None:
        self._cursor = cursor
        self._batch = batch
        # Ranges are taken in the order of the column's own collation, the only one that its index serves.
        ((ordered,),) = self._rows("SELECT 'ab/0' > 'ab/' AND 'ab/ffff' < 'ab/g' AND 'ab/0' < 'ab/a' AND 'ab/g' < 'ac/' FROM (SELECT 1) AS one")
        self._collate = "" if ordered else ' COLLATE "C"'

    def names(self, prefixes: Sequence[str]) -> Iterator[dict[str, int]]:
        """For each of these two-digit directories, which are neighbours, the names of contents in it, each with the size in
        bytes that the rows tell (0: none).

        What is added meanwhile may be missed, and what is deleted may be among them.
        """
        last, end = f"{prefixes[0]}/", f"{prefixes[-1]}/g"
        found: dict[str, dict[str, int]] = {}
        waiting = list(prefixes)
        while True:
            rows = self._rows(
                f"SELECT store_fname, max(file_size) FROM ir_attachment WHERE store_fname{self._collate} > %s AND store_fname{self._collate} < %s"  # noqa: S608
                f" GROUP BY store_fname ORDER BY store_fname{self._collate} LIMIT %s",
                (last, end, self._batch),
            )
            for fname, size in rows:
                if keys.is_name(fname):
                    found.setdefault(fname[:2], {})[fname] = int(size or 0)
            if len(rows) < self._batch:
                break
            last = rows[-1][0]
            # Names come in their order, so what is before the last one's directory is complete.
            while waiting and keys.is_name(last) and waiting[0] < last[:2]:
                yield found.pop(waiting.pop(0), {})
        for prefix in waiting:
            yield found.pop(prefix, {})

    def others(self, limit: int = 1000) -> list[str]:
        """Names that are no names of contents, which nobody but their addon knows how to read."""
        query = f"SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL AND NOT {_IS_NAME} LIMIT %s"  # noqa: S608
        return [str(fname) for (fname,) in self._rows(query, (_NAME, limit))]

    def count(self, prefix: str) -> int:
        """How many rows refer to names in this two-digit directory."""
        query = f"SELECT count(*) FROM ir_attachment WHERE store_fname{self._collate} > %s AND store_fname{self._collate} < %s"  # noqa: S608
        return int(self._rows(query, (f"{prefix}/", f"{prefix}/g"))[0][0])

    def referenced(self, names: Iterable[str]) -> set[str]:
        """Those of the names that a row refers to now."""
        return {fname for (fname,) in self._about("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname = ANY(%s)", names)}

    def marked(self, names: Iterable[str]) -> set[str]:
        """Those of the names that the addon will look at when it collects garbage."""
        return {fname for (fname,) in self._about("SELECT DISTINCT fname FROM s3_gc_mark WHERE fname = ANY(%s)", names, "s3_gc_mark")}

    def waiting(self, names: Iterable[str]) -> dict[str, str]:
        """Those of the names whose contents wait on a host until the store can take them, each with the hosts."""
        query = "SELECT fname, string_agg(DISTINCT node, ', ') FROM s3_outbox WHERE fname = ANY(%s) GROUP BY fname"
        return dict(self._about(query, names, "s3_outbox"))

    def _about(self, query: str, names: Iterable[str], table: str = "") -> Iterator[Any]:
        """The rows about some names; none where there is no such table of the addon's, because the addon is not there."""
        wanted = list(names)
        if wanted and table and self._rows("SELECT to_regclass(%s)::text", (table,)) == [(None,)]:
            return
        for start in range(0, len(wanted), self._batch):
            yield from self._rows(query, (wanted[start : start + self._batch],))

    def has_addon(self, name: str = "s3_attachment") -> bool:
        """Whether that addon is installed in the database."""
        return bool(self._rows("SELECT 1 FROM ir_module_module WHERE name = %s AND state IN ('installed', 'to upgrade')", (name,)))

    def samples(self, largest: int = 512 * 1024, limit: int = 200) -> list[tuple[int, str]]:
        """Attachments that anybody may read, as id and name: to see through Odoo's own door what it can read."""
        return self._rows(
            f"SELECT id, store_fname FROM ir_attachment WHERE public AND type = 'binary' AND {_IS_NAME} AND file_size BETWEEN 1 AND %s"  # noqa: S608
            " ORDER BY id DESC LIMIT %s",
            (_NAME, largest, limit),
        )

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._cursor.execute(query, parameters or None)
        return self._cursor.fetchall()
