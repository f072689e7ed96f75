# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _s3
from ansible_collections.odooops.stack.plugins.modules import s3_bucket
from botocore.exceptions import ClientError, EndpointConnectionError

READS = {"head_bucket", "get_bucket_location", "get_bucket_versioning", "list_object_versions", "list_multipart_uploads"}


class FakeS3:
    """What an S3 server answers, at boto3's calls."""

    def __init__(self):
        self.buckets = {}
        self.errors = {}
        self.calls = []

    def __getattr__(self, operation):
        def call(**arguments):
            self.calls.append((operation, arguments))
            error = self.errors.get(operation)
            if error:
                raise error if isinstance(error, Exception) else ClientError({"Error": {"Code": error, "Message": "told"}}, operation)
            return getattr(self, "_" + operation)(**arguments)

        return call

    @property
    def writes(self):
        return [operation for operation, _arguments in self.calls if operation not in READS]

    def bucket(self, call, code="NoSuchBucket"):
        if call["Bucket"] not in self.buckets:
            raise ClientError({"Error": {"Code": code}}, "operation")
        return self.buckets[call["Bucket"]]

    def _head_bucket(self, **call):
        return self.bucket(call, "404")

    def _get_bucket_location(self, **call):
        return self.bucket(call) and {"LocationConstraint": None}

    def _create_bucket(self, **call):
        self.buckets[call.pop("Bucket")] = {"objects": [], "uploads": [], **call}

    def _get_bucket_versioning(self, **call):
        return {"Status": self.bucket(call)["versioning"]} if "versioning" in self.bucket(call) else {}

    def _put_bucket_versioning(self, **call):
        self.bucket(call)["versioning"] = call["VersioningConfiguration"]["Status"]

    def _list_object_versions(self, **call):
        found = self.bucket(call)["objects"][: call["MaxKeys"]]
        return {kind: [{"Key": key, "VersionId": version} for k, key, version in found if k == kind] for kind in ("Versions", "DeleteMarkers")}

    def _delete_objects(self, **call):
        gone = {(item["Key"], item["VersionId"]) for item in call["Delete"]["Objects"]}
        assert len(gone) <= 1000
        self.bucket(call)["objects"] = [item for item in self.bucket(call)["objects"] if item[1:] not in gone]
        return {}

    def _list_multipart_uploads(self, **call):
        return {"Uploads": self.bucket(call)["uploads"]}

    def _abort_multipart_upload(self, **call):
        self.bucket(call)["uploads"] = []

    def _delete_bucket(self, **call):
        assert not self.bucket(call)["objects"] and not self.bucket(call)["uploads"]
        del self.buckets[call["Bucket"]]


@pytest.fixture
def s3(monkeypatch):
    fake = FakeS3()
    monkeypatch.setattr(_s3, "make_client", lambda connection: fake)
    return fake


def test_created_with_what_is_declared_and_then_left_alone(run, s3):
    checked = run(s3_bucket, check=True, name="odoo", versioning="enabled")
    assert s3.writes == [] and s3.buckets == {}
    done = run(s3_bucket, name="odoo", versioning="enabled")
    assert checked["changed"] and checked["diff"] == done["diff"] == {"before": {}, "after": {"name": "odoo", "versioning": "enabled"}}
    assert s3.writes == ["create_bucket", "put_bucket_versioning"] and s3.buckets["odoo"]["versioning"] == "Enabled"
    again = run(s3_bucket, name="odoo", versioning="enabled")
    assert not again["changed"] and len(s3.writes) == 2 and again["bucket"] == {"name": "odoo", "versioning": "enabled"}


def test_what_is_not_declared_is_not_asked_for(run, s3):
    run(s3_bucket, name="odoo")
    s3.buckets["odoo"]["versioning"] = "Enabled"
    s3.errors["get_bucket_versioning"] = "NotImplemented"
    assert not run(s3_bucket, name="odoo")["changed"]
    assert run(s3_bucket, name="odoo", versioning="enabled")["msg"].startswith("http://store:9000 cannot read the versioning of the bucket odoo")


@pytest.mark.parametrize(("present", "wanted", "changed"), [(None, "suspended", False), ("Enabled", "suspended", True), ("Suspended", "enabled", True)])
def test_versioning(run, s3, present, wanted, changed):
    run(s3_bucket, name="odoo")
    if present:
        s3.buckets["odoo"]["versioning"] = present
    checked = run(s3_bucket, check=True, name="odoo", versioning=wanted)
    done = run(s3_bucket, name="odoo", versioning=wanted)
    assert checked["changed"] == done["changed"] == changed and checked["diff"] == done["diff"]
    assert not run(s3_bucket, name="odoo", versioning=wanted)["changed"]


def test_a_new_bucket_without_versioning_needs_one_request(run, s3):
    run(s3_bucket, name="odoo", versioning="suspended")
    assert s3.writes == ["create_bucket"]


def test_the_region_of_a_new_bucket(run, s3):
    run(s3_bucket, name="odoo", region="eu-central-1")
    run(s3_bucket, name="american", region="us-east-1")
    assert s3.buckets["odoo"]["CreateBucketConfiguration"] == {"LocationConstraint": "eu-central-1"}
    assert "CreateBucketConfiguration" not in s3.buckets["american"]


def test_removed(run, s3):
    run(s3_bucket, name="odoo")
    checked = run(s3_bucket, check=True, name="odoo", state="absent")
    assert "odoo" in s3.buckets
    done = run(s3_bucket, name="odoo", state="absent")
    assert checked["diff"] == done["diff"] == {"before": {"name": "odoo"}, "after": {}} and s3.buckets == {}
    assert not run(s3_bucket, name="odoo", state="absent")["changed"]


@pytest.mark.parametrize("kind", ["Versions", "DeleteMarkers"])
def test_a_bucket_that_is_not_empty_needs_force(run, s3, kind):
    run(s3_bucket, name="odoo")
    s3.buckets["odoo"]["objects"] = [(kind, f"key{number}", str(number)) for number in range(2500)]
    s3.buckets["odoo"]["uploads"] = [{"Key": "half", "UploadId": "1"}]
    for check in (True, False):
        refused = run(s3_bucket, check=check, name="odoo", state="absent")
        assert refused["msg"] == "the bucket odoo is not empty: say force to remove it with all that is in it"
    assert run(s3_bucket, check=True, name="odoo", state="absent", force=True)["changed"]
    assert s3.writes == ["create_bucket"]
    assert run(s3_bucket, name="odoo", state="absent", force=True)["changed"]
    assert s3.buckets == {} and s3.writes.count("delete_objects") == 3 and "abort_multipart_upload" in s3.writes


def test_an_object_that_cannot_be_removed_is_told(run, s3, monkeypatch):
    run(s3_bucket, name="odoo")
    s3.buckets["odoo"]["objects"] = [("Versions", "kept", "1")]
    monkeypatch.setattr(s3, "_delete_objects", lambda **_arguments: {"Errors": [{"Key": "kept", "Code": "AccessDenied", "Message": "not you"}]}, raising=False)
    assert run(s3_bucket, name="odoo", state="absent", force=True)["msg"] == "could not empty the bucket odoo: kept: AccessDenied not you"


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ({"get_bucket_versioning": "InvalidAccessKeyId"}, "does not know the access key root"),
        ({"get_bucket_versioning": "SignatureDoesNotMatch"}, "the secret_key is not that of the access key root"),
        ({"get_bucket_versioning": "AccessDenied"}, "the access key root may not read the versioning of the bucket odoo"),
        ({"create_bucket": "AccessDenied"}, "the access key root may not create the bucket odoo"),
        ({"create_bucket": "BucketAlreadyExists"}, "the name is taken by somebody else"),
        ({"put_bucket_versioning": "AccessDenied"}, "may not set the versioning of the bucket odoo"),
    ],
)
def test_errors_are_told(run, s3, errors, sentence):
    s3.errors.update(errors)
    result = run(s3_bucket, name="odoo", versioning="enabled")
    assert result["failed"] and sentence in result["msg"]


def test_why_a_bucket_cannot_be_looked_at_is_asked_again(run, s3):
    # An answer to HEAD has no body.
    s3.errors.update({"head_bucket": "403", "get_bucket_location": "SignatureDoesNotMatch"})
    assert "the secret_key is not that of the access key root" in run(s3_bucket, name="odoo")["msg"]


def test_an_unreachable_server_is_told_once(run, s3):
    error = EndpointConnectionError(endpoint_url="http://store:9000")
    s3.errors.update(head_bucket=error, get_bucket_location=error)
    assert run(s3_bucket, name="odoo")["msg"].startswith("http://store:9000 cannot be reached from this host")


def test_a_bucket_made_meanwhile_is_fine(run, s3):
    s3.errors["create_bucket"] = "BucketAlreadyOwnedByYou"
    assert run(s3_bucket, name="odoo")["changed"]


def test_without_boto3(run, monkeypatch):
    monkeypatch.setattr(_s3, "BOTO3_ERROR", "Traceback")
    assert "Failed to import the required Python library (boto3)" in run(s3_bucket, name="odoo")["msg"]


def test_a_key_needs_its_secret(run):
    assert "access_key, secret_key" in run(s3_bucket, connected=False, name="odoo", access_key="root")["msg"]


def test_the_environment_is_asked(run, s3, monkeypatch):
    seen = []
    monkeypatch.setattr(_s3, "make_client", lambda connection: seen.append(connection) or s3)
    for name, value in (("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "env-secret")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://second:9000")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://first:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    run(s3_bucket, connected=False, name="odoo")
    assert (seen[0].endpoint_url, seen[0].region, seen[0].access_key) == ("http://first:9000", "eu-north-1", "env")
