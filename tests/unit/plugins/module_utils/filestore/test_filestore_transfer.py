from __future__ import annotations

import dataclasses
import hashlib
import io
import socket

import pytest
import s3_server
from ansible_collections.odooops.stack.plugins.module_utils.filestore import digests, errors, keys, sources, transfer, wire
from ansible_collections.odooops.stack.plugins.module_utils.filestore.config import Config, Route
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Corrupt, Denied, NotFound, Unavailable

CONTENT = b"the content" * 100
FNAME = keys.build(hashlib.sha1(CONTENT).hexdigest())


@pytest.fixture
def server():
    found = s3_server.Server()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def to_server(server, monkeypatch):
    monkeypatch.setattr(transfer.time, "sleep", lambda _seconds: None)
    config = Config(bucket="test-bucket", prefix="shop/", endpoint_url=server.url, addressing_style="path", access_key="key", secret_key="secret")
    return transfer.Transfer(config)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    return str(tmp_path / "file")


def read(to_server):
    target = io.BytesIO()
    to_server.get(FNAME, target.write, lambda: (target.seek(0), target.truncate()))
    return target.getvalue()


def test_there_and_back(server, to_server, path):
    assert to_server.put(FNAME, path) is True
    assert server.objects[f"shop/{FNAME}"][0] == CONTENT
    assert to_server.head(FNAME).size == len(CONTENT)
    assert read(to_server) == CONTENT


def test_a_server_that_confirms_nothing_is_read_back(server, to_server, path):
    # This one checks the SHA-1, but does not say so, and its ETag is no MD5.
    to_server.put(FNAME, path)
    assert [request.split()[0] for request in server.requests] == ["PUT", "GET"]


def test_an_object_that_is_the_content_is_left(server, to_server, path):
    to_server.put(FNAME, path)
    assert to_server.put(FNAME, path) is False


def test_an_object_that_is_not_the_content_is_replaced(server, to_server, path):
    server.objects[f"shop/{FNAME}"] = (CONTENT[:-1], {})
    assert to_server.put(FNAME, path) is True
    assert server.objects[f"shop/{FNAME}"][0] == CONTENT


@pytest.mark.parametrize("case", [(503, Unavailable, 3), (500, Unavailable, 3), (403, Denied, 1)], ids=str)
def test_what_a_server_refuses(server, to_server, path, case):
    server.fault, error, attempts = case
    with pytest.raises(error) as caught:
        to_server.put(FNAME, path)
    assert len(server.requests) == attempts
    assert "secret" not in str(caught.value) and "Signature" not in str(caught.value)


def test_a_corrupt_file_is_not_stored(server, to_server, tmp_path):
    for content in (b"other", b""):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(Corrupt, match="local file"):
            to_server.put(FNAME, str(tmp_path / "bad"))
    assert not server.objects


def test_an_answer_that_is_cut_short(server, to_server, path):
    to_server.put(FNAME, path)
    server.fault = "cut"
    with pytest.raises(Unavailable):
        read(to_server)
    server.fault = None
    assert read(to_server) == CONTENT


def test_an_object_that_is_damaged(server, to_server):
    server.objects[f"shop/{FNAME}"] = (b"damaged", {})
    with pytest.raises(Corrupt, match="has the SHA-1"):
        read(to_server)


def test_an_object_that_is_not_there(to_server):
    with pytest.raises(NotFound):
        to_server.head(FNAME)


def test_no_server(to_server, path):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        nobody = one.getsockname()[1]
    to_server._endpoint = to_server._endpoint._replace(port=nobody)
    with pytest.raises(Unavailable, match="refused"):
        to_server.put(FNAME, path)


def test_errors_of_the_local_disk_are_not_the_server_s(server, to_server, path):
    to_server.put(FNAME, path)

    def full(_chunk):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        to_server.get(FNAME, full, lambda: None)
    assert len([request for request in server.requests if request.startswith("GET")]) == 2


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", None),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", None),
        (b"nonsense\r\n\r\n", None),
        (b"HTTP/1.1 200", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_answers_as_they_come(answer, body, step):
    ours, theirs = socket.socketpair()
    endpoint = wire.Endpoint("host", 80, None, 1, 1, wire.Throttle(0))
    connection = wire.Connection(endpoint)
    connection._socket = ours
    for start in range(0, len(answer), step):
        theirs.sendall(answer[start : start + step])
    theirs.shutdown(socket.SHUT_WR)
    if body is not None:
        assert connection.request("GET", "/", {"host": "host"}).body == body
    else:
        endpoint = endpoint._replace(port=1, host="127.0.0.1")
        connection._endpoint = endpoint
        with pytest.raises(wire.Disconnected):
            connection.request("GET", "/", {"host": "host"})
    connection.close()
    theirs.close()


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 25])
def test_etags_of_parts(tmp_path, size):
    content = bytes(range(size))
    (tmp_path / "file").write_bytes(content)
    parts = [hashlib.md5(content[start : start + 10]).digest() for start in range(0, size, 10)]
    etag = f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"
    assert digests.file_digests(str(tmp_path / "file"), 10) == (hashlib.sha1(content).hexdigest(), etag)
    assert digests.file_digests(str(tmp_path / "file")) == (hashlib.sha1(content).hexdigest(), hashlib.md5(content).hexdigest())


@pytest.mark.parametrize("shard", ["", "1", "0/4", "5/4", "a/b", "1/257", "-1/2"])
def test_shards_that_are_none(shard):
    from ansible_collections.odooops.stack.plugins.module_utils.filestore.survey import shard_prefixes

    with pytest.raises(errors.ConfigError, match="it must be such as 2/4"):
        shard_prefixes(shard)


def test_shards_are_a_partition():
    from ansible_collections.odooops.stack.plugins.module_utils.filestore.survey import PREFIXES, shard_prefixes

    for total in (1, 2, 3, 7, 256):
        assert tuple(prefix for number in range(1, total + 1) for prefix in shard_prefixes(f"{number}/{total}")) == PREFIXES


def test_a_new_key_is_used_while_files_travel(server, tmp_path, path):
    def settings(key):
        (tmp_path / "new").write_text(f"[s3_attachment]\nbucket = test-bucket\nendpoint_url = {server.url}\naccess_key = {key}\nsecret_key = secret\n")
        (tmp_path / "new").replace(tmp_path / "s3_attachment.conf")
        return sources.load(str(tmp_path / "odoo.conf"), {})

    to_server = transfer.Transfer(settings("AK1"))
    to_server.put(FNAME, path)
    server.deleted_keys.add("AK1")
    with pytest.raises(Denied, match="InvalidAccessKeyId"):
        read(to_server)
    settings("AK2")
    assert read(to_server) == CONTENT


def test_each_bucket_has_its_host_where_that_is_how_buckets_are_addressed(monkeypatch):
    """And a connection, which is kept."""
    config = Config(bucket="first", endpoint_url="https://s3.example", addressing_style="virtual", access_key="key", secret_key="secret")
    to_server = transfer.Transfer(dataclasses.replace(config, routes=(("cold", Route(bucket="second", prefix="deep/")),)))
    seen = []

    def request(connection, _method, target, headers, *_more):
        seen.append((connection, headers["host"], target))
        return wire.Answer(200, {}, b"")

    monkeypatch.setattr(wire.Connection, "request", request)
    for fname in (FNAME, f"{FNAME}-cold") * 2:
        to_server.head(fname)
    assert [entry[1:] for entry in seen] == [("first.s3.example", f"/{FNAME}"), ("second.s3.example", f"/deep/{FNAME}-cold")] * 2
    assert seen[0][0] is seen[2][0] is not seen[1][0] is seen[3][0]
