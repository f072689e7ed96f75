# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.modules import minio_user

SECRET = "the-secret-of-odoo"


@pytest.fixture
def minio(minio):
    minio.policies.update(odoo={}, other={}, third={})
    return minio


def test_created_and_then_left_alone(run, minio):
    checked = run(minio_user, check=True, name="odoo", secret=SECRET, policies=["odoo"])
    assert minio.writes == []
    done = run(minio_user, name="odoo", secret=SECRET, policies=["odoo"])
    assert checked["changed"] and checked["diff"] == done["diff"]
    assert done["diff"] == {"before": {}, "after": {"name": "odoo", "enabled": True, "policies": ["odoo"], "secret": "as given"}}
    assert done["user"] == {"name": "odoo", "enabled": True, "policies": ["odoo"]}
    assert minio.users["odoo"] == {"secret": SECRET, "status": "enabled", "policies": ["odoo"]}
    again = run(minio_user, name="odoo", secret=SECRET, policies=["odoo"])
    assert not again["changed"] and minio.writes == ["add-user", "attach_policy"]
    assert SECRET not in str((checked["diff"], done["diff"], done["user"], again["diff"]))


def test_created_disabled_in_one_step(run, minio):
    run(minio_user, name="odoo", secret=SECRET, enabled=False)
    assert minio.users["odoo"]["status"] == "disabled" and minio.writes == ["add-user"]


def test_created_disabled_with_policies_no_one_knows_its_secret_until_then(run, minio):
    known = []
    attach = minio.attach_policy
    minio.attach_policy = lambda *given, **named: (known.append(minio.users["odoo"]["secret"]), attach(*given, **named))[1]
    run(minio_user, name="odoo", secret=SECRET, enabled=False, policies=["odoo"])
    assert minio.users["odoo"] == {"secret": SECRET, "status": "disabled", "policies": ["odoo"]}
    assert len(known) == 1 and known[0] != SECRET


def test_disabled_only_after_its_policies_were_changed(run, minio):
    minio.users["odoo"] = {"secret": SECRET, "status": "enabled", "policies": ["odoo"]}
    run(minio_user, name="odoo", enabled=False, policies=["other"])
    assert minio.writes == ["attach_policy", "detach_policy", "user_disable"]


def test_the_policies_of_a_disabled_user_cannot_be_changed(run, minio):
    minio.users["odoo"] = {"secret": SECRET, "status": "disabled", "policies": ["odoo"]}
    for check in (True, False):
        assert "MinIO changes the policies of enabled users only" in run(minio_user, check=check, name="odoo", policies=[])["msg"]
    assert not run(minio_user, name="odoo", policies=["odoo"])["changed"] and minio.writes == []
    assert run(minio_user, name="odoo", policies=[], enabled=True)["user"] == {"name": "odoo", "enabled": True, "policies": []}


@pytest.mark.parametrize(
    ("policies", "purge", "after"),
    [
        (None, True, ["odoo", "other"]),
        (["odoo", "third"], True, ["odoo", "third"]),
        (["third"], False, ["odoo", "other", "third"]),
        ([], True, []),
        ([], False, ["odoo", "other"]),
    ],
)
def test_policies(run, minio, policies, purge, after):
    minio.users["odoo"] = {"secret": SECRET, "status": "enabled", "policies": ["odoo", "other"]}
    given = {"name": "odoo", "purge_policies": purge, **({} if policies is None else {"policies": policies})}
    checked, done = run(minio_user, check=True, **given), run(minio_user, **given)
    assert checked["diff"] == done["diff"] and minio.users["odoo"]["policies"] == after == done["user"]["policies"]
    assert not run(minio_user, **given)["changed"]


def test_new_policies_come_before_old_ones_go(run, minio):
    minio.users["odoo"] = {"secret": SECRET, "status": "enabled", "policies": ["odoo"]}
    run(minio_user, name="odoo", policies=["other"])
    assert minio.writes == ["attach_policy", "detach_policy"]


def test_a_changed_secret_is_found_by_a_signed_request(run, minio):
    minio.users["odoo"] = {"secret": "the-former-secret", "status": "enabled", "policies": []}
    checked = run(minio_user, check=True, name="odoo", secret=SECRET)
    assert minio.writes == [] and minio.checked == ["odoo"]
    done = run(minio_user, name="odoo", secret=SECRET)
    assert checked["diff"] == done["diff"] and done["diff"]["before"]["secret"] == "another than the one given"
    assert minio.users["odoo"]["secret"] == SECRET
    assert not run(minio_user, name="odoo", secret=SECRET)["changed"]


def test_when_a_secret_is_set(run, minio):
    minio.users["odoo"] = {"secret": "the-former-secret", "status": "enabled", "policies": []}
    assert not run(minio_user, name="odoo", secret=SECRET, update_secret="on_create")["changed"] and minio.checked == []
    assert run(minio_user, name="odoo", secret=SECRET, update_secret="always")["changed"] and minio.checked == []
    assert run(minio_user, name="odoo", secret=SECRET, update_secret="always")["changed"]


def test_the_secret_of_a_disabled_user_waits_until_it_is_enabled(run, minio):
    minio.users["odoo"] = {"secret": "the-former-secret", "status": "disabled", "policies": []}
    left = run(minio_user, name="odoo", secret=SECRET)
    assert not left["changed"] and "left alone" in str(left["warnings"])
    done = run(minio_user, name="odoo", secret=SECRET, enabled=True)
    assert done["changed"] and minio.users["odoo"] == {"secret": SECRET, "status": "enabled", "policies": []} and minio.writes == ["add-user"]


def test_a_new_secret_does_not_enable_a_user(run, minio):
    minio.users["odoo"] = {"secret": "the-former-secret", "status": "disabled", "policies": []}
    run(minio_user, name="odoo", secret=SECRET, update_secret="always")
    assert minio.users["odoo"] == {"secret": SECRET, "status": "disabled", "policies": []}


def test_enabled_and_disabled(run, minio):
    minio.users["odoo"] = {"secret": SECRET, "status": "enabled", "policies": ["odoo"]}
    assert run(minio_user, check=True, name="odoo", enabled=False)["changed"] and minio.writes == []
    assert run(minio_user, name="odoo", enabled=False)["user"]["enabled"] is False
    assert not run(minio_user, name="odoo", enabled=False)["changed"]
    assert not run(minio_user, name="odoo")["changed"] and minio.users["odoo"]["status"] == "disabled"
    assert run(minio_user, name="odoo", enabled=True)["changed"] and minio.users["odoo"]["status"] == "enabled"


def test_removed(run, minio):
    minio.users["odoo"] = {"secret": SECRET, "status": "enabled", "policies": ["odoo"]}
    assert run(minio_user, check=True, name="odoo", state="absent")["changed"] and minio.writes == []
    assert run(minio_user, name="odoo", state="absent")["diff"]["after"] == {} and minio.users == {}
    assert not run(minio_user, name="odoo", state="absent")["changed"]


def test_wrong_input_is_told(run, minio):
    assert run(minio_user, name="odoo")["msg"].startswith("secret is missing: the user odoo is not there yet")
    assert run(minio_user, check=True, name="odoo")["failed"]
    assert "The canned policy does not exist" in run(minio_user, name="odoo", secret=SECRET, policies=["none"])["msg"]
    assert "no access key" in run(minio_user, connected=False, endpoint_url="http://store:9000", name="odoo")["msg"]
