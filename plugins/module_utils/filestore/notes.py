# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Notes about a prefix: small objects under ``<prefix>.odoo-s3/``, as far as those who leave them there need to know a store."""

from __future__ import annotations

from typing import Protocol

from .config import Config


class Notes(Protocol):
    """Where notes are read: :class:`store.ObjectStore`, and whoever else has the same two."""

    @property
    def config(self) -> Config: ...

    def at(self, target: Config) -> Notes: ...

    def get_note(self, name: str) -> tuple[bytes, str] | None: ...


class WritableNotes(Notes, Protocol):
    """The same, for those who leave some."""

    def at(self, target: Config) -> WritableNotes: ...

    def put_note(self, name: str, body: bytes, replaces: str = "") -> bool: ...
