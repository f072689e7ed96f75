"""Odoo on a database server and an object store of somebody else's."""

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
content = os.urandom(3 << 20)
values = {"name": "report.bin", "datas": base64.b64encode(content).decode()}
identifier = call("/web/dataset/call_kw/ir.attachment/create", model="ir.attachment", method="create", args=[[values]], kwargs={})[0]
answer = opener.open(f"https://odoo.managed.test/web/content/{identifier}?download=true")
print(json.dumps({"equal": answer.read() == content, "url": answer.url, "sha1": hashlib.sha1(content).hexdigest()}))
"""


@pytest.fixture(scope="module")
def on() -> t.Callable[[str], testinfra.host.Host]:
    return lambda name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(EPHEMERAL / "inventory"))


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    return yaml.safe_load((EPHEMERAL / "secrets.yml").read_text())


@pytest.fixture(scope="module")
def seen(on: t.Any, secrets: dict[str, str]) -> dict[str, t.Any]:
    host = on("managed-odoo")
    host.check_output("grep -q odoo.managed.test /etc/hosts || echo 127.0.0.1 odoo.managed.test >>/etc/hosts")
    return json.loads(host.check_output("printf %%s %s | python3 -c %s", secrets["stack_odoo_admin_password"], PERSON))


def test_a_file_comes_back_from_their_store(seen: dict[str, t.Any]) -> None:
    assert seen["equal"]
    assert seen["url"].startswith(f"https://managed-theirs:9000/theirs-filestore/{seen['sha1'][:2]}/{seen['sha1']}?")


def test_only_what_is_ours_was_generated(secrets: dict[str, str]) -> None:
    assert set(secrets) == {"stack_odoo_admin_password", "stack_odoo_master_password", "stack_database_password_a", "stack_database_password_b"}


def test_nothing_of_ours_runs_that_is_theirs(on: t.Any) -> None:
    packages = on("managed-odoo").check_output("systemctl list-units --state=active --plain --no-legend 'silo*' 'minio*'")
    assert packages == ""


def test_the_connection_to_their_database_is_encrypted(on: t.Any) -> None:
    query = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'odoo_a'"
    assert on("managed-theirs").check_output(f'runuser -u postgres -- psql -XAtc "{query}"') == "t"


def test_the_administrator_is_no_superuser_and_owns_no_table(on: t.Any) -> None:
    query = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert on("managed-theirs").check_output(f'runuser -u postgres -- psql -XAtc "{query}" odoo') == "odoo_owner"
    assert on("managed-theirs").check_output("runuser -u postgres -- psql -XAtc \"select rolsuper from pg_roles where rolname = 'manager'\"") == "f"
