# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""HTTP/1.1 over a connection that is kept open, for requests whose bodies are files.

A general client spends most of its time on what these requests do not need: a small file costs it several times the
processor time of this one.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Union
from urllib.parse import SplitResult, unquote, urlsplit

CHUNK = 256 * 1024
# A body up to this size goes out together with the headers; a larger one by sendfile, where there is no TLS.
TOGETHER = 128 * 1024
_HEADERS_LIMIT = 64 * 1024


class Disconnected(Exception):
    """The server did not answer completely; the same request may succeed on another connection."""


class Answer(NamedTuple):
    """What a server answered; the names of the headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


# What takes the body of an answer in pieces, made when its headers (as in Answer) have come.
Sink = Callable[[dict[str, str]], Callable[[bytes], object]]


class Slice(NamedTuple):
    """A part of a file, to be sent."""

    file: BinaryIO
    offset: int
    length: int


# What is sent.
Body = Union[bytes, memoryview, Slice]  # noqa: UP007  # pylint takes "|" between classes for an operation


class Request(NamedTuple):
    """What goes to the server, with a body that is in memory."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Throttle:
    """Lets all threads together send or receive so many bytes a second; 0 is no limit."""

    def __init__(self, bytes_per_second: int) -> None:
        self.limit = bytes_per_second
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self, count: int) -> None:
        """Wait until that many bytes may go."""
        if not self.limit:
            return
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + count / self.limit
        if start > now:
            time.sleep(start - now)


class Endpoint(NamedTuple):
    """Where connections lead, and how they are made. ``tls`` is None for plain HTTP. Timeouts in seconds."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_timeout: float
    read_timeout: float
    throttle: Throttle

    @property
    def authority(self) -> str:
        """The header ``Host``: with the port only where it is not the usual one, as servers sign it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def connect(endpoint: Endpoint) -> socket.socket:
    """A new connection, through the proxy of the environment where it names one for HTTPS.

    :raises OSError: also for a certificate that is not trusted.
    """
    proxy = _proxy(endpoint) if endpoint.tls else ""
    if proxy:
        import http.client  # noqa: PLC0415  # slow to load, and few need it

        through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            through.hostname or "", through.port or 3128, timeout=endpoint.connect_timeout, context=endpoint.tls
        )
        connection.set_tunnel(endpoint.host, endpoint.port, _proxy_authorization(through))
        connection.connect()
        found: socket.socket = connection.sock
    else:
        found = socket.create_connection((endpoint.host, endpoint.port), endpoint.connect_timeout)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls:
            found = endpoint.tls.wrap_socket(found, server_hostname=endpoint.host)
    found.settimeout(endpoint.read_timeout)
    return found


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    """The headers with the name and the password in the URL of a proxy, if there are any."""
    if proxy.username is None:
        return {}
    both = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}


def _proxy(endpoint: Endpoint) -> str:
    """The proxy that the environment names for this host; '' for none."""
    import urllib.request  # noqa: PLC0415  # slow to load, and plain HTTP does without

    proxy: str = urllib.request.getproxies().get("https", "")
    return "" if not proxy or urllib.request.proxy_bypass(endpoint.authority) else proxy


class Connection:
    """One connection, for one thread; made when first used and again after each failure."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._socket: socket.socket | None = None
        self._left = b""

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket, self._left = None, b""

    def request(self, method: str, target: str, headers: dict[str, str], body: Body = b"", sink: Sink | None = None) -> Answer:
        """Send a request and read the answer; the body of a successful one goes to what ``sink`` makes of its headers, where that is given.

        :raises Disconnected: there was no complete answer.
        """
        head = _head(method, target, headers, body.length if isinstance(body, Slice) else len(body))
        kept = self._socket is not None
        with self._closed_by_failure():
            try:
                return self._exchange(method, head, body, sink)
            except _NoAnswer:
                if not kept:
                    raise
                # The server had closed the connection since the request before. Ours are all safe to repeat.
                self.close()
                return self._exchange(method, head, body, sink)

    def pipeline(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Send requests without waiting for an answer in between, and give the answers, which come in the same order.

        :raises Disconnected: there was no complete answer to the next one. Whether the server has seen it, and those after it, is not known.
        """
        packets = [_head(one.method, one.target, one.headers, len(one.body)) + one.body for one in requests]
        throttle = self._endpoint.throttle
        # Also where somebody does not take all the answers, who would take one of them for that of another request.
        with self._closed_by_failure():
            link = self._open()
            for packet in packets if throttle.limit else [b"".join(packets)]:
                throttle.wait(len(packet))
                link.sendall(packet)
            for one in requests:
                yield self._receive(one.method, None)
            if self._left:
                raise ValueError("the server answered more than it was asked")

    @contextlib.contextmanager
    def _closed_by_failure(self) -> Iterator[None]:
        """Leave no connection behind on which an answer may be to come.

        :raises Disconnected: for what is wrong with the connection or the answers.
        """
        try:
            yield
        except (OSError, _NoAnswer, ValueError, IndexError) as error:
            self.close()
            raise Disconnected(_reason(error)) from error
        except BaseException:
            self.close()
            raise

    def _open(self) -> socket.socket:
        """The connection, made if there is none."""
        if self._socket is None:
            self._socket, self._left = connect(self._endpoint), b""
        return self._socket

    def _exchange(self, method: str, head: bytes, body: Body, sink: Sink | None) -> Answer:
        link = self._open()
        try:
            self._send(link, head, body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            # A server that refuses does so before it has the whole body: what it says is worth more than the broken pipe.
            try:
                answer = self._receive(method, None)
            except (OSError, _NoAnswer):
                raise _NoAnswer(_reason(error)) from error
            self.close()
            return answer
        return self._receive(method, sink)

    def _send(self, link: socket.socket, head: bytes, body: Body) -> None:
        throttle = self._endpoint.throttle
        if not isinstance(body, Slice):
            # A time-out is for all that is sent at once, so that it is never much.
            together = body[:TOGETHER]
            throttle.wait(len(head) + len(together))
            link.sendall(head + together)
            for start in range(TOGETHER, len(body), CHUNK):
                piece = memoryview(body)[start : start + CHUNK]
                throttle.wait(len(piece))
                link.sendall(piece)
            return
        link.sendall(head)
        whole = not throttle.limit and self._endpoint.tls is None
        offset, end = body.offset, body.offset + body.length
        while offset < end:
            count = end - offset if whole else min(CHUNK, end - offset)
            throttle.wait(count)
            if self._endpoint.tls is None:
                # Unlike read, this leaves alone the position that other threads share with us.
                sent = _sendfile(link, body.file.fileno(), offset, count)
            else:
                chunk = os.pread(body.file.fileno(), count, offset)
                link.sendall(chunk)
                sent = len(chunk)
            if not sent:
                raise ValueError("the file has become shorter while it was sent")
            offset += sent

    def _receive(self, method: str, sink: Sink | None) -> Answer:
        link = self._socket
        if link is None:
            raise _NoAnswer("there is no connection")
        data = self._left
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                lines = data[:end].decode("iso-8859-1").split("\r\n")
                data = data[end + 4 :]
                status = int(lines[0].split(" ", 2)[1])
                if status >= 200:
                    break
                continue  # 100 Continue
            if len(data) > _HEADERS_LIMIT:
                raise ValueError("the answer's headers have no end")
            try:
                chunk = link.recv(65536)
            except ConnectionResetError as error:
                if data:
                    raise
                # So it is with a connection that somebody in between has forgotten.
                raise _NoAnswer(_reason(error)) from error
            if not chunk:
                raise _NoAnswer("the server closed the connection") if not data else ConnectionError("the answer was cut short")
            data += chunk
        headers = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        kept: list[bytes] = []
        take = sink(headers) if sink is not None and status < 300 else kept.append
        self._left = data
        if method == "HEAD" or status in (204, 304):
            pass
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            self._read_chunked(link, take)
        elif "content-length" in headers:
            self._read_exactly(link, int(headers["content-length"]), take)
        else:
            raise ValueError("the answer does not say how long it is")
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, b"".join(kept))

    def _read_exactly(self, link: socket.socket, count: int, take: Callable[[bytes], object]) -> None:
        while count > 0:
            if not self._left:
                self._endpoint.throttle.wait(min(count, CHUNK))
                self._left = link.recv(min(max(count, 4096), CHUNK))
                if not self._left:
                    raise ConnectionError("the answer was cut short")
            piece, self._left = self._left[:count], self._left[count:]
            count -= len(piece)
            take(piece)

    def _read_chunked(self, link: socket.socket, take: Callable[[bytes], object]) -> None:
        while True:
            size = int(self._read_line(link).split(b";")[0], 16)
            if not size:
                while self._read_line(link):
                    pass
                return
            self._read_exactly(link, size, take)
            self._read_line(link)

    def _read_line(self, link: socket.socket) -> bytes:
        while b"\r\n" not in self._left:
            chunk = link.recv(65536)
            if not chunk or len(self._left) > _HEADERS_LIMIT:
                raise ConnectionError("the answer was cut short")
            self._left += chunk
        line, self._left = self._left.split(b"\r\n", 1)
        return line


def _head(method: str, target: str, headers: dict[str, str], length: int) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if length or method in ("PUT", "POST"):
        lines.append(f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class _NoAnswer(Exception):
    """Not one byte of an answer came."""


def _sendfile(link: socket.socket, file: int, offset: int, count: int) -> int:
    """Send from a file on a socket that has a timeout."""

    while True:
        try:
            return os.sendfile(link.fileno(), file, offset, count)
        except BlockingIOError:
            poll = select.poll()
            poll.register(link, select.POLLOUT)
            timeout = link.gettimeout()
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise TimeoutError("timed out") from None


def _reason(error: BaseException) -> str:
    """Without addresses and URLs: what kind of failure it was."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
