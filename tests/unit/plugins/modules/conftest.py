# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.odooops.stack.tests.unit.plugins.modules.running import result_of


@pytest.fixture
def run():
    """Run a module as Ansible does; its result, with ``failed`` where it failed."""

    def run(module: t.Any, *, check: bool = False, connected: bool = True, **arguments: t.Any) -> dict[str, t.Any]:
        connection = {"endpoint_url": "http://store:9000", "access_key": "root", "secret_key": "root-secret"} if connected else {}
        return result_of(module, {**connection, **arguments}, check=check)

    return run


class FakeMinio:
    """What a MinIO server answers, at minio-py's calls; ``writes`` is what changed it."""

    def __init__(self) -> None:
        self.policies: dict[str, t.Any] = {}
        self.users: dict[str, dict[str, t.Any]] = {}
        self.keys: dict[str, dict[str, t.Any]] = {}
        self.writes: list[str] = []
        self.checked: list[str] = []

    def fail(self, status: int, code: str, message: str = "") -> t.NoReturn:
        from minio.error import MinioAdminException

        raise MinioAdminException(str(status), json.dumps({"Code": code, "Message": message}))

    def wrote(self, what: str) -> str:
        self.writes.append(what)
        return ""

    def policy_info(self, name: str) -> str:
        return json.dumps(self.policies[name]) if name in self.policies else self.fail(404, "XMinioAdminNoSuchPolicy")

    def policy_list(self) -> str:
        return json.dumps(self.policies)

    def user_list(self) -> str:
        return json.dumps({name: json.loads(self.user_info(name)) for name in self.users})

    def group_list(self) -> str:
        return json.dumps(["people"])

    def group_info(self, name: str) -> str:
        return json.dumps({"status": "enabled", "members": ["anna"], "policy": "a"}) if name == "people" else self.fail(404, "XMinioAdminNoSuchGroup")

    def list_service_account(self, user: str) -> str:
        return json.dumps({"accounts": [{"accessKey": key} for key, data in self.keys.items() if data["user"] == user] or None})

    def policy_add(self, name: str, policy: t.Any) -> str:
        if not isinstance(policy["Statement"], list):
            self.fail(400, "XMinioMalformedIAMPolicy")
        self.policies[name] = policy
        return self.wrote("policy_add")

    def policy_remove(self, name: str) -> str:
        if any(name in user["policies"] for user in self.users.values()):
            self.fail(400, "XMinioIAMPolicyInUse", "The policy cannot be removed, as it is in use")
        del self.policies[name]
        return self.wrote("policy_remove")

    def user_info(self, name: str) -> str:
        user = self.users.get(name) or self.fail(404, "XMinioAdminNoSuchUser")
        data = {"status": user["status"]}
        return json.dumps({**data, "policyName": ",".join(user["policies"])} if user["policies"] else data)

    def user_enable(self, name: str) -> str:
        self.users[name]["status"] = "enabled"
        return self.wrote("user_enable")

    def user_disable(self, name: str) -> str:
        self.users[name]["status"] = "disabled"
        return self.wrote("user_disable")

    def user_remove(self, name: str) -> str:
        del self.users[name]
        return self.wrote("user_remove")

    def attach_policy(self, policies: list[str], user: str) -> str:
        if self.users[user]["status"] != "enabled":
            self.fail(404, "XMinioAdminNoSuchUser")
        if not set(policies) <= set(self.policies):
            self.fail(404, "XMinioAdminNoSuchPolicy", "The canned policy does not exist.")
        self.users[user]["policies"] = sorted({*self.users[user]["policies"], *policies})
        return self.wrote("attach_policy")

    def detach_policy(self, policies: list[str], user: str) -> str:
        if self.users[user]["status"] != "enabled":
            self.fail(404, "XMinioAdminNoSuchUser")
        self.users[user]["policies"] = sorted({*self.users[user]["policies"]} - {*policies})
        return self.wrote("detach_policy")

    def get_service_account(self, key: str) -> str:
        data = self.keys.get(key) or self.fail(404, "XMinioInvalidIAMCredentials")
        policy = {"impliedPolicy": not data["policy"], "policy": json.dumps(data["policy"] or {"Version": ""})}
        shown = {"parentUser": data["user"], "accountStatus": data["status"], **policy}
        return json.dumps({**shown, **{name: data[name] for name in ("description", "expiration") if data[name]}})

    def delete_service_account(self, key: str) -> str:
        del self.keys[key]
        return self.wrote("delete_service_account")

    def _url_open(self, *, method: str, command: t.Any, query_params: dict[str, str], body: bytes, preload_content: bool) -> t.Any:
        sent = json.loads(body)
        if command.value == "add-user":
            user = self.users.setdefault(query_params["accessKey"], {"policies": []})
            user.update(secret=sent["secretKey"], status=sent["status"])
        elif command.value == "add-service-account":
            if sent["targetUser"] not in self.users:
                self.fail(404, "XMinioAdminNoSuchUser", f"Specified target user {sent['targetUser']} does not exist")
            self.keys[sent["accessKey"]] = {
                "user": sent["targetUser"],
                "secret": sent["secretKey"],
                "status": "on",
                "description": sent["description"],
                "expiration": sent.get("expiration"),
                "policy": sent.get("policy"),
            }
        else:
            data = self.keys[query_params["accessKey"]]
            # As the server does: what an update does not name is left alone, but for the policy.
            data["policy"] = sent.get("newPolicy") or None
            for name, field in (("newSecretKey", "secret"), ("newDescription", "description"), ("newStatus", "status"), ("newExpiration", "expiration")):
                if sent.get(name):
                    data[field] = sent[name]
        self.wrote(command.value)
        return FakeResponse()

    def secret_of(self, key: str) -> tuple[str, bool] | None:
        if key in self.users:
            return self.users[key]["secret"], self.users[key]["status"] == "enabled"
        return (self.keys[key]["secret"], self.keys[key]["status"] == "on") if key in self.keys else None


class FakeResponse:
    def close(self) -> None:
        pass

    def release_conn(self) -> None:
        pass


@pytest.fixture
def minio(monkeypatch):
    """A MinIO server behind minio-py's two clients."""
    from ansible_collections.odooops.stack.plugins.module_utils import _minio_admin
    from minio.error import S3Error

    fake = FakeMinio()

    class FakeS3:
        def __init__(self, *, access_key: str, secret_key: str, **_more: t.Any) -> None:
            self.key, self.secret = access_key, secret_key

        def list_buckets(self) -> None:
            fake.checked.append(self.key)
            known = fake.secret_of(self.key)
            code = "InvalidAccessKeyId" if not known or not known[1] else "AccessDenied" if known[0] == self.secret else "SignatureDoesNotMatch"
            raise S3Error(response=None, code=code, message="", resource="/", request_id="", host_id="")

    monkeypatch.setattr(_minio_admin, "MinioAdmin", lambda **_arguments: fake)
    monkeypatch.setattr(_minio_admin, "Minio", FakeS3)
    monkeypatch.setattr(_minio_admin, "encrypt", lambda body, _secret: body)
    monkeypatch.setattr(_minio_admin, "decrypt", lambda _response, _secret: b"{}")
    return fake
