"""The login page while the store does not answer."""

from __future__ import annotations

from conftest import fault, sql, started
from odoo_host import Person
from testinfra.host import Host

CACHE = {"ODOO_S3_CACHE_MAX_BYTES": "200000000", "ODOO_S3_CACHE_DIR": "/var/lib/odoo/s3_cache_beside"}


def style_sheets(anonymous: Person) -> dict[str, list[object]]:
    (page,) = anonymous.does({"do": "page", "path": "/web/login"})
    assert page["status"] == 200
    return page["sheets"]


def test_login_page_in_an_outage(host: Host, proxy: None):
    """Pitfall 38: what this host has once sent it sends again after a restart, though all of it is in the store only."""
    anonymous = Person(base="http://127.0.0.1:8369")
    with started(host, "odoo-cached", 8369, CACHE):
        sheets = style_sheets(anonymous)
    assert sheets and {status for status, _sha1 in sheets.values()} == {200}
    for link in sheets:
        # By no other way.
        name = sql(host, f"SELECT store_fname FROM ir_attachment WHERE url = '{link}' ORDER BY id DESC LIMIT 1")
        assert name and not host.file(f"/var/lib/odoo/filestore/odoo/{name}").exists
    with fault(host, "refuse"), started(host, "odoo-cached", 8369, CACHE):
        assert style_sheets(anonymous) == sheets
