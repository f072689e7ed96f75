"""Small files that are sent before the server has answered for those before them, and servers that do not bear it."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import client, keys, transfer, wire
from ansible_collections.odooops.stack.plugins.module_utils.filestore.config import Config

CONTENTS = [bytes([65 + number]) * (number + 1) for number in range(5)]
NAMES = [keys.build(hashlib.sha1(content).hexdigest()) for content in CONTENTS]
REQUEST = re.compile(rb"(PUT|GET|HEAD) (\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.S)


def confirmed(body):
    proof = base64.b64encode(hashlib.sha1(body).digest()).decode()
    return f"HTTP/1.1 200 OK\r\nx-amz-checksum-sha1: {proof}\r\nContent-Length: 0\r\n\r\n".encode()


REFUSED = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"


class Peer:
    """Takes requests until no more come, and then answers those of one connection as ``answer(bodies)`` says: that, and whether it hangs up."""

    def __init__(self, answer):
        self.answer = answer
        self.bodies: list[list[bytes]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listening.close()

    def _serve(self):
        while True:
            try:
                link, _address = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link):
        with link:
            while data := link.recv(65536):
                link.settimeout(0.2)
                while True:
                    try:
                        more = link.recv(65536)
                    except TimeoutError:
                        break
                    if not more:
                        return
                    data += more
                link.settimeout(None)
                bodies = []
                while found := REQUEST.match(data):
                    length = int(re.search(rb"content-length: (\d+)", found[3])[1])
                    bodies.append(data[found.end() : found.end() + length])
                    data = data[found.end() + length :]
                self.bodies.append(bodies)
                text, over = self.answer(bodies)
                link.sendall(text)
                if over:
                    return


@pytest.fixture
def to():
    peers = []

    def make(answer, **features):
        peers.append(Peer(answer))
        config = Config(bucket="shop", endpoint_url=f"http://127.0.0.1:{peers[-1].port}", access_key="key", secret_key="secret", read_timeout=10)
        found = transfer.Transfer(config, features=client.Features(pipeline=True)._replace(**features))
        return peers[-1], found

    yield make
    for peer in peers:
        peer.close()


@pytest.fixture
def files(tmp_path):
    for number, content in enumerate(CONTENTS):
        (tmp_path / str(number)).write_bytes(content)
    return [(name, str(tmp_path / str(number))) for number, name in enumerate(NAMES)]


def all_of(bodies):
    return b"".join(confirmed(body) for body in bodies), False


def test_all_go_out_together(to, files):
    peer, way = to(all_of)
    assert way.put_small(files) == set(NAMES)
    assert way.put_small(files[:2]) == set(NAMES[:2])
    assert peer.bodies == [CONTENTS, CONTENTS[:2]]


@pytest.mark.parametrize(
    ("answer", "stored"),
    [
        (lambda bodies: (b"".join(map(confirmed, bodies[:3])), True), NAMES[:3]),
        (lambda bodies: (b"".join(map(confirmed, bodies[:3])) + confirmed(bodies[3])[:-9], True), NAMES[:3]),
        (lambda bodies: (b"".join(map(confirmed, [bodies[1], bodies[0], *bodies[2:]])), False), NAMES[2:]),
        (lambda bodies: (b"".join(map(confirmed, bodies)) + REFUSED, False), NAMES),
        (lambda bodies: (confirmed(bodies[0]) + REFUSED + b"".join(map(confirmed, bodies[2:])), False), [NAMES[0], *NAMES[2:]]),
        (lambda bodies: (confirmed(bodies[0]).replace(b"Content", b"Connection: close\r\nContent") + confirmed(bodies[1]), True), NAMES[:1]),
        (lambda _bodies: (b"", True), []),
        (lambda _bodies: (b"nonsense\r\n\r\n", True), []),
    ],
    ids=["hangs up", "hangs up in an answer", "another order", "an answer too many", "one refused", "closes", "nothing", "nonsense"],
)
def test_only_what_the_server_has_proved_is_stored(to, files, answer, stored):
    """And whatever is left of the answers is not taken for those of the next requests."""
    answers = iter([answer, all_of])

    def one_after_the_other(bodies):
        return next(answers)(bodies)

    _peer, way = to(one_after_the_other)
    assert way.put_small(files) == set(stored)
    assert way.put_small(files) == set(NAMES)


def test_what_is_no_small_file_is_left(to, files, tmp_path):
    peer, way = to(all_of)
    large, empty = (keys.build(hashlib.sha1(body).hexdigest()) for body in (b"x" * (wire.TOGETHER + 1), b""))
    (tmp_path / "large").write_bytes(b"x" * (wire.TOGETHER + 1))
    (tmp_path / "empty").write_bytes(b"")
    others = [(large, str(tmp_path / "large")), (empty, str(tmp_path / "empty")), (NAMES[2], str(tmp_path / "gone"))]
    assert way.put_small([*others, files[1]]) == {NAMES[1]}
    assert peer.bodies == [[CONTENTS[1]]]


@pytest.mark.parametrize("lacking", ["pipeline", "checksum"])
def test_servers_that_cannot_are_not_asked(to, files, lacking):
    peer, way = to(all_of, **{lacking: False})
    assert way.put_small(files) == set()
    assert peer.bodies == []


def test_a_limit_holds_for_each(to, files):
    _peer, way = to(all_of)
    way.throttle.limit = 10_000
    start = time.monotonic()
    assert way.put_small(files) == set(NAMES)
    # Five requests of at least 500 bytes, the last of which nobody waits for.
    assert time.monotonic() - start > 0.2


@pytest.mark.parametrize(
    ("answer", "can"),
    [
        (all_of, True),
        (lambda bodies: (confirmed(bodies[0]), False), False),
        (lambda bodies: (confirmed(bodies[0]), True), False),
        (lambda bodies: (b"".join(map(confirmed, bodies[::2] + bodies[1:2])), False), False),
    ],
    ids=["all", "one and then nothing", "one and hangs up", "another order"],
)
def test_whether_a_server_can(to, monkeypatch, answer, can):
    monkeypatch.setattr(transfer, "_PIPELINE_SECONDS", 1.0)
    _peer, way = to(answer)
    assert way._takes_pipelines(".probe/transfer") is can


def test_answers_that_nobody_takes_end_the_connection(to):
    _peer, way = to(all_of)
    connection = wire.Connection(way._endpoint)
    answers = connection.pipeline([wire.Request("PUT", "/a", {"host": "h"}, body) for body in CONTENTS])
    next(answers)
    answers.close()
    assert connection._socket is None
