# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Contents that lie in the store compressed.

The object has the name of its content, which is the SHA-1 of the plain bytes. That it is compressed its own header Content-Encoding says to
every reader, whatever the settings are by then, and its metadata how many bytes the content has, and their SHA-1. A part of such an object is
none of the content, and what the store says of its size, checksum and ETag is about the compressed bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from .errors import Corrupt, StoreError
from .notes import WritableNotes

_ENCODING = "gzip"
# What the metadata say besides the SHA-1 of the content: of how many bytes it is, and of which and how many the object.
_NAMES = ("x-amz-meta-size", "x-amz-meta-packed-size", "x-amz-meta-packed-sha1")
_NOTE = "gzip"
# Seconds: for so long a process believes that there is no note; and after so long everybody knows it, though clocks differ.
_BELIEVED = 60
_NOTICED = 300
# What saves less than this part is not compressed.
LEAST_GAIN = 0.1
_CHUNK = 1024 * 1024
# Up to how many bytes the work is done in memory.
_IN_MEMORY = 8 * 1024 * 1024
_HEAD = 2048
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# zlib's word for its largest window in gzip's format; the header that it writes has no time, so that the same bytes become the same bytes.
_WINDOW = 31


class Notice:
    """Whether anything under a prefix may be compressed, so that where nothing ever was nobody asks for each object.

    The note ``<prefix>.odoo-s3/gzip`` says since when, and is never taken away. Nothing is compressed before everybody has had the time to
    notice it.
    """

    def __init__(self, notes: WritableNotes) -> None:
        self._notes = notes
        self._since: float | None = None
        self._next_look = 0.0
        self._lock = threading.Lock()

    def there(self) -> bool:
        """For readers. Right after an outage it is the answer of before.

        :raises StoreError: nobody knows.
        """
        if self._to_look():
            with self._lock:
                # Who has waited here has the answer.
                if self._to_look():
                    self._look()
        return self._since is not None

    def _to_look(self) -> bool:
        return self._since is None and time.monotonic() >= self._next_look

    def _look(self) -> None:
        known = self._next_look > 0
        try:
            found = self._notes.get_note(_NOTE)
        except StoreError:
            if known:
                self._next_look = time.monotonic() + _BELIEVED
            raise
        if found is not None:
            self._since = float(json.loads(found[0])["since"])
        self._next_look = time.monotonic() + _BELIEVED

    def ripe(self) -> bool:
        """For writers, who make it if there is none.

        :raises StoreError: nobody knows.
        """
        if self.there():
            return time.time() - (self._since or 0) >= _NOTICED
        self._next_look = 0
        self._notes.put_note(_NOTE, json.dumps({"since": time.time()}).encode())
        return False


class Packed(NamedTuple):
    """A compressed content: ``size`` in bytes and ``sha1`` are those of the compressed bytes."""

    file: BinaryIO
    size: int
    sha1: str


def is_text(head: bytes) -> bool:
    """Whether a content that begins so is text: plain, CSV, XML, JSON, SVG, HTML.

    It is the content that is asked, and not its type: the same object serves attachments that are called this and that.
    """
    return bool(head) and not head.startswith(b"%PDF") and _CONTROL.search(head) is None


def pack(body: bytes | bytearray | BinaryIO, sha1: str) -> Packed | None:
    """Compress a content.

    :param body: all of it; a file is read from its beginning.
    :return: None for what had better be stored as it is.
    :raises Corrupt: it has another SHA-1.
    """
    source = io.BytesIO(body) if isinstance(body, (bytes, bytearray)) else body
    large = source.seek(0, os.SEEK_END) > _IN_MEMORY
    source.seek(0)
    if not is_text(source.read(_HEAD)):
        return None
    source.seek(0)
    plain, packed, size, came = hashlib.sha1(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), 0, 0
    engine = zlib.compressobj(wbits=_WINDOW)
    with contextlib.ExitStack() as undo:
        target: Any = undo.enter_context(tempfile.TemporaryFile(prefix="odoo-s3-") if large else io.BytesIO())  # noqa: SIM115

        def write(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            packed.update(piece)
            target.write(piece)

        while chunk := source.read(_CHUNK):
            came += len(chunk)
            plain.update(chunk)
            write(engine.compress(chunk))
        write(engine.flush())
        if plain.hexdigest() != sha1:
            raise Corrupt(f"the bytes that were to be stored as {sha1} have the SHA-1 {plain.hexdigest()}")
        if size > came * (1 - LEAST_GAIN):
            return None
        undo.pop_all()
    return Packed(target, size, packed.hexdigest())


def is_packed(content_encoding: str | None) -> bool:
    """Whether an object with that header is compressed; servers may name there as well how it was sent."""
    return _ENCODING in (content_encoding or "").lower().replace(",", " ").split()


def headers(packed: Packed, size: int) -> dict[str, str]:
    """What the object is to say of a content of so many bytes."""
    return {"content-encoding": _ENCODING, **dict(zip(_NAMES, (str(size), str(packed.size), packed.sha1), strict=True))}


def plain_size(found: Mapping[str, str], length: int, sha1: str | None) -> int:
    """How many bytes a compressed content has, by the headers of its object; -1 where they do not say it, or speak of another object than this one.

    :param length: how many bytes the object has.
    :param sha1: their SHA-1, if the server knows it.
    """
    size, packed_size, packed_sha1 = (found.get(name, "") for name in _NAMES)
    right = packed_size == str(length) and sha1 in (packed_sha1, None)
    return int(size) if right and re.fullmatch("[0-9]{1,15}", size) else -1


class Unpacker:
    """Makes the plain bytes of compressed ones that come in pieces. Never more than a mebibyte at once, whatever is in them.

    :param name: of the object, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._engine = zlib.decompressobj(wbits=_WINDOW)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """:raises Corrupt: it is not what the header says."""
        while chunk:
            if self._engine.eof:
                raise Corrupt(f"what is stored as {self._name} goes on after its end")
            try:
                piece = self._engine.decompress(chunk, _CHUNK)
            except zlib.error as error:
                raise Corrupt(f"what is stored as {self._name} cannot be decompressed: {error}") from error
            if piece:
                yield piece
            chunk = self._engine.unconsumed_tail or self._engine.unused_data

    def end(self) -> bytes:
        """What is left when all has come.

        :raises Corrupt: it was cut short.
        """
        rest = self._engine.flush()
        if not self._engine.eof:
            raise Corrupt(f"what is stored as {self._name} was cut short")
        return rest
