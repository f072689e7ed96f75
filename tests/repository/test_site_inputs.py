"""What playbooks/site.yml accepts and refuses, before it changes anything: its own checks and those of the roles, run with the inventories
that we ship."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
VAULT = {"stack_s3_access_key": "theirs", "stack_s3_secret_key": "given-by-a-vault", "postgresql_login_password": "given-by-a-vault"}
TWO_APPS = {"app": {"hosts": {"app1": None, "app2": {"ansible_host": "10.0.0.15"}}}}

REFUSED = {
    "nobody left": ("split", TWO_APPS, {"stack_drained_hosts": ["app1", "app2"]}, 'stack_drained_hosts is ["app1", "app2"]: it names hosts of the group app'),
    "an unknown host drained": ("split", {}, {"stack_drained_hosts": ["app7"]}, 'stack_drained_hosts is ["app7"]: it names hosts of the group app (app1)'),
    "two databases": ("split", {"db": {"hosts": {"db1": None, "web1": None}}}, {}, "The group db has 2 hosts (db1, web1)"),
    "no database": ("single", {"db": {}}, {}, "one in db (or stack_database_host names a server"),
    "no web": ("single", {"web": {}}, {}, "must have a host in each of the groups app and web"),
    "instance": ("single", {}, {"stack_instance": "Our Shop"}, 'stack_instance is "Our Shop"'),
    "domain": ("single", {}, {"stack_domain": "https://odoo.example.com/"}, 'stack_domain is "https://odoo.example.com/"'),
    "one name for both": ("single", {}, {"stack_store_domain": "odoo.example.com"}, "differ from stack_domain (odoo.example.com)"),
    "no address": ("split", {}, {"stack_address": ""}, "stack_address of db1 is not an IP address"),
    "no way to the secrets": ("single", {}, {"stack_secrets_command": ["cat", "/no/such/file"]}, "cat read ended with 1: cat: read: No such file or directory"),
    "no key of theirs": ("managed", {}, {**VAULT, "stack_s3_secret_key": ""}, "stack_bucket, stack_s3_access_key and stack_s3_secret_key must say"),
}

# What a role refuses: the tags say which roles are asked at all, as those in front may not like this machine.
REFUSED_BY_ROLES = {
    "postgresql": ("single", "postgresql", {"postgresql_port": 80}, "postgresql_port is 80; a port from 1024"),
    "a server of theirs": ("managed", "postgresql", {**VAULT, "postgresql_login_password": ""}, "With postgresql_server false, postgresql_login_host"),
    "minio": ("single", "minio", {"minio_volumes": ["drive"]}, 'minio_volumes has "drive": give absolute paths'),
    "s3_addon": ("single", "odoo", {"s3_addon_outbox_interval": 0}, "s3_addon_outbox_interval is 0: give a number"),
    "odoo": ("single", "postgresql,odoo", {"odoo_workers": "many"}, "argument 'odoo_workers' is of type str"),
    "nginx, whose host is the last one's": ("split", "postgresql,minio,nginx", {"nginx_client_max_body_size": "huge"}, "nginx_client_max_body_size is huge: a"),
}


def prepare(inventory: str, children: dict, directory: pathlib.Path, variables: dict, tags: str = "always") -> subprocess.CompletedProcess[str]:
    """Run the first plays of the site in check mode, with a copy of an inventory whose hosts are all this machine."""
    copy = directory / "inventory"
    shutil.copytree(ROOT / "inventories" / inventory, copy)
    hosts = yaml.safe_load((copy / "hosts.yml").read_text())
    hosts["all"]["children"].update(children)
    (copy / "hosts.yml").write_text(yaml.safe_dump(hosts))
    given = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
    command = ["ansible-playbook", "--check", f"--tags={tags}", f"--inventory={copy}", f"--extra-vars={json.dumps(given)}", "playbooks/site.yml"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("inventory", ["single", "split", "managed"])
def test_the_inventories_are_accepted(inventory, tmp_path):
    run = prepare(inventory, {}, tmp_path, VAULT if inventory == "managed" else {})
    assert run.returncode == 0, run.stdout + run.stderr
    assert not list(tmp_path.rglob("secrets.yml")), "a check has left secrets behind"


def test_a_command_keeps_the_key_of_their_store(tmp_path):
    keeper = tmp_path / "keeper"
    keeper.write_text("""#!/bin/sh\necho '{"stack_s3_access_key": "theirs", "stack_s3_secret_key": "kept-by-a-command", "postgresql_login_password": "x"}'\n""")
    keeper.chmod(0o755)
    run = prepare("managed", {}, tmp_path, {"stack_secrets_command": [str(keeper)], "postgresql_login_password": "given-by-a-vault"})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "kept-by-a-command" not in run.stdout + run.stderr


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_sentence(case, tmp_path):
    inventory, children, variables, sentence = REFUSED[case]
    run = prepare(inventory, children, tmp_path, variables)
    assert run.returncode != 0
    assert sentence in " ".join(run.stdout.replace('\\"', '"').split()), run.stdout
    assert "changed=1" not in run.stdout


@pytest.mark.parametrize("case", REFUSED_BY_ROLES)
def test_refused_by_a_role_before_the_first_has_its_turn(case, tmp_path):
    inventory, tags, variables, sentence = REFUSED_BY_ROLES[case]
    run = prepare(inventory, {}, tmp_path, variables, tags=f"always,{tags}")
    assert run.returncode != 0
    assert sentence in " ".join(run.stdout.replace('\\"', '"').split()), run.stdout
    assert "PLAY [Check the variables of all roles]" in run.stdout
    assert "PLAY [PostgreSQL" not in run.stdout
