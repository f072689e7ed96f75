"""Two hosts for Odoo behind one name: a log-in and an attachment of one are good on the other, and one alone is enough."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parent / "shared"))

from site_person import Person, address

APPS = ("site-app", "site-app2")


@pytest.fixture(scope="module")
def person(on, secrets):
    return Person(address(on("site-web")), "site.test", secrets["stack_odoo_admin_password"])


def test_both_know_who_is_logged_in(on, person):
    for name in APPS:
        assert person.call("/web/session/get_session_info", f"http://{address(on(name))}:8069")["username"] == "admin", name


def test_sessions_are_rows_of_the_owner(on):
    query = "select tableowner, (select count(*) > 0 from http_sessions) from pg_tables where tablename = 'http_sessions'"
    assert on("site-db").check_output(f'runuser -u postgres -- psql -XAtc "{query}" odoo_sessions') == "odoo_sessions_owner|t"


def test_the_password_of_the_sessions_is_in_no_unit(on, secrets):
    for name in APPS:
        host = on(name)
        assert secrets["stack_sessions_password_a"] not in host.check_output("systemctl cat odoo && systemctl show odoo")
        file = host.file("/etc/odoo/odoo-sessions.env")
        assert (file.user, file.mode) == ("root", 0o600)


def test_what_one_stores_the_other_has(on, person):
    content = os.urandom(40_000)
    first, second = (f"http://{address(on(name))}:8069" for name in APPS)
    identity = person.attachment("create", {"name": "of-two.bin", "datas": base64.b64encode(content).decode()}, base=first)
    assert hashlib.sha1(person.ask(f"/web/content/{identity}", second)).digest() == hashlib.sha1(content).digest()


def test_files_of_the_first_hour_are_on_all_hosts(on, person):
    """What Odoo stored while it made the database, before there was the addon."""
    query = "select id from ir_attachment where store_fname is not null order by id"
    identities = on("site-db").check_output(f'runuser -u postgres -- psql -XAtc "{query}" odoo').split()
    assert len(identities) > 10
    for name in APPS:
        for found in person.attachment("read", [int(identity) for identity in identities], ["datas", "checksum"], base=f"http://{address(on(name))}:8069"):
            assert hashlib.sha1(base64.b64decode(found["datas"])).hexdigest() == found["checksum"], (name, found["id"])


def test_nobody_notices_that_one_is_gone(on, person):
    gone = on(APPS[0])
    gone.check_output("systemctl stop odoo")
    try:
        for _attempt in range(10):
            assert person.call("/web/session/get_session_info")["username"] == "admin"
    finally:
        gone.check_output("systemctl start odoo")
        gone.check_output("timeout 60 sh -c 'until ss -Hltn sport = :8072 | grep -q .; do sleep 0.5; done'")
