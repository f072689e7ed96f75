# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Signed requests to an S3 server that are tried again, over connections that are kept open."""

from __future__ import annotations

import collections
import contextlib
import copy
import hashlib
import html
import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from . import checksums, gzipped, keys
from .config import Config
from .digests import digest
from .errors import ConfigError, Corrupt, Denied, NotFound, StoreError, Unavailable, kind
from .signature import EMPTY_SHA256, UNSIGNED, Credentials, Signer
from .wire import Answer, Body, Connection, Disconnected, Endpoint, Sink, Throttle

# What boto3 calls so, by the headers that it sends and gets.
HEADERS = {
    "StorageClass": "x-amz-storage-class",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
}
# Bytes a second that must come, on the average, once the time that an operation may take is over.
SLOWEST = 64 * 1024

# Which status an answer would have had, had the server known it when it began with 200.
_LATE = {"PreconditionFailed": 412, "ConditionalRequestConflict": 409, "NoSuchUpload": 404}

_Some = TypeVar("_Some", bound="Client")


class Features(NamedTuple):
    """What a server can do; see :meth:`transfer.Transfer.probe` and :meth:`Client.spare_signatures`."""

    checksum: bool = True  # checks the SHA-1 that it is told, and says so
    unsigned: bool = True  # takes bodies whose SHA-256 is not signed
    conditional: bool = True  # can be told not to overwrite
    pipeline: bool = False  # takes requests before it has answered those before them


class Found(NamedTuple):
    """What a server knows of a content: its size in bytes, and its SHA-1 where the server itself has computed it.

    Of a ``packed`` one, which is stored compressed, the size is what its metadata say of the plain bytes, and the server does not know their SHA-1.
    """

    size: int
    sha1: str | None
    etag: str
    packed: bool
    headers: dict[str, str]


class Client:
    """Requests about the contents and the buckets of settings. May be shared by threads; not across a fork.

    :param verify: whether the server's certificate must be trusted.
    :param token: belongs to the settings' access key where that is a temporary one.
    :param bandwidth: bytes a second, of all threads together; 0 is no limit.
    :param patience: in seconds: no further attempt is begun that could end later. Without it only their number counts.
    """

    def __init__(
        self, config: Config, *, features: Features | None = None, verify: bool = True, token: str = "", bandwidth: int = 0, patience: float | None = None
    ) -> None:
        self.config = config
        self.patience = patience
        self.features = features or Features()
        self.throttle = Throttle(bandwidth)
        self._endpoint = _endpoint(config, verify, self.throttle)
        self._signer = Signer(config.region, _credentials(config, token))
        # Those that nobody uses at the moment, by host; what was used last is the least likely to have been closed by the server.
        self._idle: dict[str, collections.deque[Connection]] = collections.defaultdict(collections.deque)
        self._asked = self.features.unsigned

    def at(self: _Some, target: Config) -> _Some:
        """The way to only one of the settings' targets, for what is about a bucket or a prefix and not about a content."""
        if target is self.config:
            return self
        there = copy.copy(self)
        there.config = target
        return there

    def get(self, fname: str, sink: Callable[[bytes], object], restart: Callable[[], object], version: str = "", *, action: str = "") -> int:
        """Hand the content on in pieces, and check it against its name at the end; returns its size.

        :param restart: forget what came so far, it comes again from the beginning.
        :param version: not what is there now, but this version.
        :param action: what this is called in messages.
        :raises Corrupt: what came is not the content.
        """
        sha1 = keys.parse(fname).sha1
        seen, size = hashlib.sha1(usedforsecurity=False), 0

        def anew() -> None:
            nonlocal seen, size
            seen, size = hashlib.sha1(usedforsecurity=False), 0
            restart()

        def take(chunk: bytes) -> None:
            nonlocal size
            seen.update(chunk)
            size += len(chunk)
            sink(chunk)

        self.receive(fname, take, anew, query=f"versionId={quote(version, safe='-_.~')}" if version else "", action=action)
        if seen.hexdigest() != sha1:
            raise Corrupt(f"what {self.config.of(fname).where} holds as {fname} has the SHA-1 {seen.hexdigest()}")
        return size

    def receive(
        self,
        fname: str,
        take: Callable[[bytes], object],
        restart: Callable[[], object],
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        unpack: bool = True,
        action: str = "",
    ) -> Answer:
        """As :meth:`get`, but unchecked.

        :param unpack: hand on the content that is compressed in an object; else nothing of such an object.
        :raises OSError: ``take`` has raised it.
        """
        begin, came = time.monotonic(), 0
        unpacker: gzipped.Unpacker | None = None

        def begin_body(found: dict[str, str]) -> Callable[[bytes], object]:
            nonlocal unpacker
            if gzipped.is_packed(found.get("content-encoding")):
                if not unpack:
                    return lambda _chunk: None
                unpacker = gzipped.Unpacker(fname)
            return take_any

        def take_any(chunk: bytes) -> None:
            nonlocal came
            came += len(chunk)
            try:
                for piece in (chunk,) if unpacker is None else unpacker.feed(chunk):
                    take(piece)
            except OSError as error:  # not of the network, and no other attempt mends it
                raise _LocalFailure(error) from error
            # Each byte that comes in time begins the read time-out anew.
            if self.patience is not None and time.monotonic() - begin > self.patience + came / SLOWEST:
                raise Unavailable(f"could not {self._what(action or 'GET', fname)}: only {came} bytes came in {self.patience:g} seconds")

        for attempt in self._attempts():
            restart()
            unpacker = None
            try:
                answer = self._once("GET", fname, query=query, headers=headers, sink=begin_body, action=action)
            except _LocalFailure as failure:
                raise failure.error from None
            except Unavailable as error:
                attempt(error)
                continue
            if unpacker is not None and (rest := unpacker.end()):
                take(rest)
            return answer
        raise AssertionError

    def look_up(self, fname: str, *, action: str = "") -> Found:
        """What the server knows of the content, without reading it."""
        headers = self.call("HEAD", fname, headers={"x-amz-checksum-mode": "ENABLED"}, action=action).headers
        size, etag = int(headers.get("content-length", -1)), headers.get("etag", "").strip('"')
        sha1 = checksums.of_whole(headers.get("x-amz-checksum-sha1", ""), etag) if self.features.checksum else None
        if packed := gzipped.is_packed(headers.get("content-encoding")):
            size, sha1 = gzipped.plain_size(headers, size, sha1), None
        return Found(size, sha1, etag, packed, headers)

    def describe(self, fname: str, content_type: str = "application/octet-stream") -> dict[str, str]:
        """What a request says of the content that it stores, as headers."""
        parsed = keys.parse(fname)
        instance = {"x-amz-meta-instance": self.config.instance_id} if self.config.instance_id else {}
        return {"content-type": content_type, "x-amz-meta-sha1": parsed.sha1, **instance, **described(self.config.placement(parsed.route).parameters)}

    def spare_signatures(self) -> None:
        """Sign no bodies from now on, if the server compares them with the SHA-1 that it is told, which is signed in any case.

        That is asked once, by an object ``<prefix>.probe/checksum`` that is told a wrong one. Where it comes into being nevertheless, or the server
        wants bodies to be signed, they go on being so.

        :raises Unavailable: there is no answer.
        """
        if self._asked:
            return
        asking = copy.copy(self)
        asking.features = self.features._replace(unsigned=True)
        headers = {"x-amz-checksum-sha1": checksums.encoded(hashlib.sha1(usedforsecurity=False).hexdigest()), "if-none-match": "*"}
        with contextlib.suppress(Denied, Corrupt, NotFound):
            answer = asking.call("PUT", ".probe/checksum", headers=headers, body=b"not nothing\n", accept=(400, 409, 412, 500), action="store")
            # What a server makes of a body that is not signed may be an error as well, but not one of these.
            if element(answer.body, b"Code") in ("BadDigest", "XAmzContentChecksumMismatch"):
                self.features = asking.features
        self._asked = True

    def call(self, method: str, name: str | None, **arguments: Any) -> Answer:
        """A request, tried again where that may help; ``name`` is a content or begins with a dot, and the bucket itself is None.

        :param query: sorted and percent-encoded.
        :param headers: their names in lower case.
        :param body: in memory, or a :class:`Slice`.
        :param accept: which statuses besides those of success are no errors.
        :param action: what this is called in messages, instead of the method.
        """
        for attempt in self._attempts():
            try:
                return self._once(method, name, **arguments)
            except Unavailable as error:
                attempt(error)
        raise AssertionError

    def _attempts(self) -> Iterator[Callable[[Unavailable], None]]:
        """For each attempt what to do with its failure: wait, ever longer and never all at once, or give up."""
        config, end = self.config, None if self.patience is None else time.monotonic() + self.patience
        for number in range(1, config.max_attempts + 1):

            def failed(error: Unavailable, number: int = number) -> None:
                if number == config.max_attempts:
                    raise error
                wait = min(20.0, 0.2 * 2**number) * random.uniform(0.5, 1.5)  # noqa: S311
                if end is not None and time.monotonic() + wait + config.connect_timeout + config.read_timeout > end + 0.1:
                    raise Unavailable(f"{error}; no answer within {self.patience:g} s") from error
                time.sleep(wait)

            yield failed

    def _once(
        self,
        method: str,
        name: str | None,
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: Body = b"",
        accept: tuple[int, ...] = (),
        sink: Sink | None = None,
        action: str = "",
    ) -> Answer:
        endpoint, target, signed = self._request(method, name, query=query, headers=headers, body=body)
        try:
            with self._connection(endpoint) as connection:
                answer = connection.request(method, target, signed, body, sink)
        except Disconnected as error:
            raise Unavailable(f"could not {self._what(action or method, name)}: no complete answer ({error})") from error
        # A server begins the answer to what takes its time before it knows how it ends. (What is read may have this in it.)
        failed = answer.status < 300 and method in ("PUT", "POST") and b"<Error>" in answer.body
        if failed:
            answer = answer._replace(status=_LATE.get(element(answer.body, b"Code"), answer.status))
        if (answer.status < 300 and not failed) or answer.status in accept:
            return answer
        raise self._error(answer, action or method, name)

    def _request(
        self, method: str, name: str | None, *, query: str = "", headers: dict[str, str] | None = None, body: Body = b""
    ) -> tuple[Endpoint, str, dict[str, str]]:
        """Where a request goes, its target and its signed headers."""
        config = self._of(name)
        endpoint, base = _bucket_at(self._endpoint, config)
        path = base + quote(config.prefix + name, safe="/-_.~") if name is not None else base
        payload = EMPTY_SHA256 if not body else UNSIGNED if self.features.unsigned and method == "PUT" else digest(body, "sha256")
        signed = self._signer.sign(method, path, query, {"host": endpoint.authority, **(headers or {})}, payload)
        return endpoint, f"{path}?{query}" if query else path, signed

    @contextlib.contextmanager
    def _connection(self, endpoint: Endpoint) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile. Where each bucket has a host of its own it needs one of its own."""
        idle = self._idle[endpoint.host]
        try:
            connection = idle.pop()
        except IndexError:
            connection = Connection(endpoint)
        try:
            yield connection
        finally:
            # After a failure it is closed, and makes itself anew.
            idle.append(connection)

    def _of(self, name: str | None) -> Config:
        """The settings for a content; for all else those that there are."""
        return self.config if name is None or (name.startswith(".") and not name.startswith("..")) else self.config.of(name)

    def _error(self, answer: Answer, action: str, name: str | None) -> StoreError:
        headers = answer.headers
        code = element(answer.body, b"Code") or headers.get("x-minio-error-code", "") or str(answer.status)
        message = " ".join(element(answer.body, b"Message").split())
        explained = f"{code} ({answer.status}){': ' + message if message and message != code else ''}"
        # What begins as a success and goes on as an error may be one the next time.
        found = Unavailable if answer.status == 200 else kind(code, answer.status, bucket_missing=headers.get("x-minio-error-code") == "NoSuchBucket")
        return found(f"could not {self._what(action, name)}: {explained}")

    def _what(self, action: str, name: str | None) -> str:
        """What was to be done, for messages."""
        config = self._of(name)
        # A note has a name that is none of a content.
        return f"{action} {'the listing' if name is None else config.prefix + name if name.startswith('.') else name} in {config.where}"


class _LocalFailure(Exception):
    """Carries an error of what takes a content past what handles errors of the network."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def described(parameters: Mapping[str, str]) -> dict[str, str]:
    """What boto3 calls so, as headers: how an object is to be kept."""
    return {HEADERS[name]: value for name, value in parameters.items()}


def element(document: bytes, name: bytes) -> str:
    """The text of the first element of that name; '' where there is none."""
    start = document.find(b"<" + name + b">")
    if start < 0:
        return ""
    start += len(name) + 2
    end = document.find(b"</" + name + b">", start)
    return text(document[start:end]) if end >= 0 else ""


def text(content: bytes) -> str:
    found = content.decode(errors="replace")
    return html.unescape(found) if "&" in found else found


def _endpoint(config: Config, verify: bool, throttle: Throttle) -> Endpoint:
    """Where the store is."""
    url = config.endpoint_url
    if not url:
        url = f"https://s3.{config.region}.amazonaws.com" + (".cn" if config.region.startswith("cn-") else "")
    parts = urlsplit(url)
    tls = None
    if parts.scheme == "https":
        try:
            tls = ssl.create_default_context(cafile=config.ca_bundle or _authorities())
        except OSError as error:
            raise ConfigError(f"ca_bundle {config.ca_bundle} cannot be used: {error.strerror or error}") from error
        if not verify:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return Endpoint(str(parts.hostname), parts.port or (443 if tls else 80), tls, config.connect_timeout, config.read_timeout, throttle)


def _authorities() -> str | None:
    """The file with the authorities to trust; None for those of the host, which a small container does not have."""
    own = ssl.get_default_verify_paths()
    if own.cafile or (own.capath and os.listdir(own.capath)):
        return None
    try:
        import botocore.httpsession  # noqa: PLC0415  # slow to load, and seldom needed
    except ImportError:
        return None
    found: str = botocore.httpsession.where()
    return found


def _bucket_at(endpoint: Endpoint, config: Config) -> tuple[Endpoint, str]:
    """Where requests about a bucket go, and with what their paths begin."""
    # A certificate for *.host has no name for a bucket with a dot.
    if config.addressing_style == "virtual" or (not config.addressing_style and not config.endpoint_url and "." not in config.bucket):
        return endpoint._replace(host=f"{config.bucket}.{endpoint.host}"), "/"
    return endpoint, f"/{config.bucket}/"


def _credentials(config: Config, token: str) -> Callable[[], Credentials]:
    if config.access_key:
        if token:
            fixed = Credentials(config.access_key, config.secret_key, token)
            return lambda: fixed
        return lambda: Credentials(*config.key)
    try:
        import botocore.session  # noqa: PLC0415  # slow to load, and most have a key
    except ImportError as error:
        raise ConfigError(f"access_key is not set, and boto3, which would ask the host for its role, is missing ({error})") from error
    found = botocore.session.Session().get_credentials()
    if found is None:
        raise ConfigError("access_key is not set, and this host has no role or profile of its own that gives one")

    def current() -> Credentials:
        frozen = found.get_frozen_credentials()
        return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")

    return current
