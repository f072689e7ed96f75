"""Prove that a deployed stack works, the way a person uses it: log in, upload, find the object, download, compare.

Every step goes over HTTPS through NGINX. The object itself is asked for on its own host, with the key that Odoo has.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import typing as t
import urllib.parse

import requests
import yaml

SIZE = 20 * 1024 * 1024


def resolve_to(address: str) -> None:
    """Make every name of this process resolve to one address, as the public DNS of a real site would."""
    original = socket.getaddrinfo

    def getaddrinfo(host: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return original(address, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


class Person:
    """A browser's session with Odoo."""

    def __init__(self, url: str, ca: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.verify = ca
        self.session.trust_env = False

    def log_in(self, login: str, password: str) -> None:
        page = self.session.get(f"{self.url}/web/login", timeout=60)
        page.raise_for_status()
        form = {"login": login, "password": password, "csrf_token": token(page.text), "redirect": "/odoo"}
        answer = self.session.post(f"{self.url}/web/login", data=form, timeout=60)
        answer.raise_for_status()
        if urllib.parse.urlsplit(answer.url).path == "/web/login":
            raise SystemExit(f"prove: {login} could not log in at {self.url}")
        self.csrf = token(answer.text)

    def call(self, model: str, method: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": {"model": model, "method": method, "args": args, "kwargs": kwargs}}
        answer = self.session.post(f"{self.url}/web/dataset/call_kw/{model}/{method}", json=body, timeout=60).json()
        if "error" in answer:
            raise SystemExit(f"prove: {model}.{method}: {answer['error']['data']['message']}")
        return answer["result"]

    def upload(self, name: str, content: bytes, model: str, record: int) -> int:
        answer = self.session.post(
            f"{self.url}/mail/attachment/upload",
            data={"csrf_token": self.csrf, "thread_model": model, "thread_id": record},
            files={"ufile": (name, content, "application/octet-stream")},
            timeout=120,
        )
        answer.raise_for_status()
        found = self.call("ir.attachment", "search", [["name", "=", name], ["res_model", "=", model], ["res_id", "=", record]], limit=1)
        if not found:
            raise SystemExit(f"prove: the upload left no attachment: {answer.text[:300]}")
        return int(found[0])


def token(page: str) -> str:
    found = re.search(r'csrf_token"?\s*[:=]\s*"([^"]+)"', page) or re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    if not found:
        raise SystemExit("prove: the page has no CSRF token")
    return found.group(1)


# Runs on the host of the object store, where boto3 is; the key comes through standard input.
ASK = """
import boto3, json, sys
from botocore.config import Config
a = json.load(sys.stdin)
s3 = boto3.client("s3", endpoint_url=a["endpoint"], aws_access_key_id=a["key"], aws_secret_access_key=a["secret"],
                  region_name="us-east-1", config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"))
try:
    head = s3.head_object(Bucket=a["bucket"], Key=a["object"])
    print(json.dumps({"size": head["ContentLength"], "etag": head["ETag"]}))
except s3.exceptions.ClientError as error:
    print(json.dumps({"error": str(error)}))
"""


def object_in_store(container: str, python: str, request: dict[str, str]) -> dict[str, t.Any]:
    """Return size and ETag of an object as its server tells them."""
    command = ["podman", "exec", "--interactive", container, "sh", "-c", f"exec {shlex.quote(python)} -c {shlex.quote(ASK)}"]
    answer = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    if "error" in found:
        raise SystemExit(f"prove: the object is not in the bucket: {found['error']}")
    return t.cast("dict[str, t.Any]", found)


def step(text: str) -> None:
    print(f"  {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="Odoo's public URL")
    parser.add_argument("--address", required=True, help="the address that the public names have")
    parser.add_argument("--ca", required=True, help="the certificates to trust")
    parser.add_argument("--secrets", required=True, help="the file of secrets that the playbook generated")
    parser.add_argument("--container", required=True, help="the container that has the object store")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--endpoint", default="http://127.0.0.1:9000")
    parser.add_argument("--python", default="/opt/odoo/venv/bin/python", help="an interpreter in the container that has boto3")
    arguments = parser.parse_args()
    with open(arguments.secrets, encoding="utf-8") as file:
        secrets = yaml.safe_load(file)
    resolve_to(arguments.address)

    person = Person(arguments.url, arguments.ca)
    person.log_in("admin", secrets["stack_odoo_admin_password"])
    step(f"logged in at {arguments.url} as admin, through NGINX")

    # Bytes and nothing else: what begins with "<" may be markup, which is not redirected.
    content = b"\0" + os.urandom(SIZE - 1)
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    partner = person.call("res.partner", "create", [{"name": f"Proof of {time.strftime('%Y-%m-%d %H:%M:%S')}"}])[0]
    started = time.monotonic()
    attachment = person.upload(f"proof-{digest[:8]}.bin", content, "res.partner", partner)
    step(f"uploaded {SIZE // 1024 // 1024} MB to a contact in {time.monotonic() - started:.1f} s: attachment {attachment}")

    found = object_in_store(
        arguments.container,
        arguments.python,
        {
            "endpoint": arguments.endpoint,
            # The file has its name once it was rotated.
            "key": secrets.get("stack_s3_access_key", "demo-key1"),
            "secret": secrets["stack_s3_secret_key"],
            "bucket": arguments.bucket,
            "object": f"{digest[:2]}/{digest}",
        },
    )
    if found["size"] != SIZE:
        raise SystemExit(f"prove: the object has {found['size']} bytes, not {SIZE}")
    step(f"found it in MinIO under its SHA-1: {arguments.bucket}/{digest[:2]}/{digest}, {found['size']} bytes")

    answer = person.session.get(f"{arguments.url}/web/content/{attachment}?download=true", allow_redirects=False, timeout=60)
    target = answer.headers.get("Location", "")
    if answer.status_code != 302 or "X-Amz-Signature=" not in target:
        raise SystemExit(f"prove: the download was answered {answer.status_code} {target.split('?')[0]}, not by a redirect to a presigned URL")
    started = time.monotonic()
    # Without Odoo's cookies: the signature alone opens it.
    download = requests.get(target, verify=arguments.ca, timeout=120)
    download.raise_for_status()
    if hashlib.sha1(download.content, usedforsecurity=False).hexdigest() != digest:
        raise SystemExit("prove: the downloaded bytes differ from the uploaded ones")
    step(f"downloaded it from {urllib.parse.urlsplit(target).netloc} by a presigned URL in {time.monotonic() - started:.1f} s: bytes equal")

    bare = requests.get(target.split("?")[0], verify=arguments.ca, timeout=60)
    if bare.status_code not in (401, 403):
        raise SystemExit(f"prove: the same URL without its signature was answered {bare.status_code}")
    step(f"the same URL without its signature is refused ({bare.status_code})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
