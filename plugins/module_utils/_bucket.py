# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be declared of a bucket: how each aspect is asked for, understood and written."""

from __future__ import annotations

import json
import re
import time
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.odooops.stack.plugins.module_utils import _bucket_rules as rules
from ansible_collections.odooops.stack.plugins.module_utils._policy import canonical
from ansible_collections.odooops.stack.plugins.module_utils._s3 import S3, Fault

if t.TYPE_CHECKING:
    from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import Server

# Some servers need a moment until they answer with what was just written; seconds to wait between two looks.
PATIENCE = (0.1, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True)
class Aspect:
    """Something that can be declared of a bucket.

    ``get`` is the operation that asks for it, and ``missing`` the errors that say that there is none; ``read`` makes the
    canonical form of the answer. ``put`` writes it, with the argument that ``send`` makes as ``argument``; ``delete``
    takes away what is ``none``, where the API has an operation of its own for that.
    """

    words: str
    get: str
    read: t.Callable[[dict[str, t.Any]], t.Any]
    put: str
    argument: str
    send: t.Callable[[t.Any], t.Any]
    none: t.Any
    missing: tuple[str, ...] = ()
    delete: str | None = None


ASPECTS = {
    "versioning": Aspect(
        "versioning",
        "get_bucket_versioning",
        lambda answer: answer.get("Status", "Suspended").lower(),
        "put_bucket_versioning",
        "VersioningConfiguration",
        lambda wish: {"Status": wish.capitalize()},
        "suspended",
    ),
    "object_lock": Aspect(
        "object lock",
        "get_object_lock_configuration",
        lambda answer: answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled",
        "put_object_lock_configuration",
        "ObjectLockConfiguration",
        lambda _wish: {"ObjectLockEnabled": "Enabled"},
        False,
        ("ObjectLockConfigurationNotFoundError",),
    ),
    "default_retention": Aspect(
        "default retention",
        "get_object_lock_configuration",
        rules.retention_read,
        "put_object_lock_configuration",
        "ObjectLockConfiguration",
        rules.retention_sent,
        rules.NO_RETENTION,
        ("ObjectLockConfigurationNotFoundError",),
    ),
    "encryption": Aspect(
        "default encryption",
        "get_bucket_encryption",
        rules.encryption_read,
        "put_bucket_encryption",
        "ServerSideEncryptionConfiguration",
        rules.encryption_sent,
        rules.NONE,
        ("ServerSideEncryptionConfigurationNotFoundError",),
        "delete_bucket_encryption",
    ),
    "tags": Aspect(
        "tags", "get_bucket_tagging", rules.tags_read, "put_bucket_tagging", "Tagging", rules.tags_sent, {}, ("NoSuchTagSet",), "delete_bucket_tagging"
    ),
    "lifecycle": Aspect(
        "lifecycle rules",
        "get_bucket_lifecycle_configuration",
        rules.lifecycle_read,
        "put_bucket_lifecycle_configuration",
        "LifecycleConfiguration",
        rules.lifecycle_sent,
        [],
        ("NoSuchLifecycleConfiguration",),
        "delete_bucket_lifecycle",
    ),
    "cors": Aspect(
        "CORS rules",
        "get_bucket_cors",
        rules.cors_read,
        "put_bucket_cors",
        "CORSConfiguration",
        rules.cors_sent,
        [],
        ("NoSuchCORSConfiguration",),
        "delete_bucket_cors",
    ),
    "notifications": Aspect(
        "notifications",
        "get_bucket_notification_configuration",
        rules.notifications_read,
        "put_bucket_notification_configuration",
        "NotificationConfiguration",
        rules.notifications_sent,
        [],
    ),
    "logging": Aspect("access logging", "get_bucket_logging", rules.logging_read, "put_bucket_logging", "BucketLoggingStatus", rules.logging_sent, {}),
    "replication": Aspect(
        "replication rules",
        "get_bucket_replication",
        rules.replication_read,
        "put_bucket_replication",
        "ReplicationConfiguration",
        rules.replication_sent,
        {},
        ("ReplicationConfigurationNotFoundError",),
        "delete_bucket_replication",
    ),
    # The last to be written: it may shut out the one who writes it.
    "policy": Aspect(
        "bucket policy",
        "get_bucket_policy",
        lambda answer: canonical(json.loads(answer["Policy"])) if answer.get("Policy") else {},
        "put_bucket_policy",
        "Policy",
        json.dumps,
        {},
        ("NoSuchBucketPolicy",),
        "delete_bucket_policy",
    ),
}


class Bucket:
    """One bucket of a server."""

    def __init__(self, s3: S3, name: str) -> None:
        self.s3 = s3
        self.name = name
        self._admin: Server | None = None

    @property
    def admin(self) -> Server:
        """S3's API knows no quota; MinIO's admin API does."""
        if self._admin is None:
            if self.s3.connection.endpoint_url is None:
                raise Fault("AWS cannot set a quota of a bucket: leave quota out")
            # Its libraries take longer to load than most runs to do their work.
            from ansible_collections.odooops.stack.plugins.module_utils import _minio_admin  # noqa: PLC0415

            if _minio_admin.MINIO_ERROR is not None:
                raise Fault(missing_required_lib("minio", reason="for quota"))
            self._admin = _minio_admin.Server(self.s3.connection)
        return self._admin

    def read(self, declared: t.Collection[str]) -> dict[str, t.Any] | None:
        """What is declared of it, as it is; ``None`` where there is no such bucket.

        One request for each operation needed. Some servers say of a bucket that is not there that it has no such
        setting: where that is all they say, whether it is there is asked for.
        """
        answers: dict[str, dict[str, t.Any] | None] = {}
        result: dict[str, t.Any] = {"name": self.name}
        try:
            for option in (name for name in declared if name != "quota"):
                aspect = ASPECTS[option]
                if aspect.get not in answers:
                    doing = f"read the {aspect.words} of the bucket {self.name}"
                    answers[aspect.get] = self.s3.call(aspect.get, doing, missing=aspect.missing, Bucket=self.name)
                result[option] = aspect.read(answers[aspect.get] or {})
            if all(answer is None for answer in answers.values()) and not self.exists():
                return None
            if "quota" in declared:
                result["quota"] = self.admin.quota(self.name)
            return result
        except Fault as fault:
            if fault.code == "NoSuchBucket":
                return None
            raise

    def exists(self) -> bool:
        doing = f"look at the bucket {self.name}"
        try:
            return self.s3.call("head_bucket", doing, missing=("404", "NoSuchBucket"), Bucket=self.name) is not None
        except Fault:
            # An answer to HEAD has no body, so it does not tell why; the same question by GET does.
            return self.s3.call("get_bucket_location", doing, missing=("NoSuchBucket",), Bucket=self.name) is not None

    def create(self, object_lock: bool) -> None:
        region = self.s3.connection.region
        more: dict[str, t.Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region and region != "us-east-1" else {}
        if object_lock:
            more["ObjectLockEnabledForBucket"] = True
        # The bucket is ours already: made meanwhile by somebody with the same wish.
        self.s3.call("create_bucket", f"create the bucket {self.name}", missing=("BucketAlreadyOwnedByYou",), Bucket=self.name, **more)

    def write(self, option: str, wish: t.Any) -> None:
        if option == "quota":
            self.admin.set_quota(self.name, wish)
            return
        aspect = ASPECTS[option]
        doing = f"set the {aspect.words} of the bucket {self.name}"
        if aspect.delete and wish == aspect.none:
            self.s3.call(aspect.delete, doing, missing=aspect.missing, Bucket=self.name)
        else:
            self.s3.call(aspect.put, doing, Bucket=self.name, **{aspect.argument: aspect.send(wish)})

    def confirm(self, option: str, wish: t.Any) -> None:
        """See that the server holds what it was given. Raises :class:`Fault` where it took it and holds something else."""
        for wait in (*PATIENCE, None):
            held = (self.read([option]) or {}).get(option)
            if held == wish:
                return
            if wait is not None:
                time.sleep(wait)
        where, words = self.s3.connection.where, ASPECTS[option].words if option in ASPECTS else option
        raise Fault(f"{where} took the {words} of the bucket {self.name}, but holds other ones: wanted {json.dumps(wish)}, and there is {json.dumps(held)}")

    def is_empty(self) -> bool:
        answer = self.s3.call("list_object_versions", f"list the bucket {self.name}", Bucket=self.name, MaxKeys=1)
        return not answer.get("Versions") and not answer.get("DeleteMarkers")

    def empty(self) -> None:
        """Remove all objects with their versions, and all unfinished uploads."""
        doing = f"empty the bucket {self.name}"
        while True:
            page = self.s3.call("list_object_versions", doing, Bucket=self.name, MaxKeys=1000)
            found = [{"Key": item["Key"], "VersionId": item["VersionId"]} for kind in ("Versions", "DeleteMarkers") for item in page.get(kind, [])]
            if not found:
                break
            answer = self.s3.call("delete_objects", doing, Bucket=self.name, Delete={"Objects": found, "Quiet": True})
            if answer.get("Errors"):
                raise Fault(f"could not {doing}: {why_not_removed(answer['Errors'])}")
        # Some servers (MinIO) only list the uploads of a key that is named; there the bucket goes with its unfinished uploads.
        uploads = self.s3.call("list_multipart_uploads", doing, Bucket=self.name)
        for upload in uploads.get("Uploads", []):
            self.s3.call("abort_multipart_upload", doing, missing=("NoSuchUpload",), Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])

    def remove(self) -> None:
        self.s3.call("delete_bucket", f"remove the bucket {self.name}", Bucket=self.name)


def why_not_removed(errors: list[dict[str, t.Any]]) -> str:
    """What a server said against the removal of some versions; no two servers have the same code for a lock."""
    locked = sorted({str(error.get("Key")) for error in errors if re.search(r"\bWORM\b|\block(ed)?\b", error.get("Message", ""))})
    if locked:
        shown = ", ".join(locked[:3]) + (f" and {len(locked) - 3} more" if len(locked) > 3 else "")
        return (
            f"versions of {shown} are locked: they can be removed when their retention has ended and no legal hold is on them, and not before; "
            "what was not locked is gone"
        )
    first = errors[0]
    return f"{first.get('Key')}: {first.get('Code')} {first.get('Message', '')}".rstrip()
