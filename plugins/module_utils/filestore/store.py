# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The object store, by the names that Odoo knows."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import io
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

from . import boto, checksums, gzipped, keys, log, metrics, parts
from .breaker import Breaker
from .client import HEADERS, Client, Features, described
from .config import Config, Placement
from .errors import Corrupt, Denied, NotFound, StoreError, Unavailable
from .wire import Body, Slice

# From this size on it is cheaper to ask first whether the content is there than to send it in vain.
ASK_FIRST = 1024 * 1024

_PRECONDITION = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
# What the actions of messages are called in metrics and in the log.
_OPERATIONS = {"sign a link to": "sign", "ask about versions": "other", "give up an upload in parts of": "other"}


class Head(NamedTuple):
    """What the store knows of a content; ``sha1`` is None where the store was not told it. ``packed``: whether it is stored compressed; then
    size and SHA-1 are what its metadata say of the plain bytes."""

    size: int
    sha1: str | None
    etag: str
    version_id: str | None
    storage_class: str
    packed: bool = False


@dataclasses.dataclass
class Moved:
    """Bytes of contents that an operation has sent and received."""

    sent: int = 0
    received: int = 0


class ObjectStore:
    """Contents in one bucket under one prefix, but for those of routes with another bucket or prefix.

    Every name is a ``store_fname``. Every method raises one of NotFound, Unavailable, Denied or Corrupt, and none ever
    returns fewer bytes than there are. An instance may be shared by threads and survives a fork: each process makes its
    connections itself.
    """

    def __init__(self, config: Config) -> None:
        boto.require()
        self.config = config
        self.breaker = Breaker()
        self._notice = gzipped.Notice(self)
        # In one attribute, so that a thread never sees the one without the other.
        self._process: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def at(self, target: Config) -> ObjectStore:
        """This store with only one of the settings' targets, for what is about a bucket or a prefix and not about a content."""
        if target is self.config:
            return self
        # With the connections that there are, and the breaker.
        there = copy.copy(self)
        there.config = target
        return there

    # -- contents -------------------------------------------------------------------------------------------------------

    def put(self, fname: str, body: bytes | BinaryIO, content_type: str = "application/octet-stream", ask_first: bool = False, anew: bool = False) -> bool:
        """Store a content, checked by the server against the SHA-1 in its name.

        :param body: all of it; a file is read from its beginning, whatever its position.
        :param ask_first: the content is likely to be there already.
        :param anew: send it even so: what is there may be about to be deleted by a replication.
        :return: whether it was sent (False: the store has it already).
        :raises Corrupt: the bytes are not what the name says.
        """
        sha1 = keys.parse(fname).sha1
        size = len(body) if isinstance(body, (bytes, bytearray)) else body.seek(0, os.SEEK_END)
        with self._asking("store", fname) as moved:
            if not anew and (ask_first or size >= ASK_FIRST) and self._holds(fname, sha1, size):
                return False
            wanted = self.config.gzip == "text" and size >= self.config.gzip_min_size and self._notice.ripe()
            packed = gzipped.pack(body, sha1) if wanted else None
            # Versioned buckets would otherwise keep a copy for each time the same content comes. Without a condition an object that is
            # not this content (cut short, or put there by somebody else) is replaced.
            for replace in (True,) if anew else (False, True):
                if self._send(fname, body, size, packed, content_type=content_type, replace=replace):
                    moved.sent = packed.size if packed else size
                    return True
                if self._holds(fname, sha1, size):
                    return False
            raise Unavailable(f"could not store {fname} in {self.config.of(fname).where}: something else was stored or taken away meanwhile")

    def _send(self, fname: str, body: bytes | BinaryIO, size: int, packed: gzipped.Packed | None, *, content_type: str, replace: bool) -> bool:
        """Send a content, or what it was packed into; False if there is something, unless that is to be replaced."""
        sha1 = keys.parse(fname).sha1
        client = self._contents()
        if size >= ASK_FIRST:  # smaller ones are signed in no time
            client.spare_signatures()
        headers = client.describe(fname, content_type)
        if packed:
            headers |= gzipped.headers(packed, size)
            body, size, sha1 = packed
        sendable = _sendable(body, size)
        if size >= self.config.multipart_threshold:
            return parts.upload(client, fname, sendable, sha1, headers=headers, replace=replace, patience=self.config.connect_timeout)
        headers |= {"x-amz-checksum-sha1": checksums.encoded(sha1)} | ({} if replace else {"if-none-match": "*"})
        return client.call("PUT", fname, headers=headers, body=sendable, accept=(409, 412), action="store").status < 300

    def get_bytes(self, fname: str, size: int | None = None) -> bytes:
        """The content, checked against its name; or unchecked its first ``size`` bytes."""
        keys.parse(fname)
        if size is not None and size >= 0:
            if size == 0:
                return b""
            with self._asking("read", fname) as moved:
                content = self._beginning(fname, size)
                moved.received = len(content)
                return content
        # Pieces that are kept and then joined would take twice the memory; the bytes that this one has are those that it gives away.
        target = io.BytesIO()
        self.get_to_file(fname, target)
        return target.getvalue()

    def get_to_file(self, fname: str, target: BinaryIO) -> int:
        """Write the content to a file, in pieces; what was written must be thrown away when this raises."""
        begin = target.tell()

        def restart() -> None:
            target.seek(begin)
            target.truncate()

        with self._asking("read", fname) as moved:
            moved.received = self._contents().get(fname, target.write, restart, action="read")
            return moved.received

    def head(self, fname: str) -> Head:
        """What the store knows of the content, without reading it."""
        with self._asking("look up", fname):
            return self._head(fname)

    def sender(self, fname: str) -> ObjectStore | None:
        """The store whose link to the content is of use: this one, unless there are several.

        None where it would send a compressed object, of which a part is none of the content, and which not everybody decompresses.
        """
        return None if self._packed(fname) else self

    def _packed(self, fname: str) -> bool:
        try:
            if not self._notice.there():
                return False
        except StoreError:
            # Who is sent to a store that does not answer gets nothing there; unless it is back by then.
            if self.config.gzip != "none":
                raise
            return False
        return self.head(fname).packed

    def presign(self, fname: str, method: str = "GET", content_type: str = "", disposition: str = "", *, public: bool = True) -> str:
        """A URL which answers this method for ``presign_ttl`` seconds, and no other method.

        :param public: at the public end point, or at that of Odoo itself.
        :param content_type: the type to answer with; the object's own is that of whoever came first.
        :param disposition: see :func:`content_disposition`.
        """
        operation, shape = {"GET": ("get_object", "GetObject"), "HEAD": ("head_object", "HeadObject")}[method]
        parameters = self._where(fname)
        for name, value in (("ResponseContentType", content_type), ("ResponseContentDisposition", disposition)):
            if value and self._accepts(shape, name):
                parameters[name] = value
        with self._translated("sign a link to", fname):
            lasting = self.config.of(fname).presign_ttl
            url: str = self._client(public=public).generate_presigned_url(operation, Params=parameters, ExpiresIn=lasting, HttpMethod=method)
            return url

    # -- garbage --------------------------------------------------------------------------------------------------------

    def versioned(self) -> bool:
        """Whether the bucket keeps what is deleted in it."""
        with self._asking("ask about versions", ""):
            return bool(self._client().get_bucket_versioning(Bucket=self.config.bucket).get("Status") == "Enabled")

    def delete(self, fnames: Sequence[str]) -> dict[str, str]:
        """Delete contents, at most 1000; in a versioned bucket each stays behind a delete marker.

        :return: those that are still there, each with the reason.
        """
        buckets: dict[str, list[str]] = {}
        for fname in fnames:
            buckets.setdefault(self.config.of(fname).bucket, []).append(fname)
        left: dict[str, str] = {}
        for names in buckets.values():
            try:
                left.update(self._delete(names))
            except Unavailable as error:
                if len(buckets) == 1:
                    raise
                left.update(dict.fromkeys(names, str(error)))
        return left

    def _delete(self, fnames: Sequence[str]) -> dict[str, str]:
        """The same, of one bucket."""
        by_key = {self.config.key_of(fname): fname for fname in fnames}
        there = self.at(self.config.of(fnames[0]))
        with there._asking("delete", f"{len(fnames)} objects"):
            # Never with a VersionId: what a mistake deletes can be had back.
            answer = self._client().delete_objects(Bucket=there.config.bucket, Delete={"Objects": [{"Key": key} for key in by_key]})
        deleted = {entry.get("Key") for entry in answer.get("Deleted", [])}
        reasons = {error.get("Key"): f"{error.get('Code', '')} {error.get('Message', '')}".strip() for error in answer.get("Errors", [])}
        # Only what the store says by name to be deleted: MinIO takes a list that was garbled on its way.
        return {fname: reasons.get(key, "the store does not say that it is deleted") for key, fname in by_key.items() if key not in deleted}

    # -- notes about the prefix -----------------------------------------------------------------------------------------

    def get_note(self, name: str) -> tuple[bytes, str] | None:
        """A small object ``<prefix>.odoo-s3/<name>`` and its ETag; None if there is none."""
        key = self._note(name)
        try:
            with self._asking("read", key):
                answer = self._client().get_object(Bucket=self.config.bucket, Key=key)
                return bytes(answer["Body"].read()), answer["ETag"]
        except NotFound:
            return None

    def put_note(self, name: str, body: bytes, replaces: str = "") -> bool:
        """Store a note in the place of the one with this ETag, or of none.

        :return: False if something else is there by now.
        """
        key = self._note(name)
        condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        known = self._accepts("PutObject", next(iter(condition)))
        if not known:  # an old boto3: not quite as safe, but as far as it goes
            found = self.get_note(name)
            if (found[1] if found else "") != replaces:
                return False
        with self._asking("store", key):
            try:
                self._client().put_object(
                    Bucket=self.config.bucket,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    **self.config.placement().encryption,
                    **(condition if known else {}),
                )
            except boto.ClientError as error:
                if boto.code(error) in _PRECONDITION:
                    return False
                raise
        return True

    def _note(self, name: str) -> str:
        return f"{self.config.prefix}.odoo-s3/{name}"

    # -- the proof that the settings work -------------------------------------------------------------------------------

    def probe(self, write: bool = True, anew: bool = False) -> bool:
        """Prove that this key can store, look up and read under the prefix, and give up what it has begun.

        The object that it stores for that, ``<prefix>.probe/<digest>``, has a name of its own for each key, end point and way to keep
        contents, so that new credentials are proved anew and known ones leave everything as it is.

        :param write: store the object if it is not there.
        :param anew: store it even if it is there, as another host has proved the key from where it is only.
        :return: whether it was not there, or not as it is now asked for.
        """
        kinds = {(config.target, config.placement()): config for config in (self.config, *self.config.by_route.values())}
        # Each of them, not up to the first.
        missing = [self.at(config)._probe(placement, write, anew) for (_target, placement), config in kinds.items()]
        return any(missing)

    def _probe(self, placement: Placement, write: bool, anew: bool) -> bool:
        config = self.config
        content = " ".join((config.endpoint_url, config.bucket, config.prefix, config.access_key, *filter(None, placement))).encode() + b"\n"
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        name = f".probe/{sha1}"
        key = config.prefix + name
        client = self._contents()
        try:
            with self._asking("read", key):
                missing = bool(self._misplaced(placement, client.call("GET", name, action="read").headers))
        except NotFound:
            missing = True
        if missing and not write:
            return True
        if missing or anew:
            with self._asking("store", key):
                headers = {"content-type": "text/plain", "x-amz-checksum-sha1": checksums.encoded(sha1), **described(placement.parameters)}
                client.call("PUT", name, headers=headers, body=content, action="store")
            with self._asking("give up an upload in parts of", key):
                parts.abort(client, name, parts.begin(client, name, described(placement.parameters)))
        with self._asking("look up", key):
            head = client.call("HEAD", name, action="look up").headers
        if fault := self._misplaced(placement, head):
            raise Denied(fault)
        with self._asking("read", key):
            found = client.call("GET", name, action="read").body
        if head.get("content-length") != str(len(content)) or found != content:
            raise Corrupt(f"the object {key} in {config.where} does not come back as it was stored")
        return missing

    def _misplaced(self, placement: Placement, headers: dict[str, str]) -> str:
        """In what the object of that answer differs from what was asked for, as a sentence; '' in nothing.

        Some servers take what they are asked for and do something else.
        """
        storage_class, sse, key_id = (headers.get(name, "") for name in HEADERS.values())
        # The answer names the key itself, and an alias does not.
        same_key = "alias/" in placement.kms_key_id or key_id.endswith(placement.kms_key_id)
        for name, wanted, found in zip(
            placement._fields, placement, (storage_class or "STANDARD", sse or "none", placement.kms_key_id if same_key else key_id), strict=True
        ):
            if wanted and wanted != found:
                return f"{name} is {wanted}, but what is stored so in {self.config.where} has {found}: this server does not do it, so leave {name} empty"
        return ""

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _beginning(self, fname: str, size: int) -> bytes:
        """The first bytes of a content, as they come."""
        content = bytearray()

        def take(chunk: bytes) -> None:
            content.extend(chunk)
            if len(content) > size:
                raise _Enough

        client = self._contents()
        with contextlib.suppress(_Enough):
            answer = client.receive(fname, take, content.clear, headers={"range": f"bytes=0-{size - 1}"}, unpack=False, action="read")
            if gzipped.is_packed(answer.headers.get("content-encoding")):
                # These are packed bytes, of how many plain ones nobody knows.
                client.receive(fname, take, content.clear, action="read")
        return bytes(content[:size])

    def _where(self, fname: str) -> dict[str, str]:
        """Where the content is, as boto3 calls it."""
        return {"Bucket": self.config.of(fname).bucket, "Key": self.config.key_of(fname)}

    def _head(self, fname: str) -> Head:
        found = self._contents().look_up(fname, action="look up")
        return Head(
            size=found.size,
            sha1=found.sha1 or found.headers.get("x-amz-meta-sha1"),
            etag=found.etag,
            version_id=found.headers.get("x-amz-version-id"),
            storage_class=found.headers.get("x-amz-storage-class", "STANDARD"),
            packed=found.packed,
        )

    def _holds(self, fname: str, sha1: str, size: int) -> bool:
        try:
            # Part of a request that the breaker has let through already.
            with self._translated("look up", fname):
                head = self._head(fname)
        except NotFound:
            return False
        return head.size == size and head.sha1 == sha1

    def _accepts(self, operation: str, member: str) -> bool:
        """Whether this boto3 knows the parameter: distributions have old ones."""
        return member in self._client().meta.service_model.operation_model(operation).input_shape.members

    def _contents(self) -> Client:
        """What contents are sent and fetched with, at a small part of what boto3 takes for it; what is rare boto3 does."""
        clients = self._clients()
        client = clients.get("contents")
        if client is None:
            # What is sent is signed, as not every server takes it otherwise, until that is known.
            client = clients["contents"] = Client(self.config, features=Features(unsigned=False), patience=self.config.patience)
        found: Client = client.at(self.config)
        return found

    def _client(self, public: bool = False) -> Any:
        """boto3's client."""
        endpoint = self.config.public_endpoint_url if public else self.config.endpoint_url
        clients = self._clients()
        client = clients.get(endpoint)
        if client is None:
            client = clients[endpoint] = boto.client(self.config, endpoint)
        return client

    def _clients(self) -> dict[str, Any]:
        """Those of this process, for the key that is right now."""
        made_for, clients = self._process
        now = (os.getpid(), *self.config.key)
        if made_for != now:
            # After a fork the sockets belong to the parent; a client keeps its key for good. Two threads may both get here: each then
            # has a client that works.
            clients = {}
            self._process = (now, clients)
        return clients

    def _place(self, name: str) -> str:
        """Where that is, for messages; a note has a name that is none of a content."""
        return (self.config.of(name) if keys.is_name(name) else self.config).where

    @contextlib.contextmanager
    def _asking(self, action: str, name: str) -> Iterator[Moved]:
        """As :meth:`_translated`, for what goes over the network: the breaker sees how it went."""
        if wait := self.breaker.wait():
            raise Unavailable(f"could not {action} {name or 'anything'} in {self._place(name)}: it gave no answer lately, and is asked again in {wait:.0f} s")
        try:
            with self._translated(action, name) as moved:
                yield moved
        except Unavailable:
            self.breaker.failed()
            raise
        except StoreError:
            self.breaker.succeeded()
            raise
        self.breaker.succeeded()

    @contextlib.contextmanager
    def _translated(self, action: str, name: str) -> Iterator[Moved]:
        """Turn what boto3 raises into our errors; count and log the operation."""
        begin, moved, outcome, sentence = time.monotonic(), Moved(), "ok", ""
        what = f"could not {action} {name} in {self._place(name)}" if name else f"could not {action} {self.config.where}"
        try:
            with boto.raising(what):
                yield moved
        except StoreError as error:
            outcome, sentence = type(error).__name__, str(error)
            raise
        except BaseException:
            outcome = "other"
            raise
        finally:
            operation, seconds = _OPERATIONS.get(action, action), time.monotonic() - begin
            metrics.SHARED.count(operation, outcome, seconds, moved.sent, moved.received)
            log.operation(operation, name, outcome, seconds=seconds, sent=moved.sent, received=moved.received, error=sentence)


def content_disposition(kind: str, filename: str) -> str:
    """The header for a download of that name (RFC 6266): ASCII for old clients, and the name itself.

    :param kind: ``inline`` or ``attachment``.
    """
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%' else "_" for char in filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _sendable(body: bytes | bytearray | BinaryIO, size: int) -> Body:
    """What a request can send: a file on the disk from there, all else as it is in memory."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray):
        return memoryview(body)
    try:
        body.fileno()
    except OSError:
        body.seek(0)
        return body.read()
    body.flush()
    return Slice(body, 0, size)


class _Enough(Exception):
    """Nobody wants the rest."""
