# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sites of this scenario, seen as a browser sees them: by their public names, with their certificates verified."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import socket
import ssl
import subprocess
import typing as t

import boto3
import botocore.client
import pytest
import requests
import testinfra
import testinfra.host
import urllib3
from botocore.credentials import Credentials

ODOO = "odoo.nginx.test"
STORE = "files.nginx.test"


@dataclasses.dataclass
class Site:
    """One of the hosts; `address` is where its names lead, and `ca` what a browser would have to trust."""

    host: testinfra.host.Host
    address: str
    http: int
    https: int
    ca: str

    def origin(self, name: str) -> str:
        return f"https://{name}" + ("" if self.https == 443 else f":{self.https}")

    def open(self, name: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Return a TLS connection that was asked for by name."""
        context = context or ssl.create_default_context(cafile=self.ca)
        return context.wrap_socket(socket.create_connection((self.address, self.https), timeout=30), server_hostname=name)

    def exchange(self, name: str, request: str) -> str:
        """Send a request as it stands, and return the beginning of the answer."""
        with self.open(name) as connection:
            connection.sendall(request.replace("\n", "\r\n").encode())
            return connection.recv(65536).decode("latin-1")

    def request(self, method: str, url: str, **options: t.Any) -> requests.Response:
        options = {"verify": self.ca, "allow_redirects": False, "timeout": 60, **options}
        return requests.Session().request(method, url, **options)

    def get(self, url: str, **options: t.Any) -> requests.Response:
        return self.request("GET", url, **options)


def address_of(host: testinfra.host.Host) -> str:
    return str(host.check_output("hostname -I").split()[0])


def play(*arguments: str) -> str:
    """Run ansible-playbook, which must succeed, and return what it printed."""
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0"}
    result = subprocess.run(["ansible-playbook", *arguments], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def connect(name: str) -> testinfra.host.Host:
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


@pytest.fixture(scope="session")
def acme_address() -> str:
    return address_of(connect("nginx-acme"))


@pytest.fixture(scope="session")
def certbot_site(acme_address: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Debian 12, ports 80 and 443, a certificate from the ACME server, and MinIO behind the store's name."""
    host = connect("nginx-debian12")
    with urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False) as pool:
        urllib3.disable_warnings()
        root = pool.request("GET", f"https://{acme_address}:15000/roots/0").data
    ca = tmp_path_factory.mktemp("ca") / "acme.crt"
    ca.write_bytes(root)
    return Site(host, address_of(host), 80, 443, str(ca))


@pytest.fixture(scope="session")
def port_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Debian 13, ports 8080 and 8443, a certificate given as files, and a stand-in with TLS behind the store's name."""
    host = connect("nginx-debian13")
    ca = tmp_path_factory.mktemp("ca") / "given.crt"
    ca.write_text(host.file("/etc/ssl/test-ca.crt").content_string)
    return Site(host, address_of(host), 8080, 8443, str(ca))


@pytest.fixture(params=["certbot_site", "port_site"])
def site(request: pytest.FixtureRequest) -> Site:
    return t.cast(Site, request.getfixturevalue(request.param))


@pytest.fixture(autouse=True)
def names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the public names lead to the site that a test is about."""
    fixture = next((name for name in ("certbot_site", "port_site") if name in request.fixturenames), None)
    current = request.getfixturevalue(fixture or "site") if fixture or "site" in request.fixturenames else None
    resolve = socket.getaddrinfo

    def lookup(host: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        return resolve(current.address if current and str(host).endswith(".nginx.test") else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


Client = t.Callable[[str], t.Any]


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    password = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "store").read_text(encoding="utf-8").strip()
    return Credentials("root-of-the-store", password)


@pytest.fixture(scope="session")
def s3(certbot_site: Site, credentials: Credentials) -> Client:
    """Return a function that gives a client for the real object store, as reached by a URL."""

    def client(url: str) -> t.Any:
        return boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            config=botocore.client.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    direct = client(f"http://{certbot_site.address}:9000")
    for bucket in ("attachments", "other"):
        if bucket not in [found["Name"] for found in direct.list_buckets()["Buckets"]]:
            direct.create_bucket(Bucket=bucket)
    return client
