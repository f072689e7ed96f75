# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/rotate_keys.yml with an access key of AWS's IAM: moto is the store and IAM, and lets nobody in whose key it does not know.

The secrets are kept by a command. Beside them there is no Odoo, only the engine with the settings of two hosts: the phase ``check`` asks Odoo
itself, and is left out.
moto serves a disabled key, so that one is only seen to be disabled at IAM.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
import requests
import yaml
from ansible_collections.odooops.stack.plugins.modules import iam_access_key_use_info
from ansible_collections.odooops.stack.tests.unit.plugins.modules.running import result_of
from conftest import Server, free_port, process

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("first", "second")
MARK = "stack_s3_access_key_asked_for"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
FILES = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class Cloud:
    """An account of AWS with an administrator, the user ``shop-odoo``, and two hosts that have its key."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server, self.directory = server, directory
        self.secrets_file = directory / "secrets.yml"
        # moto lets everybody in until it is told otherwise.
        unknown = {"AccessKeyId": "test", "SecretAccessKey": "test"}
        self.admin = self._user("admin", EVERYTHING, unknown)
        first = self._user("shop-odoo", FILES, unknown)
        self._client("s3", unknown).create_bucket(Bucket="shop")
        requests.post(f"{server.endpoint_url}/moto-api/reset-auth", data=b"0", timeout=30).raise_for_status()
        self.secrets_file.write_text(f"stack_s3_access_key: {first['AccessKeyId']}\nstack_s3_secret_key: {json.dumps(first['SecretAccessKey'])}\n")
        for name in HOSTS:
            self._host(directory / name, first)
        programs = directory / "programs"
        programs.mkdir()
        # Odoo's user is the one who runs the test.
        (programs / "runuser").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
        # What keeps the secrets, were it a vault somewhere.
        (programs / "keeper").write_text(
            f"#!/bin/sh\nset -e; cd {directory}; case $1 in read) cat secrets.yml ;; write) cat >secrets.new; mv secrets.new secrets.yml ;; esac\n"
        )
        for program in programs.iterdir():
            program.chmod(0o755)

    def _user(self, name: str, policy: dict[str, t.Any], key: dict[str, str]) -> dict[str, str]:
        iam = self._client("iam", key)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
        return iam.create_access_key(UserName=name)["AccessKey"]

    def _host(self, directory: Path, key: dict[str, str]) -> None:
        (directory / "addons").mkdir(parents=True)
        (directory / "addons/s3_attachment").symlink_to(ROOT / "roles/s3_addon/files/s3_attachment")
        (directory / "venv/bin").mkdir(parents=True)
        (directory / "venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (directory / "venv/bin/python").chmod(0o755)
        (directory / "odoo.conf").write_text("[options]\n")
        settings = {"bucket": "shop", "endpoint_url": self.server.endpoint_url, "addressing_style": "path", "presign_ttl": "60"}
        settings |= {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        (directory / "s3_attachment.conf").write_text("[s3_attachment]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))

    def _client(self, service: str, key: dict[str, str]) -> t.Any:
        names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return boto3.session.Session().client(service, endpoint_url=self.server.endpoint_url, region_name="us-east-1", **names)

    @property
    def iam(self) -> t.Any:
        return self._client("iam", self.admin)

    @property
    def keys(self) -> dict[str, str]:
        """Those of Odoo's user, each with its status."""
        return {key["AccessKeyId"]: key["Status"] for key in self.iam.list_access_keys(UserName="shop-odoo")["AccessKeyMetadata"]}

    @property
    def secrets(self) -> dict[str, str]:
        return yaml.safe_load(self.secrets_file.read_text())

    def keep(self, **changes: str | None) -> None:
        kept = {**self.secrets, **changes}
        self.secrets_file.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in kept.items() if value is not None))

    def serves(self, access_key: str, secret_key: str) -> bool:
        try:
            self._client("s3", {"AccessKeyId": access_key, "SecretAccessKey": secret_key}).list_objects_v2(Bucket="shop")
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidAccessKeyId"
            return False
        return True

    def rotate(self, *options: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        hosts = {name: {"stack_address": "127.0.0.1", "odoo_home": str(self.directory / name)} for name in HOSTS}
        for name, host in hosts.items():
            host["odoo_config_file"] = str(self.directory / name / "odoo.conf")
        groups = {"app": {"hosts": hosts}, "web": {"hosts": {name: {} for name in HOSTS}}}
        (self.directory / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}))
        given = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "stack_instance": "shop",
            "stack_secrets_command": ["keeper"],
            "stack_s3_endpoint_url": self.server.endpoint_url,
            "odoo_user": "root",
            "rotate": "s3",
            "rotate_s3_provider": "aws",
            "rotate_s3_user": "shop-odoo",
            "rotate_s3_iam": {"endpoint_url": self.server.endpoint_url},
            **variables,
        }
        command = ["ansible-playbook", "-vv", "--diff", f"--inventory={self.directory / 'hosts.yml'}", f"--extra-vars={json.dumps(given)}", *options]
        environment = {
            **os.environ,
            "PATH": f"{self.directory / 'programs'}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": self.admin["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.admin["SecretAccessKey"],
            "ANSIBLE_NOCOLOR": "1",
        }
        # Files are given to root.
        root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        done = subprocess.run([*root, *command, "playbooks/rotate_keys.yml"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        hidden = [self.admin["SecretAccessKey"], *(value for name, value in self.secrets.items() if "secret" in name)]
        assert [value for value in hidden if value in said] == []
        return done


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("aws")
    server = Server("moto", f"http://127.0.0.1:{free_port()}")
    port = server.endpoint_url.rsplit(":", 1)[1]
    with process(server, ["moto_server", "--host", "127.0.0.1", "--port", port], directory / "log", {}):
        yield Cloud(server, directory)


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stdout.replace('\\"', '"').split())


def test_when_a_key_was_used(cloud: Cloud) -> None:
    cloud.keys  # noqa: B018  # the administrator uses theirs
    never = cloud.iam.create_access_key(UserName="admin")["AccessKey"]["AccessKeyId"]
    asking = {"endpoint_url": cloud.server.endpoint_url, "region": "us-east-1"}
    asking |= {"access_key": cloud.admin["AccessKeyId"], "secret_key": cloud.admin["SecretAccessKey"]}
    used, unused = result_of(iam_access_key_use_info, {**asking, "keys": [cloud.admin["AccessKeyId"], never]})["access_keys"]
    assert used["user"] == "admin" and used["service"] == "iam" and used["last_used"].endswith("Z")
    assert unused == {"key": never, "user": "admin", "last_used": "", "service": "N/A"}
    wrong = result_of(iam_access_key_use_info, {**asking, "keys": ["AKIANOBODYS"]})
    assert wrong["failed"] and wrong["msg"].startswith("IAM does not tell when AKIANOBODYS was last used: ")
    assert cloud.admin["SecretAccessKey"] not in json.dumps(wrong)


def test_a_key_beside_odoos_is_nobodys_to_delete(cloud: Cloud) -> None:
    before, kept = cloud.keys, cloud.secrets
    other = cloud.iam.create_access_key(UserName="shop-odoo")["AccessKey"]["AccessKeyId"]
    done = cloud.rotate("--tags", "create")
    assert done.returncode != 0
    assert f"The IAM user shop-odoo has the access key {other} beside Odoo's, and AWS allows two" in sentence(done), done.stdout
    assert cloud.secrets == kept
    cloud.iam.delete_access_key(UserName="shop-odoo", AccessKeyId=other)
    assert cloud.keys == before


def test_the_user_must_have_odoos_key(cloud: Cloud) -> None:
    kept = cloud.secrets
    done = cloud.rotate("--tags", "create", rotate_s3_user="admin")
    assert f"The IAM user admin has no access key {kept['stack_s3_access_key']}: rotate_s3_user must name" in sentence(done), done.stdout
    assert cloud.secrets == kept


def test_rotated(cloud: Cloud) -> None:
    former = cloud.secrets
    # As a run leaves it that is killed when AWS has made the key, and nobody has written down its secret.
    cloud.keep(**{MARK: "yes"})
    lost = cloud.iam.create_access_key(UserName="shop-odoo")["AccessKey"]["AccessKeyId"]
    done = cloud.rotate("--tags", "create,prove,rollout,switch", rotate_max_age_days=30000)
    assert done.returncode == 0, done.stdout
    now = cloud.secrets
    assert MARK not in now and lost not in cloud.keys
    assert now["stack_s3_access_key_former"] == former["stack_s3_access_key"] != now["stack_s3_access_key"]
    assert cloud.keys == {former["stack_s3_access_key"]: "Active", now["stack_s3_access_key"]: "Active"}
    for name in HOSTS:
        assert f"access_key = {now['stack_s3_access_key']}\n" in (cloud.directory / name / "s3_attachment.conf").read_text()

    # A link lasts a minute, and some seconds more are given.
    cloud.keep(stack_s3_rotated="2026-01-01T00:00:00Z")
    early = cloud.rotate("--tags", "delete")
    assert "is enabled yet: run the phases disable and check before delete" in sentence(early), early.stdout
    # Somebody besides Odoo has the former key.
    assert cloud.serves(former["stack_s3_access_key"], former["stack_s3_secret_key"])
    early = cloud.rotate("--tags", "disable", rotate_quiet_seconds=3600)
    assert f"Somebody uses the access key {former['stack_s3_access_key']} beside Odoo, for s3 last at 20" in sentence(early), early.stdout
    # They stop.
    done = cloud.rotate("--tags", "grace,disable", rotate_quiet_seconds=5)
    assert done.returncode == 0, done.stdout
    assert cloud.keys == {former["stack_s3_access_key"]: "Inactive", now["stack_s3_access_key"]: "Active"}


def test_back(cloud: Cloud) -> None:
    before = cloud.secrets
    done = cloud.rotate("--tags", "create,prove,rollout,switch", direction="back")
    assert done.returncode == 0, done.stdout
    now = cloud.secrets
    assert now["stack_s3_access_key"] == before["stack_s3_access_key_former"]
    assert now["stack_s3_access_key_former"] == before["stack_s3_access_key"]
    assert set(cloud.keys.values()) == {"Active"}
    cloud.keep(stack_s3_rotated="2026-01-01T00:00:00Z")
    done = cloud.rotate("--tags", "disable,delete", direction="back")
    assert done.returncode == 0, done.stdout
    after = cloud.secrets
    assert cloud.keys == {after["stack_s3_access_key"]: "Active"} == {now["stack_s3_access_key"]: "Active"}
    assert [name for name in after if name.endswith(("_next", "_former", "_back", MARK))] == []
    assert cloud.serves(after["stack_s3_access_key"], after["stack_s3_secret_key"])
    assert not cloud.serves(before["stack_s3_access_key"], before["stack_s3_secret_key"])
