"""What playbooks/rotate_keys.yml says of a site that has one host of Odoo, or a store of somebody else's."""

from __future__ import annotations

import pathlib

import pytest
from test_rotation_inputs import SECRETS, run

AWS = {"test_no_store": True, "rotate": "s3", "rotate_s3_provider": "aws"}

REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "log-ins in files": ({"rotate": "master,sessions"}, "Odoo has one host, which keeps log-ins in files: there is no database of log-ins. Leave sessions out"),
    "root of their store": ({"test_no_store": True, "rotate": "minio,master"}, "The group s3 has no host: the object store is somebody else's"),
    "nobody to ask at their database": (
        {"test_no_server": True, "stack_database_host": "db.example.com", "postgresql_login_user": "admin", "rotate": "database"},
        "The group db has no host, and these have no value: postgresql_login_host, postgresql_login_password. A rotation",
    ),
    "an unknown provider": ({**AWS, "rotate_s3_provider": "gcp"}, 'rotate_s3_provider is "gcp": it must be minio (the default) or aws'),
    "a store of ours at AWS": ({"rotate_s3_provider": "aws"}, 'rotate_s3_provider is "aws": it must be minio, as the group s3 has a host'),
    "silence": ({"rotate_quiet_seconds": "an hour"}, 'rotate_quiet_seconds is "an hour": it must be a whole number of seconds.'),
    "nobody's key": (AWS, "rotate_s3_provider is aws, which needs rotate_s3_user, the IAM user to whom Odoo's access key belongs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_sentence(case: str, tmp_path: pathlib.Path):
    variables, sentence = REFUSED[case]
    done = run(tmp_path, variables, SECRETS)
    assert done.returncode != 0
    assert sentence in " ".join(done.stdout.replace('\\"', '"').split()), done.stdout
    assert "changed=0" in done.stdout


def test_one_host_is_told_of_its_restart_and_an_access_key_needs_none(tmp_path: pathlib.Path):
    done = run(tmp_path, {**AWS, "rotate": "master,s3", "rotate_s3_user": "shop-odoo"}, SECRETS, "--check")
    assert done.returncode == 0, done.stdout
    told = " ".join(done.stdout.split())
    assert "master, s3 would be rotated; Odoo would be restarted on somewhere, and as no other host answers meanwhile, people see errors" in told, done.stdout
    done = run(tmp_path, {**AWS, "rotate_s3_user": "shop-odoo"}, SECRETS, "--check")
    assert "s3 would be rotated." in done.stdout and "people see errors" not in done.stdout, done.stdout
