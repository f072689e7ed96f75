# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MinIO's admin API as the modules see it: dictionaries in and out, errors as sentences."""

from __future__ import annotations

import contextlib
import json
import re
import traceback
import types
import typing as t
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.odooops.stack.plugins.module_utils._policy import canonical
from ansible_collections.odooops.stack.plugins.module_utils._s3 import (
    CONNECTION,
    Connection,
    Fault,
    StackModule,
    explain_code,
    no_key,
    unreachable,
    untrusted,
)

MINIO_ERROR: str | None = None
try:
    import certifi
    import urllib3
    from minio import Minio, MinioAdmin
    from minio.credentials import StaticProvider
    from minio.crypto import decrypt, encrypt
    from minio.error import InvalidResponseError, MinioAdminException, S3Error
    from minio.minioadmin import _COMMAND
    from urllib3.exceptions import HTTPError, MaxRetryError, SSLError
except ImportError:
    MINIO_ERROR = traceback.format_exc()

NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


# What a policy calls the right to an operation, by minio-py's names of methods and commands.
RIGHTS = {
    "policy_info": "GetPolicy",
    "policy_list": "ListUserPolicies",
    "policy_add": "CreatePolicy",
    "policy_remove": "DeletePolicy",
    "policy_set": "AttachUserOrGroupPolicy",
    "attach_policy": "AttachUserOrGroupPolicy",
    "detach_policy": "AttachUserOrGroupPolicy",
    "get_policy_entities": "ListGroups",
    "user_info": "GetUser",
    "user_list": "ListUsers",
    "user_enable": "EnableUser",
    "user_disable": "EnableUser",
    "user_remove": "DeleteUser",
    "ADD_USER": "CreateUser",
    "group_info": "GetGroup",
    "group_list": "ListGroups",
    "group_add": "AddUserToGroup",
    "group_remove": "AddUserToGroup",
    "group_enable": "EnableGroup",
    "group_disable": "EnableGroup",
    "get_service_account": "ListServiceAccounts",
    "list_service_account": "ListServiceAccounts",
    "delete_service_account": "RemoveServiceAccount",
    "SERVICE_ACCOUNT_ADD": "CreateServiceAccount",
    "SERVICE_ACCOUNT_UPDATE": "UpdateServiceAccount",
    "bucket_quota_get": "GetBucketQuota",
    "bucket_quota_set": "SetBucketQuota",
    "bucket_quota_clear": "SetBucketQuota",
    "list-remote-targets": "GetBucketTarget",
    "set-remote-target": "SetBucketTarget",
    "remove-remote-target": "SetBucketTarget",
    "trace": "ServerTrace",
}
# How far ahead the end of an access key may be.
SOONEST, LATEST = timedelta(minutes=15), timedelta(days=365)


class MinioModule(StackModule):
    """A module that talks to MinIO's admin API by minio-py."""

    def __init__(self, argument_spec: dict[str, t.Any], **keywords: t.Any) -> None:
        super().__init__(argument_spec, CONNECTION, **keywords)
        if MINIO_ERROR is not None:
            self.fail_json(msg=missing_required_lib("minio"), exception=MINIO_ERROR)


class Server:
    """One MinIO (or Silo) server, asked with an administrator's access key."""

    def __init__(self, connection: Connection) -> None:
        url = urlsplit(connection.endpoint_url or "")
        if url.scheme not in ("http", "https") or not url.netloc or url.path not in ("", "/"):
            raise Fault(f"endpoint_url is {connection.endpoint_url}: give the server's URL, such as https://s3.example.com:9000 or http://127.0.0.1:9000")
        if not connection.access_key or not connection.secret_key:
            raise no_key()
        self.connection = connection
        self._secret = connection.secret_key
        self._endpoint = url.netloc
        self._secure = url.scheme == "https"
        self._pool = make_pool(connection)
        self._admin = MinioAdmin(
            endpoint=self._endpoint,
            credentials=StaticProvider(connection.access_key, connection.secret_key, connection.session_token),
            region=connection.region or "",
            secure=self._secure,
            http_client=self._pool,
        )

    def policy(self, name: str) -> dict[str, t.Any] | None:
        text = self._call("read the policy " + name, "policy_info", name, missing="NoSuchPolicy")
        return None if text is None else json.loads(text)

    def policies(self) -> dict[str, dict[str, t.Any]]:
        """The documents of all policies by their names, in alphabetical order."""
        return dict(sorted(json.loads(self._call("list the policies", "policy_list") or "{}").items()))

    def set_policy(self, name: str, document: dict[str, t.Any]) -> None:
        self._call("write the policy " + name, "policy_add", name, policy=document)

    def remove_policy(self, name: str) -> None:
        self._call("remove the policy " + name, "policy_remove", name)

    def user(self, name: str) -> dict[str, t.Any] | None:
        """A user as ``{"enabled": bool, "policies": [names, sorted]}``."""
        text = self._call("read the user " + name, "user_info", name, missing="NoSuchUser")
        return None if text is None else user_of(json.loads(text))

    def users(self) -> dict[str, dict[str, t.Any]]:
        """All users as :meth:`user` has them, by their names in alphabetical order; the root user is none of them."""
        text = self._call("list the users", "user_list")
        return {name: user_of(data) for name, data in sorted(json.loads(text or "{}").items())}

    def set_user(self, name: str, secret: str, *, enabled: bool) -> None:
        """Create a user, or set its secret and whether it is enabled in one step."""
        # minio-py's own method always enables the user.
        body = {"secretKey": secret, "status": "enabled" if enabled else "disabled"}
        self._send("write the user " + name, "PUT", "ADD_USER", {"accessKey": name}, body)

    def enable_user(self, name: str, enabled: bool) -> None:
        self._call("enable or disable the user " + name, "user_enable" if enabled else "user_disable", name)

    def remove_user(self, name: str) -> None:
        self._call("remove the user " + name, "user_remove", name)

    def group(self, name: str) -> dict[str, t.Any] | None:
        """A group as ``{"enabled": bool, "members": [names, sorted], "policies": [names, sorted]}``."""
        text = self._call("read the group " + name, "group_info", name, missing="NoSuchGroup")
        if text is None:
            return None
        data = json.loads(text)
        enabled, policies = data.get("status") == "enabled", (data.get("policy") or "").split(",")
        if not enabled:
            # What it says of a disabled group has no policies; they are attached nevertheless.
            mapped = json.loads(self._call("read the group " + name, "get_policy_entities", [], [name], []) or "{}")
            policies = [policy for group in mapped.get("groupMappings") or [] for policy in group["policies"]]
        return {"enabled": enabled, "members": sorted(data.get("members") or []), "policies": sorted(filter(None, policies))}

    def groups(self) -> list[str]:
        """The names of all groups, in alphabetical order."""
        return sorted(json.loads(self._call("list the groups", "group_list") or "null") or [])

    def add_members(self, group: str, members: list[str]) -> None:
        """Add users to a group, which is made where it is not there."""
        doing = f"add the members {', '.join(members)} to the group {group}" if members else f"create the group {group}"
        self._call(doing, "group_add", group, members)

    def remove_members(self, group: str, members: list[str]) -> None:
        self._call(f"remove the members {', '.join(members)} from the group {group}", "group_remove", group, members)

    def enable_group(self, name: str, enabled: bool) -> None:
        self._call("enable or disable the group " + name, "group_enable" if enabled else "group_disable", name)

    def remove_group(self, name: str) -> None:
        """Remove a group that has no members."""
        # minio-py leaves the members out, which the server wants to see, though empty.
        self._call("remove the group " + name, "group_remove", name, [])

    def set_policies(self, kind: str, name: str, before: list[str], after: list[str], *, enabled: bool = True) -> None:
        """Attach and detach policies of a user or group (``kind``); a user has to be enabled for that."""
        if not enabled:
            # Nothing can be attached to a disabled group, or detached from it, but all that it has can be set.
            if before != after:
                self._call(f"set the policies of the disabled {kind} {name} to {', '.join(after)}", "policy_set", ",".join(after), **{kind: name})
            return
        attached, detached = sorted({*after} - {*before}), sorted({*before} - {*after})
        # First the new ones: there is no moment in which it has neither.
        if attached:
            self._call(f"attach the policies {', '.join(attached)} to the {kind} {name}", "attach_policy", attached, **{kind: name})
        if detached:
            self._call(f"detach the policies {', '.join(detached)} from the {kind} {name}", "detach_policy", detached, **{kind: name})

    def access_key(self, key: str) -> dict[str, t.Any] | None:
        """A service account as ``{"user", "enabled", "description", "expiration", "policy"}``.

        ``policy`` is ``None`` where it has none of its own, ``expiration`` where it never ends.
        """
        text = self._call("read the access key " + key, "get_service_account", key, missing="InvalidIAMCredentials")
        if text is None:
            return None
        data = json.loads(text)
        ends = moment(data["expiration"]) if data.get("expiration") else NEVER
        return {
            "user": data.get("parentUser"),
            "enabled": data.get("accountStatus") == "on",
            "description": data.get("description", ""),
            "expiration": None if ends <= NEVER else ends,
            "policy": None if data.get("impliedPolicy") else json.loads(data["policy"]),
        }

    def access_keys(self, user: str) -> list[str]:
        """The ids of a user's access keys, in alphabetical order; none where there is no such user."""
        text = self._call(f"list the access keys of the user {user}", "list_service_account", user)
        return sorted(account["accessKey"] for account in json.loads(text or "{}").get("accounts") or [])

    def create_access_key(self, key: str, *, user: str, secret: str, description: str, expiration: datetime | None, policy: dict[str, t.Any] | None) -> None:
        # minio-py makes keys for the one who asks only.
        body: dict[str, t.Any] = {"targetUser": user, "accessKey": key, "secretKey": secret, "description": description}
        if expiration:
            body["expiration"] = rfc3339(expiration)
        if policy:
            body["policy"] = policy
        try:
            self._send("make the access key " + key, "PUT", "SERVICE_ACCOUNT_ADD", {}, body)
        except Fault as fault:
            if fault.code.endswith("NoSuchUser"):
                raise Fault(f"user is {user}: {self.connection.where} has no such user, or it is disabled, and so cannot get the access key {key}") from fault
            raise

    def update_access_key(
        self,
        key: str,
        *,
        policy: dict[str, t.Any] | None,
        secret: str | None = None,
        description: str | None = None,
        expiration: datetime | None = None,
        enabled: bool | None = None,
    ) -> None:
        """Change what is not ``None``; ``expiration`` of :data:`NEVER` takes an end away.

        ``policy`` is always what the key shall have: the server takes it away by any update that does not name it,
        which would give the key all that its user may do.
        """
        body: dict[str, t.Any] = {"newPolicy": policy or {}}
        if secret is not None:
            body["newSecretKey"] = secret
        if description is not None:
            body["newDescription"] = description
        if expiration is not None:
            body["newExpiration"] = rfc3339(expiration)
        if enabled is not None:
            body["newStatus"] = "on" if enabled else "off"
        self._send("change the access key " + key, "POST", "SERVICE_ACCOUNT_UPDATE", {"accessKey": key}, body)

    def remove_access_key(self, key: str) -> None:
        doing = "remove the access key " + key
        if self._call(doing, "delete_service_account", key, missing="InvalidIAMCredentials") is None:
            # Who may not remove it is told that it is not there.
            raise explain_code("AccessDenied", "", self.connection, doing, "admin:RemoveServiceAccount")

    def quota(self, bucket: str) -> int:
        """The most that a bucket may hold, in bytes; 0 where there is no limit."""
        text = self._call(f"read the quota of the bucket {bucket}", "bucket_quota_get", bucket)
        return int(json.loads(text or "{}").get("quota", 0))

    def set_quota(self, bucket: str, size: int) -> None:
        """Limit a bucket to ``size`` bytes; 0 takes the limit away."""
        doing = f"set the quota of the bucket {bucket}"
        if size:
            self._call(doing, "bucket_quota_set", bucket, size)
        else:
            self._call(doing, "bucket_quota_clear", bucket)

    def has_secret(self, key: str, secret: str) -> bool | None:
        """Whether this is the secret of a user or access key; ``None`` where the server does not say (it is disabled, or has ended).

        No server gives a secret away, so this asks for the list of buckets, signed with the secret in question: the server
        looks at the signature first, and only then at whether the key may have the list.
        """
        connection = self.connection
        client = Minio(
            endpoint=self._endpoint,
            access_key=key,
            secret_key=secret,
            region=connection.region or "us-east-1",
            secure=self._secure,
            http_client=self._pool,
        )
        try:
            client.list_buckets()
        except S3Error as error:
            if error.code == "SignatureDoesNotMatch":
                return False
            if error.code == "InvalidAccessKeyId":
                return None
            if error.code != "AccessDenied":
                raise explain_code(error.code or "", error.message or "", connection, "check the secret of " + key) from error
        except (HTTPError, InvalidResponseError) as error:
            raise explain(error, connection, "check the secret of " + key) from error
        return True

    def request(self, doing: str, method: str, command: str, query: dict[str, str], body: dict[str, t.Any] | None = None) -> t.Any:
        """What the server answers to a command of the admin API that minio-py lacks, read as JSON; ``None`` for an empty answer."""

        def ask() -> str:
            sent = None if body is None else encrypt(json.dumps(body).encode(), self._secret)
            response = self._admin._url_open(method=method, command=_command(command), query_params={**query}, body=sent)
            return response.data.decode()

        return json.loads(self._answer(doing, command, ask) or "null")

    def trace(self) -> Iterator[dict[str, t.Any] | None]:
        """What the S3 API of all nodes is asked from now on, as the server tells it after each answer, and ``None`` twice a second. Does not end by itself."""
        with self._explaining("read the trace", "trace"):
            response = self._admin._url_open(method="GET", command=_command("trace"), query_params={"s3": "true"}, preload_content=False)
            try:
                line = b""
                for piece in response.stream():
                    line += piece
                    *whole, line = line.split(b"\n")
                    # While there is nothing to tell the server sends blanks.
                    yield from (json.loads(each) for each in whole if each.strip())
                    yield None
            finally:
                response.close()
        raise Fault(f"{self.connection.where} has ended its trace: was it restarted? Try again")

    def _call(self, doing: str, operation: str, *arguments: t.Any, missing: str = "", **keywords: t.Any) -> str | None:
        """Call a method of minio-py's; ``None`` for an error whose code ends with ``missing``."""
        return self._answer(doing, operation, lambda: getattr(self._admin, operation)(*arguments, **keywords), missing)

    def _send(self, doing: str, method: str, command: str, query: dict[str, str], body: dict[str, t.Any]) -> None:
        def request() -> str:
            response = self._admin._url_open(
                method=method,
                command=_COMMAND[command],
                query_params={**query},
                body=encrypt(json.dumps(body).encode(), self._secret),
                preload_content=False,
            )
            try:
                return decrypt(response, self._secret).decode() if command == "SERVICE_ACCOUNT_ADD" else ""
            finally:
                response.close()
                response.release_conn()

        self._answer(doing, command, request)

    def _answer(self, doing: str, operation: str, request: t.Callable[[], str], missing: str = "") -> str | None:
        with self._explaining(doing, operation):
            try:
                return request()
            except MinioAdminException as error:
                if missing and code_of(error)[0].endswith(missing):
                    return None
                raise

    @contextlib.contextmanager
    def _explaining(self, doing: str, operation: str) -> Iterator[None]:
        """Say in one sentence what was wrong with a request; raises :class:`Fault`."""
        try:
            yield
        except MinioAdminException as error:
            raise explain_code(*code_of(error), self.connection, doing, f"admin:{RIGHTS[operation]}") from error
        except (HTTPError, ValueError) as error:
            raise explain(error, self.connection, doing) from error


def _command(name: str) -> t.Any:
    """A command of the admin API for minio-py, which has its own in an enumeration, and looks at nothing but their value."""
    return types.SimpleNamespace(value=name)


def secret_differs(module: MinioModule, server: Server, key: str, *, enabled: bool, enabling: bool) -> bool:
    """Whether the secret of a user or access key that exists is to be set, by the module's options ``secret`` and ``update_secret``."""
    secret, update = module.params["secret"], module.params["update_secret"]
    if secret is None or update == "on_create":
        return False
    if update == "always":
        return True
    matches = server.has_secret(key, secret) if enabled else None
    if matches is None and not enabling:
        module.warn(f"the server does not tell whether the secret of {key} is the one given, as it is disabled or has ended: it is left alone")
        return False
    # What is enabled again gets the secret that was given, whether or not it is another one.
    return not matches


def check_credentials(option: str, name: str, secret: str | None) -> None:
    """See that a name (of the option ``option``) and a secret are such as the server takes. Raises :class:`Fault`."""
    if len(name) < 3 or "=" in name or "," in name:
        raise Fault(f"{option} is {name}: give 3 characters or more, and neither = nor a comma among them")
    if secret is not None and not 8 <= len(secret) <= 40:
        raise Fault(f"secret has {len(secret)} characters: the secret of {name} is to have 8 to 40")


def user_of(data: dict[str, t.Any]) -> dict[str, t.Any]:
    """A user of the admin API as :meth:`Server.user` has it."""
    return {"enabled": data.get("status") == "enabled", "policies": sorted(filter(None, data.get("policyName", "").split(",")))}


def describe_access_key(key: str, data: dict[str, t.Any]) -> dict[str, t.Any]:
    """What :meth:`Server.access_key` found, as it is compared and shown."""
    return {
        "key": key,
        "user": data["user"],
        "enabled": data["enabled"],
        "description": data["description"],
        "expiration": rfc3339(data["expiration"]) if data["expiration"] else "never",
        "policy": canonical(data["policy"]) if data["policy"] else {},
    }


def make_pool(connection: Connection) -> urllib3.PoolManager:
    attempts = max(0, connection.retries - 1)
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=connection.connect_timeout, read=connection.read_timeout),
        cert_reqs="CERT_REQUIRED" if connection.validate_certs else "CERT_NONE",
        ca_certs=(connection.ca_bundle or certifi.where()) if connection.validate_certs else None,
        retries=urllib3.Retry(total=attempts, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504], raise_on_status=False),
    )


def code_of(error: MinioAdminException) -> tuple[str, str]:
    """Code and message of an error of the admin API; HTTP's status where the answer is not the API's."""
    try:
        body = json.loads(error._body)
        return str(body["Code"]), str(body.get("Message", ""))
    except (ValueError, KeyError, TypeError):
        # Before a request gets to the admin API, the server answers as S3 does.
        told = re.search(r"<Code>(InvalidAccessKeyId|RequestTimeTooSkewed|SignatureDoesNotMatch)</Code>", str(error._body))
        if told:
            return told[1], ""
        if "HTTP request to an HTTPS server" in str(error._body):
            return f"HTTP {error._code}", "the server speaks TLS: give an endpoint_url that starts with https://"
        return f"HTTP {error._code}", "no answer of MinIO's admin API; is this a MinIO or Silo server?"


def explain(error: Exception, connection: Connection, doing: str) -> Fault:
    """One sentence for an error below the admin API."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(reason, SSLError):
        return untrusted(connection, reason)
    if isinstance(reason, HTTPError):
        return unreachable(connection, reason)
    return Fault(f"could not {doing} at {connection.where}: {error}")


def moment(text: str) -> datetime:
    """A point in time (UTC, whole seconds) from ISO 8601 with a zone. Raises ``ValueError``."""
    value = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace("z", "+00:00"))
    if value.tzinfo is None:
        raise ValueError("it has no time zone")
    return value.astimezone(timezone.utc).replace(microsecond=0)


def rfc3339(value: datetime) -> str:
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
