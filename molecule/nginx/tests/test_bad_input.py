# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input stops in validation, with a sentence that names the variable, and changes nothing."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest

FILES = {"nginx_certificate": "files", "nginx_certificate_file": "/etc/ssl/store.crt", "nginx_certificate_key_file": "/etc/ssl/store.key"}
CERTBOT = {"nginx_certificate": "certbot", "nginx_certbot_agree_terms": True}

# What the specification knows: the whole role is run, and stops before its first task.
TYPES: list[tuple[str, dict[str, t.Any]]] = [
    ("nginx_http_port", {"nginx_http_port": "eighty"}),
    ("nginx_odoo_upstreams", {"nginx_odoo_upstreams": [{"hots": "127.0.0.1"}]}),
    ("nginx_certificate must be one of", {"nginx_certificate": "letsencrypt"}),
]
# Values and combinations.
VALUES: list[tuple[str, dict[str, t.Any]]] = [
    ("nginx_store_server_name (Odoo_1, files", {"nginx_odoo_server_name": "Odoo_1"}),
    ("hold one name twice", {"nginx_store_server_name": "odoo.nginx.test"}),
    ("nginx_https_port is 70000", {"nginx_https_port": 70000}),
    ("nginx_http_port (8443) and nginx_https_port (8443) must differ", {"nginx_http_port": 8443}),
    ("nginx_https_port (8072) must differ", {"nginx_https_port": 8072}),
    ("nginx_odoo_upstreams needs at least one server", {"nginx_odoo_upstreams": []}),
    ("one bucket in nginx_store_buckets", {"nginx_store_buckets": []}),
    ("set nginx_store_upstream_tls_name", {"nginx_store_upstream_tls_name": ""}),
    ("nginx_store_upstream_tls=true", {"nginx_store_upstream_tls": False}),
    ("nginx_client_max_body_size is lots", {"nginx_client_max_body_size": "lots"}),
    ("nginx_database_manager_allow holds office", {"nginx_database_manager_allow": ["office"]}),
    ("nginx_odoo_csp_sources and", {"nginx_odoo_csp_sources": {"img-src": ["*; script-src *"]}}),
    ("nginx_odoo_csp holds", {"nginx_odoo_csp": 'default-src "x"'}),
    ("both nginx_certificate_file and nginx_certificate_key_file", {**FILES, "nginx_certificate_key_file": ""}),
    ("nginx_certificate is self_signed", {**FILES, "nginx_certificate": "self_signed"}),
    ("nginx_certificate_file is /nowhere.crt, and there is no such file", {**FILES, "nginx_certificate_file": "/nowhere.crt"}),
    ("must be a certificate in PEM format and its own private key", {**FILES, "nginx_certificate_file": "/etc/ssl/store-ca.crt"}),
    ("nginx_certbot_agree_terms=true", {**CERTBOT, "nginx_certbot_agree_terms": False}),
    ("public names with a dot", {**CERTBOT, "nginx_odoo_server_name": "odoo"}),
    ("nginx_certbot_directory_url is http://acme.test/dir", {**CERTBOT, "nginx_certbot_directory_url": "http://acme.test/dir"}),
    ("there is no such file on nginx-debian13", {**CERTBOT, "nginx_certbot_ca_bundle": "/nowhere.crt"}),
    ('taken one of them (0.0.0.0:22 "sshd",pid=', {"nginx_http_port": 22}),
]
GOOD: list[tuple[str, dict[str, t.Any]]] = [
    ("", FILES),
    ("", CERTBOT),
    ("", {"nginx_store_server_name": "", "nginx_store_buckets": []}),
    ("", {"nginx_odoo_csp": "", "nginx_database_manager_allow": ["2001:db8::/32"]}),
]
CASES = TYPES + VALUES + GOOD


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the role said to each case; empty where it had nothing to say."""
    directory = tmp_path_factory.mktemp("cases")
    tasks: list[dict[str, t.Any]] = []
    for number, (_, variables) in enumerate(CASES):
        entry = "main" if number < len(TYPES) else "validate"
        role = {"name": f"Case {number}", "ansible.builtin.include_role": {"name": "odooops.stack.nginx", "tasks_from": entry}, "vars": variables}
        said = {"ansible.builtin.set_fact": {f"said_{number}": "{{ ansible_failed_result.msg }}"}}
        tasks.append({"name": f"Try {number}", "block": [role], "rescue": [said]})
    said_all = "[" + ", ".join(f"said_{number} | default('')" for number in range(len(CASES))) + "]"
    tasks.append({"ansible.builtin.copy": {"content": "{{ " + said_all + " | to_json }}", "dest": str(directory / "said.json"), "mode": "0600"},
                  "delegate_to": "localhost", "vars": {"ansible_connection": "local"}})
    playbook = directory / "bad_input.yml"
    playbook.write_text(json.dumps([{"hosts": "nginx-debian13", "tasks": tasks}]))
    result = subprocess.run(["ansible-playbook", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], str(playbook)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    # The answers' file itself: nothing else was changed.
    assert " changed=1 " in result.stdout
    return t.cast("list[str]", json.loads(pathlib.Path(directory / "said.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_bad_input_is_refused_with_a_sentence(answers: list[str], number: int) -> None:
    sentence, variables = CASES[number]
    if sentence:
        assert sentence in answers[number], variables
    else:
        assert answers[number] == "", variables
