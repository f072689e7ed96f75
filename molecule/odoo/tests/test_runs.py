# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Odoo from an archive, one process with threads; and what further runs of its playbook do."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import EPHEMERAL, Odoo, finish, play, secret, start

HOST = "odoo-archive"
ARCHIVE = "http://127.0.0.1:8099/odoo.tar"
DIGEST = "sha256:" + 64 * "0"
ONLY = ("--limit", HOST, "--skip-tags", "postgresql")
odoo = Odoo(HOST, port=8169)
# Where the tests of further runs leave it.
MOVED = {"odoo_http_port": 8170}
moved = Odoo(HOST, port=8170)

# What is asked for, and what has to be in the one sentence that comes back.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no archive": ({}, ["odoo_archive is empty"]),
    "no checksum": ({"archive": ARCHIVE}, ["odoo_archive_checksum empty", "a URL with a checksum"]),
    "wrong checksum": ({"archive": ARCHIVE, "checksum": DIGEST}, ["odoo_archive http://127.0.0.1:8099/odoo.tar could not be used: its checksum is not"]),
    "unreachable": ({"archive": "http://127.0.0.1:1/odoo.tar", "checksum": DIGEST}, ["whether this host reaches it", "refused"]),
    "no file": ({"archive": "/nowhere/odoo.tar.gz"}, ["odoo_archive is /nowhere/odoo.tar.gz, which is not there on the controller"]),
    "no branch": ({"method": "git", "ref": "99.0"}, ["could not be fetched from file:///srv/odoo/19.0/odoo.git at 99.0"]),
    "a path": ({"method": "git", "repository": "/srv/odoo"}, ["odoo_git_repository is /srv/odoo", "file://"]),
    "wrong release": ({"method": "git", "version": "18.0", "ref": "19.0"}, ["odoo_version is 18.0, but the code", "is Odoo 19.0"]),
    "no release": ({"version": "12.0"}, ["value of odoo_version must be one of", "12.0"]),
    "full disk": ({"method": "git", "home": "/srv/full"}, ["the disk is full, make room under /srv/full"]),
    "one port": ({"method": "git", "port": 8072}, ["odoo_http_port is 8072, odoo_gevent_port 8072", "two different"]),
    "many workers": ({"method": "git", "workers": 100}, ["odoo_workers is 100, which needs at least", "2048 MB"]),
    "high limit": ({"method": "git", "limit": 8589934592}, ["odoo_limit_memory_hard is 8589934592", "more than the 2048 MB"]),
    "weak password": ({"method": "git", "password": "hunter2"}, ["at least 8 characters"]),
    "no authority": ({"method": "git", "sslmode": "verify-full"}, ["odoo_db_ca_file empty", "verify-full"]),
    "sessions of nobody": ({"method": "git", "sessions": "database"}, ["odoo_sessions is database, which needs", "odoo_sessions_db_password"]),
    "unknown option": ({"method": "git", "options": {"wrokers": 3}}, ["odoo_options has wrokers, which Odoo 19.0 does not know"]),
    "option with a variable": ({"method": "git", "options": {"http_port": 80}}, ["odoo_options", "http_port", "odoo_http_port is for that"]),
    "two lines": ({"method": "git", "options": {"email_from": "a\nb"}}, ["more than one line (email_from)"]),
}


def test_an_archive_in_the_nightly_layout_is_served():
    assert odoo.ask("/web/health")[0] == 200
    assert odoo.login(secret("admin_password"))["result"]["uid"] == 2
    assert odoo.execute("systemctl", "is-active", "odoo-shop").strip() == "active"
    assert "odoo.service" not in odoo.execute("systemctl", "list-units", "--all", "--plain", "odoo*")
    assert odoo.execute("ps", "-o", "user=", "-C", "python").split() == ["shop"]


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, str]]:
    look = "find /etc/odoo-shop /etc/systemd/system /opt/odoo -maxdepth 2 -printf '%p %m %u %s\n' | sort; cat /opt/odoo/src/.odooops-source"
    before = odoo.execute("sh", "-c", look)
    odoo.execute("sh", "-c", "install -d /srv/full && mount -t tmpfs -o size=4m none /srv/full")
    try:
        run = play({"cases": [{"name": name, **case} for name, (case, _) in WRONG.items()]}, "wrong.yml")
    finally:
        odoo.execute("umount", "/srv/full")
    assert run.code == 0, run.output
    assert odoo.execute("sh", "-c", look) == before, "something was changed"
    assert "hunter2" not in run.output
    yield json.loads((EPHEMERAL / "told.json").read_text())


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_in_a_sentence(told, name):
    for part in WRONG[name][1]:
        assert part in told[name]


def test_a_port_that_somebody_else_has():
    odoo.execute("systemd-run", "--unit=squatter", "python3", "-m", "http.server", "8170")
    try:
        run = play(MOVED, "converge.yml", *ONLY)
    finally:
        odoo.execute("systemctl", "stop", "squatter")
    assert "Port 8170 is in use by python3" in run.output
    assert "odoo_http_port" in run.output
    # Mended, it goes through, and what the failed run had written is in force.
    assert play(MOVED, "converge.yml", *ONLY).changed(HOST) > 0
    assert moved.ask("/web/health")[0] == 200


def test_passwords_of_people_are_left_alone_and_replaced_when_asked_for():
    theirs = secrets.token_urlsafe(12)
    program = (
        "import sys; sys.argv = ['odoo']; import odoo.cli; from odoo import api; from odoo.modules.registry import Registry; from odoo.tools import config;"
        "word = sys.stdin.read(); config.parse_config(['-c', '/etc/odoo-shop/odoo.conf', '-d', 'odoo', '--workers=0', '--no-http'])\n"
        "with Registry('odoo').cursor() as cr: api.Environment(cr, 1, {}).ref('base.user_admin').password = word"
    )
    odoo.execute("runuser", "-u", "shop", "--", "env", "PYTHONPATH=/opt/odoo/src", "/opt/odoo/venv/bin/python", "-c", program, data=theirs)
    assert "result" in moved.login(theirs)
    assert play(MOVED, "converge.yml", *ONLY).changed(HOST) == 0
    assert "result" in moved.login(theirs)
    run = play({**MOVED, "odoo_admin_password_update": "always"}, "converge.yml", "--diff", "-vv", *ONLY)
    assert run.changed(HOST) == 1
    assert "error" in moved.login(theirs)
    assert "result" in moved.login(secret("admin_password"))
    for word in (theirs, secret("admin_password"), secret("database_password")):
        assert word not in run.output


def test_a_killed_initialisation_is_healed():
    odoo.execute("systemctl", "stop", "odoo-shop")
    odoo.sql("DROP DATABASE odoo", "postgres")
    odoo.sql("CREATE DATABASE odoo OWNER odoo_owner TEMPLATE template0 ENCODING 'UTF8'", "postgres")
    process = start(MOVED, "converge.yml", *ONLY)
    for _ in range(600):
        if process.poll() is not None or odoo.execute("sh", "-c", "pgrep --full -- [-]-init=base || true"):
            break
        time.sleep(0.5)
    # Well into it.
    time.sleep(3)
    odoo.execute("pkill", "-KILL", "--full", "--", "--init=base")
    run = finish(process)
    assert run.code != 0
    assert "Odoo ended with exit status" in run.output
    assert play(MOVED, "converge.yml", *ONLY).changed(HOST) > 0
    assert "result" in moved.login(secret("admin_password"))
    assert odoo.sql("SELECT count(*) FROM ir_module_module WHERE state LIKE 'to %'") == "0"
