# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object store's public name lets presigned downloads pass, and nothing else."""

from __future__ import annotations

import hashlib
import os
import typing as t

import botocore.auth
import botocore.awsrequest
import pytest
from botocore.credentials import Credentials
from conftest import ODOO, STORE, Client, Site

KEY = "db/0a/0a4d55a8d778e5022fab701977c5d840bbc486d0"
SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=" + "a" * 64


@pytest.fixture(scope="module")
def content(s3: Client, certbot_site: Site) -> bytes:
    data = os.urandom(30_000_000)
    s3(f"http://{certbot_site.address}:9000").put_object(Bucket="attachments", Key=KEY, Body=data, ContentType="application/pdf")
    return data


@pytest.fixture
def presign(s3: Client, certbot_site: Site) -> t.Callable[..., str]:
    client = s3(certbot_site.origin(STORE))

    def url(operation: str, bucket: str = "attachments", **parameters: str) -> str:
        return str(client.generate_presigned_url(operation, Params={"Bucket": bucket, **parameters}, ExpiresIn=300))

    return url


def refused_by_nginx(status: int, answer: t.Any) -> None:
    assert answer.status_code == status
    assert "<center>nginx</center>" in answer.text
    assert "x-amz-request-id" not in answer.headers


def test_a_presigned_download_passes(certbot_site: Site, presign: t.Callable[..., str], content: bytes) -> None:
    answer = certbot_site.get(presign("get_object", Key=KEY, ResponseContentDisposition='attachment; filename="r.pdf"'))
    assert answer.status_code == 200
    assert hashlib.sha1(answer.content).digest() == hashlib.sha1(content).digest()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="r.pdf"'
    headers = answer.raw.headers
    assert headers.getlist("Strict-Transport-Security") == ["max-age=63072000"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("Content-Security-Policy")[0].startswith("default-src 'none'; ")
    assert headers.getlist("Cache-Control") == ["private"]


def test_head_and_ranges_pass(certbot_site: Site, presign: t.Callable[..., str], content: bytes) -> None:
    head = certbot_site.request("HEAD", presign("head_object", Key=KEY))
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(content)))
    part = certbot_site.get(presign("get_object", Key=KEY), headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, content[1000:2000])


def test_a_wrong_or_foreign_signature_is_refused_by_the_store(certbot_site: Site, presign: t.Callable[..., str], content: bytes) -> None:
    url = presign("get_object", Key=KEY)
    assert certbot_site.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    assert certbot_site.request("HEAD", url).status_code == 403


def test_what_is_not_presigned_is_refused(certbot_site: Site, content: bytes) -> None:
    origin = certbot_site.origin(STORE)
    for path in ("/", f"/attachments/{KEY}", "/attachments/", "/attachments", "/minio/admin/v3/info", "/minio/health/live", "/attachments/?list-type=2"):
        refused_by_nginx(403, certbot_site.get(origin + path))


def test_what_is_signed_for_something_else_is_refused(certbot_site: Site, presign: t.Callable[..., str], content: bytes) -> None:
    refused_by_nginx(405, certbot_site.request("PUT", presign("put_object", Key="db/new"), data=b"x"))
    refused_by_nginx(405, certbot_site.request("DELETE", presign("delete_object", Key=KEY)))
    refused_by_nginx(405, certbot_site.request("POST", presign("create_multipart_upload", Key=KEY)))
    refused_by_nginx(403, certbot_site.get(presign("list_objects_v2")))
    refused_by_nginx(403, certbot_site.get(presign("get_object", bucket="other", Key=KEY)))


def test_a_signature_in_a_header_does_not_count(certbot_site: Site, credentials: Credentials, content: bytes) -> None:
    url = f"{certbot_site.origin(STORE)}/attachments/{KEY}"
    request = botocore.awsrequest.AWSRequest("GET", url, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    headers = {**request.headers, "Host": STORE}
    direct = certbot_site.get(url.replace(certbot_site.origin(STORE), f"http://{certbot_site.address}:9000"), headers=headers)
    assert direct.status_code == 200, "without NGINX it does"
    refused_by_nginx(403, certbot_site.get(url, headers=headers))
    # Nor together with something that only looks like a signature in the URL.
    assert certbot_site.get(f"{url}?{SIGNED}", headers=headers).status_code in (400, 403)


@pytest.mark.parametrize(
    "path",
    [
        "/attachments/../minio/admin/v3/info",
        "/minio/../attachments/a",
        "/attachments/%2e%2e/minio/a",
        "/attachments/..%2fminio/a",
        "/attachments//a",
        "/attachments/./a",
        "/attachments/a/..",
        "/attachmentsx/a",
        "/x/attachments/a",
        "/%61ttachments/a",
    ],
)
def test_disguised_paths_are_refused(site: Site, path: str) -> None:
    answer = site.exchange(STORE, f"GET {path}?{SIGNED} HTTP/1.1\nHost: {STORE}\n\n")
    assert answer.split()[1] in ("400", "403")
    assert "<center>nginx</center>" in answer


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=" + "a" * 64,
        SIGNED.replace("X-Amz-Signature", "Signature"),
        SIGNED[:-1],
        "y-" + SIGNED.replace("&", "&y-"),
    ],
)
def test_half_a_signature_is_none(port_site: Site, query: str) -> None:
    refused_by_nginx(403, port_site.get(f"{port_site.origin(STORE)}/attachments/a?{query}"))


def test_the_store_gets_what_was_signed_and_nothing_more(port_site: Site) -> None:
    path = f"/attachments/a%20b+c?{SIGNED}&response-content-type=a%2Fb"
    seen = port_site.get(port_site.origin(STORE) + path, headers={"Cookie": "session_id=x", "Authorization": "x", "X-Amz-Security-Token": "x"}).json()
    assert (seen["name"], seen["path"], seen["headers"]["Host"]) == ("store", path, f"{STORE}:8443")
    assert not {"Cookie", "Authorization", "X-Amz-Security-Token"} & set(seen["headers"])


def test_only_odoos_pages_may_read_across_origins(site: Site) -> None:
    url = f"{site.origin(STORE)}/attachments/a?{SIGNED}"
    allowed = site.get(url, headers={"Origin": site.origin(ODOO)}).raw.headers
    assert allowed.getlist("Access-Control-Allow-Origin") == [site.origin(ODOO)]
    assert "Origin" in ", ".join(allowed.getlist("Vary"))
    for origin in ("https://evil.test", site.origin(ODOO) + ".evil.test", "null"):
        answer = site.get(url, headers={"Origin": origin})
        assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []


def test_preflight_is_answered(site: Site) -> None:
    asked = {"Origin": site.origin(ODOO), "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    answer = site.request("OPTIONS", f"{site.origin(STORE)}/attachments/a", headers=asked)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD")
    assert "Range" in answer.headers["Access-Control-Allow-Headers"]
    assert (
        "Access-Control-Allow-Origin"
        not in site.request("OPTIONS", f"{site.origin(STORE)}/attachments/a", headers={**asked, "Origin": "https://evil.test"}).headers
    )
    refused_by_nginx(403, site.request("OPTIONS", f"{site.origin(STORE)}/minio/a", headers=asked))


def test_an_impostor_behind_tls_is_not_believed_and_signatures_stay_out_of_the_logs(port_site: Site) -> None:
    url = f"{port_site.origin(STORE)}/attachments/a?{SIGNED}"
    host = port_site.host
    assert port_site.get(url).status_code == 200
    host.check_output("systemctl stop backend-store && systemd-run --unit=impostor /usr/local/bin/backend store 9443 /etc/ssl/given.crt /etc/ssl/given.key")
    try:
        assert port_site.get(url).status_code == 502
    finally:
        host.check_output("systemctl stop impostor && systemctl start backend-store")
    logs = host.check_output("cat /var/log/nginx/*.log && journalctl --no-pager --unit=nginx")
    assert '"GET /attachments/a HTTP/1.1" 502' in logs
    assert "aaaaaaaa" not in logs and "X-Amz" not in logs
