# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import botocore.exceptions as errors
import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _s3

ROOT = {"endpoint_url": "http://store:9000", "region": None, "access_key": "root", "secret_key": "secret", "session_token": None, "ca_bundle": None}
REST = {"validate_certs": True, "connect_timeout": 1.0, "read_timeout": 2.0, "retries": 1}


def connection(**changes):
    return _s3.Connection.of({**ROOT, **REST, **changes})


def client_error(code, message="told"):
    return errors.ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (client_error("InvalidAccessKeyId"), "http://store:9000 does not know the access key root, or it is disabled: check access_key"),
        (client_error("SignatureDoesNotMatch"), "the secret_key is not that of the access key root at http://store:9000"),
        (client_error("RequestTimeTooSkewed"), "the clocks of this host and of http://store:9000 differ"),
        (client_error("AuthorizationHeaderMalformed", "expecting 'eu'"), "is in another region than the default one: give its region (expecting 'eu')"),
        (client_error("AccessDenied"), "the access key root may not create the bucket a at http://store:9000: give it a policy that allows that"),
        (client_error("403"), "the access key root may not create the bucket a"),
        (client_error("BucketAlreadyExists"), "the name is taken by somebody else"),
        (client_error("NoSuchBucket"), "there is no such bucket"),
        (client_error("NotImplemented"), "http://store:9000 cannot create the bucket a: told"),
        (client_error("SlowDown"), "could not create the bucket a at http://store:9000: SlowDown told"),
        (errors.EndpointConnectionError(endpoint_url="http://store:9000"), "http://store:9000 cannot be reached from this host"),
        (errors.ConnectTimeoutError(endpoint_url="http://store:9000"), "cannot be reached from this host"),
        (errors.ReadTimeoutError(endpoint_url="http://store:9000"), "cannot be reached from this host"),
        (errors.SSLError(endpoint_url="http://store:9000", error="self-signed"), "is not trusted"),
        (ValueError("Invalid endpoint: store"), "endpoint_url is http://store:9000: it must be a URL such as"),
    ],
)
def test_errors_are_sentences(error, sentence):
    said = str(_s3.explain(error, connection(), "create the bucket a"))
    assert sentence in said
    assert "\n" not in said and "secret_key=" not in said and "'secret'" not in said


def test_keys_of_the_environment_belong_together(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "environment-token")
    given = connection()
    assert (given.access_key, given.secret_key, given.session_token) == ("root", "secret", None)
    taken = connection(access_key=None, secret_key=None)
    assert (taken.access_key, taken.secret_key, taken.session_token) == ("environment", "environment-secret", "environment-token")


def test_the_bucket_is_in_the_path_where_an_endpoint_is_given():
    client = _s3.make_client(connection(endpoint_url="http://store.example.com"))
    assert client.generate_presigned_url("get_object", Params={"Bucket": "odoo", "Key": "a"}).startswith("http://store.example.com/odoo/a?")
    client = _s3.make_client(connection(endpoint_url="http://store.example.com", addressing_style="virtual"))
    assert client.generate_presigned_url("get_object", Params={"Bucket": "odoo", "Key": "a"}).startswith("http://odoo.store.example.com/a?")


def test_the_ca_is_handed_over(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert _s3.make_client(connection(ca_bundle=str(bundle)))._endpoint.http_session._verify == str(bundle)
    assert _s3.make_client(connection(validate_certs=False))._endpoint.http_session._verify is False
    assert _s3.make_client(connection())._endpoint.http_session._verify is True


def test_a_wrong_endpoint_is_told():
    with pytest.raises(_s3.Fault, match="endpoint_url is store: it must be a URL"):
        _s3.S3(connection(endpoint_url="store"))


def test_nothing_listens():
    with pytest.raises(_s3.Fault, match=r"http://127.0.0.1:1 cannot be reached from this host"):
        _s3.S3(connection(endpoint_url="http://127.0.0.1:1")).call("list_buckets", "list the buckets")
