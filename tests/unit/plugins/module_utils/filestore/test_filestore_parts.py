"""What servers make of an upload in parts, that real ones cannot be brought to do."""

from __future__ import annotations

import hashlib
import io
import secrets
import urllib.parse

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import client, config, errors, keys, parts, store, wire

SIZE = 1000
BODY = secrets.token_bytes(2 * SIZE + 5)
SHA1 = hashlib.sha1(BODY).hexdigest()
NAME = keys.build(SHA1)
SETTINGS = {"bucket": "test-bucket", "access_key": "AK", "secret_key": "SK", "endpoint_url": "http://127.0.0.1:1"}


class Store:
    """Takes parts and makes an object of them; ``answers`` says what is answered instead, by method and number of the part (0 for none)."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.parts: dict[int, bytes] = {}
        self.object = None
        self.asked: list[tuple[str, int]] = []
        self.signed: dict[str, str] = {}
        self.before_part = lambda _number: None

    def request(self, method, target, headers, body=b"", _sink=None):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query, keep_blank_values=True))
        number = int(query.get("partNumber", 0))
        kind = "begin" if "uploads" in query else method
        self.asked.append((kind, number))
        self.signed[kind] = headers["x-amz-content-sha256"]
        found = self.answers.get((kind, number))
        if found is not None:
            return found
        if kind == "begin":
            return answer(200, b"<R><UploadId>one/+&amp;=</UploadId></R>")
        assert query["uploadId"] == "one/+&="
        if kind == "PUT":
            self.before_part(number)
            self.parts[number] = b"".join(parts.chunks(body))
            return answer(200, etag=f'"{hashlib.md5(self.parts[number]).hexdigest()}"')
        if kind == "POST":
            self.object = b"".join(self.parts[number] for number in sorted(self.parts))
        return answer(200)


def answer(status, body=b"", **headers):
    return wire.Answer(status, headers, body)


def error(status, code):
    return answer(status, f"<Error><Code>{code}</Code></Error>".encode())


@pytest.fixture
def send(monkeypatch):
    monkeypatch.setattr(client.time, "sleep", lambda _seconds: None)

    def send(server, body=BODY, **features):
        monkeypatch.setattr(wire.Connection, "request", lambda _self, *arguments: server.request(*arguments))
        way = client.Client(config.parse({**SETTINGS, "max_attempts": "2"}, {}), features=client.Features(**features))
        return parts.upload(way, NAME, body, SHA1, headers=way.describe(NAME), replace=False, part_size=SIZE)

    return send


@pytest.mark.parametrize("features", [{}, {"checksum": False}])
def test_parts_that_are_confirmed_by_their_etags(send, features):
    server = Store()
    assert send(server, **features)
    assert server.object == BODY
    assert [asked for asked in server.asked if asked[0] != "PUT"] == [("begin", 0), ("POST", 0)]


def test_list_of_parts_is_signed(send):
    """It has no SHA-1 of its own, and whoever leaves out a part makes another object."""
    server = Store()
    assert send(server, unsigned=True)
    assert (server.signed["PUT"], len(server.signed["POST"])) == ("UNSIGNED-PAYLOAD", 64)


@pytest.mark.parametrize("features", [{}, {"checksum": False}])
def test_file_that_is_changed_while_it_is_sent(send, tmp_path, features):
    (tmp_path / "file").write_bytes(BODY)
    server = Store()

    def change(number):
        if number == 2:
            with open(tmp_path / "file", "r+b") as file:
                file.seek(SIZE + 10)
                file.write(b"changed")

    server.before_part = change
    with open(tmp_path / "file", "rb") as file, pytest.raises(errors.StoreError):
        send(server, wire.Slice(file, 0, len(BODY)), **features)
    assert server.object is None and server.asked[-1] == ("DELETE", 0)


@pytest.mark.parametrize("page", [b"<html>log in</html>", b"<R><UploadId>one", b""])
def test_answer_that_has_no_upload(send, page):
    """With an empty one some servers would take each part for the object, and giving up for its deletion."""
    server = Store({("begin", 0): answer(200, page)})
    with pytest.raises(errors.Unavailable, match="does not come from an object store"):
        send(server)
    assert server.asked == [("begin", 0)]


@pytest.mark.parametrize(
    "answers",
    [
        {("PUT", 2): error(404, "NoSuchUpload")},
        {("POST", 0): error(404, "NoSuchUpload")},
        {("POST", 0): error(412, "PreconditionFailed")},
        # They begin with 200 before they know.
        {("POST", 0): error(200, "NoSuchUpload")},
        {("POST", 0): error(200, "PreconditionFailed")},
        {("POST", 0): error(200, "ConditionalRequestConflict")},
    ],
)
def test_upload_that_is_gone_or_overtaken(send, answers):
    server = Store(answers)
    assert send(server) is False
    assert server.object is None and server.asked[-1] == ("DELETE", 0)


def test_late_error_is_tried_again(send):
    server = Store({("POST", 0): error(200, "InternalError")})
    with pytest.raises(errors.Unavailable, match="InternalError"):
        send(server)
    assert server.asked.count(("POST", 0)) == 2 and server.asked[-1] == ("DELETE", 0)


def test_upload_that_somebody_gives_up_time_and_again_passes(monkeypatch):
    """So it waits on this host instead of being refused."""
    large = secrets.token_bytes(parts.PART_SIZE + 5)
    server = Store({("PUT", 2): error(404, "NoSuchUpload"), ("HEAD", 0): answer(404)})
    monkeypatch.setattr(wire.Connection, "request", lambda _self, *arguments: server.request(*arguments))
    objects = store.ObjectStore(config.parse({**SETTINGS, "multipart_threshold": str(len(large))}, {}))
    monkeypatch.setattr(client.Client, "spare_signatures", lambda _self: None)
    with pytest.raises(errors.Unavailable, match="something else was stored or taken away meanwhile"):
        objects.put(keys.build(hashlib.sha1(large).hexdigest()), io.BytesIO(large))
    assert server.asked.count(("begin", 0)) == 2
