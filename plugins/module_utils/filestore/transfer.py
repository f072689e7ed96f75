# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Many files to and from a bucket, fast.

Where :class:`store.ObjectStore` serves one request of Odoo, this is for whole filestores: requests signed here, one open
connection a thread, bodies straight from the file. That a content arrived as it is named is proved by the server, which is
told the SHA-1 before it sees the bytes, or, where a server does not do that, by its ETag or by reading the content back.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from . import checksums, keys, parts
from .client import Client, Features, described, element, text
from .digests import check, digest
from .errors import Corrupt, Denied, NotFound, Unavailable
from .wire import TOGETHER, Answer, Connection, Disconnected, Endpoint, Request, Slice

MIB = 1024 * 1024
PART_SIZE = 16 * MIB
MULTIPART_FROM = 32 * MIB
# A server that proves a whole content needs no parts for what Odoo, unless it is told otherwise, lets people upload.
WHOLE_UP_TO = 128 * MIB
# So long a server has to answer requests that were sent without waiting, or it is taken for one that cannot.
_PIPELINE_SECONDS = 5.0
_CONTENTS = re.compile(rb"<Contents>(.*?)</Contents>", re.S)
_VERSIONS = re.compile(rb"<(Version|DeleteMarker)>(.*?)</\1>", re.S)
_FIELD = re.compile(rb"<(Key|Size|ETag|LastModified)>(.*?)</\1>", re.S)


class Listed(NamedTuple):
    """An object in a listing; size in bytes."""

    size: int
    etag: str
    modified: str = ""  # as the server writes it; see :func:`moment`


class Version(NamedTuple):
    """What a bucket keeps of an object; ``latest`` is what is read without a version, ``deleted`` a delete marker. ``modified`` as in :class:`Listed`."""

    identity: str
    size: int
    modified: str
    latest: bool
    deleted: bool


class Head(NamedTuple):
    """What the server knows of an object; ``sha1`` only where the server itself has computed it, ``modified`` in seconds since 1970.

    Of a ``packed`` one, which is stored compressed, the size is what its metadata say of the plain bytes, and the server does not know their SHA-1.
    """

    size: int
    sha1: str | None
    etag: str
    version_id: str
    modified: float
    packed: bool = False


class Transfer(Client):
    """Contents between files and the bucket, or those of routes. May be shared by threads; not across a fork.

    Every method raises one of Unavailable (also after ``max_attempts``), Denied, NotFound or Corrupt.

    ``part_size``: bytes of the parts in which large contents travel.
    """

    part_size = PART_SIZE

    # -- one content ----------------------------------------------------------------------------------------------------

    def put(self, fname: str, path: str, replace: bool = False) -> bool:
        """Store the content of a local file.

        :param replace: there is an object of that name which is not the content.
        :return: whether it was stored (False: somebody else did so meanwhile).
        :raises Corrupt: the file is not what its name says. Nothing was stored.
        :raises FileNotFoundError: and other errors of reading the file.
        """
        sha1 = keys.parse(fname).sha1
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size >= MULTIPART_FROM and not (self.features.checksum and size <= WHOLE_UP_TO):
                whole = Slice(file, 0, size)
                if not parts.upload(self, fname, whole, sha1, headers=self.describe(fname), replace=True, part_size=self.part_size, in_flight=2):
                    # Asked again after an answer was lost that said that it is complete. Or else it was taken away, and there is nothing to read.
                    try:
                        self.read(fname)
                    except Corrupt as error:  # what is there is not ours
                        raise Unavailable(f"could not store {fname}: something else is there by now ({error})") from error
                return True
            body: bytes | Slice = Slice(file, 0, size) if size > TOGETHER else file.read(size)
            if not size or not self.features.checksum:
                check(fname, sha1, body)
            attempts = self._attempts()
            attempt = next(attempts)
            while (answer := self._put(fname, sha1, body, replace)).status in (409, 412):
                with contextlib.suppress(NotFound):
                    head = self.head(fname)
                    if head.size == size and head.sha1 in (sha1, None):
                        return False
                if replace:
                    attempt(Unavailable(f"could not store {fname} in {self.config.of(fname).where}: something else is done with it all the time"))
                    attempt = next(attempts)
                replace = True
            self._confirm(fname, sha1, body, answer)
            return True

    def put_small(self, files: Iterable[tuple[str, str]]) -> set[str]:
        """Store small files, of which the bucket has none, by requests that do not wait for each other.

        Nothing is raised: for what is not among the names that are returned :meth:`put` is to be called, which tells why.

        :param files: name and path of each.
        :return: the names of those which the server has proved to be stored.
        """
        if not (self.features.pipeline and self.features.checksum):
            return set()
        ready: dict[Endpoint, list[tuple[str, str, Request]]] = {}
        for fname, path in files:
            with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if 0 < size <= TOGETHER:
                    body = file.read(size)
                    headers = self._upload_headers(fname, keys.parse(fname).sha1, False)
                    endpoint, target, signed = self._request("PUT", fname, headers=headers, body=body)
                    ready.setdefault(endpoint, []).append((fname, headers["x-amz-checksum-sha1"], Request("PUT", target, signed, body)))
        stored = set()
        for endpoint, some in ready.items():
            with contextlib.suppress(Disconnected), self._connection(endpoint) as connection:
                answers = connection.pipeline([request for _fname, _proof, request in some])
                for answer, (fname, proof, _request) in zip(answers, some, strict=True):
                    # This shows as well that it is not the answer to another request.
                    if answer.status < 300 and answer.headers.get("x-amz-checksum-sha1") == proof:
                        stored.add(fname)
        return stored

    def _upload_headers(self, fname: str, sha1: str, replace: bool) -> dict[str, str]:
        headers = self.describe(fname)
        if self.features.checksum:
            headers["x-amz-checksum-sha1"] = checksums.encoded(sha1)
        if self.features.conditional and not replace:
            headers["if-none-match"] = "*"
        return headers

    def _put(self, fname: str, sha1: str, body: bytes | Slice, replace: bool) -> Answer:
        headers = self._upload_headers(fname, sha1, replace)
        try:
            return self.call("PUT", fname, headers=headers, body=body, accept=(409, 412))
        except Corrupt:
            check(fname, sha1, body)  # if not the file, it was the way
            raise Unavailable(f"{fname} was damaged on the way to {self.config.of(fname).where}") from None

    def _confirm(self, fname: str, sha1: str, body: bytes | Slice, answer: Answer) -> None:
        """Be sure that the server has the content, whatever it is able to say about it."""
        if answer.headers.get("x-amz-checksum-sha1") == checksums.encoded(sha1):
            return
        if answer.headers.get("etag", "").strip('"') == digest(body, "md5") and digest(body, "sha1") == sha1:
            return
        self.read(fname)

    def head(self, fname: str) -> Head:
        """What the server knows of the content, without reading it."""
        found = self.look_up(fname)
        modified = found.headers.get("last-modified", "")
        return Head(
            found.size,
            found.sha1,
            found.etag,
            found.headers.get("x-amz-version-id", ""),
            _timestamp(modified) if modified else time.time(),
            found.packed,
        )

    def read(self, fname: str, version: str = "") -> int:
        """Read the content only to check it, as :meth:`get` does."""
        return self.get(fname, lambda _chunk: None, lambda: None, version)

    # -- former versions ------------------------------------------------------------------------------------------------

    def versions(self, fname: str) -> list[Version]:
        """All that the bucket keeps of an object, the newest first."""
        found = []
        there = self.at(self.config.of(fname))
        key = there.config.key_of(fname)
        # What is asked for has to be in the order of its names, to be signed.
        before, after = "", "&versions="
        while True:
            query = f"{before}prefix={quote(key, safe='-_.~')}{after}"
            body = there.call("GET", None, query=query).body
            for kind, entry in _VERSIONS.findall(body):
                # Other names may begin with this one.
                if element(entry, b"Key") == key:
                    latest = element(entry, b"IsLatest") == "true"
                    size = int(element(entry, b"Size") or 0)
                    found.append(Version(element(entry, b"VersionId"), size, element(entry, b"LastModified"), latest, kind == b"DeleteMarker"))
            if element(body, b"IsTruncated") != "true":
                return found
            marker, version = (quote(element(body, name), safe="-_.~") for name in (b"NextKeyMarker", b"NextVersionIdMarker"))
            before, after = f"key-marker={marker}&", f"&version-id-marker={version}&versions="

    def restore(self, fname: str, version: str) -> None:
        """Make a former version what is read again. It is copied, at the server: nothing that the bucket keeps is taken away."""
        name = quote(f"{self.config.of(fname).bucket}/{self.config.key_of(fname)}", safe="/-_.~")
        self.call("PUT", fname, headers={"x-amz-copy-source": f"{name}?versionId={quote(version, safe='-_.~')}"})

    # -- the bucket -----------------------------------------------------------------------------------------------------

    def list(self, start: str) -> Iterator[tuple[str, Listed]]:
        """The objects whose names (without the settings' prefix) begin so, in the order of the server; see :meth:`at` for those of routes."""
        token = ""
        while True:
            query = [f"continuation-token={quote(token, safe='-_.~')}"] if token else []
            query += ["list-type=2", f"prefix={quote(self.config.prefix + start, safe='-_.~')}"]
            body = self.call("GET", None, query="&".join(query)).body
            for match in _CONTENTS.finditer(body):
                content = dict(_FIELD.findall(match[1]))
                name = text(content[b"Key"])[len(self.config.prefix) :]
                etag = text(content.get(b"ETag", b"").replace(b"&#34;", b"")).strip('"')
                yield name, Listed(int(content[b"Size"]), etag, text(content.get(b"LastModified", b"")))
            if element(body, b"IsTruncated") != "true":
                return
            token = element(body, b"NextContinuationToken")

    def versioned(self) -> bool:
        """Whether the bucket keeps former versions, so that a mistake can be undone."""
        return element(self.call("GET", None, query="versioning=").body, b"Status") == "Enabled"

    def put_note(self, name: str, content: bytes) -> None:
        """Store a small object that is no content; ``name`` begins with a dot."""
        self.call("PUT", name, headers={"content-type": "application/json", **described(self.config.placement().encryption)}, body=content)

    def get_note(self, name: str) -> bytes:
        """Read one."""
        return self.call("GET", name).body

    def probe(self) -> Features:
        """Find out what the server can do, with one small object ``<prefix>.probe/transfer``, and use that from now on."""
        name, content = ".probe/transfer", b"which checks does this server make?\n"
        right, wrong = hashlib.sha1(content, usedforsecurity=False).hexdigest(), hashlib.sha1(b"", usedforsecurity=False).hexdigest()
        self.features = Features(checksum=False, unsigned=True, conditional=False)
        try:
            self.call("PUT", name, body=content)
        except (Denied, Corrupt):
            self.features = self.features._replace(unsigned=False)
            self.call("PUT", name, body=content)
        with contextlib.suppress(Denied, Corrupt):
            answer = self.call("PUT", name, headers={"x-amz-checksum-sha1": checksums.encoded(right)}, body=content)
            if answer.headers.get("x-amz-checksum-sha1") == checksums.encoded(right):
                # Some repeat what they are told without a look at the body.
                try:
                    self.call("PUT", name, headers={"x-amz-checksum-sha1": checksums.encoded(wrong)}, body=content)
                except (Denied, Corrupt):
                    self.features = self.features._replace(checksum=True)
        with contextlib.suppress(Denied, Corrupt):
            answer = self.call("PUT", name, headers={"if-none-match": "*"}, body=content, accept=(409, 412))
            self.features = self.features._replace(conditional=answer.status in (409, 412))
        if self.features.checksum:
            self.features = self.features._replace(pipeline=self._takes_pipelines(name))
        return self.features

    def _takes_pipelines(self, name: str) -> bool:
        """Whether requests that do not wait for each other are all answered, in their order. A proxy in between may not do so."""
        bodies = [b"one", b"another", b"one"]
        proofs = [checksums.encoded(digest(body, "sha1")) for body in bodies]
        requests = []
        for body, proof in zip(bodies, proofs, strict=True):
            endpoint, target, signed = self._request("PUT", name, headers={"x-amz-checksum-sha1": proof}, body=body)
            requests.append(Request("PUT", target, signed, body))
        connection = Connection(endpoint._replace(read_timeout=min(_PIPELINE_SECONDS, endpoint.read_timeout)))
        try:
            return [answer.headers.get("x-amz-checksum-sha1") for answer in connection.pipeline(requests)] == proofs
        except Disconnected:
            return False
        finally:
            connection.close()


def moment(modified: str) -> float:
    """A time as listings write it, such as ``2026-11-25T10:00:00.000Z``, in seconds since 1970."""
    return datetime.datetime.strptime(modified[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc).timestamp()


def _timestamp(date: str) -> float:
    """Seconds since 1970 of a date as headers have it."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # slow to load, and an upload needs none

    return parsedate_to_datetime(date).timestamp()
