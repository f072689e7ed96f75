# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy before an S3 server that does to every request what the network and servers do to some.

    python3 fault_proxy.py PORT UPSTREAM_PORT FILE

Both ports are those of 127.0.0.1. FILE holds the name of the fault, one of FAULTS, and may be written at any time.
Requests and answers are taken whole, so keep them small. Needs nothing but Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import re
import socket
import struct
import sys
import time

# What happens to a request and its answer.
FAULTS = {
    "none": "nothing",
    "refuse": "nobody listens",
    "hang": "the connection is taken, and no answer comes",
    "reset": "the connection is reset in the middle of the answer's body (or of its headers, where it has none)",
    "500": "the server answers 500 InternalError",
    "503": "the server answers 503 SlowDown",
    "403": "the server answers 403 AccessDenied",
    "truncated": "the answer ends in the middle of its body, or headers, and the connection is closed",
    "shortened": "of what is sent, or else of the answer, half the body comes, with a length that says that this is all",
    "flipped": "in what is sent, or else in the answer, one bit of the body is another one",
    "slow": "1 KB a second, both ways",
}
_ERRORS = {"500": "500 InternalError", "503": "503 SlowDown", "403": "403 AccessDenied"}
_SLOWLY = 1024  # bytes a second
_EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class FaultProxy:
    """Listens on a port of 127.0.0.1; ``requests`` counts what came in."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self.upstream = upstream
        self.fault = "none"
        self.requests = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def set(self, fault: str) -> None:
        """Behave like that from now on; to be called from another thread. TimeoutError where it does not within ten seconds."""
        self.fault = fault
        ends = time.monotonic() + 10
        while (self._server is None) != (fault == "refuse"):
            if time.monotonic() > ends:
                raise TimeoutError(f"the proxy on port {self.port} does not behave as {fault!r}")
            time.sleep(0.01)

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            if self.fault == "refuse" and self._server is not None:
                self._server.close()
                # Those that are open lead to nobody either.
                for task in self._connections:
                    task.cancel()
                self._server = None
            elif self.fault != "refuse" and self._server is None:
                self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=2**26)
            await asyncio.sleep(0.02)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection may be used for another."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        fault = self.fault
        if fault == "hang":
            await asyncio.sleep(3600)
        if _EXPECTS.search(head):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(_length(head))
        if fault in _ERRORS:
            status, code = _ERRORS[fault].split()
            text = f"<Error><Code>{code}</Code><Message>{FAULTS[fault]}</Message></Error>".encode()
            writer.write(f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(text)}\r\n\r\n".encode())
            writer.write(b"" if head.startswith(b"HEAD ") else text)
            await writer.drain()
            return True
        if fault == "slow":
            await asyncio.sleep(len(body) / _SLOWLY)
        answer, content = await self._ask(*_spoilt(fault, head, body))
        if not body:
            answer, content = _spoilt(fault, answer, content)
        if fault in ("reset", "truncated"):
            whole = answer + content
            writer.write(whole[: len(answer) + len(content) // 2] if content else whole[: len(answer) // 2])
            await writer.drain()
            if fault == "reset":
                await asyncio.sleep(0.05)  # so that the first part is read
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if fault == "slow":
            for start in range(0, len(content), _SLOWLY // 8):
                writer.write(answer + content[start : start + _SLOWLY // 8])
                answer = b""
                await writer.drain()
                await asyncio.sleep(1 / 8)
        else:
            writer.write(answer + content)
        if fault == "slow" and not content:
            writer.write(answer)
        await writer.drain()
        return True

    async def _ask(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Ask the server; return the head and the body of its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream, limit=2**26)
        try:
            # A server that refuses without a look at the body would take its answer with it when it closes the connection.
            more = b"" if not body or _EXPECTS.search(head) else b"\r\nExpect: 100-continue"
            writer.write(_CONNECTION.sub(b"", head).replace(b"\r\n\r\n", b"\r\nConnection: close" + more + b"\r\n\r\n", 1))
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split()[1] == b"100":
                writer.write(body)
                answer = await reader.readuntil(b"\r\n\r\n")
            return _CONNECTION.sub(b"", answer), await reader.read(-1)
        finally:
            writer.close()


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def _spoilt(fault: str, head: bytes, body: bytes) -> tuple[bytes, bytes]:
    if body and fault == "shortened":
        body = body[: len(body) // 2]
        head = _LENGTH.sub(b"\r\nContent-Length: %d" % len(body), head)
    if body and fault == "flipped":
        middle = len(body) // 2
        body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    return head, body


async def _follow(proxy: FaultProxy, file: pathlib.Path) -> None:
    while True:
        with contextlib.suppress(FileNotFoundError):
            fault = file.read_text(encoding="utf-8").strip()
            proxy.fault = fault if fault in FAULTS else proxy.fault
        await asyncio.sleep(0.02)


async def _main(port: int, upstream: int, file: pathlib.Path) -> None:
    proxy = FaultProxy(port, upstream)
    await asyncio.gather(proxy.run(), _follow(proxy, file))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])))
