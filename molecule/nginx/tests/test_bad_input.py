# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input stops in validation, with a sentence that names the variable. Validation only reads, so this host does for it."""

from __future__ import annotations

import json
import socket
import subprocess
import typing as t

import pytest
from conftest import play

BASE = {
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "nginx_odoo_server_name": "odoo.nginx.test",
    "nginx_http_port": 18080,
    "nginx_https_port": 18443,
    "nginx_store_server_name": "files.nginx.test",
    "nginx_store_buckets": ["attachments"],
    "nginx_store_upstreams": [{"host": "store.internal"}],
}
# Made for the tests: a certificate with its key, a key of another, and a port that is taken.
FILES = {"nginx_certificate": "files", "nginx_certificate_file": "DIRECTORY/a.crt", "nginx_certificate_key_file": "DIRECTORY/a.key"}
CERTBOT = {"nginx_certificate": "certbot", "nginx_certbot_agree_terms": True}
TLS = {"nginx_store_upstream_tls": True}

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
    ("nginx_http_port (18443) and nginx_https_port (18443) must differ", {"nginx_http_port": 18443}),
    ("nginx_https_port (8072) must differ", {"nginx_https_port": 8072}),
    ("nginx_odoo_upstreams needs at least one server", {"nginx_odoo_upstreams": []}),
    ("nginx_odoo_upstreams are all drained", {"nginx_odoo_upstreams": [{"host": "192.0.2.1", "drained": True}]}),
    ("one bucket in nginx_store_buckets", {"nginx_store_buckets": []}),
    ("set nginx_store_upstream_tls_name", {**TLS, "nginx_store_upstreams": [{"host": "192.0.2.1"}]}),
    ("nginx_store_upstream_tls=true", {"nginx_store_upstream_ca": "/etc/ssl/ca.crt"}),
    ("nginx_client_max_body_size is lots", {"nginx_client_max_body_size": "lots"}),
    ("nginx_attachments_host is http://store.internal", {"nginx_attachments_host": "http://store.internal"}),
    ("one server in nginx_store_upstreams", {"nginx_attachments_host": "store.internal", "nginx_store_upstreams": [], "nginx_store_server_name": ""}),
    ("nginx_attachments_cache_size is lots", {"nginx_attachments_cache_size": "lots"}),
    ("nginx_database_manager_allow holds office", {"nginx_database_manager_allow": ["office"]}),
    ("nginx_odoo_csp_sources and", {"nginx_odoo_csp_sources": {"img-src": ["*; script-src *"]}}),
    ("nginx_odoo_csp holds", {"nginx_odoo_csp": 'default-src "x"'}),
    ("both nginx_certificate_file and nginx_certificate_key_file", {**FILES, "nginx_certificate_key_file": ""}),
    ("nginx_certificate is self_signed", {**FILES, "nginx_certificate": "self_signed"}),
    ("nginx_certificate_file is /nowhere.crt, and there is no such file", {**FILES, "nginx_certificate_file": "/nowhere.crt"}),
    ("must be a certificate in PEM format and its own private key", {**FILES, "nginx_certificate_key_file": "DIRECTORY/b.key"}),
    ("nginx_certbot_agree_terms=true", {**CERTBOT, "nginx_certbot_agree_terms": False}),
    ("public names with a dot", {**CERTBOT, "nginx_odoo_server_name": "odoo"}),
    ("nginx_certbot_directory_url is http://acme.test/dir", {**CERTBOT, "nginx_certbot_directory_url": "http://acme.test/dir"}),
    ("nginx_certbot_ca_bundle is /nowhere.crt, and there is no such file", {**CERTBOT, "nginx_certbot_ca_bundle": "/nowhere.crt"}),
    ("another program has taken one of them (127.0.0.1:", {"nginx_http_port": "TAKEN"}),
    # Two at once are told at once.
    ("nginx_worker_connections is 1:", {"nginx_worker_connections": 1, "nginx_static_cache_size": "0"}),
    ("nginx_static_cache_size is 0:", {"nginx_worker_connections": 1, "nginx_static_cache_size": "0"}),
]
GOOD: list[tuple[str, dict[str, t.Any]]] = [
    ("", FILES),
    ("", CERTBOT),
    ("", {"nginx_store_server_name": "", "nginx_store_buckets": [], "nginx_odoo_csp": "", "nginx_database_manager_allow": ["2001:db8::/32"]}),
]
CASES = TYPES + VALUES + GOOD


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the role said to each case; empty where it had nothing to say."""
    directory = tmp_path_factory.mktemp("cases")
    for name in "ab":
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", f"{name}.key", "-out", f"{name}.crt"],
            cwd=directory,
            check=True,
            capture_output=True,
        )
    with socket.create_server(("127.0.0.1", 0)) as server:
        tasks: list[dict[str, t.Any]] = []
        for number, (_, variables) in enumerate(CASES):
            entry = "main" if number < len(TYPES) else "validate"
            role = {"name": f"Case {number}", "ansible.builtin.include_role": {"name": "odooops.stack.nginx", "tasks_from": entry}, "vars": variables}
            said = {"ansible.builtin.set_fact": {f"said_{number}": "{{ ansible_failed_result.msg }}"}}
            # Were the specification to let one through, nothing should happen to this host.
            tasks.append({"name": f"Try {number}", "block": [role], "rescue": [said], "check_mode": entry == "main"})
        everything = ", ".join(f"said_{number} | default('')" for number in range(len(CASES)))
        tasks.append({"ansible.builtin.copy": {"content": "{{ [" + everything + "] | to_json }}", "dest": "DIRECTORY/said.json", "mode": "0600"}})
        only = {"hosts": "localhost", "connection": "local", "gather_facts": True, "gather_subset": ["min"], "vars": BASE, "tasks": tasks}
        text = json.dumps([only]).replace("DIRECTORY", str(directory)).replace('"TAKEN"', str(server.getsockname()[1]))
        playbook = directory / "bad_input.yml"
        playbook.write_text(text)
        output = play("--inventory", "localhost,", str(playbook))
    # One change: the file of the answers.
    assert " changed=1 " in output
    return t.cast("list[str]", json.loads((directory / "said.json").read_text()))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_bad_input_is_refused_with_a_sentence(answers: list[str], number: int) -> None:
    sentence, variables = CASES[number]
    if sentence:
        assert sentence in answers[number], variables
    else:
        assert answers[number] == "", variables
