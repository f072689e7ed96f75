"""The deployed site, asked on its own hosts."""

from __future__ import annotations

import os
import stat

import pytest


def test_secrets_are_for_the_owner_only(secrets, secrets_file):
    assert stat.S_IMODE(os.stat(secrets_file).st_mode) == 0o600
    assert len(secrets) == 9 and all(len(value) >= 20 for value in secrets.values())


@pytest.mark.parametrize(
    ("name", "ports"),
    [("site-db", {5432}), ("site-s3", {9000}), ("site-app", {8069, 8072}), ("site-app2", {8069, 8072}), ("site-web", {80, 443})],
)
def test_listens_for_others_on_its_own_ports_only(on, name, ports):
    listening = on(name).check_output("ss -Hltn | awk '{print $4}' | grep -vE '^(127\\.|\\[::1\\])'").split()
    assert {int(socket.rsplit(":", 1)[1]) for socket in listening} - {22} == ports


def test_tables_belong_to_the_owner_not_to_the_login(on):
    query = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert on("site-db").check_output(f'runuser -u postgres -- psql -XAtc "{query}" odoo') == "odoo_owner"


def test_odoo_speaks_tls_with_the_database(on):
    query = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'odoo_a'"
    assert on("site-db").check_output(f'runuser -u postgres -- psql -XAtc "{query}"') == "t"


def test_language_and_country_are_the_declared_ones(on):
    query = (
        "select country.code, partner.lang from res_company company join res_partner home on home.id = company.partner_id"
        " join res_country country on country.id = home.country_id, res_users person join res_partner partner on partner.id = person.partner_id"
        " where person.login = 'admin'"
    )
    assert on("site-db").check_output(f'runuser -u postgres -- psql -XAtc "{query}" odoo') == "FR|fr_FR"


def test_no_secret_is_seen_where_it_does_not_belong(on, secrets):
    canary = "canary" + os.urandom(12).hex()
    for name in ("site-db", "site-s3", "site-app", "site-app2", "site-web"):
        host = on(name)
        # A scanner proves itself first: it has to find what was planted in each place where it looks.
        host.check_output(f"logger -t test {canary}; printf '%s' {canary} >/var/log/canary.log; printf '%s' {canary} >/tmp/canary; chmod 644 /tmp/canary")
        host.check_output(f"systemd-run --quiet --collect --unit={canary} sh -c 'sleep 600; :' {canary} && sleep 0.5 && journalctl --sync")
        places = {
            "journal": "journalctl --no-pager --all",
            "logs": "find /var/log -type f -size -20M -not -path '*/journal/*' -exec cat {} +",
            "processes": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
            "files": "find /etc /opt /srv /tmp /var/tmp -xdev -type f -perm -004 -size -1024k"
            " -not -path '*/site-packages/*' -not -path '*/src/*' -exec cat {} +",
        }
        for place, command in places.items():
            text = host.run(command).stdout_bytes  # not all of it is text
            assert canary.encode() in text, f"the scanner is blind in the {place} of {name}"
            assert not [key for key, value in secrets.items() if value.encode() in text], f"{place} of {name}"
        host.check_output(f"systemctl stop {canary}; rm /var/log/canary.log /tmp/canary")
