# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes that MinIO's modules refuse in a sentence; nothing is written."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odooops.stack.plugins.modules import (
    minio_access_key,
    minio_access_key_info,
    minio_group,
    minio_group_info,
    minio_policy,
    minio_policy_info,
    minio_user,
    minio_user_info,
)

SECRET = "the-secret-of-somebody"
RULE = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
USER, KEY, GROUP, POLICY = {"name": "odoo"}, {"key": "ODOO", "user": "odoo"}, {"name": "people"}, {"name": "odoo"}


def ahead(**time):
    return (datetime.now(timezone.utc) + timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def document(*statements, **more):
    return {**POLICY, "policy": {"Statement": list(statements), **more}}


WRONG = [
    (minio_policy, {}, "missing required arguments: name"),
    (minio_policy, POLICY, "state is present but all of the following are missing: policy"),
    (minio_policy, {**POLICY, "policy": "all"}, "argument 'policy' is of type str and we were unable to convert to dict"),
    (minio_policy, {**POLICY, "policy": [RULE]}, "argument 'policy' is of type list and we were unable to convert to dict"),
    (minio_policy, {**POLICY, "policy": {}}, "policy: a policy needs a Statement"),
    (minio_policy, {**POLICY, "policy": {"Statement": "all"}}, "policy: a policy needs a Statement, which is a dictionary or a list of dictionaries"),
    (minio_policy, document(), "policy: a policy needs a Statement"),
    (minio_policy, document("all"), "policy: a policy needs a Statement"),
    (minio_policy, document({**RULE, "Effect": "allow"}), "policy: the Effect of a statement is Allow or Deny, not 'allow'"),
    (minio_policy, document({"Action": "s3:*"}), "policy: the Effect of a statement is Allow or Deny, not None"),
    (minio_policy, document(RULE, Statements=[]), "policy: a policy has Version, Id and Statement, and not Statements"),
    (minio_policy, document({**RULE, "Condition": []}), "policy: a Condition is a dictionary of operators"),
    (minio_policy, document({**RULE, "Condition": {"StringEquals": "a"}}), "policy: a Condition is a dictionary of operators, each with a dictionary of keys"),
    (minio_policy, {**document(RULE), "state": "gone"}, "value of state must be one of: present, absent, got: gone"),
    (minio_policy, {**document(RULE), "document": {}}, "Unsupported parameters for"),
    (minio_user, {}, "missing required arguments: name"),
    (minio_user, {"name": "ab", "secret": SECRET}, "name is ab: give 3 characters or more, and neither = nor a comma among them"),
    (minio_user, {"name": "a=b", "secret": SECRET}, "name is a=b: give 3 characters or more"),
    (minio_user, {"name": "a,b", "secret": SECRET}, "name is a,b: give 3 characters or more"),
    (minio_user, {"name": "new"}, "secret is missing: the user new is not there yet, and needs one to be created"),
    (minio_user, {**USER, "secret": "short"}, "secret has 5 characters: the secret of odoo is to have 8 to 40"),
    (minio_user, {**USER, "secret": "s" * 41}, "secret has 41 characters: the secret of odoo is to have 8 to 40"),
    (minio_user, {**USER, "update_secret": "never"}, "value of update_secret must be one of: on_change, always, on_create, got: never"),
    (minio_user, {**USER, "enabled": "perhaps"}, "argument 'enabled' is of type str and we were unable to convert to bool"),
    (minio_user, {**USER, "policies": {"a": "b"}}, "argument 'policies' is of type dict and we were unable to convert to list"),
    (minio_user, {**USER, "purge_policies": "some"}, "argument 'purge_policies' is of type str and we were unable to convert to bool"),
    (minio_user, {**USER, "state": "disabled"}, "value of state must be one of: present, absent, got: disabled"),
    (minio_user, {**USER, "policy": "readonly"}, "Unsupported parameters for"),
    (minio_user, {"name": "asleep", "policies": ["odoo"]}, "policies: the user asleep is disabled, and MinIO changes the policies of enabled users only"),
    (minio_group, {}, "missing required arguments: name"),
    (minio_group, {**GROUP, "members": {"a": "b"}}, "argument 'members' is of type dict and we were unable to convert to list"),
    (minio_group, {**GROUP, "purge_members": "some"}, "argument 'purge_members' is of type str and we were unable to convert to bool"),
    (minio_group, {**GROUP, "enabled": "perhaps"}, "argument 'enabled' is of type str and we were unable to convert to bool"),
    (minio_group, {**GROUP, "state": "empty"}, "value of state must be one of: present, absent, got: empty"),
    (minio_access_key, {"user": "odoo"}, "missing required arguments: key"),
    (minio_access_key, {"key": "ODOO"}, "state is present but all of the following are missing: user"),
    (minio_access_key, {**KEY, "key": "OD"}, "key is OD: give 3 characters or more"),
    (minio_access_key, {**KEY, "key": "OD=O"}, "key is OD=O: give 3 characters or more, and neither = nor a comma among them"),
    (minio_access_key, {**KEY, "secret": "short"}, "secret has 5 characters: the secret of ODOO is to have 8 to 40"),
    (minio_access_key, {**KEY, "secret": "s" * 41}, "secret has 41 characters: the secret of ODOO is to have 8 to 40"),
    (minio_access_key, {**KEY, "description": "d" * 257}, "description has 257 characters: that of the access key ODOO is to have 256 at most"),
    (minio_access_key, {**KEY, "expiration": "tomorrow"}, "expiration is tomorrow: give a moment in ISO 8601 with its zone"),
    (minio_access_key, {**KEY, "expiration": "2027-01-31"}, "or never (it has no time zone)"),
    (minio_access_key, {**KEY, "expiration": ahead(minutes=5)}, "the access key ODOO can end 15 minutes from now at the soonest"),
    (minio_access_key, {**KEY, "expiration": ahead(days=366)}, "and in 365 days at the latest"),
    (minio_access_key, {**KEY, "expiration": "2020-01-01T00:00:00Z"}, "expiration is 2020-01-01T00:00:00Z: the access key ODOO can end 15 minutes from now"),
    (minio_access_key, {**KEY, "policy": {"Statement": []}}, "policy: a policy needs a Statement"),
    (minio_access_key, {**KEY, "policy": {"Statement": {"Effect": "Permit"}}}, "policy: the Effect of a statement is Allow or Deny, not 'Permit'"),
    (minio_access_key, {**KEY, "update_secret": "never"}, "value of update_secret must be one of: on_change, always, on_create, got: never"),
    (minio_access_key, {**KEY, "enabled": "perhaps"}, "argument 'enabled' is of type str and we were unable to convert to bool"),
    (
        minio_access_key,
        {**KEY, "user": "nobody"},
        "user is nobody: http://store:9000 has no such user, or it is disabled, and so cannot get the access key ODOO",
    ),
    (minio_access_key_info, {}, "one of the following is required: user, key"),
    (minio_access_key_info, {"user": "odoo", "key": "ODOO"}, "parameters are mutually exclusive: user|key"),
    (minio_policy_info, {"policy": "odoo"}, "Unsupported parameters for"),
    (minio_user_info, {"name": ["odoo"], "state": "present"}, "Unsupported parameters for"),
    (minio_group_info, {**GROUP, "endpoint_url": "store:9000"}, "endpoint_url is store:9000: give the server's URL, such as https://s3.example.com:9000"),
    (minio_user_info, {"endpoint_url": "http://store:9000/console"}, "endpoint_url is http://store:9000/console: give the server's URL"),
    (minio_user_info, {"connect_timeout": "soon"}, "argument 'connect_timeout' is of type str and we were unable to convert to float"),
    (minio_user_info, {"retries": "often"}, "argument 'retries' is of type str and we were unable to convert to int"),
    (minio_user_info, {"session_token": "a-token", "access_key": None, "secret_key": None}, "missing parameter(s) required by 'session_token': access_key"),
    (minio_user_info, {"secret_key": None}, "parameters are required together: access_key, secret_key"),
]


@pytest.mark.parametrize(
    ("module", "wish", "sentence"), WRONG, ids=[f"{module.__name__.rpartition('.')[2]} {sentence[:50]}" for module, _wish, sentence in WRONG]
)
def test_refused_in_a_sentence(run, minio, module, wish, sentence):
    minio.users["odoo"] = {"secret": SECRET, "status": "enabled", "policies": []}
    minio.users["asleep"] = {"secret": SECRET, "status": "disabled", "policies": []}
    for check in (False, True):
        if check and "cannot get the access key" in sentence:
            # Only the server knows.
            continue
        result = run(module, check=check, **wish)
        assert result["failed"] and sentence in result["msg"] and minio.writes == []
        assert SECRET not in str(result) and "s" * 41 not in str(result)
