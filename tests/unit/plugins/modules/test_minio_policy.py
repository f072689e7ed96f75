# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils import _minio_admin
from ansible_collections.odooops.stack.plugins.modules import minio_policy

POLICY = {"Statement": {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::odoo/*"}}
SERVER_SPELLING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::odoo/*"]}],
}


def test_created_and_then_left_alone(run, minio):
    checked = run(minio_policy, check=True, name="odoo", policy=POLICY)
    assert minio.writes == [] and minio.policies == {}
    done = run(minio_policy, name="odoo", policy=POLICY)
    assert checked["changed"] and checked["diff"] == done["diff"] == {"before": {}, "after": SERVER_SPELLING}
    again = run(minio_policy, name="odoo", policy=POLICY)
    assert not again["changed"] and minio.writes == ["policy_add"] and again["policy"] == SERVER_SPELLING


def test_the_server_s_spelling_is_no_change(run, minio):
    minio.policies["odoo"] = SERVER_SPELLING
    assert not run(minio_policy, name="odoo", policy=POLICY)["changed"]


def test_drift_is_found_and_repaired(run, minio):
    minio.policies["odoo"] = {**SERVER_SPELLING, "Statement": [{**SERVER_SPELLING["Statement"][0], "Action": ["s3:*"]}]}
    checked = run(minio_policy, check=True, name="odoo", policy=POLICY)
    done = run(minio_policy, name="odoo", policy=POLICY)
    assert checked["diff"] == done["diff"] and checked["diff"]["before"]["Statement"][0]["Action"] == ["s3:*"]
    assert not run(minio_policy, name="odoo", policy=POLICY)["changed"]


def test_removed(run, minio):
    minio.policies["odoo"] = SERVER_SPELLING
    assert run(minio_policy, check=True, name="odoo", state="absent")["changed"] and minio.writes == []
    assert run(minio_policy, name="odoo", state="absent")["diff"] == {"before": SERVER_SPELLING, "after": {}}
    assert not run(minio_policy, name="odoo", state="absent")["changed"]


def test_one_that_is_attached_is_not_removed(run, minio):
    minio.policies["odoo"] = SERVER_SPELLING
    minio.users["odoo"] = {"policies": ["odoo"]}
    assert "cannot be removed, as it is in use" in run(minio_policy, name="odoo", state="absent")["msg"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "state is present but all of the following are missing: policy"),
        ({"policy": {}}, "policy: a policy needs a Statement"),
        ({"policy": {"Statement": [{"Effect": "Permit"}]}}, "policy: the Effect of a statement is Allow or Deny"),
        ({"policy": POLICY, "endpoint_url": "store"}, "endpoint_url is store: give the server's URL"),
        ({"policy": POLICY, "name": None}, "missing required arguments: name"),
    ],
)
def test_wrong_input_is_told(run, minio, arguments, sentence):
    result = run(minio_policy, **{"name": "odoo", **arguments})
    assert result["failed"] and sentence in result["msg"] and minio.writes == []


def test_without_the_library(run, monkeypatch):
    monkeypatch.setattr(_minio_admin, "MINIO_ERROR", "Traceback")
    assert "Failed to import the required Python library (minio)" in run(minio_policy, name="odoo", policy=POLICY)["msg"]
