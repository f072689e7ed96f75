# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between a module and a server, each provoked, and told in one sentence."""

from __future__ import annotations

import dataclasses
import importlib
import re
import secrets
import socket
import subprocess
import typing as t
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import botocore.auth
import minio.time
import pytest
from ansible_collections.odooops.stack.plugins.module_utils._s3 import S3, Connection, Fault
from ansible_collections.odooops.stack.plugins.modules import (
    minio_access_key,
    minio_access_key_info,
    minio_access_key_use_info,
    minio_group,
    minio_group_info,
    minio_policy,
    minio_policy_info,
    minio_remote_target,
    minio_remote_target_info,
    minio_user,
    minio_user_info,
    s3_bucket,
    s3_bucket_info,
)
from conftest import CACHE, Server, StartServer, free_port, process

SECRET = "some-secret-of-somebody"
READ = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::any/*"}}
# What each module is asked for, so that it talks to the server.
ASKED: dict[str, dict[str, t.Any]] = {
    "s3_bucket": {"name": "asked-for", "versioning": "enabled"},
    "s3_bucket_info": {"name": "asked-for"},
    "minio_policy": {"name": "asked-for", "policy": READ},
    "minio_policy_info": {},
    "minio_user": {"name": "asked-for", "secret": SECRET},
    "minio_user_info": {"name": "asked-for"},
    "minio_group": {"name": "asked-for"},
    "minio_group_info": {},
    "minio_access_key": {"key": "ASKEDFOR", "user": "asked-for", "secret": SECRET},
    "minio_access_key_info": {"user": "asked-for"},
    "minio_access_key_use_info": {"keys": ["ASKEDFOR"], "seconds": 1},
    "minio_remote_target": {
        "bucket": "asked-for",
        "target_endpoint_url": "http://127.0.0.1:1",
        "target_bucket": "copy",
        "target_access_key": "copier",
        "target_secret_key": SECRET,
    },
    "minio_remote_target_info": {"bucket": "asked-for"},
}
Told = t.Callable[..., str]


def test_every_module_is_asked() -> None:
    folder = Path(__file__).parents[2] / "plugins/modules"
    assert set(ASKED) == {path.stem for pattern in ("s3_*.py", "minio_*.py") for path in folder.glob(pattern)}


def sentence(result: dict[str, t.Any]) -> str:
    message = result["msg"]
    assert result["failed"] and "Traceback" not in str(result) and "\n" not in message, result
    return message


@pytest.fixture(params=list(ASKED))
def told(request: pytest.FixtureRequest) -> Told:
    """The sentence in which a module fails; the same in check mode."""
    module = importlib.import_module(f"ansible_collections.odooops.stack.plugins.modules.{request.param}")

    def told(server: Server, **connection: t.Any) -> str:
        arguments = {**ASKED[request.param], "retries": 1, **connection}
        message, predicted = (sentence(server.run(module, check=check, **arguments)) for check in (False, True))
        assert re.sub("0x[0-9a-f]+", "", message) == re.sub("0x[0-9a-f]+", "", predicted)
        return message

    return told


@pytest.fixture
def plain(start_server: StartServer) -> Server:
    return start_server("minio")


@pytest.fixture
def tls(start_server: StartServer) -> Server:
    return start_server("minio-tls")


def changed(server: Server, **changes: t.Any) -> Server:
    return dataclasses.replace(server, **changes)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "https://127.0.0.1:1", "http://nowhere.invalid"])
def test_nobody_answers(told: Told, plain: Server, endpoint: str) -> None:
    message = told(changed(plain, endpoint_url=endpoint))
    assert message.startswith(f"{endpoint} cannot be reached from this host (") and message.endswith("check endpoint_url, and that the server runs")


def test_a_server_that_says_nothing(told: Told, plain: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        message = told(changed(plain, endpoint_url=endpoint), read_timeout=0.2)
    assert message.startswith(f"{endpoint} cannot be reached from this host (") and "timed out" in message.lower().replace("timeout", "timed out")


def test_an_unknown_key(told: Told, plain: Server) -> None:
    message = told(changed(plain, access_key="nobody"))
    assert message == f"{plain.endpoint_url} does not know the access key nobody, or it is disabled: check access_key"


def test_a_wrong_secret(told: Told, plain: Server) -> None:
    message = told(changed(plain, secret_key="another-secret"))
    assert message == f"the secret_key is not that of the access key {plain.access_key} at {plain.endpoint_url}"


def test_clocks_apart(told: Told, plain: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are really signed, an hour ago."""
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: past.replace(tzinfo=None))
    monkeypatch.setattr(minio.time, "utcnow", lambda: past)
    assert told(plain) == f"the clocks of this host and of {plain.endpoint_url} differ by more than 15 minutes: set them right"


@pytest.mark.parametrize("name", ["minio-tls", "versitygw"])
def test_another_region(start_server: StartServer, name: str) -> None:
    """MinIO looks at it when a bucket is made, and at no other time."""
    server = start_server(name)
    message = sentence(changed(server, region="ap-south-1").run(s3_bucket, name="elsewhere"))
    assert message.startswith(f"{server.endpoint_url} is in another region than ap-south-1: give its region (")


def test_a_ca_that_is_not_known(told: Told, tls: Server) -> None:
    message = told(changed(tls, ca_bundle=None))
    assert message.startswith(f"the certificate of {tls.endpoint_url} is not trusted (") and "name its CA's certificate in ca_bundle" in message


def test_a_name_that_the_certificate_has_not(told: Told, tls: Server) -> None:
    message = told(changed(tls, endpoint_url=tls.endpoint_url.replace("localhost", "127.0.0.1")))
    assert "is not trusted (" in message and message.endswith("and reach it by a name that it has")


def test_a_ca_bundle_that_is_not_there(told: Told, tls: Server) -> None:
    assert told(changed(tls, ca_bundle="/nowhere.pem")) == "ca_bundle is /nowhere.pem: there is no such file on this host, or it may not be read"


def test_a_ca_bundle_that_is_none(told: Told, tls: Server, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    assert told(changed(tls, ca_bundle=str(tmp_path / "ca.pem"))) == f"ca_bundle is {tmp_path}/ca.pem: it has no certificate in PEM form"


def test_tls_where_there_is_none(told: Told, plain: Server) -> None:
    endpoint = plain.endpoint_url.replace("http:", "https:")
    assert told(changed(plain, endpoint_url=endpoint)).startswith(f"{endpoint} does not speak TLS: give an endpoint_url that starts with http://")


def test_no_tls_where_there_is(told: Told, tls: Server) -> None:
    message = told(changed(tls, endpoint_url=tls.endpoint_url.replace("https:", "http:")))
    # The server answers HTTP with a sentence, but hangs up on long requests before boto3 reads it.
    assert "the server speaks TLS: give an endpoint_url that starts with https://" in message or "check endpoint_url" in message


def test_a_server_without_the_admin_api(start_server: StartServer) -> None:
    server = start_server("versitygw")
    for module, asked in ((minio_policy, "could not read the policy asked-for"), (minio_user_info, "could not read the user asked-for")):
        message = sentence(server.run(module, **ASKED[module.__name__.rpartition(".")[2]]))
        assert message.startswith(f"{asked} at {server.endpoint_url}: HTTP 40") and message.endswith("is this a MinIO or Silo server?")
    message = sentence(changed(server, access_key="nobody").run(s3_bucket, **ASKED["s3_bucket"]))
    assert message == f"{server.endpoint_url} does not know the access key nobody, or it is disabled: check access_key"


# Module, arguments, the right that is missing, and what could not be done for want of it. In this order everything is there that is asked for.
DENIED: list[tuple[t.Any, dict[str, t.Any], str, str]] = [
    (s3_bucket_info, {"name": "denied", "aspects": ["tags"]}, "s3:GetBucketTagging", "read the tags of the bucket denied"),
    (s3_bucket, {"name": "denied"}, "s3:GetBucketLocation", "look at the bucket denied"),
    (s3_bucket, {"name": "new", "versioning": "enabled"}, "s3:CreateBucket", "create the bucket new"),
    (s3_bucket, {"name": "denied", "versioning": "enabled"}, "s3:GetBucketVersioning", "read the versioning of the bucket denied"),
    (s3_bucket, {"name": "denied", "versioning": "enabled"}, "s3:PutBucketVersioning", "set the versioning of the bucket denied"),
    (s3_bucket, {"name": "denied", "tags": {"a": "b"}}, "s3:GetBucketTagging", "read the tags of the bucket denied"),
    (s3_bucket, {"name": "denied", "tags": {"a": "b"}}, "s3:PutBucketTagging", "set the tags of the bucket denied"),
    (s3_bucket, {"name": "denied", "policy": {}}, "s3:GetBucketPolicy", "read the bucket policy of the bucket denied"),
    (s3_bucket, {"name": "denied", "encryption": {"algorithm": "AES256"}}, "s3:GetEncryptionConfiguration", "read the default encryption of the bucket denied"),
    (s3_bucket, {"name": "denied", "encryption": {"algorithm": "AES256"}}, "s3:PutEncryptionConfiguration", "set the default encryption of the bucket denied"),
    (s3_bucket, {"name": "denied", "lifecycle": []}, "s3:GetLifecycleConfiguration", "read the lifecycle rules of the bucket denied"),
    (s3_bucket, {"name": "denied", "notifications": []}, "s3:GetBucketNotification", "read the notifications of the bucket denied"),
    (s3_bucket, {"name": "denied", "replication": []}, "s3:GetReplicationConfiguration", "read the replication rules of the bucket denied"),
    (s3_bucket, {"name": "denied", "object_lock": False}, "s3:GetBucketObjectLockConfiguration", "read the object lock of the bucket denied"),
    (s3_bucket, {"name": "denied", "state": "absent"}, "s3:ListBucketVersions", "list the bucket denied"),
    (s3_bucket, {"name": "denied", "state": "absent"}, "s3:DeleteBucket", "remove the bucket denied"),
    (s3_bucket, {"name": "denied", "quota": "1GB"}, "admin:GetBucketQuota", "read the quota of the bucket denied"),
    (s3_bucket, {"name": "denied", "quota": "1GB"}, "admin:SetBucketQuota", "set the quota of the bucket denied"),
    (minio_policy, {"name": "denied", "policy": READ}, "admin:GetPolicy", "read the policy denied"),
    (minio_policy, {"name": "new", "policy": READ}, "admin:CreatePolicy", "write the policy new"),
    (minio_policy, {"name": "denied", "state": "absent"}, "admin:DeletePolicy", "remove the policy denied"),
    (minio_user, {"name": "denied"}, "admin:GetUser", "read the user denied"),
    (minio_user, {"name": "new", "secret": SECRET}, "admin:CreateUser", "write the user new"),
    (minio_user, {"name": "denied", "enabled": False}, "admin:EnableUser", "enable or disable the user denied"),
    (minio_user, {"name": "denied", "policies": ["denied"]}, "admin:AttachUserOrGroupPolicy", "attach the policies denied to the user denied"),
    (minio_user, {"name": "denied", "state": "absent"}, "admin:DeleteUser", "remove the user denied"),
    (minio_group, {"name": "denied"}, "admin:GetGroup", "read the group denied"),
    (minio_group, {"name": "new", "members": ["denied"]}, "admin:AddUserToGroup", "add the members denied to the group new"),
    (minio_group, {"name": "denied", "members": []}, "admin:AddUserToGroup", "remove the members denied from the group denied"),
    (minio_group, {"name": "denied", "enabled": False}, "admin:EnableGroup", "enable or disable the group denied"),
    (minio_group, {"name": "denied", "policies": ["denied"]}, "admin:AttachUserOrGroupPolicy", "attach the policies denied to the group denied"),
    (minio_group, {"name": "asleep"}, "admin:ListGroups", "read the group asleep"),
    (minio_group, {"name": "asleep", "policies": ["denied"]}, "admin:AttachUserOrGroupPolicy", "set the policies of the disabled group asleep to denied"),
    (minio_policy_info, {}, "admin:ListUserPolicies", "list the policies"),
    (minio_user_info, {}, "admin:ListUsers", "list the users"),
    (minio_group_info, {}, "admin:ListGroups", "list the groups"),
    (minio_access_key_info, {"user": "denied"}, "admin:ListServiceAccounts", "list the access keys of the user denied"),
    (minio_access_key_use_info, {"keys": ["DENIED"], "seconds": 1}, "admin:ServerTrace", "read the trace"),
    (minio_access_key, {"key": "DENIED", "user": "denied"}, "admin:ListServiceAccounts", "read the access key DENIED"),
    (minio_access_key, {"key": "NEW", "user": "denied"}, "admin:CreateServiceAccount", "make the access key NEW"),
    (minio_access_key, {"key": "DENIED", "user": "denied", "description": "new"}, "admin:UpdateServiceAccount", "change the access key DENIED"),
    (minio_access_key, {"key": "DENIED", "state": "absent"}, "admin:RemoveServiceAccount", "remove the access key DENIED"),
    (minio_remote_target_info, {"bucket": "denied"}, "admin:GetBucketTarget", "list the remote targets of the bucket denied"),
    (
        minio_remote_target,
        {**ASKED["minio_remote_target"], "bucket": "denied"},
        "admin:SetBucketTarget",
        "set the remote target copy at http://127.0.0.1:1 of the bucket denied",
    ),
]


# Where another right is enough for MinIO as well.
EITHER = {
    "s3:ListBucketVersions": ["s3:ListBucket"],
    "s3:GetBucketLocation": ["s3:ListBucket", "s3:HeadBucket"],
    "admin:AttachUserOrGroupPolicy": ["admin:UpdatePolicyAssociation"],
    "admin:ListGroups": ["admin:ListUsers", "admin:ListUserPolicies"],
}


@pytest.fixture(scope="module")
def deputy(start_server: StartServer) -> Server:
    """A server with one of each, as an administrator sees it who may do all but what a test takes."""
    server = start_server("minio")
    for module, arguments in (
        (s3_bucket, {"name": "denied"}),
        (minio_policy, {"name": "denied", "policy": READ}),
        (minio_user, {"name": "denied", "secret": SECRET}),
        (minio_group, {"name": "denied", "members": ["denied"]}),
        (minio_group, {"name": "asleep", "enabled": False}),
        (minio_access_key, {"key": "DENIED", "user": "denied", "secret": SECRET}),
        (minio_policy, {"name": "all-but-one", "policy": READ}),
        (minio_user, {"name": "deputy", "secret": SECRET, "policies": ["all-but-one"]}),
    ):
        assert server.run(module, **arguments).get("changed")
    return changed(server, access_key="deputy", secret_key=SECRET)


@pytest.mark.parametrize("case", DENIED, ids=lambda case: f"{case[2]} {case[3]}")
def test_who_may_not_is_told_what_it_needs(deputy: Server, start_server: StartServer, case: tuple[t.Any, dict[str, t.Any], str, str]) -> None:
    module, arguments, right, doing = case
    rules: list[dict[str, t.Any]] = [{"Effect": "Allow", "Action": "admin:*"}, {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}]
    where = {"Resource": "arn:aws:s3:::*"} if right.startswith("s3:") else {}
    rules.append({"Effect": "Deny", "Action": [right, *EITHER.get(right, [])], **where})
    assert start_server("minio").run(minio_policy, name="all-but-one", policy={"Version": "2012-10-17", "Statement": rules}).get("changed") is not None
    needed = right
    if where:
        name = arguments.get("name")
        needed += f" on arn:aws:s3:::{name}; if the bucket is somebody else's, take another name" if name else " on arn:aws:s3:::*"
    assert sentence(deputy.run(module, **arguments)) == f"the access key deputy may not {doing} at {deputy.endpoint_url}: give it a policy that allows {needed}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A server on which buckets have owners, as two of its users see it."""
    directory = tmp_path_factory.mktemp("shared")
    server = Server("versitygw", f"http://127.0.0.1:{free_port()}")
    for name in ("data", "users"):
        (directory / name).mkdir()
    program = str(CACHE / "versitygw/versitygw")
    command = [program, "--port", server.endpoint_url.split("//")[1], "--iam-dir", str(directory / "users"), "posix", str(directory / "data")]
    root = ["--access", server.access_key, "--secret", server.secret_key, "--endpoint-url", server.endpoint_url]
    keys = {"ROOT_ACCESS_KEY_ID": server.access_key, "ROOT_SECRET_ACCESS_KEY": server.secret_key}
    with process(server, command, directory / "log", keys):
        users = [changed(server, access_key=name, secret_key=secrets.token_urlsafe(24)) for name in ("owner", "stranger")]
        for user in users:
            subprocess.run([program, "admin", *root, "create-user", "-a", user.access_key, "-s", user.secret_key, "-r", "userplus"], check=True)
        yield users[0], users[1]


@pytest.mark.parametrize("wish", [{}, {"tags": {"a": "b"}}, {"state": "absent"}], ids=str)
def test_a_bucket_of_somebody_else(shared: tuple[Server, Server], wish: dict[str, t.Any]) -> None:
    owner, stranger = shared
    assert "failed" not in owner.run(s3_bucket, name="owned")
    message = sentence(stranger.run(s3_bucket, name="owned", **wish))
    assert message.startswith("the access key stranger may not ") and message.endswith("if the bucket is somebody else's, take another name")


def test_a_name_that_somebody_else_took_meanwhile(shared: tuple[Server, Server]) -> None:
    owner, stranger = shared
    assert "failed" not in owner.run(s3_bucket, name="owned")
    connection = Connection(**stranger.connection, session_token=None, validate_certs=True, connect_timeout=5, read_timeout=5, retries=1)
    with pytest.raises(Fault, match=r"could not create the bucket owned: the name is taken by somebody else at http://127.0.0.1:\d+: take another"):
        S3(connection).call("create_bucket", "create the bucket owned", Bucket="owned")
