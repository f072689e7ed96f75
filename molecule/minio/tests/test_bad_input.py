"""Every input that the role must refuse, and a part of the sentence that it must give."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

GOOD = {
    "minio_archive_url": "/silo.tar.gz",
    "minio_archive_checksum": "a" * 64,
    "minio_root_user": "root-of-the-store",
    "minio_root_password": "a-password-for-nothing",
}
CASES: list[tuple[dict[str, t.Any], str]] = [
    ({"minio_install_method": "download"}, "value of minio_install_method must be one of: archive, file, source, got: download"),
    ({"minio_open_files": "many"}, "argument 'minio_open_files' is of type str and we were unable to convert to int"),
    ({"minio_buckets": [{"name": "odoo", "versions": True}]}, "minio_buckets.versions"),
    ({"minio_install_method": "file"}, "minio_file is empty"),
    ({"minio_install_method": "source"}, "only minio can be built from source"),
    ({"minio_distribution": "minio", "minio_archive_url": ""}, "MinIO publishes no binary any more"),
    ({"minio_archive_checksum": ""}, "give the sha256 of minio_archive_url"),
    ({"minio_archive_checksum": "latest"}, 'minio_archive_checksum is "latest"'),
    ({"minio_volumes": []}, "name one drive at least"),
    ({"minio_volumes": ["srv/disk"]}, 'minio_volumes has "srv/disk"'),
    ({"minio_volumes": ["/srv/disk{1...4}", "/srv/disk5"]}, "a single path with one range"),
    ({"minio_volumes": ["http://other/disk"]}, "directories of this host"),
    ({"minio_volumes": ["/srv/disk", "/srv/disk"]}, "and each once"),
    ({"minio_address": "9000"}, 'minio_address is "9000"'),
    ({"minio_address": "127.0.0.1:90000"}, 'minio_address is "127.0.0.1:90000"'),
    ({"minio_console_address": ":9000"}, "choose another port than that of minio_address"),
    ({"minio_tls_certificate": "/etc/ssl/store.crt"}, "minio_tls_certificate is set and minio_tls_key is not"),
    ({"minio_tls_key": "/etc/ssl/store.key"}, "minio_tls_key is set and minio_tls_certificate is not"),
    ({"minio_tls_ca": "/etc/ssl/ca.crt"}, "it is only of use with TLS"),
    ({"minio_endpoint_url": "https://127.0.0.1:9000"}, "it must begin with http://"),
    ({"minio_root_user": "me"}, "the name has at least 3 characters"),
    ({"minio_root_password": "short"}, "the password has at least 8 characters"),
    ({"minio_environment": {"MINIO_ROOT_PASSWORD": "a-password-for-nothing"}}, 'minio_environment has "MINIO_ROOT_PASSWORD"'),
    ({"minio_environment": {"A B": "c"}}, 'minio_environment has "A B"'),
    ({"minio_buckets": [{"name": "odoo"}, {"name": "odoo"}]}, "minio_buckets names one of odoo, odoo twice"),
    ({"minio_policies": [{"name": "odoo"}]}, "policy of minio_policies is missing for odoo"),
    ({"minio_access_keys": [{"key": "ODOO", "secret": "a-secret-for-nothing"}]}, "user of minio_access_keys is missing for ODOO"),
    ({"minio_access_keys": [{"key": "ODOO", "user": "odoo"}]}, "secret of minio_access_keys is missing for ODOO"),
    ({"minio_users": [{"name": "a-name-that-is-far-too-long"}]}, "name in minio_users has not 3 to 20 characters for a-name-that-is-far-too-long"),
    ({"minio_users": [{"name": "odoo", "secret": "short"}]}, "secret in minio_users has not 8 to 40 characters for odoo"),
    ({"minio_access_keys": [{"key": "NO", "user": "odoo", "secret": "a" * 40}]}, "key in minio_access_keys has not 3 to 20 characters for NO"),
    ({"minio_access_keys": [{"key": "ODOO", "user": "odoo", "secret": "a" * 41}]}, "secret in minio_access_keys has not 8 to 40 characters for ODOO"),
    ({"minio_archive_url": "", "minio_archive_checksum": "", "architecture": "riscv64"}, "there is no pinned release for the architecture riscv64"),
]


def test_bad_input_is_refused_in_one_sentence(tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([case(number, changes) for number, (changes, _sentence) in enumerate(CASES)]))
    # A check, lest a case that is not refused does something to this host.
    plain = {**os.environ, "ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    command = ["ansible-playbook", "--check", "--inventory=localhost,", str(playbook)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=plain)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    messages = [json.loads(text) for text in re.findall(r'"msg": ("case .*")$', result.stdout, re.MULTILINE)]
    said = {int(number): refused for number, refused in (message.removeprefix("case ").split(" was refused by ", 1) for message in messages)}
    for number, (changes, sentence) in enumerate(CASES):
        refused = said.get(number, "nothing")
        assert refused.startswith(("Check the variables: ", "Validating arguments")), (changes, refused)
        assert sentence in refused, (changes, refused)
    assert "changed=0 " in result.stdout


def case(number: int, changes: dict[str, t.Any]) -> dict[str, t.Any]:
    """A play that gives the role one bad input, and says which task refused it and how."""
    block = [{"ansible.builtin.include_role": {"name": "odooops.stack.minio"}}]
    if "architecture" in changes:
        block.insert(0, {"ansible.builtin.set_fact": {"ansible_architecture": changes["architecture"], "cacheable": True}})
    said = f"case {number} was refused by {{{{ ansible_failed_task.name }}}}: {{{{ ansible_failed_result.msg }}}}"
    return {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable, **GOOD, **changes},
        "tasks": [{"block": block, "rescue": [{"ansible.builtin.debug": {"msg": said}}]}],
    }
