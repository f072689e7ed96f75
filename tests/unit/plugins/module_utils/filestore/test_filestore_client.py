"""Reads that go on after a failure, and connections that are used again."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
import secrets
import socket
import ssl
import struct
import sys
import threading
import time
import types
from urllib.parse import urlsplit

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import client, config, errors, keys, store, transfer, wire

sys.path.insert(0, os.path.dirname(__file__))
from s3_server import Server

BODY = secrets.token_bytes(300_000)
NAME = keys.build(hashlib.sha1(BODY).hexdigest())


@pytest.fixture
def server():
    with Server() as running:
        yield running
        running.shutdown()


def settings(url, **given):
    return config.parse({"bucket": "test-bucket", "access_key": "AK", "secret_key": "SK", "endpoint_url": url, **given}, {})


class Once:
    """A file whose server is well again as soon as something has come."""

    def __init__(self, server):
        self.server, self.file = server, io.BytesIO(b"before ")
        self.file.seek(0, os.SEEK_END)

    def write(self, chunk):
        self.server.fault = None
        return self.file.write(chunk)

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_read_that_was_cut_short_begins_again(server):
    objects = store.ObjectStore(settings(server.url))
    objects.put(NAME, BODY)
    server.fault = "cut"
    target = Once(server)
    assert objects.get_to_file(NAME, target) == len(BODY)
    assert target.file.getvalue() == b"before " + BODY
    assert server.requests.count(f"GET {NAME}") == 2
    server.fault = "cut"
    assert objects.get_bytes(NAME, 0) == b""


def test_a_full_disk_is_none_of_the_store(server):
    objects = store.ObjectStore(settings(server.url))
    objects.put(NAME, BODY)

    class Full(io.BytesIO):
        def write(self, chunk):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        objects.get_to_file(NAME, Full())
    assert server.requests.count(f"GET {NAME}") == 1
    assert not objects.breaker.open
    assert objects.get_bytes(NAME) == BODY


def test_threads_one_after_the_other_use_one_connection(server, monkeypatch):
    made = []
    connect = wire.connect
    monkeypatch.setattr(wire, "connect", lambda endpoint: made.append(endpoint) or connect(endpoint))
    objects = store.ObjectStore(settings(server.url))
    objects.put(NAME, BODY)
    for _number in range(5):
        reader = threading.Thread(target=objects.get_bytes, args=(NAME,))
        reader.start()
        reader.join()
    with pytest.raises(errors.NotFound):
        objects.head(NAME + "-other")
    assert objects.get_bytes(NAME, 5) == BODY[:5]
    assert len(made) == 1


def test_what_is_sent_slowly_has_all_the_time_it_needs():
    """A time-out is for a peer that takes nothing, not for one that takes little at a time."""
    body = secrets.token_bytes(16_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        got = bytearray()

        def take():
            link, _address = listening.accept()
            with link:
                for number in range(len(body)):
                    got.extend(link.recv(65536))
                    if number < 24:
                        time.sleep(0.1)
                    if len(got) >= len(body) and got.endswith(body[-100:]):
                        break
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        taking = threading.Thread(target=take, daemon=True)
        taking.start()
        endpoint = wire.Endpoint("127.0.0.1", listening.getsockname()[1], None, 1, 1, wire.Throttle(0))
        begin = time.monotonic()
        assert wire.Connection(endpoint).request("PUT", "/", {"host": "x"}, body).status == 200
        assert time.monotonic() - begin > 1
        taking.join(5)
    assert got.endswith(body)


class Scripted:
    """Answers each request of a connection as ``answer(number of the request in it)`` says; a reset for None."""

    def __init__(self, answer):
        self.answer, self.connections = answer, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            link, _address = self._listening.accept()
            self.connections += 1
            number, data = 0, b""
            while True:
                data += (piece := link.recv(65536))
                if not piece:
                    break
                if b"\r\n\r\n" not in data:
                    continue
                number, data = number + 1, b""
                text = self.answer(number)
                if text is None:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                link.sendall(text)
            link.close()


def test_a_connection_that_was_forgotten_in_between_is_made_anew():
    peer = Scripted(lambda number: b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + BODY if number == 1 else None)
    objects = store.ObjectStore(settings(peer.url, max_attempts="1"))
    for _number in range(3):
        assert objects.get_bytes(NAME) == BODY
    assert peer.connections == 3


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_passes_is_no_refusal(status):
    peer = Scripted(lambda _number: f"HTTP/1.1 {status} no\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(errors.Unavailable, match=str(status)):
        store.ObjectStore(settings(peer.url, max_attempts="1")).head(NAME)


def test_authorities_that_cannot_be_read(tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    objects = store.ObjectStore(settings("https://127.0.0.1:1", ca_bundle=str(tmp_path / "ca.pem")))
    with pytest.raises(errors.ConfigError, match=r"ca_bundle .*ca\.pem cannot be used"):
        objects.get_bytes(NAME)


class Rare(transfer.Transfer):
    """Whose server answers each method as ``answers`` says, with a status and the code of an error."""

    def __init__(self, answers):
        super().__init__(settings("http://127.0.0.1:1", max_attempts="2"))
        self.answers, self.asked = answers, []

    def _once(self, method, name, *, query="", headers=None, body=b"", accept=(), sink=None, action=""):
        self.asked.append(method)
        found = self.answers(method, query)
        if isinstance(found, bytes) and sink:
            sink({})(found)
        if not isinstance(found, tuple):
            return wire.Answer(200, {"x-amz-checksum-sha1": (headers or {}).get("x-amz-checksum-sha1", "")}, found or b"")
        answer = wire.Answer(found[0], {}, f"<Error><Code>{found[1]}</Code></Error>".encode())
        if answer.status in accept:
            return answer
        raise self._error(answer, method, name)


def test_a_conflict_that_stays_comes_to_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(client.time, "sleep", lambda _seconds: None)
    (tmp_path / "file").write_bytes(BODY)
    rare = Rare(lambda method, _query: (409, "OperationAborted") if method == "PUT" else (404, "NoSuchKey"))
    with pytest.raises(errors.Unavailable, match="something else is done with it"):
        rare.put(NAME, str(tmp_path / "file"))
    assert rare.asked.count("PUT") == 3


@pytest.mark.parametrize("there", [True, False])
def test_an_upload_in_parts_whose_last_answer_was_lost(tmp_path, monkeypatch, there):
    """Asked again, the server no longer knows it, as it is complete; or as somebody gave it up."""
    monkeypatch.setattr(transfer, "MULTIPART_FROM", 1000)
    monkeypatch.setattr(transfer, "WHOLE_UP_TO", 1000)
    (tmp_path / "file").write_bytes(BODY)

    def answers(method, query):
        if method == "POST":
            return b"<R><UploadId>one</UploadId></R>" if query == "uploads=" else (404, "NoSuchUpload")
        return BODY if method == "GET" and there else (404, "NoSuchKey") if method in ("GET", "DELETE") else None

    rare = Rare(answers)
    if there:
        assert rare.put(NAME, str(tmp_path / "file"))
    else:
        with pytest.raises(errors.NotFound):
            rare.put(NAME, str(tmp_path / "file"))
    assert rare.asked.count("GET") == 1


@pytest.mark.parametrize(
    ("status", "code", "unsigned"),
    [
        (400, "XAmzContentChecksumMismatch", True),
        (400, "BadDigest", True),
        # They take the word UNSIGNED-PAYLOAD for a checksum, or do not know it.
        (400, "XAmzContentSHA256Mismatch", False),
        (403, "AccessDenied", False),
        (501, "NotImplemented", False),
        (500, "InternalError", False),
        (404, "NoSuchKey", False),
        (422, "BadDigest", False),
        # The object has come into being, now or before.
        (200, "", False),
        (412, "PreconditionFailed", False),
    ],
)
def test_bodies_go_unsigned_only_where_the_server_checks_them(monkeypatch, status, code, unsigned):
    asked = []

    def request(_self, method, target, headers, *_arguments):
        asked.append((method, target, headers["x-amz-content-sha256"]))
        return wire.Answer(status, {}, f"<Error><Code>{code}</Code></Error>".encode() if code else b"")

    monkeypatch.setattr(wire.Connection, "request", request)
    found = client.Client(settings("http://127.0.0.1:1", prefix="shop/"), features=client.Features(unsigned=False))
    for _time in range(2):
        found.spare_signatures()
    assert asked == [("PUT", "/test-bucket/shop/.probe/checksum", "UNSIGNED-PAYLOAD")]
    assert found.features == client.Features(unsigned=unsigned)


def test_without_an_answer_it_is_asked_again_whether_bodies_need_a_signature(server):
    found = client.Client(settings(server.url, max_attempts="1"), features=client.Features(unsigned=False))
    server.fault = 503
    with pytest.raises(errors.Unavailable):
        found.spare_signatures()
    server.fault = None
    found.spare_signatures()
    assert found.features.unsigned and server.requests == ["PUT .probe/checksum"] * 2 and not server.objects


def test_authorities_where_the_host_has_none(tmp_path, monkeypatch):
    assert client._authorities() is None
    for capath in (None, str(tmp_path)):
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda capath=capath: types.SimpleNamespace(cafile=None, capath=capath))
        assert ssl.create_default_context(cafile=client._authorities()).cert_store_stats()["x509_ca"] > 100
    (tmp_path / "one.0").touch()
    assert client._authorities() is None


@pytest.mark.parametrize(
    ("code", "status", "kind"), [("NoSuchKey", 404, errors.NotFound), ("kms:KeyNotFound", 404, errors.Denied), ("SlowDown", 503, errors.Unavailable)]
)
def test_answers_by_their_kind(code, status, kind):
    answer = wire.Answer(status, {}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())
    found = client.Client(settings("http://127.0.0.1:1"))._error(answer, "read", NAME)
    assert isinstance(found, kind) and str(found) == f"could not read {NAME} in bucket test-bucket at http://127.0.0.1:1: {code} ({status}): no"


def test_a_proxy_is_told_who_asks():
    told = wire._proxy_authorization(urlsplit("http://some%40body:pass%3Aword@proxy.test:3128"))
    assert base64.b64decode(told["Proxy-Authorization"].split()[1]) == b"some@body:pass:word"
    assert wire._proxy_authorization(urlsplit("http://proxy.test:3128")) == {}
