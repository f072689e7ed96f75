# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Digests of contents and of files, in constant memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from .errors import Corrupt
from .wire import CHUNK, Body, Slice


def digest(body: Body, algorithm: str) -> str:
    """The digest in hexadecimal, in constant memory."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in chunks(body):
        found.update(chunk)
    return found.hexdigest()


def file_digests(path: str, part_size: int = 0) -> tuple[str, str]:
    """The SHA-1 of a file and the ETag that an ordinary server gives it, read once.

    :param part_size: of an object that came in parts; 0 for one that did not.
    """
    sha1, md5 = hashlib.sha1(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    parts = []
    with open(path, "rb", buffering=0) as file:
        left = part_size
        while chunk := file.read(min(CHUNK * 4, left) if part_size else CHUNK * 4):
            sha1.update(chunk)
            md5.update(chunk)
            left -= len(chunk)
            if part_size and not left:
                parts.append(md5.digest())
                md5, left = hashlib.md5(usedforsecurity=False), part_size
    if not part_size:
        return sha1.hexdigest(), md5.hexdigest()
    if left < part_size:
        parts.append(md5.digest())
    return sha1.hexdigest(), f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def check(fname: str, sha1: str, body: bytes | Slice) -> None:
    """See that a local file is what its name says.

    :raises Corrupt: it is not.
    """
    found = digest(body, "sha1")
    if found != sha1:
        raise Corrupt(f"the local file {fname} has the SHA-1 {found}")


def chunks(body: Body) -> Iterator[bytes | memoryview]:
    """A part of a file in pieces, shorter than it should be where the file has become so; what is in memory as it is."""
    if not isinstance(body, Slice):
        yield body
        return
    offset, end = body.offset, body.offset + body.length
    while offset < end:
        chunk = os.pread(body.file.fileno(), min(CHUNK * 4, end - offset), offset)
        if not chunk:
            return
        offset += len(chunk)
        yield chunk
