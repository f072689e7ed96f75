# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
import urllib3
from ansible_collections.odooops.stack.plugins.module_utils import _minio_admin
from ansible_collections.odooops.stack.plugins.module_utils._s3 import Connection, Fault
from minio.error import MinioAdminException


def connection(**changes):
    given = {"endpoint_url": "http://store:9000", "region": None, "access_key": "root", "secret_key": "root-secret", "session_token": None, "ca_bundle": None}
    return Connection.of({**given, "validate_certs": True, "connect_timeout": 1.0, "read_timeout": 1.0, "retries": 1, **changes})


def answer(code, body):
    return MinioAdminException(str(code), body if isinstance(body, str) else json.dumps(body))


@pytest.mark.parametrize("url", [None, "", "store:9000", "ftp://store", "http://", "http://store:9000/bucket"])
def test_a_wrong_endpoint_is_told(url):
    with pytest.raises(Fault, match=r"endpoint_url is .*: give the server's URL"):
        _minio_admin.Server(connection(endpoint_url=url))


def test_a_missing_key_is_told(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(Fault, match="no access key"):
        _minio_admin.Server(connection(access_key=None, secret_key=None))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (answer(403, {"Code": "SignatureDoesNotMatch"}), "the secret_key is not that of the access key root"),
        (answer(403, {"Code": "InvalidAccessKeyId"}), "does not know the access key root"),
        (answer(403, {"Code": "AccessDenied"}), "the access key root may not read the policy a"),
        (answer(400, {"Code": "XMinioIAMPolicyInUse", "Message": "in use"}), "could not read the policy a at http://store:9000: XMinioIAMPolicyInUse in use"),
        (answer(404, "<html>"), "no answer of MinIO's admin API; is this a MinIO or Silo server?"),
        (answer(400, "Client sent an HTTP request to an HTTPS server."), "the server speaks TLS: give an endpoint_url that starts with https://"),
        (urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.SSLError("self-signed")), "the certificate of http://store:9000 is not trusted"),
        (urllib3.exceptions.ProtocolError("closed"), "cannot be reached"),
    ],
)
def test_errors_are_sentences(monkeypatch, error, sentence):
    server = _minio_admin.Server(connection())

    def fail(name):
        raise error

    monkeypatch.setattr(server._admin, "policy_info", fail)
    with pytest.raises(Fault) as caught:
        server.policy("a")
    assert sentence in str(caught.value)


def test_nothing_listens():
    with pytest.raises(Fault, match=r"http://127.0.0.1:1 cannot be reached from this host"):
        _minio_admin.Server(connection(endpoint_url="http://127.0.0.1:1")).user("odoo")


def test_what_is_missing_is_none(monkeypatch):
    server = _minio_admin.Server(connection())

    def missing(name):
        raise answer(404, {"Code": "XMinioAdminNoSuchUser"})

    monkeypatch.setattr(server._admin, "user_info", missing)
    assert server.user("odoo") is None


def test_moments():
    assert _minio_admin.moment("2027-01-31T00:00:00Z") == datetime(2027, 1, 31, tzinfo=timezone.utc)
    assert _minio_admin.rfc3339(_minio_admin.moment("2027-01-31 02:00:00+02:00")) == "2027-01-31T00:00:00Z"
    for text in ("2027-01-31T00:00:00", "tomorrow"):
        with pytest.raises(ValueError):
            _minio_admin.moment(text)
