# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook of docs/object_store.md, as it stands there, on two real servers."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Server, start_minio

GUIDE = Path(__file__).parents[2] / "docs/object_store.md"


def playbook() -> str:
    """The play of the first example with the tasks of all others."""
    play, *tasks = re.findall(r"^```yaml\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return "\n".join([play.rstrip(), "  tasks:", *tasks])


@pytest.fixture
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    with start_minio(tmp_path_factory.mktemp("here")) as here, start_minio(tmp_path_factory.mktemp("there")) as there:
        yield here, there


@pytest.fixture
def run(sites: tuple[Server, Server], tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the playbook; how much it changed, and its output."""
    here, there = sites
    names = ("odoo_user_secret", "odoo_secret_key", "anna_secret", "replication_secret")
    values = {name: secrets.token_urlsafe(24) for name in names}
    values |= {"store_url": here.endpoint_url, "store_root_user": here.access_key, "store_root_password": here.secret_key}
    values |= {"copy_url": there.endpoint_url, "copy_root_user": there.access_key, "copy_root_password": there.secret_key}
    for name, text in (("values.json", json.dumps(values)), ("playbook.yml", playbook())):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_PYTHON_INTERPRETER": sys.executable}

    def run(*options: str) -> tuple[int, str]:
        command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"@{tmp_path}/values.json", *options, str(tmp_path / "playbook.yml")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not [name for name in names if values[name] in done.stdout + done.stderr]
        changed = re.search(r"changed=(\d+)", done.stdout)
        assert changed
        return int(changed[1]), done.stdout

    return run


def test_the_playbook_of_the_guide(run: Callable[..., tuple[int, str]], sites: tuple[Server, Server]) -> None:
    here, there = sites
    predicted, _output = run("--check", "--diff")
    assert here.client.list_buckets()["Buckets"] == []
    done, _output = run("--diff")
    # Each of its tasks makes something.
    assert predicted == done == playbook().count("odooops.stack.s3_bucket:") + len(re.findall(r"odooops\.stack\.minio_\w+:", playbook()))
    assert run("--diff")[0] == 0
    here.client.put_object(Bucket="production", Key="ab/abcdef", Body=b"an attachment")
    for _attempt in range(300):
        if "Contents" in there.client.list_objects_v2(Bucket="production-copy"):
            break
        time.sleep(0.2)
    assert there.client.get_object(Bucket="production-copy", Key="ab/abcdef")["Body"].read() == b"an attachment"
    here.client.put_bucket_versioning(Bucket="backups", VersioningConfiguration={"Status": "Enabled"})
    here.client.put_bucket_tagging(Bucket="production", Tagging={"TagSet": [{"Key": "instance", "Value": "by hand"}]})
    changed, output = run("--check", "--diff")
    # That one, and in check mode nothing of all the rest.
    assert changed == 1 and re.search(r'^-.*"instance": "by hand"', output, re.MULTILINE), output
