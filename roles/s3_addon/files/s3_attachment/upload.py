# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Large uploads, which Odoo's routes take into memory as a whole.

When a request comes to them, werkzeug has put a large file on the disk. Here ``file.read()`` maps it into memory instead of reading it.
To all who look at it, it has the bytes that it would have had; but it takes memory for no more of them than somebody looks at.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import mmap
import os
from typing import BinaryIO

from odoo.api import Environment
from werkzeug.datastructures import FileStorage

from . import storage
from .engine.errors import StoreError

_CHUNK = 1024 * 1024
# How much of a content says of what type it is: what Odoo looks at, and no less.
_HEAD = 2048


class Upload(mmap.mmap):
    """The content of a file that may be gone from the directory, but is not changed any more."""

    def __new__(cls, file: BinaryIO) -> Upload:
        file.flush()
        return super().__new__(cls, file.fileno(), 0, access=mmap.ACCESS_READ)

    def __init__(self, file: BinaryIO) -> None:
        # Who reads this looks at no part of the mapping, and has a position of its own.
        self.file: BinaryIO = open(f"/proc/self/fd/{file.fileno()}", "rb", buffering=0)  # noqa: SIM115

    @functools.cached_property
    def sha1(self) -> str:
        digest = hashlib.sha1(usedforsecurity=False)
        self.file.seek(0)
        while chunk := self.file.read(_CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    @property
    def head(self) -> bytes:
        """Its beginning, which says of what type it is."""
        return self[:_HEAD]


def map_when_large(env: Environment, file: FileStorage) -> None:
    """Let ``file.read()`` give an :class:`Upload` where it would give the whole of a file that goes to the store in parts."""
    store = storage.get(env)
    try:
        least = store.config.multipart_threshold if store is not None else 0
    except StoreError:  # the settings are wrong, which is said when the file is stored
        least = 0
    if least and isinstance(file, FileStorage):
        file.read = functools.partial(_read, file.stream, least)


def _read(stream: BinaryIO, least: int, size: int | None = -1) -> bytes | Upload:
    if (size is None or size < 0) and not stream.tell():
        stream.seek(0, os.SEEK_END)
        if stream.tell() >= least:
            # What is in memory has no number.
            with contextlib.suppress(io.UnsupportedOperation):
                return Upload(stream)
        stream.seek(0)
    return stream.read(size)
