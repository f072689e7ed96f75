# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Signed requests to an S3 server that are tried again, over connections of which each thread keeps its own."""

from __future__ import annotations

import html
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from . import keys
from .config import Config
from .digests import digest
from .errors import CORRUPT, PASSING, ConfigError, Corrupt, Denied, NotFound, StoreError, Unavailable
from .signature import EMPTY_SHA256, UNSIGNED, Credentials, Signer
from .wire import Answer, Connection, Disconnected, Endpoint, Sink, Slice, Throttle


class Features(NamedTuple):
    """What a server can do; see :meth:`transfer.Transfer.probe`."""

    checksum: bool = True  # checks the SHA-1 that it is told, and says so
    unsigned: bool = True  # takes bodies whose SHA-256 is not signed
    conditional: bool = True  # can be told not to overwrite
    pipeline: bool = False  # takes requests before it has answered those before them


class Client:
    """Requests about the contents and the buckets of settings. May be shared by threads; not across a fork.

    :param verify: whether the server's certificate must be trusted.
    :param token: belongs to the settings' access key where that is a temporary one.
    :param bandwidth: bytes a second, of all threads together; 0 is no limit.
    """

    def __init__(self, config: Config, *, features: Features | None = None, verify: bool = True, token: str = "", bandwidth: int = 0) -> None:
        self.config = config
        self.features = features or Features()
        self.throttle = Throttle(bandwidth)
        self._endpoint = _endpoint(config, verify, self.throttle)
        self._signer = Signer(config.region, _credentials(config, token))
        self._connections = threading.local()

    def _call(self, method: str, name: str | None, **arguments: Any) -> Answer:
        for attempt in self._attempts():
            try:
                return self._once(method, name, **arguments)
            except Unavailable as error:
                attempt(error)
        raise AssertionError

    def _attempts(self) -> Iterator[Callable[[Unavailable], None]]:
        """For each attempt what to do with its failure: wait, ever longer and never all at once, or give up."""
        for number in range(1, self.config.max_attempts + 1):

            def failed(error: Unavailable, number: int = number) -> None:
                if number == self.config.max_attempts:
                    raise error
                time.sleep(min(20.0, 0.2 * 2**number) * random.uniform(0.5, 1.5))  # noqa: S311

            yield failed

    def _once(
        self,
        method: str,
        name: str | None,
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | Slice = b"",
        accept: tuple[int, ...] = (),
        sink: Sink | None = None,
    ) -> Answer:
        endpoint, target, signed = self._request(method, name, query=query, headers=headers, body=body)
        try:
            answer = self._connection(endpoint).request(method, target, signed, body, sink)
        except Disconnected as error:
            raise Unavailable(f"could not {method} {name or 'the listing'} in {self._of(name).where}: {error}") from error
        if answer.status < 300 or answer.status in accept:
            return answer
        raise self._error(answer, method, name)

    def _request(
        self, method: str, name: str | None, *, query: str = "", headers: dict[str, str] | None = None, body: bytes | Slice = b""
    ) -> tuple[Endpoint, str, dict[str, str]]:
        """Where a request goes, its target and its signed headers."""
        config = self._of(name)
        endpoint, base = _bucket_at(self._endpoint, config)
        path = base + quote(config.prefix + name, safe="/-_.~") if name is not None else base
        payload = EMPTY_SHA256 if not body else UNSIGNED if self.features.unsigned else digest(body, "sha256")
        signed = self._signer.sign(method, path, query, {"host": endpoint.authority, **(headers or {})}, payload)
        return endpoint, f"{path}?{query}" if query else path, signed

    def _connection(self, endpoint: Endpoint) -> Connection:
        """This thread's. Where each bucket has a host of its own it needs a connection of its own."""
        connections: dict[str, Connection] = self._connections.__dict__.setdefault("by_host", {})
        connection = connections.get(endpoint.host)
        if connection is None:
            connection = connections[endpoint.host] = Connection(endpoint)
        return connection

    def _of(self, name: str | None) -> Config:
        """The settings for a content; for all else those that there are."""
        return self.config.of(name) if name is not None and keys.is_name(name) else self.config

    def _error(self, answer: Answer, method: str, name: str | None) -> StoreError:
        code = element(answer.body, b"Code") or answer.headers.get("x-minio-error-code", "") or str(answer.status)
        message = " ".join(element(answer.body, b"Message").split())
        text = f"could not {method} {name or 'the listing'} in {self._of(name).where}: {code} ({answer.status}){': ' + message if message else ''}"
        if code in CORRUPT:
            return Corrupt(text)
        if code in PASSING or answer.status >= 500 or answer.status in (200, 429):
            return Unavailable(text)
        if answer.status == 404 and code != "NoSuchBucket":
            return NotFound(text)
        return Denied(text)


def element(document: bytes, name: bytes) -> str:
    """The text of the first element of that name; '' where there is none."""
    start = document.find(b"<" + name + b">")
    if start < 0:
        return ""
    start += len(name) + 2
    return text(document[start : document.find(b"</" + name + b">", start)])


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
        tls = ssl.create_default_context(cafile=config.ca_bundle or None)
        if not verify:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return Endpoint(str(parts.hostname), parts.port or (443 if tls else 80), tls, config.connect_timeout, config.read_timeout, throttle)


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
