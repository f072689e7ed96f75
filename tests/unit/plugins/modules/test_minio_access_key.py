# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odooops.stack.plugins.modules import minio_access_key

SECRET = "the-secret-of-the-key"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::odoo/*"}]}
CANONICAL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::odoo/*"]}]}
SOON = (datetime.now(timezone.utc) + timedelta(days=30)).strftime("%Y-%m-%dT00:00:00")


@pytest.fixture
def minio(minio):
    minio.users["odoo"] = {"secret": "the-secret-of-odoo", "status": "enabled", "policies": []}
    return minio


@pytest.fixture
def there(minio):
    minio.keys["ODOO"] = {"user": "odoo", "secret": SECRET, "status": "on", "description": "Odoo", "expiration": "2037-01-01T00:00:00Z", "policy": CANONICAL}
    return minio


def test_created_and_then_left_alone(run, minio):
    given = {"key": "ODOO", "user": "odoo", "secret": SECRET, "policy": POLICY, "description": "Odoo", "expiration": SOON + "-00:00"}
    checked = run(minio_access_key, check=True, **given)
    assert minio.writes == []
    done = run(minio_access_key, **given)
    after = {"key": "ODOO", "user": "odoo", "enabled": True, "description": "Odoo", "expiration": SOON + "Z", "policy": CANONICAL}
    assert checked["changed"] and checked["diff"] == done["diff"] == {"before": {}, "after": {**after, "secret": "as given"}}
    assert done["access_key_info"] == after and "secret" not in done
    assert minio.keys["ODOO"]["secret"] == SECRET
    again = run(minio_access_key, **given)
    assert not again["changed"] and minio.writes == ["add-service-account"]
    assert SECRET not in str((checked["diff"], done["diff"], done["access_key_info"], again["diff"]))


def test_a_secret_that_was_made_up_is_returned_once(run, minio):
    assert "secret" not in run(minio_access_key, check=True, key="ODOO", user="odoo")
    done = run(minio_access_key, key="ODOO", user="odoo")
    assert len(done["secret"]) == 40 and done["secret"] == minio.keys["ODOO"]["secret"]
    assert done["secret"] not in str(done["diff"])
    again = run(minio_access_key, key="ODOO", user="odoo")
    assert not again["changed"] and "secret" not in again


def test_created_disabled_keeps_its_policy(run, minio):
    run(minio_access_key, key="ODOO", user="odoo", secret=SECRET, policy=POLICY, enabled=False)
    assert minio.keys["ODOO"]["status"] == "off" and minio.keys["ODOO"]["policy"] == POLICY


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"description": "other"}, "description", "other"),
        ({"expiration": SOON + "Z"}, "expiration", SOON + "Z"),
        ({"expiration": "never"}, "expiration", "1970-01-01T00:00:00Z"),
        ({"enabled": False}, "status", "off"),
        ({"secret": "another-secret"}, "secret", "another-secret"),
    ],
)
def test_a_change_leaves_the_rest_alone_above_all_the_policy(run, there, change, field, value):
    before = dict(there.keys["ODOO"])
    checked = run(minio_access_key, check=True, key="ODOO", user="odoo", **change)
    assert there.keys["ODOO"] == before
    done = run(minio_access_key, key="ODOO", user="odoo", **change)
    assert checked["changed"] and checked["diff"] == done["diff"]
    assert there.keys["ODOO"] == {**before, field: value}
    assert not run(minio_access_key, key="ODOO", user="odoo", **change)["changed"] and there.writes == ["update-service-account"]


def test_the_policy_is_changed_and_taken_away(run, there):
    wider = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    done = run(minio_access_key, key="ODOO", user="odoo", policy=wider)
    assert done["diff"]["before"]["policy"] == CANONICAL and there.keys["ODOO"]["policy"]["Version"] == "2012-10-17"
    assert not run(minio_access_key, key="ODOO", user="odoo", policy=wider)["changed"]
    assert run(minio_access_key, key="ODOO", user="odoo", policy={})["diff"]["after"]["policy"] == {}
    assert there.keys["ODOO"]["policy"] is None
    assert not run(minio_access_key, key="ODOO", user="odoo", policy={})["changed"]


def test_a_policy_lost_by_hand_is_given_back(run, there):
    there.keys["ODOO"]["policy"] = None
    assert run(minio_access_key, check=True, key="ODOO", user="odoo", policy=POLICY)["changed"]
    run(minio_access_key, key="ODOO", user="odoo", policy=POLICY)
    assert there.keys["ODOO"]["policy"] == POLICY


def test_the_secret_of_a_disabled_key_waits(run, there):
    there.keys["ODOO"]["status"] = "off"
    left = run(minio_access_key, key="ODOO", user="odoo", secret="another-secret")
    assert not left["changed"] and "left alone" in str(left["warnings"])
    run(minio_access_key, key="ODOO", user="odoo", secret="another-secret", enabled=True)
    assert there.keys["ODOO"]["secret"] == "another-secret" and there.keys["ODOO"]["status"] == "on"


def test_removed(run, there):
    assert run(minio_access_key, check=True, key="ODOO", state="absent")["changed"] and there.writes == []
    assert run(minio_access_key, key="ODOO", state="absent")["diff"]["after"] == {} and there.keys == {}
    assert not run(minio_access_key, key="ODOO", state="absent")["changed"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"user": None}, "state is present but all of the following are missing: user"),
        ({"user": "other"}, "the access key ODOO belongs to the user odoo, for good"),
        ({"description": ""}, "MinIO can change the description of the access key ODOO, but not empty it"),
        ({"expiration": "tomorrow"}, "expiration is tomorrow: give a moment in ISO 8601"),
        ({"expiration": "2037-01-01T00:00:00"}, "it has no time zone"),
        ({"policy": {"Statement": "all"}}, "policy: a policy needs a Statement"),
        ({"key": "NEW", "user": "nobody"}, "user is nobody: http://store:9000 has no such user, or it is disabled, and so cannot get the access key NEW"),
    ],
)
def test_wrong_input_is_told(run, there, arguments, sentence):
    result = run(minio_access_key, **{"key": "ODOO", "user": "odoo", "secret": SECRET, **arguments})
    assert result["failed"] and sentence in result["msg"] and there.writes == []
