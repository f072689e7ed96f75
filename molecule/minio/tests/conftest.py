"""The two stores of the scenario, with clients for them."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import typing as t
from pathlib import Path

import boto3
import pytest
import testinfra
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError
from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
STORES = {"minio-silo": ("http", 9000, "us-east-1", "silo"), "minio-tls": ("https", 443, "eu-central-1", "minio")}


def secret(name: str) -> str:
    return (EPHEMERAL / f"secret-{name}").read_text().split(" salt=")[0].strip()


class Store:
    """One of the hosts, with clients for it."""

    ca = str(EPHEMERAL / "ca.crt")

    def __init__(self, host: t.Any) -> None:
        self.host = host
        self.name = host.check_output("hostname")
        self.address = host.check_output("hostname --all-ip-addresses").split()[0]
        self.scheme, self.port, self.region, self.unit = STORES[self.name]
        self.url = f"{self.scheme}://{self.name}:{self.port}"
        self.root = ("root-of-the-store", secret("root") + "\"$x\\y' #")
        self.odoo = ("ODOOSITE", secret("key"))
        self.anna = ("anna", secret("anna"))

    def s3(self, keys: tuple[str, str], verify: str | bool = ca) -> t.Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            verify=verify,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 5}),
        )

    def admin(self, keys: tuple[str, str]) -> MinioAdmin:
        # The server is restarted between requests; what it was asked on a connection that it drops is asked again.
        again = urllib3.Retry(total=5, redirect=0, allowed_methods=None, backoff_factor=0.2)
        pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=self.ca, retries=again)
        secure = self.scheme == "https"
        return MinioAdmin(endpoint=f"{self.name}:{self.port}", credentials=StaticProvider(*keys), region=self.region, secure=secure, http_client=pool)

    def inside(self, pid: str, command: str) -> str:
        """What a shell says, as root with all rights, in the file system that a process sees."""
        enter = ["podman", "exec", "--privileged", self.name, "nsenter", "--target", pid, "--mount", "sh", "-c", command]
        return subprocess.run(enter, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    @contextlib.contextmanager
    def refused(self, code: str = "AccessDenied") -> t.Iterator[None]:
        with pytest.raises((ClientError, MinioAdminException)) as caught:
            yield
        assert code in str(caught.value)


def play(*arguments: str) -> tuple[str, dict[str, int]]:
    """Run the scenario's playbook once more; its output, and how much it changed on each host."""
    command = ["ansible-playbook", f"--inventory={EPHEMERAL}/inventory", "--diff", *arguments, str(SCENARIO / "converge.yml")]
    # Molecule asks for colours, which would stand between the words.
    plain = {**os.environ, "ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false"}
    output = subprocess.run(command, check=False, capture_output=True, text=True, cwd=SCENARIO.parents[1], env=plain).stdout
    return output, {host: int(changed) for host, changed in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)}


def resolving(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The names of the hosts are only known among them, and the certificate is for the name."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *rest, **more: resolve(store.address if name == store.name else name, *rest, **more))
    return store


@pytest.fixture
def store(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Each of the stores in turn."""
    return resolving(Store(host), monkeypatch)


@pytest.fixture(scope="module")
def silo() -> t.Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        yield resolving(Store(testinfra.get_host("podman://minio-silo")), patch)


@pytest.fixture(scope="module")
def tls() -> t.Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        yield resolving(Store(testinfra.get_host("podman://minio-tls")), patch)


@pytest.fixture
def run() -> t.Callable[..., tuple[str, dict[str, int]]]:
    return play
