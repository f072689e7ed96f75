"""What playbooks/migrate_filestore.yml refuses before it changes anything, and that it finds an Odoo that is not ours."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]

REFUSED = {
    "direction": ({"direction": "up"}, 'direction is "up": it must be bucket (the default) or back'),
    "step": ({"steps": "upload,verfy"}, 'steps is "upload,verfy": with direction=bucket it must be'),
    "step of the other direction": ({"direction": "back", "steps": "upload"}, "must be one or several, with commas between, of download, switch"),
    "cleanup in one go": ({"steps": "upload,cleanup"}, "cleanup removes local files, and is run alone"),
    "database": ({"migrate_database": "o'odoo"}, 'migrate_database is "o\'odoo"'),
    "concurrency": ({"migrate_concurrency": 500}, "migrate_concurrency is 500: it must be a whole number from 1 to 128"),
    "what not to use": ({"migrate_without": "pipeline"}, 'migrate_without is "pipeline": it must be a list of checksum, unsigned'),
    "retention": ({"migrate_retention_days": "two weeks"}, 'migrate_retention_days is "two weeks"'),
    "service": ({"direction": "back", "s3_addon_odoo_service": ""}, "s3_addon_odoo_service is empty"),
    "configuration": ({"s3_addon_odoo_config": "/nowhere/odoo.conf"}, "s3_addon_odoo_config is /nowhere/odoo.conf, which is not there"),
    "interpreter": ({"s3_addon_python": "/nowhere/python"}, "s3_addon_python is /nowhere/python, which is not there"),
    "bucket": ({}, "set s3_addon_bucket and its relatives (docs/migrate.md), and begin with the step prepare"),
    "bucket that is to be prepared later": ({"s3_addon_bucket": "shop", "steps": "upload"}, "and begin with the step prepare"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_sentence(case: str, tmp_path: pathlib.Path):
    variables, sentence = REFUSED[case]
    (tmp_path / "odoo.conf").write_text("[options]\n")
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    odoo = {"s3_addon_odoo_config": str(tmp_path / "odoo.conf"), "s3_addon_python": sys.executable, "migrate_hosts": "all"}
    command = ["ansible-playbook", "--inventory=somewhere,", f"--extra-vars={json.dumps({**here, **odoo, **variables})}", "playbooks/migrate_filestore.yml"]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert sentence in " ".join(run.stdout.replace('\\"', '"').split()), run.stdout
    assert "changed=0" in run.stdout


# What is given, and by what name the role and the module know it then.
KNOWN = {
    "nothing": ({}, {"database": "odoo", "db_ca_file": "", "health_urls": ["http://127.0.0.1:8069/web/health"]}),
    "the playbook's own": (
        {"migrate_database": "shop", "s3_addon_db_ca_file": "/etc/ssl/db.pem", "migrate_odoo_url": "http://127.0.0.1:8070"},
        {"database": "shop", "db_ca_file": "/etc/ssl/db.pem", "health_urls": ["http://127.0.0.1:8070/web/health"]},
    ),
    "the role's": (
        {"s3_addon_database": "shop", "s3_addon_health_urls": ["http://shop.test/web/health"]},
        {"database": "shop", "db_ca_file": "", "health_urls": ["http://shop.test/web/health"]},
    ),
    "a site's": (
        {"stack_database": "shop", "odoo_db_ca_file": "/etc/ssl/db.pem", "odoo_http_port": 8070},
        {"database": "shop", "db_ca_file": "/etc/ssl/db.pem", "health_urls": ["http://127.0.0.1:8070/web/health"]},
    ),
    "a site's whose proxy is elsewhere": (
        {"stack_instance": "shop", "stack_address": "10.0.0.13"},
        {"database": "odoo", "db_ca_file": "", "health_urls": ["http://10.0.0.13:8069/web/health"]},
    ),
}


@pytest.mark.parametrize("case", KNOWN)
def test_what_is_given_reaches_the_role(case: str, tmp_path: pathlib.Path):
    variables, known = KNOWN[case]
    plays = yaml.safe_load((ROOT / "playbooks/migrate_filestore.yml").read_text())
    remember = plays[0]["tasks"][-1]
    tell = {"ansible.builtin.copy": {"content": "{{ __migrate_told | to_json }}", "dest": str(tmp_path / "told.json"), "mode": "0600"}}
    play = {"hosts": "all", "gather_facts": False, "vars_files": [str(ROOT / "playbooks/vars/migrate.yml")], "tasks": [remember, tell]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    # In the inventory, as extra variables would hide a variable that is computed from itself.
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": {"app": {"hosts": {"somewhere": host}}}}}))
    command = ["ansible-playbook", f"--inventory={tmp_path / 'hosts.yml'}", str(tmp_path / "play.yml")]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads((tmp_path / "told.json").read_text()) == known


def test_every_step_verifies_the_server_of_the_database():
    for name in ("migrate_filestore.yml", "tasks/filestore.yml"):
        text = (ROOT / "playbooks" / name).read_text()
        assert text.count("odooops.stack.filestore:") == text.count('login_ca_file: "{{ __migrate_database_ca or omit }}"') == 1, name
