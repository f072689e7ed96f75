# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What browsers get of Odoo, and Odoo of browsers."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess

import pytest
from conftest import ODOO, STORE, Site


@pytest.mark.parametrize("name", [ODOO, STORE])
def test_http_leads_to_https(site: Site, name: str) -> None:
    answer = site.get(f"http://{name}:{site.http}/web/login?redirect=%2Fodoo")
    assert (answer.status_code, answer.headers["Location"]) == (301, site.origin(name) + "/web/login?redirect=%2Fodoo")


def test_plain_http_on_another_https_port_leads_to_https(port_site: Site) -> None:
    answer = port_site.get(f"http://{ODOO}:8443/web")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{ODOO}:8443/web")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_spoken(site: Site, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=site.ca)
    context.minimum_version = context.maximum_version = version
    with site.open(ODOO, context) as connection:
        assert connection.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_old_tls_is_refused(site: Site) -> None:
    context = ssl.create_default_context(cafile=site.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version"):
        site.open(ODOO, context)


def test_http2_is_offered(site: Site) -> None:
    context = ssl.create_default_context(cafile=site.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with site.open(ODOO, context) as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_unknown_names_get_no_answer(site: Site) -> None:
    with socket.create_connection((site.address, site.http), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert connection.recv(1000) == b""
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        site.open("evil.test")
    assert site.exchange(ODOO, "GET / HTTP/1.1\nHost: evil.test\n\n").startswith("HTTP/1.1 421 ")


def test_odoo_learns_who_asked_for_what(site: Site) -> None:
    headers = site.get(site.origin(ODOO) + "/odoo", headers={"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1"}).json()["headers"]
    public = site.origin(ODOO).removeprefix("https://")
    assert (headers["Host"], headers["X-Forwarded-Host"], headers["X-Forwarded-Proto"]) == (public, public, "https")
    client = headers["X-Real-IP"]
    assert client not in ("127.0.0.1", "192.0.2.1")
    assert headers["X-Forwarded-For"] == f"192.0.2.1, {client}"
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-ID"])


def test_a_host_header_that_contradicts_the_request_line_does_not_reach_odoo(site: Site) -> None:
    answer = site.exchange(ODOO, f"GET https://{ODOO}/ HTTP/1.1\nHost: evil.test\nConnection: close\n\n")
    assert answer.startswith("HTTP/1.1 200 ")
    assert "evil.test" not in answer


def test_security_headers_arrive_once(site: Site) -> None:
    headers = site.get(site.origin(ODOO) + "/odoo").raw.headers
    assert headers.getlist("Strict-Transport-Security") == ["max-age=63072000"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("X-Frame-Options") == ["SAMEORIGIN"]
    assert headers.getlist("Referrer-Policy") == ["strict-origin-when-cross-origin"]
    [policy] = headers.getlist("Content-Security-Policy")
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    for directive in ("img-src", "media-src", "connect-src", "frame-src", "object-src"):
        assert site.origin(STORE) in directives[directive]
    assert directives["frame-ancestors"] == ["'self'"]
    assert ("https://js.example.test" in directives["script-src"]) == (site.https == 8443)
    assert headers["Server"] == "nginx"


def test_errors_of_nginx_carry_them_too(site: Site) -> None:
    answer = site.get(site.origin(ODOO) + "/web/database/manager")
    assert (answer.status_code, answer.headers["X-Frame-Options"], answer.headers["X-Content-Type-Options"]) == (403, "SAMEORIGIN", "nosniff")


def test_odoos_own_policy_for_attachments_stands_alone(site: Site) -> None:
    headers = site.get(site.origin(ODOO) + "/web/content/1").raw.headers
    assert headers.getlist("Content-Security-Policy") == ["default-src 'none'"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]


def test_the_login_page_gets_the_policy_as_well_and_a_guarded_cookie(site: Site) -> None:
    headers = site.get(site.origin(ODOO) + "/web/login").raw.headers
    own, ours = sorted(headers.getlist("Content-Security-Policy"), key=len)
    assert own == "frame-ancestors 'self'"
    assert ours.startswith("default-src 'self';")
    assert headers.getlist("X-Frame-Options") == ["SAMEORIGIN"]
    assert {part.strip().lower() for part in headers["Set-Cookie"].split(";")} >= {"session_id=abc", "secure", "httponly", "samesite=lax"}


def test_websocket_is_upgraded_and_carries_both_ways(site: Site) -> None:
    request = (
        f"GET /websocket?version=19.0 HTTP/1.1\r\nHost: {ODOO}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with site.open(ODOO) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(65536).decode()
        assert answer.startswith("HTTP/1.1 101 ")
        assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
        connection.sendall(b"to and fro\n")
        assert connection.recv(100) == b"to and fro\n"


def test_other_requests_are_not_upgraded_and_websocket_has_its_port(site: Site) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert site.get(site.origin(ODOO) + "/odoo", headers=upgrade).json()["name"] == "odoo"
    assert site.get(site.origin(ODOO) + "/websocket/health").json()["name"] == "websocket"


def test_static_files_are_cached_and_compressed(site: Site) -> None:
    first, second = (site.get(site.origin(ODOO) + "/web/static/lib.js") for _ in range(2))
    assert first.json()["requests"] == second.json()["requests"]
    assert second.headers["Cache-Control"] == "public, max-age=604800"
    assert second.headers["Content-Encoding"] == "gzip"
    # Each name has its own, since Odoo may serve another database under it.
    if site.https == 443:
        assert site.get("https://www.nginx.test/web/static/lib.js").json()["requests"] != first.json()["requests"]


@pytest.mark.parametrize("path", ["/web/assets/1/private.js", "/odoo", "/web/content/1"])
def test_nothing_else_is_cached(site: Site, path: str) -> None:
    first, second = (site.get(site.origin(ODOO) + path).json()["requests"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("path", ["/web/database/manager", "/web/database", "/fr/web/database/selector", "/web//database/manager", "/web/%64atabase/drop"])
def test_the_database_manager_is_closed(site: Site, path: str) -> None:
    assert site.exchange(ODOO, f"GET {path} HTTP/1.1\nHost: {ODOO}\n\n").startswith("HTTP/1.1 403 ")


def test_the_database_manager_opens_to_allowed_addresses(port_site: Site) -> None:
    # The handshake needs the name, which leads to the host itself for this one program.
    program = (
        "import http.client, socket, ssl; c = ssl._create_unverified_context(); s = c.wrap_socket(socket.create_connection(('127.0.0.1', 8443)), "
        f"server_hostname='{ODOO}'); h = http.client.HTTPConnection('{ODOO}', 8443); h.sock = s; h.request('GET', '/web/database/manager'); "
        "print(h.getresponse().status)"
    )
    assert port_site.host.check_output(f'python3 -c "{program}"') == "200"


def test_uploads_arrive_up_to_the_limit(site: Site) -> None:
    body = b"x" * 20_000_000
    assert site.request("POST", site.origin(ODOO) + "/web/binary/upload_attachment", data=body).json()["received"] == len(body)
    assert site.exchange(ODOO, f"POST /upload HTTP/1.1\nHost: {ODOO}\nContent-Length: 209715201\n\n").startswith("HTTP/1.1 413 ")


def test_queries_are_not_logged(site: Site) -> None:
    site.get(site.origin(ODOO) + "/web/reset_password?token=very-secret", headers={"Referer": site.origin(ODOO) + "/from?token=very-secret"})
    log = site.host.file("/var/log/nginx/access.log").content_string
    [line] = [line for line in log.splitlines() if "/web/reset_password" in line][-1:]
    assert f'"{site.origin(ODOO)}/from"' in line
    assert re.search(r"id=[0-9a-f]{32} .* upstream_time=\d", line)
    assert "very-secret" not in log


def test_the_configuration_has_no_findings(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    dump = site.host.run("nginx -T")
    assert "warn" not in dump.stderr
    file = tmp_path_factory.mktemp("gixy") / "nginx.conf"
    file.write_text(dump.stdout)
    report = subprocess.run(["gixy", "--format", "json", str(file)], capture_output=True, text=True, check=False)
    assert json.loads(report.stdout) == []
    # It does find what is there to be found.
    file.write_text(dump.stdout.replace("Host $odoo_host", "Host $http_host"))
    report = subprocess.run(["gixy", "--format", "json", str(file)], capture_output=True, text=True, check=False)
    assert {"host_spoofing"} == {finding["plugin"] for finding in json.loads(report.stdout)}


def test_the_service_is_confined(site: Site) -> None:
    assert site.host.run("systemd-analyze security --threshold=30 nginx").rc == 0
    # Not only by the unit's letter: its own view of the file system cannot be written.
    mounts = site.host.check_output("cat /proc/$(cat /run/nginx.pid)/mounts").splitlines()
    root = next(line.split() for line in mounts if line.split()[1] == "/")
    assert "ro" in root[3].split(",")
    workers = site.host.check_output("ps -C nginx -o user=,args=").splitlines()
    assert {line.split()[0] for line in workers if "worker process" in line} == {"www-data"}
