# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _s3
from ansible_collections.odooops.stack.plugins.module_utils._bucket import ASPECTS
from ansible_collections.odooops.stack.plugins.modules import (
    minio_access_key_info,
    minio_group_info,
    minio_policy_info,
    minio_user_info,
    s3_bucket,
    s3_bucket_info,
)
from botocore.exceptions import ClientError, EndpointConnectionError

RULE = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}
POLICY = {"Version": "2012-10-17", "Statement": [RULE]}


@pytest.fixture
def minio(minio):
    minio.policies.update(b={"Version": "2012-10-17", "Statement": {**RULE, "Action": "s3:GetObject", "Resource": "*"}}, a=POLICY)
    minio.users.update(
        ben={"secret": "secret-of-ben", "status": "disabled", "policies": []}, anna={"secret": "secret-of-anna", "status": "enabled", "policies": ["a", "b"]}
    )
    for key, policy in (("SECOND", None), ("FIRST", POLICY)):
        minio.keys[key] = {"user": "anna", "secret": "secret-of-key", "status": "on", "description": "", "expiration": None, "policy": policy}
    return minio


ANNA, BEN = {"name": "anna", "enabled": True, "policies": ["a", "b"]}, {"name": "ben", "enabled": False, "policies": []}
FIRST = {"key": "FIRST", "user": "anna", "enabled": True, "description": "", "expiration": "never", "policy": POLICY}
SECOND = {**FIRST, "key": "SECOND", "policy": {}}
GROUP = {"name": "people", "enabled": True, "members": ["anna"], "policies": ["a"]}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((minio_policy_info, {}), ("policies", [{"name": "a", "policy": POLICY}, {"name": "b", "policy": POLICY}])),
        ((minio_policy_info, {"name": "b"}), ("policies", [{"name": "b", "policy": POLICY}])),
        ((minio_policy_info, {"name": "c"}), ("policies", [])),
        ((minio_user_info, {}), ("users", [ANNA, BEN])),
        ((minio_user_info, {"name": "ben"}), ("users", [BEN])),
        ((minio_user_info, {"name": "carl"}), ("users", [])),
        ((minio_group_info, {}), ("groups", [GROUP])),
        ((minio_group_info, {"name": "people"}), ("groups", [GROUP])),
        ((minio_group_info, {"name": "others"}), ("groups", [])),
        ((minio_access_key_info, {"user": "anna"}), ("access_keys", [FIRST, SECOND])),
        ((minio_access_key_info, {"key": "SECOND"}), ("access_keys", [SECOND])),
        ((minio_access_key_info, {"user": "ben"}), ("access_keys", [])),
        ((minio_access_key_info, {"key": "THIRD"}), ("access_keys", [])),
    ],
)
def test_what_is_there(run, minio, asked, found):
    (module, options), (kind, things) = asked, found
    for check in (False, True):
        result = run(module, check=check, **options)
        assert result["changed"] is False and result[kind] == things
        assert minio.writes == [] and "secret-of" not in str(result)


class FakeS3:
    """A server with one bucket; ``refused`` says by which code an operation is refused."""

    def __init__(self, **refused):
        self.refused = refused
        self.calls = []

    def __getattr__(self, operation):
        def call(**arguments):
            self.calls.append(operation)
            error = self.refused.get(operation)
            if arguments.get("Bucket", "odoo") != "odoo":
                error = "NoSuchBucket"
            if error:
                raise error if isinstance(error, Exception) else ClientError({"Error": {"Code": error, "Message": "told"}}, operation)
            return {"list_buckets": {"Buckets": [{"Name": "odoo"}]}, "get_bucket_versioning": {"Status": "Enabled"}}.get(operation, {})

        return call


@pytest.fixture
def serve(monkeypatch):
    def serve(**refused):
        server = FakeS3(**refused)
        monkeypatch.setattr(_s3, "make_client", lambda _connection: server)
        return server

    return serve


def test_every_aspect_can_be_asked_for():
    assert {*s3_bucket_info.CHOICES} == {*ASPECTS, "quota"}
    assert {*s3_bucket_info.CHOICES} <= {*s3_bucket.ARGUMENTS}


def test_only_what_is_asked_for(run, serve):
    server = serve()
    assert run(s3_bucket_info, name="odoo", aspects=["versioning"])["buckets"] == [{"name": "odoo", "versioning": "enabled"}]
    assert server.calls == ["head_bucket", "get_bucket_versioning"]
    assert run(s3_bucket_info, aspects=[])["buckets"] == [{"name": "odoo"}]
    assert run(s3_bucket_info, name="other")["buckets"] == []


def test_what_cannot_be_had_is_an_error_only_where_it_is_named(run, serve, minio):
    minio.bucket_quota_get = lambda _bucket: '{"quota": 5}'
    server = serve(get_bucket_cors="NotImplemented", get_object_lock_configuration="AccessDenied")
    bucket = run(s3_bucket_info, name="odoo")["buckets"][0]
    assert bucket["quota"] == 5 and bucket["replication"] == [] and bucket["replication_role"] == ""
    assert bucket["unavailable"]["cors"] == "http://store:9000 cannot read the CORS rules of the bucket odoo: told"
    assert "s3:GetBucketObjectLockConfiguration on arn:aws:s3:::odoo" in bucket["unavailable"]["object_lock"]
    assert {*bucket["unavailable"]} == {"cors", "object_lock", "default_retention"} and not {*bucket["unavailable"]} & {*bucket}
    assert len(server.calls) == len({*server.calls}), "an operation was asked for twice"
    assert run(s3_bucket_info, name="odoo", aspects=["tags", "cors"])["msg"] == bucket["unavailable"]["cors"]


def test_a_server_that_is_gone_is_an_error(run, serve):
    serve(get_bucket_cors=EndpointConnectionError(endpoint_url="http://store:9000"))
    assert "cannot be reached from this host" in run(s3_bucket_info, name="odoo")["msg"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"aspects": ["colour"]}, "value of aspects must be one or more of: versioning, object_lock"),
        ({"aspects": {"tags": True}}, "argument 'aspects' is of type dict"),
        ({"state": "present"}, "Unsupported parameters for"),
        ({"endpoint_url": "store"}, "endpoint_url is store: it must be a URL such as"),
    ],
)
def test_wrong_input_is_told(run, asked, sentence):
    assert sentence in run(s3_bucket_info, **asked)["msg"]
