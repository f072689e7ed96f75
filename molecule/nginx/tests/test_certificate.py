# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: the first one, its renewal, and a new one where what was asked for has changed."""

from __future__ import annotations

import os
import re
import time

from conftest import ODOO, STORE, Site, play

RENEWAL = f"/etc/letsencrypt/renewal/{ODOO}.conf"


def served(site: Site, name: str = ODOO) -> str:
    """Return the serial number of the certificate that NGINX serves; that it is verified is part of the connection."""
    with site.open(name) as connection:
        certificate = connection.getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


def names(site: Site) -> list[str]:
    with site.open(ODOO) as connection:
        certificate = connection.getpeercert()
    assert certificate
    return sorted(str(value) for _, value in certificate["subjectAltName"])


def reloads(site: Site) -> int:
    return str(site.host.check_output("journalctl --no-pager --unit=nginx --output=cat")).count("Reloaded nginx")


def converge(*arguments: str) -> str:
    playbook = os.path.join(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml")
    return play("--inventory", os.environ["MOLECULE_INVENTORY_FILE"], "--limit", "nginx-debian12", *arguments, playbook)


def another_is_served(site: Site, before: str) -> bool:
    """A reload is over when the former workers have taken their last connection."""
    deadline = time.monotonic() + 20
    while served(site) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    return served(site) != before


def test_the_certificate_holds_all_names(certbot_site: Site, port_site: Site) -> None:
    assert names(certbot_site) == [STORE, ODOO, "www.nginx.test"]
    assert names(port_site) == [STORE, ODOO]
    assert served(certbot_site) == served(certbot_site, STORE)


def test_nginx_came_up_with_a_self_signed_certificate_for_the_same_names(certbot_site: Site) -> None:
    text = certbot_site.host.check_output("openssl x509 -in /etc/nginx/certificates/self-signed.crt -noout -issuer -subject -ext subjectAltName")
    assert sorted(re.findall(r"DNS:([a-z0-9.-]+)", text)) == [STORE, ODOO, "www.nginx.test"]
    assert re.search("^issuer=(.*)$", text, re.M)[1] == re.search("^subject=(.*)$", text, re.M)[1]  # type: ignore[index]


def test_keys_are_for_root_only(certbot_site: Site) -> None:
    for path in ("self-signed.key", "in-use.key"):
        assert certbot_site.host.check_output(f"stat --dereference --format='%a %U' /etc/nginx/certificates/{path}") == "600 root"


def test_the_timer_renews_and_nginx_serves_it(certbot_site: Site) -> None:
    host = certbot_site.host
    assert host.service("certbot.timer").is_running and host.service("certbot.timer").is_enabled
    before, reloaded = served(certbot_site), reloads(certbot_site)
    # What the timer starts finds the certificate due, whatever its lifetime.
    host.check_output(f"sed -i '1i renew_before_expiry = 9999 days' {RENEWAL} && systemctl start certbot.service")
    host.check_output(f"sed -i 's/^renew_before_expiry.*/renew_before_expiry = 30 days/' {RENEWAL}")
    assert another_is_served(certbot_site, before)
    assert reloads(certbot_site) == reloaded + 1


def test_other_names_ask_for_a_new_certificate_which_a_check_only_announces(certbot_site: Site) -> None:
    before = served(certbot_site)
    assert "Certbot would get a certificate for odoo.nginx.test, files.nginx.test from" in converge("--check", "-e", '{"nginx_odoo_server_aliases": []}')
    assert served(certbot_site) == before


def test_another_directory_gets_a_new_certificate_and_what_was_left_unread_is_read(certbot_site: Site) -> None:
    before = served(certbot_site)
    # As if the certificate were from a staging directory, and a run had been interrupted before NGINX read what it wrote.
    certbot_site.host.check_output(f"sed -i 's|^server = .*|server = https://staging.test/dir|' {RENEWAL}; touch /etc/nginx/conf.d/odooops.conf")
    output = converge()
    assert another_is_served(certbot_site, before)
    assert "server = https://nginx-acme:14000/dir" in certbot_site.host.file(RENEWAL).content_string
    # Once for each of the two.
    assert len(re.findall(r"Reload the service.*\n.*\nchanged:", output)) == 2, output
