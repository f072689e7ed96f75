# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a connection's values come from: options, then the environment, then a profile; a key is never made of two."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _minio_admin, _s3
from ansible_collections.odooops.stack.tests.unit.plugins.modules.running import result_of

VALUES = ("endpoint_url", "region", "access_key", "secret_key", "session_token", "ca_bundle")
OPTIONS = {"endpoint_url": "https://option", "region": "option-1", "access_key": "option", "secret_key": "option-secret", "ca_bundle": "/option.pem"}
KEY = {"AWS_ACCESS_KEY_ID": "environment", "AWS_SECRET_ACCESS_KEY": "environment-secret"}
ENVIRONMENT = {
    "AWS_ENDPOINT_URL": "https://environment",
    "AWS_DEFAULT_REGION": "environment-1",
    "AWS_CA_BUNDLE": "/environment.pem",
    "AWS_SESSION_TOKEN": "environment-token",
    **KEY,
}
CONFIG = """
[default]
region = default-1
endpoint_url = https://default
[profile store]
region = store-1
endpoint_url = https://store
ca_bundle = /store.pem
[profile archive]
services = archive
endpoint_url = https://archive
[services archive]
s3 =
  endpoint_url = https://archive-s3
"""
CREDENTIALS = """
[default]
aws_access_key_id = default
aws_secret_access_key = default-secret
[store]
aws_access_key_id = store
aws_secret_access_key = store-secret
aws_session_token = store-token
[half]
aws_access_key_id = half
"""


class FakeModule:
    """A module that says what its connection is."""

    def __init__(self, kind):
        self.kind = kind

    def main(self):
        module = self.kind(argument_spec={})
        # Past the filter that hides secrets.
        print(json.dumps({"hidden": sorted(module.no_log_values), **{name: getattr(module.connection, name) for name in VALUES}}))
        raise SystemExit


@pytest.fixture(params=[_s3.S3Module, _minio_admin.MinioModule], ids=["S3", "MinIO"])
def connect(request, monkeypatch, tmp_path):
    """The connection of a module by options and an environment, with AWS's files beside them."""
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(CREDENTIALS)

    def connect(environment=(), **options):
        for name, value in dict(environment).items():
            monkeypatch.setenv(name, value)
        found = result_of(FakeModule(request.param), options)
        if "failed" in found:
            return found["msg"]
        assert {found["secret_key"], found["session_token"]} - {None} <= {*found["hidden"]}
        return {name: found[name] for name in VALUES if found[name] is not None}

    return connect


def whole(name, *, token=False):
    values = {"endpoint_url": f"https://{name}", "region": f"{name}-1", "access_key": name, "secret_key": f"{name}-secret", "ca_bundle": f"/{name}.pem"}
    return {**values, "session_token": f"{name}-token"} if token else values


def without(values, *names):
    return {name: value for name, value in values.items() if name not in names}


def test_options_come_before_the_environment_and_the_profile(connect):
    assert connect(ENVIRONMENT, profile="store", **OPTIONS) == whole("option")


def test_the_environment_comes_before_its_profile(connect):
    assert connect({**ENVIRONMENT, "AWS_PROFILE": "store"}) == whole("environment", token=True)


def test_the_profile_that_is_an_option_comes_before_keys_of_the_environment(connect):
    assert connect(KEY, profile="store") == whole("store", token=True)
    # But a region, an endpoint and CAs of the environment come before those of a profile.
    assert connect(ENVIRONMENT, profile="store") == {
        **whole("environment"),
        "access_key": "store",
        "secret_key": "store-secret",
        "session_token": "store-token",
    }


def test_the_profile_that_the_environment_names(connect):
    assert connect({"AWS_PROFILE": "store"}) == whole("store", token=True)


def test_the_default_profile(connect):
    assert connect() == without(whole("default"), "ca_bundle")


def test_an_endpoint_for_s3_only(connect):
    assert connect(profile="archive", access_key="a", secret_key="b")["endpoint_url"] == "https://archive-s3"


@pytest.mark.parametrize(
    ("environment", "name", "value"),
    [
        ({"AWS_ENDPOINT_URL_S3": "https://s3", "AWS_ENDPOINT_URL": "https://all"}, "endpoint_url", "https://s3"),
        ({"AWS_ENDPOINT_URL": "https://all"}, "endpoint_url", "https://all"),
        ({"AWS_REGION": "first-1", "AWS_DEFAULT_REGION": "second-1"}, "region", "first-1"),
        ({"AWS_DEFAULT_REGION": "second-1"}, "region", "second-1"),
        ({"AWS_CA_BUNDLE": "/ca.pem"}, "ca_bundle", "/ca.pem"),
    ],
)
def test_variables_of_the_environment(connect, environment, name, value):
    assert connect({**environment, "AWS_PROFILE": "store"})[name] == value


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        (ENVIRONMENT, {"access_key": "option", "secret_key": "option-secret"}),
        ({"AWS_SECRET_ACCESS_KEY": "environment-secret", "AWS_SESSION_TOKEN": "environment-token"}, {"profile": "store"}),
        (KEY, {"profile": "store"}),
        (KEY, {}),
        ({"AWS_SECRET_ACCESS_KEY": "environment-secret"}, {}),
        ({"AWS_SESSION_TOKEN": "environment-token"}, {"access_key": "option", "secret_key": "option-secret"}),
        ({"AWS_PROFILE": "store"}, {"access_key": "option", "secret_key": "option-secret"}),
    ],
)
def test_a_key_is_never_made_of_two(connect, environment, options):
    found = connect(environment, **options)
    key = found["access_key"]
    assert found["secret_key"] == f"{key}-secret"
    assert found.get("session_token") == ("store-token" if key == "store" else None)


@pytest.mark.parametrize(
    ("environment", "options", "sentence"),
    [
        ({}, {"profile": "nobody"}, "profile is nobody: the config and credentials files of the user that the module runs as do not have it"),
        ({"AWS_PROFILE": "nobody"}, {}, "profile is nobody: the config and credentials files"),
        ({}, {"profile": "half"}, "profile is half: it cannot be used: Partial credentials found in shared-credentials-file, missing: aws_secret_access_key"),
        ({}, {"access_key": "a-key"}, "parameters are required together: access_key, secret_key"),
        ({}, {"secret_key": "a-secret"}, "parameters are required together: access_key, secret_key"),
        ({}, {"session_token": "a-token"}, "missing parameter(s) required by 'session_token': access_key"),
    ],
)
def test_what_cannot_be_is_told(connect, environment, options, sentence):
    assert sentence in connect(environment, **options)


def test_a_config_file_that_is_none(connect, tmp_path):
    (tmp_path / "config").write_text("[default\n")
    assert "profile is default: it cannot be used: Unable to parse config file" in connect()


def test_half_a_key_in_the_environment(connect):
    assert connect({"AWS_ACCESS_KEY_ID": "half"}, endpoint_url="https://option").get("secret_key") is None


def test_a_profile_needs_boto3(connect, monkeypatch):
    monkeypatch.setattr(_s3, "BOTO3_ERROR", "Traceback")
    assert "Failed to import the required Python library (boto3)" in connect(profile="store")


def test_no_key_anywhere(connect, tmp_path):
    for name in ("config", "credentials"):
        os.unlink(tmp_path / name)
    assert connect() == {}
    with pytest.raises(_s3.Fault, match="no access key: give access_key and secret_key, or a profile that has them"):
        _s3.S3(_s3.Connection.of({**dict.fromkeys(VALUES), "validate_certs": True, "connect_timeout": 1.0, "read_timeout": 1.0, "retries": 1}))
