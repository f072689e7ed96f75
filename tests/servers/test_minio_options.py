# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of the modules for MinIO: told before, done, done once, found again when changed by hand, taken away."""

from __future__ import annotations

import json
import secrets
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import botocore.exceptions
import pytest
import urllib3
from ansible_collections.odooops.stack.plugins.modules import minio_access_key, minio_group, minio_policy, minio_user, s3_bucket
from conftest import Server
from minio import MinioAdmin
from minio.credentials import StaticProvider

Result = dict[str, t.Any]
SECRETS = {"GIVEN": secrets.token_urlsafe(24), "OTHER": secrets.token_urlsafe(24)}
NOW = datetime.now(timezone.utc)
SOON, LATER = ((NOW + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") for days in (30, 60))
# What a policy is attached for, in the tests: they see what its owner can really do.
BUCKET = "of-all"


def policy(*actions: str) -> dict[str, t.Any]:
    return {"Statement": {"Effect": "Allow", "Action": list(actions), "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}}


READ, WRITE = policy("s3:GetObject", "s3:ListBucket"), policy("s3:PutObject")


@dataclass(frozen=True)
class Case:
    """Something that is declared, and what it is changed to behind the module's back."""

    module: t.Any
    label: str
    wish: dict[str, t.Any]
    by_hand: dict[str, t.Any]
    # What is there before, by the same module.
    first: dict[str, t.Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.module.__name__.rpartition('.')[2]} {self.label}"


USER: dict[str, t.Any] = {"name": "person", "secret": "GIVEN"}
KEY: dict[str, t.Any] = {"key": "KEYOFALL", "user": "owner", "secret": "GIVEN"}
GROUP: dict[str, t.Any] = {"name": "people"}
CASES = [
    Case(minio_policy, "policy", {"name": "rule", "policy": READ}, {"policy": WRITE}),
    Case(minio_user, "secret", USER, {"secret": "OTHER"}),
    Case(minio_user, "enabled", {**USER, "enabled": True}, {"enabled": False}),
    Case(minio_user, "disabled", {**USER, "enabled": False}, {"enabled": True}),
    Case(minio_user, "policies", {**USER, "policies": ["read"]}, {"policies": ["read", "write"]}),
    Case(minio_user, "policies lost", {**USER, "policies": ["read", "write"]}, {"policies": []}),
    Case(minio_user, "policies, not purged", {**USER, "policies": ["read"], "purge_policies": False}, {"policies": ["write"]}),
    Case(minio_user, "disabled with policies", {**USER, "enabled": False, "policies": ["read"]}, {"enabled": True, "policies": []}),
    Case(minio_user, "enabled with policies", {**USER, "enabled": True, "policies": ["read"]}, {"enabled": False}, {**USER, "enabled": False}),
    Case(minio_group, "members", {**GROUP, "members": ["owner"]}, {"members": ["other"]}),
    Case(minio_group, "members, not purged", {**GROUP, "members": ["owner"], "purge_members": False}, {"members": ["other"]}),
    Case(minio_group, "policies", {**GROUP, "policies": ["read"]}, {"policies": ["write"]}),
    Case(minio_group, "policies, not purged", {**GROUP, "policies": ["read"], "purge_policies": False}, {"policies": ["write"]}),
    Case(minio_group, "disabled", {**GROUP, "enabled": False}, {"enabled": True}),
    Case(minio_group, "disabled with all", {**GROUP, "enabled": False, "members": ["owner"], "policies": ["read"]}, {"members": [], "policies": ["write"]}),
    Case(minio_group, "enabled with policies", {**GROUP, "enabled": True, "policies": ["read"]}, {"enabled": False, "policies": []}),
    Case(minio_access_key, "secret", KEY, {"secret": "OTHER"}),
    Case(minio_access_key, "policy", {**KEY, "policy": READ}, {"policy": WRITE}),
    Case(minio_access_key, "policy lost", {**KEY, "policy": READ}, {"policy": {}}),
    Case(minio_access_key, "description", {**KEY, "description": "for Odoo"}, {"description": "for somebody"}),
    Case(minio_access_key, "expiration", {**KEY, "expiration": SOON}, {"expiration": LATER}),
    Case(minio_access_key, "no expiration", {**KEY, "expiration": "never"}, {"expiration": SOON}),
    Case(minio_access_key, "disabled", {**KEY, "enabled": False}, {"enabled": True}),
    Case(
        minio_access_key,
        "all",
        {**KEY, "enabled": True, "policy": READ, "description": "x", "expiration": SOON},
        {"enabled": False, "policy": {}, "expiration": "never"},
    ),
]


def filled(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: SECRETS.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()}


@pytest.fixture(scope="session")
def prepared() -> set[str]:
    """The servers that have what the tests need."""
    return set()


@pytest.fixture
def run(minio_server: Server, prepared: set[str]) -> Iterator[Callable[..., Result]]:
    """Run a module on a server with a bucket, two policies and two users; no result has a secret."""
    made: set[tuple[t.Any, str, str]] = set()

    def run(module: t.Any, check: bool = False, **arguments: t.Any) -> Result:
        result = minio_server.run(module, check=check, **filled(arguments))
        made.update((module, option, arguments[option]) for option in ("name", "key") if option in arguments)
        assert not [secret for secret in SECRETS.values() if secret in json.dumps(result)]
        return result

    if minio_server.name not in prepared:
        assert run(s3_bucket, name=BUCKET)["changed"]
        for name, document in (("read", READ), ("write", WRITE)):
            assert run(minio_policy, name=name, policy=document)["changed"]
        assert run(minio_user, name="owner", secret="OTHER", policies=["read", "write"])["changed"]
        assert run(minio_user, name="other", secret="OTHER")["changed"]
        prepared.add(minio_server.name)
        made.clear()
    yield run
    for module, option, name in made - {(minio_policy, "name", "read")}:
        run(module, state="absent", **{option: name})


class Hand:
    """Somebody who changes things by minio-py, past the modules."""

    def __init__(self, server: Server) -> None:
        url = urlsplit(server.endpoint_url)
        pool = urllib3.PoolManager(ca_certs=server.ca_bundle) if server.ca_bundle else None
        keys = StaticProvider(server.access_key, server.secret_key)
        self.admin = MinioAdmin(endpoint=url.netloc, credentials=keys, region=server.region, secure=url.scheme == "https", http_client=pool)

    def change(self, case: Case, change: dict[str, t.Any]) -> None:
        {minio_policy: self.policy, minio_user: self.user, minio_group: self.group, minio_access_key: self.key}[case.module](change)

    def policy(self, change: dict[str, t.Any]) -> None:
        document = {**change["policy"], "Version": "2012-10-17", "Statement": [change["policy"]["Statement"]]}
        self.admin.policy_add("rule", policy=document)

    def user(self, change: dict[str, t.Any]) -> None:
        if "secret" in change:
            self.admin.user_add("person", SECRETS[change["secret"]])
        if change.get("enabled"):
            self.admin.user_enable("person")
        if "policies" in change:
            there = json.loads(self.admin.user_info("person")).get("policyName", "")
            self.set_policies(there, change["policies"], user="person")
        if change.get("enabled") is False:
            self.admin.user_disable("person")

    def group(self, change: dict[str, t.Any]) -> None:
        there = json.loads(self.admin.group_info("people"))
        if "members" in change:
            if there.get("members"):
                self.admin.group_remove("people", there["members"])
            self.admin.group_add("people", change["members"])
        if there["status"] == "disabled" and "policies" in change:
            self.admin.policy_set(",".join(change["policies"]), group="people")
        elif "policies" in change:
            self.set_policies(there.get("policy") or "", change["policies"], group="people")
        if "enabled" in change:
            (self.admin.group_enable if change["enabled"] else self.admin.group_disable)("people")

    def set_policies(self, there: str, wanted: list[str], **whose: str) -> None:
        before = set(filter(None, there.split(",")))
        if set(wanted) - before:
            self.admin.attach_policy(sorted(set(wanted) - before), **whose)
        if before - set(wanted):
            self.admin.detach_policy(sorted(before - set(wanted)), **whose)

    def key(self, change: dict[str, t.Any]) -> None:
        shown = json.loads(self.admin.get_service_account("KEYOFALL"))
        document = change.get("policy", None if shown["impliedPolicy"] else json.loads(shown["policy"]))
        sent: dict[str, t.Any] = {"policy": {**document, "Version": "2012-10-17", "Statement": listed(document)}} if document else {}
        if "enabled" in change:
            sent["status"] = "on" if change["enabled"] else "off"
        if "expiration" in change:
            sent["expiration"] = "1970-01-01T00:00:00Z" if change["expiration"] == "never" else change["expiration"]
        if "secret" in change:
            sent["secret_key"] = SECRETS[change["secret"]]
        if "description" in change:
            sent["description"] = change["description"]
        # An update that does not name the policy takes it away.
        self.admin.update_service_account(access_key="KEYOFALL", **(sent or {"status": "on"}))


def listed(document: dict[str, t.Any]) -> list[t.Any]:
    return document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]


def named(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    return {option: arguments[option] for option in ("name", "key") if option in arguments}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_option(case: Case, minio_server: Server, run: Callable[..., Result]) -> None:
    if case.first:
        assert run(case.module, **case.first)["changed"]
    predicted = run(case.module, check=True, **case.wish)
    done = run(case.module, **case.wish)
    assert predicted.get("changed") and done.get("changed") and predicted["diff"] == done["diff"], (predicted, done)
    again = run(case.module, **case.wish)
    assert not again["changed"] and not run(case.module, check=True, **case.wish)["changed"], again["diff"]

    Hand(minio_server).change(case, case.by_hand)
    found = run(case.module, check=True, **case.wish)
    if "policies, not purged" in case.label or "members, not purged" in case.label:
        option = case.label.partition(",")[0]
        assert found["diff"]["after"][option] == sorted([*case.wish[option], *case.by_hand[option]])
    elif case.label == "secret":
        assert found["diff"]["before"]["secret"] == "another than the one given" and found["diff"]["after"]["secret"] == "as given"
    else:
        assert found["diff"]["after"] == {name: value for name, value in done["diff"]["after"].items() if name in found["diff"]["after"]}
    assert found["changed"] and found["diff"]["before"] != found["diff"]["after"]
    assert run(case.module, check=True, **case.wish)["diff"] == found["diff"], "check mode changed something"
    repaired = run(case.module, **case.wish)
    assert repaired.get("changed") and repaired["diff"] == found["diff"], repaired
    assert not run(case.module, **case.wish)["changed"]

    gone = run(case.module, check=True, state="absent", **named(case.wish))
    assert gone["changed"] and run(case.module, state="absent", **named(case.wish))["diff"] == gone["diff"]
    assert gone["diff"]["after"] == {} and not run(case.module, state="absent", **named(case.wish))["changed"]


def can(server: Server, key: str, secret: str) -> dict[str, bool | str]:
    """What a key can really do."""
    client = Server(server.name, server.endpoint_url, key, secret, server.region, server.ca_bundle).client
    result: dict[str, bool | str] = {}
    for name, call in (("read", lambda: client.list_objects_v2(Bucket=BUCKET)), ("write", lambda: client.put_object(Bucket=BUCKET, Key="k", Body=b"x"))):
        try:
            call()
            result[name] = True
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            result[name] = False if code == "AccessDenied" else code
    return result


ALL, NOTHING = {"read": True, "write": True}, {"read": False, "write": False}
READS = {"read": True, "write": False}


def test_what_a_user_can_do(minio_server: Server, run: Callable[..., Result]) -> None:
    def person() -> dict[str, bool | str]:
        return can(minio_server, "person", SECRETS["GIVEN"])

    run(minio_user, **USER, policies=["read"])
    assert person() == READS
    run(minio_user, **USER, policies=["write"], purge_policies=False)
    assert person() == ALL
    run(minio_user, name="person", policies=[])
    assert person() == NOTHING
    run(minio_group, name="people", members=["person"], policies=["read"])
    assert person() == READS
    run(minio_group, name="people", enabled=False)
    assert person() == NOTHING
    run(minio_group, name="people", enabled=True, policies=["read", "write"])
    assert person() == ALL
    run(minio_user, name="person", enabled=False)
    assert person() == dict.fromkeys(ALL, "InvalidAccessKeyId")
    run(minio_user, name="person", enabled=True, secret="OTHER")
    assert person() == dict.fromkeys(ALL, "SignatureDoesNotMatch")
    assert can(minio_server, "person", SECRETS["OTHER"]) == ALL


def test_what_an_access_key_can_do(minio_server: Server, run: Callable[..., Result]) -> None:
    def key(secret: str = "GIVEN") -> dict[str, bool | str]:
        return can(minio_server, "KEYOFALL", SECRETS[secret])

    run(minio_access_key, **KEY)
    assert key() == ALL
    run(minio_access_key, **KEY, policy=READ)
    assert key() == READS
    # A change of something else leaves its policy alone.
    run(minio_access_key, **{**KEY, "secret": "OTHER"}, description="new", expiration=SOON)
    assert key("OTHER") == READS
    run(minio_access_key, key="KEYOFALL", user="owner", enabled=False)
    assert key("OTHER") == dict.fromkeys(ALL, "InvalidAccessKeyId")
    left = run(minio_access_key, **KEY)
    assert not left["changed"] and "it is left alone" in str(left["warnings"])
    run(minio_access_key, **KEY, enabled=True, policy={})
    assert key() == ALL


def test_a_secret_that_is_made_up_is_told_once(minio_server: Server, run: Callable[..., Result]) -> None:
    root = minio_server.access_key
    made = minio_server.run(minio_access_key, key="MADEUP", user=root)
    assert made["changed"] and made["secret"] not in str(made["diff"]) and made["secret"] not in str(made["access_key_info"])
    assert can(minio_server, "MADEUP", made["secret"]) == ALL
    again = minio_server.run(minio_access_key, key="MADEUP", user=root)
    assert not again["changed"] and "secret" not in again and made["secret"] not in str(again)
    assert minio_server.run(minio_access_key, key="MADEUP", state="absent")["changed"]


def test_when_a_secret_is_set(run: Callable[..., Result]) -> None:
    run(minio_user, **USER)
    for module, arguments in ((minio_user, USER), (minio_access_key, KEY)):
        run(module, **arguments)
        assert not run(module, **{**arguments, "secret": "OTHER"}, update_secret="on_create")["changed"]
        assert run(module, **arguments, update_secret="always")["changed"] and run(module, **arguments, update_secret="always")["changed"]
        assert not run(module, **arguments)["changed"]


def test_a_policy_in_use_stays(run: Callable[..., Result]) -> None:
    run(minio_user, **USER, policies=["read"])
    assert "XMinioIAMPolicyInUse" in run(minio_policy, name="read", state="absent")["msg"]
