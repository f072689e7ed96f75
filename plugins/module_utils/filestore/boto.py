# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""boto3, for all that is rare: a client that keeps to the time of one operation, and its errors as ours."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from .config import Config
from .errors import ConfigError, Denied, StoreError, Unavailable, kind

try:
    import boto3.session
    import botocore.config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError, PartialCredentialsError

    IMPORT_ERROR: ImportError | None = None
except ImportError as error:
    IMPORT_ERROR = error

__all__ = ["IMPORT_ERROR", "ClientError", "client", "code", "raising", "require"]


def require() -> None:
    """Raise ConfigError if boto3 is missing."""
    if IMPORT_ERROR is not None:
        raise ConfigError(f"the Python package boto3 is missing in the environment that runs this ({IMPORT_ERROR})")


def client(config: Config, endpoint: str) -> Any:
    """A client for S3 with the settings' key; an operation begins no attempt that could end later than ``config.patience`` seconds after the first.

    :param endpoint: its URL; '' is AWS's own.
    """
    access_key, secret_key = config.key
    options: dict[str, Any] = {
        # boto3 signs links in the old way unless told so, which most stores refuse.
        "signature_version": "s3v4",
        "connect_timeout": config.connect_timeout,
        "read_timeout": config.read_timeout,
        "retries": {"mode": "standard", "total_max_attempts": config.max_attempts},
        "max_pool_connections": config.pool_size,
        "s3": {"addressing_style": config.addressing_style or "auto"},
    }
    for name in ("request_checksum_calculation", "response_checksum_validation"):
        if name in botocore.config.Config.OPTION_DEFAULTS:
            # Contents have their SHA-1, which we give and check ourselves; other checksums some stores refuse.
            options[name] = "when_required"
    with raising(f"could not connect to {config.where}"):
        # A session of its own: the default one may not be used by several threads at once.
        made = boto3.session.Session().client(
            "s3",
            region_name=config.region,
            endpoint_url=endpoint or None,
            aws_access_key_id=access_key or None,
            aws_secret_access_key=secret_key or None,
            verify=config.ca_bundle or None,
            config=botocore.config.Config(**options),
        )
    _keep_to_budget(made, config)
    return made


def _keep_to_budget(made: Any, config: Config) -> None:
    def fits(now: float, end: float) -> bool:
        return now + config.connect_timeout + config.read_timeout <= end + 0.1

    def begin(request: Any, **_event: Any) -> None:
        """Called by boto3 before each attempt: begin none that could take longer than there is time."""
        now = time.monotonic()
        # The context is the same for all attempts at one request.
        end = request.context.setdefault("s3_attachment_end", now + config.patience)
        if not fits(now, end):
            raise Unavailable(f"{config.where} gave no answer within {config.patience:g} s")

    def no_idle_wait(request_dict: dict[str, Any], caught_exception: Exception | None = None, **_event: Any) -> int | None:
        """Called by boto3 after each attempt: do not wait for one that would not be begun. (What is returned are seconds.)"""
        end = request_dict["context"].get("s3_attachment_end")
        return 0 if caught_exception is not None and end is not None and not fits(time.monotonic(), end) else None

    events: Any = made.meta.events  # boto3's types say that nobody answers
    events.register("request-created.s3", begin)
    events.register_first("needs-retry.s3", no_idle_wait)


@contextlib.contextmanager
def raising(what: str) -> Iterator[None]:
    """Raise what boto3 does as one of our errors.

    :param what: how its message begins.
    """
    try:
        yield
    except StoreError:
        raise
    except ClientError as error:
        raise _kind(error)(f"{what}: {_explain(error)}") from error
    except (NoCredentialsError, PartialCredentialsError, ParamValidationError) as error:
        raise Denied(f"{what}: {error}") from error
    except BotoCoreError as error:
        # Its text may hold the whole URL; the kind says enough, and the cause is chained.
        raise Unavailable(f"{what}: no complete answer ({type(error).__name__})") from error


def code(error: Any) -> str:
    """What the store calls an error that boto3 raised; '' if it says nothing."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _kind(error: Any) -> type[StoreError]:
    answer = error.response.get("ResponseMetadata", {})
    # That to a HEAD has no body, but MinIO has a header.
    bucket_missing = answer.get("HTTPHeaders", {}).get("x-minio-error-code") == "NoSuchBucket"
    return kind(code(error), int(answer.get("HTTPStatusCode", 0)), bucket_missing=bucket_missing)


def _explain(error: Any) -> str:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    return f"{code(error)} ({status}){': ' + message if message and message != code(error) else ''}"
