from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.filter.s3_attachment_fault import FilterModule, s3_attachment_fault

FINE = {
    "bucket": "odoo",
    "prefix": "",
    "endpoint_url": "http://127.0.0.1:9000",
    "access_key": "AK",
    "secret_key": "SK",
    "presign_ttl": 300,
    "ca_bundle": "/host/ca.pem",
}


def test_fine():
    assert s3_attachment_fault(FINE) == ""
    assert FilterModule().filters()["s3_attachment_fault"](FINE, "x_") == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bucket": ""}, "bucket is missing, although"),
        ({"presign_ttl": 59}, "presign_ttl (from role_presign_ttl) is '59', but must be a whole number from 60 to 900."),
        ({"endpoint_url": "minio:9000"}, "endpoint_url (from role_endpoint_url) is 'minio:9000', but must be http:// or https://"),
        ({"access_key": ""}, "secret_key is set (from role_secret_key) without access_key"),
        ({"unknown": "x"}, "unknown (from role_unknown) is not a setting"),
        ({"secret_key": "two\nlines"}, "secret_key (from role_secret_key) must be one line"),
        ({"secret_key": " blank"}, "secret_key (from role_secret_key) must be one line without blanks around it."),
    ],
)
def test_fault(changes, says):
    fault = s3_attachment_fault({**FINE, **changes}, "role_")
    assert says in fault
    assert "two" not in fault


def test_further_settings():
    assert s3_attachment_fault(FINE, "role_", {"connect_timeout": 5}) == ""
    assert "connect_timeout (from role_settings) is '0'" in s3_attachment_fault(FINE, "role_", {"connect_timeout": 0})


def test_routes():
    cold = {"code": "cold", "storage_class": "GLACIER_IR", "sse": "", "kms_key_id": ""}
    assert s3_attachment_fault(FINE, "role_", {}, [cold, {"code": "plain"}]) == ""
    assert s3_attachment_fault(FINE, "role_", {}, [cold, cold]) == "role_routes has cold more than once."
    deep = {"code": "deep", "bucket": "deep", "prefix": "", "serve_mode": "x_accel", "presign_ttl": None}
    assert s3_attachment_fault(FINE, "role_", {}, [deep, {**deep, "code": "long", "presign_ttl": 900}]) == ""
    assert "presign_ttl (from s3_attachment:deep) is '901'" in s3_attachment_fault(FINE, "role_", {}, [{**deep, "presign_ttl": 901}])
    # NGINX knows the store by one host only.
    sentence = "serve_mode of s3_attachment:deep is x_accel with another bucket, which needs addressing_style path"
    assert sentence in s3_attachment_fault({**FINE, "endpoint_url": ""}, "role_", {}, [deep])
    assert s3_attachment_fault({**FINE, "endpoint_url": ""}, "role_", {}, [{**deep, "serve_mode": ""}]) == ""
    assert "storage_class (from s3_attachment:cold) is 'GLACIER'" in s3_attachment_fault(FINE, "role_", {}, [{**cold, "storage_class": "GLACIER"}])
