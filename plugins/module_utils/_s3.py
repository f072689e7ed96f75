# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection that all modules have in common, and boto3's client made from it."""

from __future__ import annotations

import contextlib
import os
import traceback
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

BOTO3_ERROR: str | None = None
try:
    import boto3
    import botocore.exceptions
    import botocore.session
    from botocore.config import Config
except ImportError:
    BOTO3_ERROR = traceback.format_exc()

CONNECTION: dict[str, dict[str, t.Any]] = {
    "endpoint_url": {"type": "str", "fallback": (env_fallback, ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])},
    "region": {"type": "str", "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"])},
    "profile": {"type": "str"},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "ca_bundle": {"type": "path", "fallback": (env_fallback, ["AWS_CA_BUNDLE"])},
    "validate_certs": {"type": "bool", "default": True},
    "connect_timeout": {"type": "float", "default": 10},
    "read_timeout": {"type": "float", "default": 60},
    "retries": {"type": "int", "default": 3},
}


KEY_IN_ENVIRONMENT = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "session_token": "AWS_SESSION_TOKEN"}


# What a policy calls the right to an operation of S3's API, where it is not "s3:" and the operation's name.
# Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
RIGHTS = {
    "delete_bucket_cors": "PutBucketCORS",
    "delete_bucket_encryption": "PutEncryptionConfiguration",
    "delete_bucket_lifecycle": "PutLifecycleConfiguration",
    "delete_bucket_replication": "PutReplicationConfiguration",
    "delete_bucket_tagging": "PutBucketTagging",
    "delete_objects": "DeleteObjectVersion",
    "get_bucket_cors": "GetBucketCORS",
    "get_bucket_encryption": "GetEncryptionConfiguration",
    "get_bucket_lifecycle_configuration": "GetLifecycleConfiguration",
    "get_bucket_notification_configuration": "GetBucketNotification",
    "get_bucket_replication": "GetReplicationConfiguration",
    "get_object_lock_configuration": "GetBucketObjectLockConfiguration",
    "head_bucket": "ListBucket",
    "list_buckets": "ListAllMyBuckets",
    "list_multipart_uploads": "ListBucketMultipartUploads",
    "list_object_versions": "ListBucketVersions",
    "put_bucket_cors": "PutBucketCORS",
    "put_bucket_encryption": "PutEncryptionConfiguration",
    "put_bucket_lifecycle_configuration": "PutLifecycleConfiguration",
    "put_bucket_notification_configuration": "PutBucketNotification",
    "put_bucket_replication": "PutReplicationConfiguration",
    "put_object_lock_configuration": "PutBucketObjectLockConfiguration",
}

# What servers say beside S3's own codes: an answer to HEAD is a status alone, and some have codes of their own.
SYNONYMS = {
    "403": "AccessDenied",
    "AllAccessDisabled": "AccessDenied",
    "XAdminUserNotFound": "InvalidAccessKeyId",
    **dict.fromkeys(("IllegalLocationConstraintException", "InvalidLocationConstraint", "InvalidRegion"), "AuthorizationHeaderMalformed"),
}


OF_OBJECTS = {"delete_objects", "abort_multipart_upload"}


class Fault(Exception):
    """Something went wrong, in one sentence that says what to do; ``code`` is the server's, where it answered."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Connection:
    """Where a server is and who asks it."""

    endpoint_url: str | None
    region: str | None
    access_key: str | None
    secret_key: str | None
    session_token: str | None
    ca_bundle: str | None
    validate_certs: bool
    connect_timeout: float
    read_timeout: float
    retries: int
    addressing_style: str = "auto"

    @property
    def where(self) -> str:
        return self.endpoint_url or "AWS"

    @property
    def who(self) -> str:
        return f"access key {self.access_key}" if self.access_key else "access key in use"

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any]) -> Connection:
        """The connection that a module's options, the environment and a profile of AWS's files describe, in this order.

        What makes a key stays together: one part of it is never taken from here, and another from there. A profile that
        is an option comes before keys of the environment, as boto3 has it. Raises :class:`Fault`.
        """
        names = {*CONNECTION, "addressing_style"} - {"profile"}
        values = {name: params[name] for name in names if name in params}
        profile = params.get("profile")
        if not values.get("access_key"):
            if not profile and os.environ.get("AWS_ACCESS_KEY_ID"):
                values.update((name, os.environ.get(variable)) for name, variable in KEY_IN_ENVIRONMENT.items())
            else:
                values.update(dict.fromkeys(KEY_IN_ENVIRONMENT))
        missing = {name for name in ("endpoint_url", "region", "ca_bundle", "access_key") if not values.get(name)}
        if missing and BOTO3_ERROR is None:
            values.update(of_profile(profile, missing))
        elif profile and BOTO3_ERROR is not None:
            raise Fault(missing_required_lib("boto3", reason="for profile"))
        return cls(**values)


def of_profile(profile: str | None, missing: t.Collection[str]) -> dict[str, t.Any]:
    """Those of the connection's values in ``missing`` that botocore finds, in this profile or the one that the environment names.

    Raises :class:`Fault`.
    """
    result: dict[str, t.Any] = {}
    name = profile or os.environ.get("AWS_PROFILE") or "default"
    try:
        session = botocore.session.Session(profile=profile)
        scoped = session.get_scoped_config()
        for setting in {"region", "ca_bundle"} & {*missing}:
            result[setting] = session.get_config_variable(setting)
        if "endpoint_url" in missing:
            services = session.full_config.get("services", {}).get(scoped.get("services"), {})
            result["endpoint_url"] = services.get("s3", {}).get("endpoint_url") or scoped.get("endpoint_url")
        credentials = session.get_credentials() if "access_key" in missing else None
        if credentials:
            frozen = credentials.get_frozen_credentials()
            result.update(access_key=frozen.access_key, secret_key=frozen.secret_key, session_token=frozen.token)
    except botocore.exceptions.ProfileNotFound as error:
        raise Fault(
            f"profile is {name}: the config and credentials files of the user that the module runs as do not have it; "
            "give another, or name other files by AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"
        ) from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise Fault(f"profile is {name}: it cannot be used: {error}") from error
    return result


class StackModule(AnsibleModule):
    """A module with the connection's options, check mode, and errors that are sentences."""

    def __init__(self, argument_spec: dict[str, t.Any], connection: dict[str, dict[str, t.Any]], **keywords: t.Any) -> None:
        super().__init__(
            argument_spec={**connection, **argument_spec},
            required_together=[("access_key", "secret_key")],
            required_by={"session_token": ("access_key",)},
            supports_check_mode=True,
            **keywords,
        )
        with self.sentences():
            self.connection = Connection.of(self.params)
        self.no_log_values.update(filter(None, (self.connection.secret_key, self.connection.session_token)))

    @contextlib.contextmanager
    def sentences(self) -> t.Iterator[None]:
        """End the module with the sentence of a fault."""
        try:
            yield
        except Fault as fault:
            self.fail_json(msg=str(fault))


class S3Module(StackModule):
    """A module that talks to any S3 server by boto3."""

    def __init__(self, argument_spec: dict[str, t.Any], **keywords: t.Any) -> None:
        addressing = {"addressing_style": {"type": "str", "choices": ["auto", "path", "virtual"], "default": "auto"}}
        super().__init__(argument_spec, {**CONNECTION, **addressing}, **keywords)
        if BOTO3_ERROR is not None:
            self.fail_json(msg=missing_required_lib("boto3"), exception=BOTO3_ERROR)


class S3:
    """boto3's client, with errors mapped to :class:`Fault`."""

    def __init__(self, connection: Connection, client: t.Any = None) -> None:
        self.connection = connection
        try:
            self.client = client or make_client(connection)
        except (ValueError, botocore.exceptions.BotoCoreError) as error:
            raise explain(error, connection, "be reached") from error

    def call(self, operation: str, doing: str, missing: t.Container[str] = (), **arguments: t.Any) -> t.Any:
        """Call an operation of boto3's client.

        ``doing`` completes "... may not ..." and "could not ..."; for an error whose code is in ``missing`` the result
        is ``None``. Raises :class:`Fault`.
        """
        try:
            return getattr(self.client, operation)(**arguments)
        except botocore.exceptions.ClientError as error:
            if code_of(error) in missing:
                return None
            raise explain(error, self.connection, doing, right(operation, arguments)) from error
        except botocore.exceptions.BotoCoreError as error:
            raise explain(error, self.connection, doing) from error


def right(operation: str, arguments: t.Mapping[str, t.Any]) -> str:
    """What a policy has to allow for an operation: the action and the resource."""
    action = RIGHTS.get(operation) or "".join(word.capitalize() for word in operation.split("_"))
    return f"s3:{action} on arn:aws:s3:::{arguments.get('Bucket', '*')}{'/*' if operation in OF_OBJECTS else ''}"


def make_client(connection: Connection) -> t.Any:
    if not connection.access_key or not connection.secret_key:
        raise no_key()
    settings: dict[str, t.Any] = {
        "connect_timeout": connection.connect_timeout,
        "read_timeout": connection.read_timeout,
        "retries": {"total_max_attempts": max(1, connection.retries), "mode": "standard"},
        "s3": {"addressing_style": connection.addressing_style},
    }
    try:
        # Servers that are not AWS do not all know the checksums that newer clients add unasked.
        config = Config(**settings, request_checksum_calculation="when_required", response_checksum_validation="when_required")
    except TypeError:
        config = Config(**settings)
    return boto3.session.Session().client(
        "s3",
        endpoint_url=connection.endpoint_url,
        region_name=connection.region,
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        aws_session_token=connection.session_token,
        verify=(connection.ca_bundle or True) if connection.validate_certs else False,
        config=config,
    )


def code_of(error: t.Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: Exception, connection: Connection, doing: str, right: str = "") -> Fault:
    """One sentence for an error of boto3."""
    if isinstance(error, botocore.exceptions.ClientError):
        detail = error.response.get("Error", {})
        return explain_code(code_of(error), str(detail.get("Message", "")), connection, doing, right)
    if isinstance(error, botocore.exceptions.SSLError):
        return untrusted(connection, error)
    if isinstance(error, (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)):
        return unreachable(connection, error)
    if isinstance(error, botocore.exceptions.NoRegionError):
        return Fault("no region: give region or AWS_DEFAULT_REGION")
    if isinstance(error, ValueError) and "endpoint" in str(error).lower():
        return Fault(f"endpoint_url is {connection.endpoint_url}: it must be a URL such as https://s3.example.com")
    return Fault(f"could not {doing} at {connection.where}: {error}")


def explain_code(code: str, message: str, connection: Connection, doing: str, right: str = "") -> Fault:
    """One sentence for an error that a server answered; ``right`` is what a policy has to allow."""
    where, who = connection.where, connection.who
    # A server does not tell strangers whose a bucket is.
    stranger = "; if the bucket is somebody else's, take another name" if right.startswith("s3:") and not right.endswith("*") else ""
    known = {
        "InvalidAccessKeyId": f"{where} does not know the {who}, or it is disabled: check access_key",
        "SignatureDoesNotMatch": f"the secret_key is not that of the {who} at {where}",
        "RequestTimeTooSkewed": f"the clocks of this host and of {where} differ by more than 15 minutes: set them right",
        "AuthorizationHeaderMalformed": f"{where} is in another region than {connection.region or 'the default one'}: give its region ({message})",
        "AccessDenied": f"the {who} may not {doing} at {where}: give it a policy that allows {right or 'that'}{stranger}",
        "BucketAlreadyExists": f"could not {doing}: the name is taken by somebody else at {where}: take another",
        "NoSuchBucket": f"could not {doing}: there is no such bucket at {where}",
    }
    code = SYNONYMS.get(code, code)
    if code in ("NotImplemented", "XNotImplemented", "NotSupported", "MethodNotAllowed", "501"):
        return Fault(f"{where} cannot {doing}: {message or code}", code)
    return Fault(known.get(code, f"could not {doing} at {where}: {code} {message}".rstrip()), code)


def unreachable(connection: Connection, error: Exception | str) -> Fault:
    return Fault(f"{connection.where} cannot be reached from this host ({error}): check endpoint_url, and that the server runs")


def untrusted(connection: Connection, error: Exception | str) -> Fault:
    where, bundle, said = connection.where, connection.ca_bundle, str(error)
    if bundle and not os.access(bundle, os.R_OK):
        return Fault(f"ca_bundle is {bundle}: there is no such file on this host, or it may not be read")
    if bundle and "NO_CERTIFICATE" in said:
        return Fault(f"ca_bundle is {bundle}: it has no certificate in PEM form")
    if "WRONG_VERSION" in said or "record layer" in said:
        return Fault(f"{where} does not speak TLS: give an endpoint_url that starts with http://, or the port of https ({error})")
    return Fault(f"the certificate of {where} is not trusted ({error}): name its CA's certificate in ca_bundle, and reach it by a name that it has")


def no_key() -> Fault:
    return Fault("no access key: give access_key and secret_key, or a profile that has them, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
