"""Downloads that NGINX fetches from the store for Odoo. It has no cache of its own here, so what comes without a store is NGINX's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Person, inside, play, random_bytes, secret
from testinfra.host import Host

MIB = 1024 * 1024
CERTIFICATE = "/etc/nginx/certificates/in-use.crt"
SETTINGS = "/etc/odoo/s3_attachment.conf"
# How many bytes Odoo's key finds in the bucket of the route.
STORED = """
import json, sys
sys.path.insert(0, "/opt/odoo/addons/s3_attachment")
from engine import sources, store
objects = store.ObjectStore(sources.load("/etc/odoo/odoo.conf", {}))
sizes = [objects._client().head_object(Bucket="plain", Key="films/" + name)["ContentLength"] for name in json.load(sys.stdin)]
print(json.dumps(sizes))
"""


@pytest.fixture(scope="module")
def user(host: Host) -> Iterator[Person]:
    """Somebody who comes through NGINX."""
    run = play("web_server.yml", {})
    assert run.code == 0, run.output
    # As the role s3_addon does with s3_addon_serve_mode; Odoo reads it again by itself.
    host.check_output("sed -i 's/^serve_mode = .*/serve_mode = x_accel/' /etc/odoo/s3_attachment.conf")
    yield Person(secret("admin_password"), "https://localhost", CERTIFICATE)
    host.check_output("sed -i 's/^serve_mode = .*/serve_mode = redirect/' /etc/odoo/s3_attachment.conf")
    host.check_output("systemctl disable --now nginx")


@contextmanager
def no_store(host: Host) -> Iterator[None]:
    host.check_output("systemctl stop silo")
    try:
        yield
    finally:
        host.check_output("systemctl start silo")


def asked(path: str, **step: str) -> dict[str, str]:
    return {"do": "download", "path": path, **step}


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture(scope="module")
def content() -> bytes:
    return random_bytes(2 * MIB)


@pytest.fixture(scope="module")
def path(user: Person, content: bytes) -> str:
    return f"/web/content/{user.upload('Zeugnis é.bin', content)['id']}?download=1"


def test_download(user: Person, path: str, content: bytes):
    answer = user.download(path)
    assert (answer["status"], answer["sha1"], answer["location"]) == (200, sha1(content), "")
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].endswith("filename*=UTF-8''Zeugnis%20%C3%A9.bin")
    assert headers["etag"] == f'"{sha1(content)}"'
    assert headers["content-security-policy"] == "default-src 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "private" in headers["cache-control"] or "no-cache" in headers["cache-control"]
    assert not [name for name in headers if name.startswith(("x-amz", "x-accel"))]
    unchanged = user.download(path, **{"If-None-Match": headers["etag"]})
    assert (unchanged["status"], unchanged["size"]) == (304, 0)


def test_head_and_parts(user: Person, path: str, content: bytes):
    head, part, beyond, same, other = user.does(
        asked(path, method="HEAD"),
        asked(path, Range="bytes=1000-1099"),
        asked(path, Range="bytes=99999999-"),
        asked(path, **{"Range": "bytes=0-9", "If-Range": f'"{sha1(content)}"'}),
        asked(path, **{"Range": "bytes=0-9", "If-Range": '"of something else"'}),
    )
    assert (head["status"], head["headers"]["Content-Length"], head["size"]) == (200, str(len(content)), 0)
    assert (part["status"], part["sha1"], part["headers"]["Content-Range"]) == (206, sha1(content[1000:1100]), f"bytes 1000-1099/{len(content)}")
    assert [answer["status"] for answer in (beyond, same, other)] == [416, 206, 200]


def test_large_file_is_fetched_in_parts(host: Host, user: Person):
    """NGINX keeps nothing of it: for one part of a film it does not fetch all of it."""
    content = random_bytes(17 * MIB)
    path = f"/web/content/{user.upload('film.bin', content)['id']}?download=1"
    kept = "du -sb /var/lib/nginx/attachments | cut -f1"
    before = int(host.check_output(kept))
    part, same, other, whole, head = user.does(
        asked(path, Range="bytes=17000000-17000099"),
        asked(path, **{"Range": "bytes=0-9", "If-Range": f'"{sha1(content)}"'}),
        asked(path, **{"Range": "bytes=0-9", "If-Range": '"of something else"'}),
        asked(path),
        asked(path, method="HEAD"),
    )
    assert (part["status"], part["sha1"]) == (206, sha1(content[17000000:17000100]))
    assert [answer["status"] for answer in (same, other)] == [206, 200]
    assert (whole["status"], whole["sha1"], whole["headers"]["ETag"]) == (200, sha1(content), f'"{sha1(content)}"')
    assert (head["status"], head["headers"]["Content-Length"]) == (200, str(len(content)))
    assert int(host.check_output(kept)) - before < MIB


def test_same_bytes_with_names_and_types_of_their_own(host: Host, user: Person, path: str, content: bytes):
    """And without the store, which shows who has kept the content."""
    assert user.download(path)["status"] == 200
    other = user.upload("b.mp4", content)["id"]
    unseen = random_bytes(2 * MIB)
    new = user.upload("new.bin", unseen)["id"]
    with no_store(host):
        first, second, unknown = user.does(asked(path), asked(f"/web/content/{other}?download=1&mimetype=video/mp4"), asked(f"/web/content/{new}?download=1"))
    for answer, name, mimetype in ((first, "Zeugnis%20%C3%A9.bin", "application/octet-stream"), (second, "b.mp4", "video/mp4")):
        assert (answer["status"], answer["sha1"], answer["headers"]["Content-Type"]) == (200, sha1(content), mimetype)
        assert name in answer["headers"]["Content-Disposition"]
    assert unknown["status"] == 503
    assert "X-Amz" not in str(unknown)
    # The store is asked again as soon as it is back.
    host.check_output("for i in $(seq 100); do curl -sf http://127.0.0.1:9000/minio/health/live && break; sleep 0.2; done")
    assert user.download(f"/web/content/{new}?download=1")["sha1"] == sha1(unseen)


@pytest.fixture
def films(host: Host, user: Person) -> Iterator[None]:
    """All that comes goes to another bucket, from where NGINX is to fetch it; what is in the usual one is sent by the store."""
    host.check_output(f"cp -p {SETTINGS} /run/settings && sed -i 's/^serve_mode = .*/serve_mode = redirect/' {SETTINGS}")
    host.check_output(f"printf '\\n[s3_attachment:film]\\nbucket = plain\\nprefix = films/\\nserve_mode = x_accel\\n' >>{SETTINGS}")
    (rule,) = user.does({"do": "make_rule", "name": "films", "code": "film", "min_size": MIB})
    yield
    user.does({"do": "remove_rule", "rule": rule})
    host.check_output(f"mv /run/settings {SETTINGS}")


def test_another_bucket(host: Host, user: Person, path: str, films: None):
    contents = [random_bytes(2 * MIB), random_bytes(17 * MIB)]  # NGINX keeps the first one
    ids = [user.upload("film.bin", content)["id"] for content in contents]
    assert inside(STORED, [f"{sha1(content)[:2]}/{sha1(content)}-film" for content in contents], "--user", "odoo") == [2 * MIB, 17 * MIB]
    for number, content in zip(ids, contents, strict=True):
        film = f"/web/content/{number}?download=1"
        whole, part, head = user.does(asked(film), asked(film, Range="bytes=1000-1099"), asked(film, method="HEAD"))
        assert (whole["status"], whole["sha1"], whole["location"]) == (200, sha1(content), "")
        assert (part["status"], part["sha1"]) == (206, sha1(content[1000:1100]))
        assert (head["status"], head["headers"]["Content-Length"]) == (200, str(len(content)))
    assert user.download(path, follow=False)["status"] == 302
    # Only NGINX has it without the store.
    with no_store(host):
        assert user.download(f"/web/content/{ids[0]}?download=1")["sha1"] == sha1(contents[0])
    host.check_output("for i in $(seq 100); do curl -sf http://127.0.0.1:9000/minio/health/live && break; sleep 0.2; done")
    user.does({"do": "unlink", "ids": ids})


def test_what_runs_comes_from_odoo(user: Person):
    html = b"<html><script>alert(1)</script>" + b" " * 2 * MIB
    answer = user.download(f"/web/content/{user.upload('a.html', html, 'text/html')['id']}")
    assert (answer["status"], answer["sha1"]) == (200, sha1(html))
    assert answer["headers"]["Content-Security-Policy"] == "default-src 'none'"
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"


def test_nobody_else_gets_it(host: Host, path: str, content: bytes):
    anonymous = Person("", "https://localhost", CERTIFICATE)
    assert anonymous.download(path)["status"] == 404
    fname = f"{sha1(content)[:2]}/{sha1(content)}"
    for kind in ("cached", "direct"):
        answer = anonymous.download(f"/-/s3_attachment/{kind}/odoo/test/{fname}")
        assert answer["status"] in (404, 503) and answer["sha1"] != sha1(content)
    # Who comes to Odoo without NGINX is served by Odoo, and cannot be given an empty file.
    direct = Person(secret("admin_password")).download(path)
    assert (direct["status"], direct["sha1"]) == (200, sha1(content))


def test_no_link_is_logged(host: Host):
    found = host.check_output("cat /var/log/nginx/*.log")
    assert "/-/s3_attachment/cached/" in found or "/web/content/" in found
    assert "X-Amz-" not in found
