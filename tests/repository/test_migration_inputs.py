"""What playbooks/migrate_filestore.yml refuses before it changes anything, and that it finds an Odoo that is not ours."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

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
