from __future__ import annotations

import json
import os
import pathlib
import subprocess


def test_the_roles_were_those_of_the_tarball():
    path = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "collections"
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(path), "PYTHONPATH": ""}
    for role in ("postgresql", "minio"):
        command = ["ansible-doc", "--type", "role", "--json", f"odooops.stack.{role}"]
        found = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
        assert found[f"odooops.stack.{role}"]["path"].startswith(str(path))


def test_database_is_there(host):
    assert (
        host.check_output("runuser -u postgres -- psql -XAtc \"select pg_get_userbyid(datdba) from pg_database where datname = 'documents'\"")
        == "documents_owner"
    )


def test_store_is_ready(host):
    answer = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9000/minio/health/ready').status)"
    assert host.check_output(f'python3 -c "{answer}"') == "200"
