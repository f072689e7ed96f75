# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine of the unit tests' properties, with a real PostgreSQL and a real MinIO.

Any sequence of phases, kills, failures, changes and damage keeps: what a row refers to can be read somewhere, always. A kill
ends a run before or after any of its requests; those that have parts are among them.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Iterator, MutableMapping, MutableSet

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import survey, transfer
from ansible_collections.odooops.stack.plugins.module_utils.filestore.catalogue import Catalogue
from ansible_collections.odooops.stack.plugins.module_utils.filestore.database import Queries, transactions
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Unavailable
from ansible_collections.odooops.stack.tests.unit.plugins.module_utils.filestore import test_filestore_properties as properties
from conftest import Server
from filestore import Filestore
from hypothesis import HealthCheck, Phase, settings
from test_filestore_runs import KILLS


class Objects(MutableMapping[str, bytes]):
    """The bucket's objects, past the engine."""

    def __init__(self, store: Filestore) -> None:
        self._store = store
        self._client = store.server.client

    def _where(self, fname: str) -> dict[str, str]:
        return {"Bucket": self._store.bucket, "Key": f"shop/{fname}"}

    def __getitem__(self, fname: str) -> bytes:
        try:
            body: bytes = self._client.get_object(**self._where(fname))["Body"].read()
        except self._client.exceptions.NoSuchKey:
            raise KeyError(fname) from None
        return body

    def __setitem__(self, fname: str, body: bytes) -> None:
        self._client.put_object(**self._where(fname), Body=body)

    def __delitem__(self, fname: str) -> None:
        self._client.delete_object(**self._where(fname))

    def __iter__(self) -> Iterator[str]:
        listed = self._client.list_objects_v2(Bucket=self._store.bucket, Prefix="shop/").get("Contents", [])
        return iter([name for name in (entry["Key"].removeprefix("shop/") for entry in listed) if not name.startswith(".")])

    def __len__(self) -> int:
        return len(list(iter(self)))


class Bucket(transfer.Transfer):
    """The way to it, whose requests fail and whose process dies when they are told to."""

    def __init__(self, store: Filestore) -> None:
        super().__init__(store.config)
        self.objects = Objects(store)
        self.requests = 0
        self.die_at: int | None = None
        self.fail_at: int | None = None

    def call(self, method: str, name: str | None, **arguments: t.Any) -> t.Any:
        return self._mortal(lambda: super(Bucket, self).call(method, name, **arguments))

    def get(self, *arguments: t.Any, **options: t.Any) -> int:
        return int(self._mortal(lambda: super(Bucket, self).get(*arguments, **options)))

    def _mortal(self, request: Callable[[], t.Any]) -> t.Any:
        self.requests += 1
        number = self.requests
        if number == self.fail_at:
            raise Unavailable("no")
        if self.die_at == -number:
            raise properties.Killed
        answer = request()
        if number == self.die_at:
            raise properties.Killed
        return answer


class Names(MutableSet[str]):
    """The names that rows refer to, each with a row of its own."""

    def __init__(self, store: Filestore) -> None:
        self._store = store

    def __contains__(self, fname: object) -> bool:
        return fname in list(self)

    def __iter__(self) -> Iterator[str]:
        return iter([fname for (fname,) in self._store.sql("SELECT store_fname FROM ir_attachment")])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def add(self, fname: str) -> None:
        if fname not in self:
            self._store.sql("INSERT INTO ir_attachment (name, store_fname, file_size) VALUES ('one', %s, %s)", fname, len(properties.NAMES[fname]))

    def discard(self, fname: str) -> None:
        self._store.sql("DELETE FROM ir_attachment WHERE store_fname = %s", fname)


class Rows(Catalogue):
    """The catalogue, and what people change in it."""

    def __init__(self, store: Filestore) -> None:
        super().__init__(Queries(transactions(store.database, store.connection)))
        self.referenced_names = Names(store)


class Machine(properties.Machine):
    store_of_all: Filestore

    def surroundings(self) -> tuple[Rows, Bucket]:
        rows, bucket = Rows(self.store_of_all), Bucket(self.store_of_all)
        self.store_of_all.sql("DELETE FROM ir_attachment")
        bucket.objects.clear()
        return rows, bucket


def test_any_sequence(start_server: Callable[[str], Server], make_filestore: Callable[..., Filestore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    monkeypatch.setattr(os, "sync", lambda: None)
    monkeypatch.setattr(transfer, "MULTIPART_FROM", 4)
    monkeypatch.setattr(transfer, "WHOLE_UP_TO", 0)
    # Requests come in the same order each time.
    monkeypatch.setattr(survey, "_AHEAD", 1)
    removed = len(properties.REMOVED)
    Machine.store_of_all = make_filestore(start_server("minio"))
    Machine.store_of_all.sql("UPDATE ir_module_module SET state = 'installed' WHERE name = 's3_attachment'")
    machine = Machine.TestCase()
    # What fails is not made shorter: that would take longer than the test, and the unit tests' machine does it.
    limits: dict[str, t.Any] = {"deadline": None, "database": None, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}
    machine.settings = settings(max_examples=3 * KILLS, stateful_step_count=20, **limits)
    # Once in a hundred times none of the sequences gets to the end of a removal.
    for _time in range(5):
        machine.runTest()
        if sum(properties.REMOVED[removed:]):
            break
    assert sum(properties.REMOVED[removed:]) > 0, "hardly anything was ever removed, so that this has shown nothing"
