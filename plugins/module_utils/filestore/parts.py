# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""A large content, sent in parts that travel side by side.

No more than a few parts are on their way at a time, and none is copied for it: they come from the file, or from the memory that has the content
already. The server checks each part; that they make the content of that name is found out here, before they become an object. What a part is held against
are the bytes that the whole was held against, should a file be changed meanwhile.
"""

from __future__ import annotations

import collections
import hashlib
import html
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import quote

from . import checksums
from .client import Client, element
from .digests import chunks
from .errors import Corrupt, NotFound, StoreError, Unavailable
from .wire import Body, Slice

_logger = logging.getLogger(__name__)

PART_SIZE = 8 * 1024 * 1024
IN_FLIGHT = 3


class Part(NamedTuple):
    """One of an upload, with the SHA-1 that was found when the whole was read."""

    number: int
    body: memoryview | Slice
    sha1: str


def upload(
    client: Client,
    fname: str,
    body: Body,
    sha1: str,
    *,
    headers: dict[str, str],
    replace: bool,
    part_size: int = PART_SIZE,
    in_flight: int = IN_FLIGHT,
    patience: float | None = None,
) -> bool:
    """Store a content in parts; what was sent is given up if that fails.

    :param sha1: of the body, in hexadecimal.
    :param headers: what describes the object.
    :param replace: whether it may take the place of an object of that name.
    :param part_size: in bytes.
    :param in_flight: how many parts travel at a time.
    :param patience: for how many seconds to wait until what was sent is given up; it goes on meanwhile, or some day the bucket's own rule does
        it. Without it for as long as it takes.
    :return: False if there is an object of that name by now, or the upload is gone: somebody has given it up, or the answer was lost that said that
        it is complete.
    :raises Corrupt: the content has another SHA-1. No object was made.
    :raises StoreError: as of any request.
    """
    upload_id = begin(client, fname, headers)
    complete = False
    try:
        whole = hashlib.sha1(usedforsecurity=False)
        done: list[str] = []
        waiting: collections.deque[Future[str]] = collections.deque()
        with ThreadPoolExecutor(in_flight, "s3-part") as pool:
            try:
                for number, piece in enumerate(_pieces(body, part_size), 1):
                    if len(waiting) == in_flight:
                        done.append(waiting.popleft().result())
                    mine = hashlib.sha1(usedforsecurity=False)
                    for chunk in chunks(piece):
                        whole.update(chunk)
                        mine.update(chunk)
                    waiting.append(pool.submit(_send, client, fname, upload_id, Part(number, piece, mine.hexdigest())))
                done.extend(part.result() for part in waiting)
            except BaseException:
                # A part that came after the rest is given up would stay.
                pool.shutdown(cancel_futures=True)
                raise
        if whole.hexdigest() != sha1:
            raise Corrupt(f"the bytes that were to be stored as {fname} have the SHA-1 {whole.hexdigest()}")
        complete = _end(client, fname, upload_id, done, replace)
    except NotFound:
        pass
    finally:
        if not complete:
            _give_up(client, fname, upload_id, patience)
    return complete


def begin(client: Client, name: str, headers: dict[str, str]) -> str:
    """Begin an upload in parts; returns its id, as a query has it."""
    told = {**headers, "x-amz-checksum-algorithm": "SHA1"} if client.features.checksum else headers
    upload_id = element(client.call("POST", name, query="uploads=", headers=told, action="store").body, b"UploadId")
    if not upload_id:
        # There are servers to which an empty one is none: what is sent is an object then, and what is given up is deleted.
        raise Unavailable(f"could not store {name} in parts: the answer does not come from an object store")
    return quote(upload_id, safe="")


def abort(client: Client, name: str, upload_id: str) -> None:
    """Give up an upload, so that the server removes what it has of it."""
    client.call("DELETE", name, query=f"uploadId={upload_id}", action="give up an upload in parts of")


def _pieces(body: Body, size: int) -> Iterator[memoryview | Slice]:
    if isinstance(body, Slice):
        for start in range(0, body.length, size):
            yield Slice(body.file, body.offset + start, min(size, body.length - start))
        return
    memory = memoryview(body)
    for start in range(0, len(memory), size):
        yield memory[start : start + size]


def _send(client: Client, fname: str, upload_id: str, part: Part) -> str:
    """Send a part, and be sure that it arrived; what completing the upload has to say of it."""
    told = checksums.encoded(part.sha1) if client.features.checksum else ""
    query = f"partNumber={part.number}&uploadId={upload_id}"
    try:
        answer = client.call("PUT", fname, query=query, headers={"x-amz-checksum-sha1": told} if told else {}, body=part.body, action="store")
    except Corrupt:  # what we say of the part is true: it was the way
        raise Unavailable(f"part {part.number} of {fname} was damaged on the way to {client.config.of(fname).where}") from None
    etag = answer.headers.get("etag", "")
    if told and answer.headers.get("x-amz-checksum-sha1") == told:
        return f"<ETag>{html.escape(etag)}</ETag><ChecksumSHA1>{told}</ChecksumSHA1>"
    md5, same = hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)
    for chunk in chunks(part.body):
        md5.update(chunk)
        same.update(chunk)
    if (md5.hexdigest(), same.hexdigest()) == (etag.strip('"'), part.sha1):
        return f"<ETag>{html.escape(etag)}</ETag>"
    raise Unavailable(f"{client.config.of(fname).where} does not confirm that part {part.number} of {fname} arrived as it was sent")


def _end(client: Client, fname: str, upload_id: str, parts: list[str], replace: bool) -> bool:
    """Have the server make an object of the parts."""
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber>{part}</Part>" for number, part in enumerate(parts, 1))
    document = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listed}</CompleteMultipartUpload>'
    headers = {"content-type": "application/xml", **({} if replace else {"if-none-match": "*"})}
    return client.call("POST", fname, query=f"uploadId={upload_id}", headers=headers, body=document.encode(), accept=(409, 412), action="store").status < 300


def _give_up(client: Client, fname: str, upload_id: str, patience: float | None) -> None:
    def remove() -> None:
        try:
            abort(client, fname, upload_id)
        except NotFound:
            pass
        except StoreError as error:  # the one that led here says more
            _logger.warning("The parts of an unfinished upload stay in the bucket until its rule for unfinished uploads removes them: %s", error)

    # A store that gives no answer may take its time for this one too, and somebody has waited long enough.
    giving_up = threading.Thread(target=remove, daemon=True)
    giving_up.start()
    giving_up.join(patience)
