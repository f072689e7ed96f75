# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes that cannot be: refused in a sentence, before any server is asked."""

from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _s3
from ansible_collections.odooops.stack.plugins.modules import s3_bucket


def lifecycle(**rule):
    return {"lifecycle": [{"id": "r", **rule}]}


def replication(*rules):
    return {"replication": [{"destination": "arn:aws:s3:::b", **rule} for rule in rules]}


ORIGIN, GET = {"allowed_origins": ["*"]}, {"allowed_methods": ["GET"]}
WRONG = [
    ({"name": "Odoo"}, "name is Odoo: a bucket's name has 3 to 63 lower-case letters"),
    ({"name": "ab"}, "name is ab: a bucket's name"),
    ({"name": "a" * 64}, "a bucket's name has 3 to 63"),
    ({"name": "a..b"}, "name is a..b: a bucket's name"),
    ({"name": "192.168.1.1"}, "and is no IP address"),
    ({"versioning": "on"}, "value of versioning must be one of: enabled, suspended, got: on"),
    ({"object_lock": True, "versioning": "suspended"}, "object lock needs versioning"),
    ({"object_lock": False, "default_retention": {"mode": "governance", "days": 1}}, "retention needs object lock"),
    ({"default_retention": {"mode": "governance"}}, "default_retention: give days or years, one of them"),
    ({"default_retention": {"mode": "governance", "days": 1, "years": 1}}, "default_retention: give days or years, one of them"),
    ({"default_retention": {"mode": "governance", "days": 0}}, "default_retention: give 1 day or year, or more"),
    ({"default_retention": {"mode": "none", "days": 3}}, "with the mode none there are neither days nor years"),
    ({"default_retention": {"days": 3}}, "missing required arguments: mode found in default_retention"),
    ({"encryption": {"algorithm": "AES256", "kms_key": "k"}}, "kms_key and bucket_key go with aws:kms, and algorithm is AES256"),
    ({"encryption": {"algorithm": "aes"}}, "value of algorithm must be one of: none, AES256, aws:kms, aws:kms:dsse, got: aes"),
    ({"tags": {str(number): "" for number in range(51)}}, "S3 takes 50 of them, and these are 51"),
    ({"tags": {"k" * 129: ""}}, "a key has 1 to 128 characters"),
    ({"tags": {"k": "v" * 257}}, "and a value at most 256"),
    ({"tags": {"AWS:x": "1"}}, "keys that start with aws: are S3's own"),
    ({"quota": "much"}, "quota is much: give a number of bytes, or one with a unit, such as 500GB"),
    ({"quota": "-1"}, "quota is -1: give a number of bytes"),
    (lifecycle(), "lifecycle: r: it does nothing: give one of abort_uploads_days, expiration_date"),
    ({"lifecycle": [{"expiration_days": 1}]}, "missing required arguments: id found in lifecycle"),
    ({"lifecycle": [{"id": "r" * 256, "expiration_days": 1}]}, "an id has at most 255 characters"),
    ({"lifecycle": [{"id": "r", "expiration_days": 1}, {"id": "r", "expiration_days": 2}]}, "lifecycle: two rules have the id r"),
    (lifecycle(expiration_days=1, expiration_date="2030-01-01"), "of expiration_days, expiration_date and expired_delete_markers a rule has one"),
    (lifecycle(expiration_days=0), "lifecycle: r: expiration_days is 0: give 1 or more"),
    (lifecycle(expiration_days="soon"), "argument 'expiration_days' is of type str found in 'lifecycle'"),
    (lifecycle(expiration_date="tomorrow"), "lifecycle: r: tomorrow is no date such as 2027-01-31"),
    (lifecycle(expiration_date="2030-01-01T12:00:00Z"), "is not midnight UTC: S3 takes whole days only"),
    (lifecycle(noncurrent_versions_kept=1, expiration_days=3), "noncurrent_versions_kept needs noncurrent_expiration_days"),
    (lifecycle(abort_uploads_days=1, tags={"a": "b"}), "abort_uploads_days goes with a prefix only"),
    (lifecycle(expiration_days=1, size_greater_than=5, size_less_than=6), "no object is larger than 5 and smaller than 6 bytes"),
    (lifecycle(transitions=[{"storage_class": "COLD"}]), "a transition needs days or date, one of them"),
    (lifecycle(transitions=[{"storage_class": "COLD", "days": 1, "date": "2030-01-01"}]), "a transition needs days or date, one of them"),
    (lifecycle(transitions=[{"days": 1}]), "missing required arguments: storage_class found in lifecycle -> transitions"),
    (lifecycle(noncurrent_transitions=[{"storage_class": "COLD"}]), "missing required arguments: days found in lifecycle -> noncurrent_transitions"),
    (
        {"cors": [{**ORIGIN, "allowed_methods": ["PATCH"]}]},
        "value of allowed_methods must be one or more of: GET, PUT, POST, DELETE, HEAD. Got no match for: PATCH",
    ),
    ({"cors": [{"allowed_origins": [], **GET}]}, "cors: rule 1 needs allowed_origins and allowed_methods"),
    ({"cors": [{**ORIGIN, **GET}, {"allowed_origins": ["https://*.*.example"], **GET}]}, "cors: rule 2: an origin has at most one asterisk"),
    ({"notifications": [{"id": "n", "arn": "queue", "events": ["s3:ObjectCreated:*"]}]}, "the arn queue is that of no queue (sqs), topic (sns) or function"),
    ({"notifications": [{"id": "n", "arn": "arn:aws:sqs:::q", "events": []}]}, "notifications: n: events is empty"),
    ({"logging": {"prefix": "x/"}}, "logging: prefix needs bucket"),
    (replication({"id": "a", "destination": "bucket"}), "destination is bucket: give an ARN, such as arn:aws:s3:::bucket"),
    (replication({"id": "a"}, {"id": "b"}), "replication: a and b have the same priority: give each its own"),
    ({"versioning": "suspended", **replication({"id": "a"})}, "replication needs versioning"),
    ({"policy": {"Statement": []}}, "policy: a policy needs a Statement"),
    ({"policy": {"Statement": {"Effect": "allow"}}}, "policy: the Effect of a statement is Allow or Deny, not 'allow'"),
    ({"purge_tags": "perhaps"}, "argument 'purge_tags' is of type str and we were unable to convert to bool"),
    ({"state": "gone"}, "value of state must be one of: present, absent, got: gone"),
    ({"lifecyle": []}, "Unsupported parameters for"),
]


@pytest.mark.parametrize(("wish", "sentence"), WRONG, ids=[sentence[:50] for _wish, sentence in WRONG])
def test_refused_in_a_sentence(run, monkeypatch, wish, sentence):
    monkeypatch.setattr(_s3, "make_client", lambda _connection: pytest.fail("a server was asked"))
    result = run(s3_bucket, **{"name": "odoo", **wish})
    assert result["failed"] and sentence in result["msg"]
