from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
import testinfra
import testinfra.host
import yaml

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])

# Runs on Odoo's host as a person's browser would: uploads a file, downloads it, and says what came and from where.
PERSON = """
import base64, hashlib, http.cookiejar, json, os, ssl, sys, urllib.request as u
trust = ssl.create_default_context()
trust.load_verify_locations("/etc/nginx/certificates/in-use.crt")
opener = u.build_opener(u.HTTPSHandler(context=trust), u.HTTPCookieProcessor(http.cookiejar.CookieJar()))
def call(path, **params):
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
    answer = json.load(opener.open(u.Request("https://odoo.managed.test" + path, body, {"Content-Type": "application/json"})))
    return answer["result"]
call("/web/session/authenticate", db="odoo", login="admin", password=sys.stdin.read())
content = b"\\0" + os.urandom(3 << 20)  # what begins with "<" may be markup, and is not redirected
values = {"name": "report.bin", "datas": base64.b64encode(content).decode()}
identifier = call("/web/dataset/call_kw/ir.attachment/create", model="ir.attachment", method="create", args=[[values]], kwargs={})[0]
answer = opener.open(f"https://odoo.managed.test/web/content/{identifier}?download=true")
print(json.dumps({"equal": answer.read() == content, "url": answer.url, "sha1": hashlib.sha1(content).hexdigest()}))
"""


def kept() -> dict[str, str]:
    """What the file of secrets has."""
    return yaml.safe_load((EPHEMERAL / "secrets.yml").read_text())


@pytest.fixture(scope="session")
def on() -> t.Callable[[str], testinfra.host.Host]:
    return lambda name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(EPHEMERAL / "inventory"))


@pytest.fixture(scope="session")
def person(on: t.Any) -> t.Callable[[], dict[str, t.Any]]:
    """What somebody sees who uploads a file and downloads it."""
    host = on("managed-odoo")
    host.check_output("grep -q odoo.managed.test /etc/hosts || echo 127.0.0.1 odoo.managed.test >>/etc/hosts")
    return lambda: json.loads(host.check_output("printf %%s %s | python3 -c %s", kept()["stack_odoo_admin_password"], PERSON))
