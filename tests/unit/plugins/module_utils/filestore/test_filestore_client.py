"""Reads that go on after a failure, and connections that are used again."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import socket
import ssl
import sys
import threading
import time
import types

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import client, config, errors, keys, store, wire

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
    assert type(found) is kind and str(found) == f"could not read {NAME} in bucket test-bucket at http://127.0.0.1:1: {code} ({status}): no"
