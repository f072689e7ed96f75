"""Against the small server in s3_server.py, and against a real one too if S3_TEST_ENDPOINT_URL, S3_TEST_BUCKET,
S3_TEST_ACCESS_KEY and S3_TEST_SECRET_KEY say where there is one."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import multiprocessing
import os
import secrets
import sys
import urllib.error
import urllib.request

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import boto, cli, config, errors, keys, sources, store

sys.path.insert(0, os.path.dirname(__file__))
from s3_server import Server

REAL = os.environ.get("S3_TEST_ENDPOINT_URL")


@pytest.fixture
def server():
    with Server() as running:
        yield running
        running.shutdown()


@pytest.fixture(params=["small", "real"] if REAL else ["small"])
def settings(request):
    given = {"bucket": "test-bucket", "access_key": "AK", "secret_key": "SK", "prefix": f"unit-{secrets.token_hex(4)}/"}
    if request.param == "real":
        given |= {name: os.environ[f"S3_TEST_{name.upper()}"] for name in ("endpoint_url", "bucket", "access_key", "secret_key")}
    else:
        given["endpoint_url"] = request.getfixturevalue("server").url
    return config.parse({**given, "instance_id": "unit"}, {})


@pytest.fixture
def objects(settings):
    return store.ObjectStore(settings)


@pytest.fixture
def small(server):
    """A store at the small server, with one attempt, so that faults are over soon."""
    given = {"bucket": "test-bucket", "access_key": "AK", "secret_key": "SECRETKEY", "endpoint_url": server.url, "max_attempts": "1"}
    return store.ObjectStore(config.parse(given, {}))


def content(size):
    body = secrets.token_bytes(size)
    return body, keys.build(hashlib.sha1(body).hexdigest())


@pytest.mark.parametrize("size", [1, 1000, store.ASK_FIRST + 1])
def test_put_and_get(objects, size):
    body, fname = content(size)
    with pytest.raises(errors.NotFound):
        objects.get_bytes(fname)
    with pytest.raises(errors.NotFound):
        objects.head(fname)
    assert objects.put(fname, body, "text/plain")
    assert objects.get_bytes(fname) == body
    assert objects.get_bytes(fname, 10) == body[:10]
    assert objects.get_bytes(fname, 0) == b""
    target = io.BytesIO()
    assert objects.get_to_file(fname, target) == size
    assert target.getvalue() == body
    head = objects.head(fname)
    assert (head.size, head.sha1) == (size, keys.parse(fname).sha1)


def test_put_of_a_file(objects):
    body, fname = content(5000)
    file = io.BytesIO(body)
    file.seek(100)
    assert objects.put(fname, file)
    assert objects.get_bytes(fname) == body


def test_routes_have_objects_of_their_own(objects):
    body, fname = content(10)
    assert objects.put(fname, body)
    assert objects.put(fname + "-cold", body)
    assert objects.get_bytes(fname + "-cold") == body


@pytest.mark.parametrize("size", [10, store.ASK_FIRST])
def test_same_content_is_kept(objects, size):
    body, fname = content(size)
    assert objects.put(fname, body)
    before = objects.head(fname)
    assert not objects.put(fname, body)
    assert not objects.put(fname, body, ask_first=True)
    assert objects.head(fname) == before


def test_server_checks_the_content(objects):
    _body, fname = content(10)
    with pytest.raises(errors.Corrupt, match="could not store"):
        objects.put(fname, b"something else")
    with pytest.raises(errors.NotFound):
        objects.head(fname)


def test_foreign_object_is_found_out_and_replaced(objects, settings):
    body, fname = content(100)
    client = objects._client()
    for foreign in (body[:50], b"x" * 100):
        client.put_object(
            Bucket=settings.bucket, Key=settings.prefix + fname, Body=foreign, ChecksumSHA1=base64.b64encode(hashlib.sha1(foreign).digest()).decode()
        )
        for read in (objects.get_bytes, lambda name: objects.get_to_file(name, io.BytesIO())):
            with pytest.raises(errors.Corrupt, match="has the SHA-1"):
                read(fname)
        assert objects.put(fname, body)
        assert objects.get_bytes(fname) == body


def test_presigned(objects, settings):
    body, fname = content(50)
    objects.put(fname, body)
    disposition = store.content_disposition("attachment", 'é;"b\r\n\\%41.bin')
    assert disposition == "attachment; filename=\"_;_b____41.bin\"; filename*=UTF-8''%C3%A9%3B%22b%0D%0A%5C%2541.bin"
    link = objects.presign(fname, "GET", "application/pdf", disposition)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link and f"X-Amz-Expires={settings.presign_ttl}" in link
    with urllib.request.urlopen(link) as answer:
        assert (answer.read(), answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == (body, "application/pdf", disposition)
    with urllib.request.urlopen(urllib.request.Request(objects.presign(fname, "HEAD", "application/pdf"), method="HEAD")) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, "50")


def test_links_lead_to_the_public_end_point(settings):
    public = store.ObjectStore(dataclasses.replace(settings, public_endpoint_url="https://store.example:8443"))
    _body, fname = content(1)
    assert public.presign(fname).startswith(f"https://store.example:8443/{settings.bucket}/{settings.prefix}{fname}?")


def test_names_only(objects):
    for call in (objects.get_bytes, objects.head, objects.presign, lambda name: objects.put(name, b"")):
        with pytest.raises(ValueError, match="not the name"):
            call("../../etc/passwd")


def test_probe(objects, settings):
    assert objects.probe(write=False)
    assert objects.probe()
    assert not objects.probe()
    assert not objects.probe(write=False)
    other = store.ObjectStore(dataclasses.replace(settings, endpoint_url=settings.endpoint_url.replace("127.0.0.1", "localhost")))
    assert other.probe()


def test_probe_of_a_key_that_cannot_give_up_an_upload(server, small):
    server.forbidden = {"DELETE"}
    with pytest.raises(errors.Denied, match=r"could not give up an upload in parts of .*AccessDenied"):
        small.probe()


def _read(objects, fname, queue):
    queue.put(objects.get_bytes(fname))


def test_fork(objects):
    """Pitfall 20: the workers of Odoo never share a connection."""
    body, fname = content(10)
    objects.put(fname, body)
    mine = objects._client()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_read, args=(objects, fname, queue))
    child.start()
    assert queue.get(timeout=30) == body
    child.join(30)
    assert child.exitcode == 0
    assert objects._client() is mine
    objects._process = (-1, objects._process[1])
    assert objects._client() is not mine


@pytest.mark.parametrize(("fault", "kind"), [(403, errors.Denied), (503, errors.Unavailable), (500, errors.Unavailable), (501, errors.Denied)])
def test_refusals(server, small, fault, kind):
    body, fname = content(10)
    server.fault = fault
    for call in (
        lambda: small.get_bytes(fname),
        lambda: small.head(fname),
        lambda: small.put(fname, body),
        lambda: small.put(fname, body, ask_first=True),
        small.probe,
    ):
        small.breaker.succeeded()  # each of them is to ask
        with pytest.raises(errors.StoreError, match="in bucket test-bucket at http") as raised:
            call()
        assert raised.type is kind
        assert "SECRETKEY" not in str(raised.value)
    server.fault = None
    small.breaker.succeeded()
    assert small.put(fname, body)


def test_answer_that_is_cut_short(server, small):
    body, fname = content(1000)
    small.put(fname, body)
    server.fault = "cut"
    for read in (small.get_bytes, lambda name: small.get_bytes(name, 1000), lambda name: small.get_to_file(name, io.BytesIO())):
        with pytest.raises(errors.Unavailable, match="no complete answer"):
            read(fname)


def test_nobody_answers(small):
    config_there = dataclasses.replace(small.config, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(errors.Unavailable, match=r"no complete answer \(Connection refused\)"):
        store.ObjectStore(config_there).get_bytes(content(1)[1])


def test_missing_bucket_is_not_a_missing_content(small):
    elsewhere = store.ObjectStore(dataclasses.replace(small.config, bucket="other-bucket"))
    with pytest.raises(errors.Denied, match="NoSuchBucket"):
        elsewhere.get_bytes(content(1)[1])


def test_tries_again(server, small):
    body, fname = content(10)
    small.put(fname, body)
    server.requests.clear()
    server.fault = 503
    with pytest.raises(errors.Unavailable):
        store.ObjectStore(dataclasses.replace(small.config, max_attempts=3)).get_bytes(fname)
    assert len(server.requests) == 3


def test_command_line(server, tmp_path, capsys):
    odoo_conf = tmp_path / "odoo.conf"
    assert cli.main(["--config", str(odoo_conf), "probe"]) == 1
    assert "there are no settings" in capsys.readouterr().err
    (tmp_path / "s3_attachment.conf").write_text(f"[s3_attachment]\nbucket = test-bucket\nendpoint_url = {server.url}\naccess_key = AK\nsecret_key = SK\n")
    for arguments, changed in ((["probe", "--read-only"], True), (["probe"], True), (["probe"], False)):
        assert cli.main(["--config", str(odoo_conf), *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["changed"] is changed
    server.requests.clear()
    assert cli.main(["--config", str(odoo_conf), "probe", "--anew"]) == 0
    assert "PUT" in [request.split()[0] for request in server.requests]
    told = json.loads(capsys.readouterr().out)
    assert (told["changed"], told["access_key"], told["presign_ttl"]) == (False, "AK", 300)
    server.fault = 403
    assert cli.main(["--config", str(odoo_conf), "probe"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "AccessDenied" in shown.err


def test_without_boto3(monkeypatch, settings):
    monkeypatch.setattr(boto, "IMPORT_ERROR", ImportError("No module named 'boto3'"))
    with pytest.raises(errors.ConfigError, match="boto3 is missing"):
        store.ObjectStore(settings)


def watched(folder, server, key):
    """The settings of files, with this access key from now on."""
    (folder / "new").write_text(f"[s3_attachment]\nbucket = test-bucket\nendpoint_url = {server.url}\naccess_key = {key}\nsecret_key = SECRETKEY\n")
    (folder / "new").replace(folder / "s3_attachment.conf")
    return sources.load(str(folder / "odoo.conf"), {})


def test_a_new_key_is_used_without_a_restart(server, tmp_path):
    objects = store.ObjectStore(watched(tmp_path, server, "AK1"))
    body, fname = content(100)
    objects.put(fname, body)
    assert "Credential=AK1%2F" in objects.presign(fname)
    watched(tmp_path, server, "AK2")
    server.deleted_keys.add("AK1")
    assert objects.get_bytes(fname) == body
    assert "Credential=AK2%2F" in objects.presign(fname)


def test_probe_of_settings_on_standard_input(server, tmp_path, monkeypatch, capsys):
    watched(tmp_path, server, "AK1")
    tried = (tmp_path / "s3_attachment.conf").read_text()
    for key, status in (("AK2", 0), ("AK3", 1)):
        server.deleted_keys = {"AK3"}
        monkeypatch.setattr(sys, "stdin", io.StringIO(tried.replace("AK1", key)))
        assert cli.main(["--config", str(tmp_path / "odoo.conf"), "probe", "--settings-on-stdin"]) == status
    assert "InvalidAccessKeyId (403)" in capsys.readouterr().err
    assert (tmp_path / "s3_attachment.conf").read_text() == tried
