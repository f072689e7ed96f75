# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""A large content, sent in parts that travel side by side.

No more than a few parts are on their way at a time, and of a content that is in memory already none is copied for it. The server checks
each part; that they make the content of that name is found out here, before they become an object.
"""

from __future__ import annotations

import collections
import hashlib
import io
import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

from . import checksums
from .errors import Corrupt, Unavailable

_logger = logging.getLogger(__name__)

PART_SIZE = 8 * 1024 * 1024
IN_FLIGHT = 3


class View(io.RawIOBase):
    """A part of the memory as a file to read from."""

    def __init__(self, memory: memoryview) -> None:
        super().__init__()
        self._memory = memory
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._memory)}[whence]
        return self._position

    def readinto(self, target: Any) -> int:
        piece = self._memory[self._position : self._position + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def upload(
    client: Any, where: dict[str, str], body: bytes | bytearray | BinaryIO, sha1: str, *, begin: dict[str, Any], end: dict[str, Any], patience: float
) -> None:
    """Store a content in parts; what was sent is given up if that fails.

    :param client: of boto3, for S3. What it raises goes through.
    :param where: the parameters ``Bucket`` and ``Key``.
    :param body: all of it; a file is read from its beginning.
    :param begin: further parameters of CreateMultipartUpload, which describe the object.
    :param end: further parameters of CompleteMultipartUpload: its condition.
    :param patience: for how many seconds to wait until what was sent is given up; it goes on meanwhile, or some day the bucket's own rule does it.
    :raises Corrupt: the content has another SHA-1. No object was made.
    :raises Unavailable: the server does not confirm what it was sent.
    """
    upload_id = client.create_multipart_upload(**where, **begin, ChecksumAlgorithm="SHA1")["UploadId"]
    try:
        whole = hashlib.sha1(usedforsecurity=False)
        done: list[dict[str, Any]] = []
        waiting: collections.deque[Future[dict[str, Any]]] = collections.deque()
        with ThreadPoolExecutor(IN_FLIGHT, "s3-part") as pool:
            try:
                for number, piece in enumerate(_pieces(body), 1):
                    if len(waiting) == IN_FLIGHT:
                        done.append(waiting.popleft().result())
                    waiting.append(pool.submit(_send, client, {**where, "UploadId": upload_id, "PartNumber": number}, piece))
                    whole.update(piece)
                done.extend(part.result() for part in waiting)
            except BaseException:
                # A part that came after the rest is given up would stay.
                pool.shutdown(cancel_futures=True)
                raise
        if whole.hexdigest() != sha1:
            raise Corrupt(f"the bytes that were to be stored as {where['Key']} have the SHA-1 {whole.hexdigest()}")
        client.complete_multipart_upload(**where, UploadId=upload_id, MultipartUpload={"Parts": done}, **end)
    except BaseException:
        # A store that gives no answer may take its time for this one too, and somebody has waited long enough.
        giving_up = threading.Thread(target=_give_up, args=(client, {**where, "UploadId": upload_id}), daemon=True)
        giving_up.start()
        giving_up.join(patience)
        raise


def _pieces(body: bytes | bytearray | BinaryIO) -> Iterator[memoryview]:
    if isinstance(body, (bytes, bytearray)):
        memory = memoryview(body)
        for start in range(0, len(memory), PART_SIZE):
            yield memory[start : start + PART_SIZE]
        return
    body.seek(0)
    while piece := body.read(PART_SIZE):
        yield memoryview(piece)


def _send(client: Any, where: dict[str, Any], piece: memoryview) -> dict[str, Any]:
    """Send a part, and be sure that it arrived; what completing the upload has to say of it."""
    checksum = checksums.encoded(hashlib.sha1(piece, usedforsecurity=False).hexdigest())
    answer = client.upload_part(**where, Body=View(piece), ChecksumSHA1=checksum)
    part = {"PartNumber": where["PartNumber"], "ETag": answer["ETag"]}
    if answer.get("ChecksumSHA1") == checksum:
        return {**part, "ChecksumSHA1": checksum}
    if answer["ETag"].strip('"') == hashlib.md5(piece, usedforsecurity=False).hexdigest():
        return part
    raise Unavailable(f"part {where['PartNumber']} of {where['Key']} is not confirmed to have arrived as it was sent")


def _give_up(client: Any, where: dict[str, Any]) -> None:
    try:
        client.abort_multipart_upload(**where)
    except Exception as error:  # of many kinds, and the one that led here says more
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if code != "NoSuchUpload":
            _logger.warning(
                "The parts of an unfinished upload of %s stay in bucket %s until its rule for unfinished uploads removes them: %s",
                where["Key"],
                where["Bucket"],
                code or type(error).__name__,
            )
