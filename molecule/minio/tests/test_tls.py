"""TLS by a private CA."""

from __future__ import annotations

import typing as t
import urllib.error
import urllib.request

import pytest


def test_the_certificate_is_by_the_private_ca(tls: t.Any) -> None:
    assert tls.s3(tls.odoo).list_objects_v2(Bucket="odoo")["Name"] == "odoo"
    with pytest.raises(Exception, match=r"(?i)certificate.verify.failed"):
        tls.s3(tls.odoo, verify=True).list_objects_v2(Bucket="odoo")


def test_plain_http_is_refused(tls: t.Any) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"http://{tls.name}:{tls.port}/")


def test_the_key_is_for_the_server_only(tls: t.Any) -> None:
    key = tls.host.file("/etc/minio/certs/private.key")
    assert (key.user, key.group, key.mode) == ("root", "minio", 0o640)
