from __future__ import annotations

import base64

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._minio_trace import Request, request_of, watch

WHEN = "2026-11-25T18:30:00Z"
SIGNED = "AWS4-HMAC-SHA256 Credential=SHOP/20261125/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=abc"


def refused(code, message="no"):
    body = base64.b64encode(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()).decode()
    told = entry(SIGNED)
    told["http"]["response"] = {"statuscode": 403, "body": body}
    return told


def entry(authorization=None, rawquery=""):
    headers = {"Authorization": [authorization]} if authorization else {}
    return {"funcname": "s3.GetObject", "time": WHEN, "http": {"request": {"headers": headers, "rawquery": rawquery, "client": "192.0.2.1"}}}


@pytest.mark.parametrize(
    ("told", "signed"),
    [
        (entry(SIGNED), ("SHOP", "header")),
        (entry("AWS SHOP:abc="), ("SHOP", "header")),
        (entry(rawquery="X-Amz-Credential=SHOP%2F20261125%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=abc"), ("SHOP", "link")),
        (entry(rawquery="AWSAccessKeyId=SHOP&Signature=abc%3D&Expires=1"), ("SHOP", "link")),
        (entry(), None),
        (entry("Bearer abc", "prefix=SHOP"), None),
        ({"funcname": "s3.GetObject"}, None),
        ({"http": None}, None),
        (refused("AccessDenied", "Access Denied."), ("SHOP", "header")),
        (refused("AccessDenied", "Request has expired"), None),
        (refused("SignatureDoesNotMatch"), None),
    ],
)
def test_who_has_signed(told, signed):
    assert request_of(told) == (Request(*signed, "GetObject", WHEN, "192.0.2.1") if signed else None)


class Clock:
    """A second passes with each entry."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def tell(self, text):
        yield None
        for letter in text:
            self.now += 1
            yield entry(SIGNED) if letter == "x" else entry("AWS OTHER:abc=") if letter == "o" else None


@pytest.mark.parametrize(
    ("text", "quiet", "requests", "silence", "at"),
    [
        (".....................", 0, 0, 10, 10),
        ("..x.x....o...........", 0, 2, 5, 10),
        ("..x.x....o...........", 4, 2, 4, 9),
        ("oooo.................", 3, 0, 3, 3),
        ("xxxxxxxxxxxxxxxxxxxxx", 3, 10, 0, 10),
    ],
)
def test_until_when_is_watched(text, quiet, requests, silence, at):
    clock = Clock()
    seen, found = watch(clock.tell(text), ["SHOP", "NEVER"], 10, quiet, clock)
    assert (seen["SHOP"]["requests"], found, clock.now) == (requests, silence, at)
    assert seen["SHOP"]["last_used"] == (WHEN if requests else "") and seen["NEVER"]["requests"] == 0
    assert list(seen) == ["SHOP", "NEVER"]
