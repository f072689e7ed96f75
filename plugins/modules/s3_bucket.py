#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_bucket
short_description: Manage buckets of any S3 server
version_added: 0.1.0
description:
  - Creates and removes buckets, and sets what is declared of them.
  - What is not declared is left alone, and not asked for, so that a server which lacks it does no harm.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.attributes.action_group_s3
  - odooops.stack.s3.connection
  - odooops.stack.s3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - The name of the bucket.
    type: str
    required: true
  versioning:
    description:
      - Whether the bucket keeps the former versions of its objects.
      - A bucket that never had versioning counts as V(suspended).
    type: str
    choices: [enabled, suspended]
  object_lock:
    description:
      - Whether versions of objects can be locked against removal. It brings versioning with it, for good.
      - It is decided when the bucket is created. Neither can it be had later, nor can it be given up.
    type: bool
  default_retention:
    description:
      - For how long each new version of an object is locked; needs object lock.
    type: dict
    suboptions:
      mode:
        description:
          - With V(governance) those with a special right can still remove a version, with V(compliance) nobody can, and with V(none)
            new versions are not locked.
        type: str
        choices: [none, governance, compliance]
        required: true
      days:
        description:
          - For how many days.
        type: int
      years:
        description:
          - For how many years.
        type: int
  encryption:
    description:
      - How the server encrypts objects that come without a wish of their own.
      - AWS encrypts always, so that it has V(AES256) where nothing else is set, and never V(none).
    type: dict
    suboptions:
      algorithm:
        description:
          - V(AES256) is encryption with keys of the server's (SSE-S3), V(aws:kms) with a key of a key management service (SSE-KMS).
        type: str
        choices: [none, AES256, 'aws:kms', 'aws:kms:dsse']
        required: true
      kms_key:
        description:
          - The key's id or ARN. Without it, the server's default key.
        type: str
      bucket_key:
        description:
          - Whether a key of the bucket's own spares requests to the key management service.
        type: bool
  tags:
    description:
      - Tags of the bucket.
    type: dict
  purge_tags:
    description:
      - Whether tags that O(tags) does not name are removed.
    type: bool
    default: true
  quota:
    description:
      - The most that the bucket may hold, such as V(500GB) or a number of bytes (K, M, G, T are powers of 1024); V(0) for no limit.
      - MinIO only; needs the Python library C(minio), and an administrator's O(access_key).
    type: str
  lifecycle:
    description:
      - The lifecycle rules, which remove or move objects by their age. C([]) takes all away, if O(purge_lifecycle=true).
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The name of the rule.
        type: str
        required: true
      enabled:
        description:
          - Whether the rule is in force.
        type: bool
        default: true
      prefix:
        description:
          - Only objects whose key starts so.
        type: str
      tags:
        description:
          - Only objects that have all these tags.
        type: dict
      size_greater_than:
        description:
          - Only objects of more bytes.
        type: int
      size_less_than:
        description:
          - Only objects of fewer bytes.
        type: int
      expiration_days:
        description:
          - Objects of this age in days expire. In a bucket with versioning they become former versions.
        type: int
      expiration_date:
        description:
          - Objects expire on this day, such as V(2027-01-31).
        type: str
      expired_delete_markers:
        description:
          - Whether a delete marker with no versions left behind it is removed.
        type: bool
      noncurrent_expiration_days:
        description:
          - Former versions are removed this many days after they were replaced or deleted. There is no way back.
        type: int
      noncurrent_versions_kept:
        description:
          - How many of the newest former versions O(lifecycle[].noncurrent_expiration_days) leaves alone.
        type: int
      abort_uploads_days:
        description:
          - Multipart uploads that were not finished this many days after their start are removed.
          - MinIO refuses it. It removes them by itself, after a day where its configuration says nothing else.
        type: int
      transitions:
        description:
          - When objects go to another storage class.
        type: list
        elements: dict
        suboptions:
          days:
            description:
              - At this age in days.
            type: int
          date:
            description:
              - On this day.
            type: str
          storage_class:
            description:
              - The storage class; with MinIO, the name of a remote tier.
            type: str
            required: true
      noncurrent_transitions:
        description:
          - When former versions go to another storage class.
        type: list
        elements: dict
        suboptions:
          days:
            description:
              - This many days after they were replaced or deleted.
            type: int
            required: true
          versions_kept:
            description:
              - How many of the newest former versions stay.
            type: int
          storage_class:
            description:
              - The storage class; with MinIO, the name of a remote tier.
            type: str
            required: true
  purge_lifecycle:
    description:
      - Whether rules that O(lifecycle) does not name are removed.
    type: bool
    default: true
  cors:
    description:
      - The CORS rules, by which browsers let pages of other origins have objects. C([]) takes all away.
      - Their order counts (the first that fits is taken), so they are always set as a whole.
    type: list
    elements: dict
    suboptions:
      allowed_origins:
        description:
          - Origins, such as V(https://odoo.example.com), with one asterisk at most.
        type: list
        elements: str
        required: true
      allowed_methods:
        description:
          - Methods of HTTP.
        type: list
        elements: str
        choices: [GET, PUT, POST, DELETE, HEAD]
        required: true
      allowed_headers:
        description:
          - Headers that a request may have.
        type: list
        elements: str
      expose_headers:
        description:
          - Headers of the answer that the page may see.
        type: list
        elements: str
      max_age_seconds:
        description:
          - For how many seconds browsers may keep the answer to a preflight request.
        type: int
      id:
        description:
          - A name of the rule.
        type: str
  notifications:
    description:
      - Who is told of what happens in the bucket. C([]) takes all away, if O(purge_notifications=true).
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The name of the notification.
        type: str
        required: true
      arn:
        description:
          - The ARN of a queue, a topic or a function; with MinIO, of a target that its configuration has, such as V(arn:minio:sqs::audit:webhook).
        type: str
        required: true
      events:
        description:
          - Events, such as V(s3:ObjectCreated:*).
        type: list
        elements: str
        required: true
      prefix:
        description:
          - Only objects whose key starts so.
        type: str
      suffix:
        description:
          - Only objects whose key ends so.
        type: str
  purge_notifications:
    description:
      - Whether notifications that O(notifications) does not name are removed.
    type: bool
    default: true
  logging:
    description:
      - Where the server writes its log of requests to the bucket; C({}) turns it off.
    type: dict
    suboptions:
      bucket:
        description:
          - The bucket that the logs go to.
        type: str
      prefix:
        description:
          - What their keys start with.
        type: str
  replication:
    description:
      - The replication rules, which copy new objects to other buckets; both need versioning. C([]) takes all away, if O(purge_replication=true).
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The name of the rule.
        type: str
        required: true
      enabled:
        description:
          - Whether the rule is in force.
        type: bool
        default: true
      priority:
        description:
          - Which rule is taken where several fit, the highest. Needed with more than one rule.
        type: int
      prefix:
        description:
          - Only objects whose key starts so.
        type: str
      tags:
        description:
          - Only objects that have all these tags.
        type: dict
      destination:
        description:
          - The ARN of the bucket to copy to, such as V(arn:aws:s3:::bucket); with MinIO, of the remote target.
        type: str
        required: true
      storage_class:
        description:
          - The storage class of the copies.
        type: str
      delete_markers:
        description:
          - Whether deletions (that leave a delete marker) are copied as well.
        type: bool
        default: false
      existing_objects:
        description:
          - Whether objects that were there before the rule are copied.
        type: bool
        default: false
      replica_modifications:
        description:
          - Whether changes of metadata made on the copies come back.
        type: bool
        default: false
  replication_role:
    description:
      - The ARN of the role in whose name AWS replicates. MinIO needs none.
    type: str
    default: ''
  purge_replication:
    description:
      - Whether rules that O(replication) does not name are removed.
    type: bool
    default: true
  policy:
    description:
      - The bucket policy, compared by what it means. C({}) takes it away.
    type: dict
  state:
    description:
      - Whether the bucket is there.
    type: str
    choices: [present, absent]
    default: present
  force:
    description:
      - With O(state=absent), whether a bucket that is not empty is removed, with all its objects, their versions and unfinished uploads.
        There is no way back. Versions that are locked stay, and so does their bucket; what is not locked goes nevertheless.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: A bucket for the attachments of one Odoo
  odooops.stack.s3_bucket:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ store_access_key }}"
    secret_key: "{{ store_secret_key }}"
    name: odoo
    versioning: enabled
    encryption:
      algorithm: AES256
    tags:
      instance: production
    lifecycle:
      - id: former-versions
        noncurrent_expiration_days: 90

- name: A bucket for backups, which nobody can remove for a month
  odooops.stack.s3_bucket:
    name: odoo-backup
    object_lock: true
    default_retention:
      mode: compliance
      days: 30

- name: A copy of each object in another region
  odooops.stack.s3_bucket:
    name: odoo
    versioning: enabled
    replication_role: arn:aws:iam::123456789012:role/replication
    replication:
      - id: to-ireland
        destination: arn:aws:s3:::odoo-ireland
        delete_markers: true

- name: Remove a bucket and all that is in it
  odooops.stack.s3_bucket:
    name: scratch
    state: absent
    force: true
"""

RETURN = r"""
bucket:
  description: The bucket, as far as it is declared; each option in its canonical form, without what says nothing.
  returned: when O(state=present)
  type: dict
  contains:
    name:
      description: The name.
      type: str
    versioning:
      description: Whether it keeps former versions; only when O(versioning) is given, and so on with all other options.
      type: str
"""

import re
import typing as t

from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible_collections.odooops.stack.plugins.module_utils import _bucket_rules as rules
from ansible_collections.odooops.stack.plugins.module_utils._bucket import ASPECTS, Bucket
from ansible_collections.odooops.stack.plugins.module_utils._diff import Diff, plan
from ansible_collections.odooops.stack.plugins.module_utils._policy import PolicyError, canonical
from ansible_collections.odooops.stack.plugins.module_utils._s3 import S3, Fault, S3Module

FILTER = {"prefix": {"type": "str"}, "tags": {"type": "dict"}}
IDENTIFIED = {"id": {"type": "str", "required": True}, "enabled": {"type": "bool", "default": True}}


def numbers(*names: str) -> dict[str, dict[str, t.Any]]:
    return {name: {"type": "int"} for name in names}


def some(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"type": "list", "elements": "dict", "options": options}


WORDS = {"type": "list", "elements": "str"}
CLASS = {"storage_class": {"type": "str", "required": True}}
LIFECYCLE = {
    **IDENTIFIED,
    **FILTER,
    **numbers("size_greater_than", "size_less_than", "expiration_days", "noncurrent_expiration_days", "noncurrent_versions_kept", "abort_uploads_days"),
    "expiration_date": {"type": "str"},
    "expired_delete_markers": {"type": "bool"},
    "transitions": some({**numbers("days"), "date": {"type": "str"}, **CLASS}),
    "noncurrent_transitions": some({"days": {"type": "int", "required": True}, **numbers("versions_kept"), **CLASS}),
}
CORS = {
    "allowed_origins": {**WORDS, "required": True},
    "allowed_methods": {**WORDS, "required": True, "choices": ["GET", "PUT", "POST", "DELETE", "HEAD"]},
    "allowed_headers": WORDS,
    "expose_headers": WORDS,
    **numbers("max_age_seconds"),
    "id": {"type": "str"},
}
NOTIFICATION = {
    "id": {"type": "str", "required": True},
    "arn": {"type": "str", "required": True},
    "events": {**WORDS, "required": True},
    "prefix": {"type": "str"},
    "suffix": {"type": "str"},
}
REPLICATION = {
    **IDENTIFIED,
    **FILTER,
    **numbers("priority"),
    "destination": {"type": "str", "required": True},
    "storage_class": {"type": "str"},
    **{name: {"type": "bool", "default": False} for name in rules.SWITCHES},
}
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "versioning": {"type": "str", "choices": ["enabled", "suspended"]},
    "object_lock": {"type": "bool"},
    "default_retention": {
        "type": "dict",
        "options": {"mode": {"type": "str", "choices": ["none", "governance", "compliance"], "required": True}, **numbers("days", "years")},
    },
    "encryption": {
        "type": "dict",
        "options": {
            "algorithm": {"type": "str", "choices": ["none", "AES256", "aws:kms", "aws:kms:dsse"], "required": True},
            "kms_key": {"type": "str", "no_log": False},
            "bucket_key": {"type": "bool", "no_log": False},
        },
    },
    "tags": {"type": "dict"},
    "quota": {"type": "str"},
    "lifecycle": some(LIFECYCLE),
    "cors": some(CORS),
    "notifications": some(NOTIFICATION),
    "logging": {"type": "dict", "options": {"bucket": {"type": "str"}, "prefix": {"type": "str"}}},
    "replication": some(REPLICATION),
    "replication_role": {"type": "str", "default": ""},
    "policy": {"type": "dict"},
    **{f"purge_{name}": {"type": "bool", "default": True} for name in ("tags", "lifecycle", "notifications", "replication")},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "force": {"type": "bool", "default": False},
}


def size_of(text: str) -> int:
    try:
        size = human_to_bytes(text)
    except ValueError:
        size = -1
    if size < 0:
        raise rules.Wrong(f"quota is {text}: give a number of bytes, or one with a unit, such as 500GB; 0 for no limit")
    return size


WANTED: dict[str, t.Callable[[t.Any], t.Any]] = {
    "default_retention": rules.retention_wanted,
    "encryption": rules.encryption_wanted,
    "tags": rules.tags_wanted,
    "quota": size_of,
    "lifecycle": rules.lifecycle_wanted,
    "cors": rules.cors_wanted,
    "notifications": rules.notifications_wanted,
    "logging": rules.logging_wanted,
    "policy": lambda document: canonical(document) if document else {},
}


def wanted_of(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The canonical form of what is declared. Raises :class:`Fault` where it cannot be, whatever the server says."""
    name = params["name"]
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name) or ".." in name or re.fullmatch(r"[0-9.]+", name):
        raise Fault(f"name is {name}: a bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots, and is no IP address")
    result: dict[str, t.Any] = {"name": name}
    try:
        for option in (*ASPECTS, "quota"):
            if params[option] is None:
                continue
            if option == "replication":
                result[option] = rules.replication_wanted(params[option], params["replication_role"])
            else:
                result[option] = WANTED[option](params[option]) if option in WANTED else params[option]
    except PolicyError as error:
        raise Fault(f"policy: {error}") from error
    except rules.Wrong as error:
        raise Fault(str(error)) from error
    lock = params["object_lock"]
    if lock and params["versioning"] == "suspended":
        raise Fault("versioning is suspended, and object_lock is true: object lock needs versioning")
    if lock is False and result.get("default_retention", rules.NO_RETENTION) != rules.NO_RETENTION:
        raise Fault("default_retention is given, and object_lock is false: retention needs object lock")
    if result.get("replication") and params["versioning"] == "suspended":
        raise Fault("versioning is suspended, and replication is given: replication needs versioning")
    return result


def keep_others(params: dict[str, t.Any], current: dict[str, t.Any], wanted: dict[str, t.Any]) -> None:
    """Add to what is wanted what is not to be purged."""
    for option in ("tags", "lifecycle", "notifications"):
        if option in wanted and not params[f"purge_{option}"]:
            wanted[option] = rules.merged(current[option], wanted[option])
    if "replication" in wanted and not params["purge_replication"] and current["replication"]:
        there, wish = current["replication"], wanted["replication"] or {"role": "", "rules": []}
        wanted["replication"] = {"role": wish["role"] or there["role"], "rules": rules.merged(there["rules"], wish["rules"])}


def check_birth(bucket: Bucket, current: dict[str, t.Any] | None, wanted: dict[str, t.Any]) -> None:
    """Refuse what can be had at a bucket's birth only."""
    retains = wanted.get("default_retention", rules.NO_RETENTION) != rules.NO_RETENTION
    if current is None:
        if retains and not wanted.get("object_lock"):
            raise Fault(f"default_retention: the new bucket {bucket.name} needs object_lock: true, which can be had at a bucket's birth only")
        return
    if "object_lock" in wanted and wanted["object_lock"] != current["object_lock"]:
        raise Fault(
            f"object_lock is {str(wanted['object_lock']).lower()}: the bucket {bucket.name} was created {'with' if current['object_lock'] else 'without'} it, "
            "and that cannot be changed; make another bucket, and copy the objects"
        )
    if not retains or "object_lock" in wanted or current["default_retention"] != rules.NO_RETENTION:
        # Where there is a retention, there is object lock.
        return
    if not (bucket.read(["object_lock"]) or {}).get("object_lock"):
        raise Fault(
            f"default_retention: the bucket {bucket.name} was created without object lock, and cannot get it; make another bucket, and copy the objects"
        )


def apply(bucket: Bucket, diff: Diff, force: bool) -> None:
    """Bring the server from ``diff.before`` to ``diff.after``."""
    if diff.after is None:
        if force:
            bucket.empty()
        bucket.remove()
        return
    before = diff.before
    if before is None:
        lock = bool(diff.after.get("object_lock"))
        bucket.create(lock)
        before = {option: aspect.none for option, aspect in ASPECTS.items()} | {"quota": 0}
        if lock:
            before |= {"object_lock": True, "versioning": "enabled"}
        if bucket.s3.connection.endpoint_url is None:
            # AWS encrypts from the first day.
            before["encryption"] = {"algorithm": "AES256"}
    for option in (*ASPECTS, "quota"):
        if option in diff.after and diff.after[option] != before[option]:
            bucket.write(option, diff.after[option])
            bucket.confirm(option, diff.after[option])


def main() -> None:
    module = S3Module(argument_spec=ARGUMENTS)
    params = module.params

    with module.sentences():
        wanted = wanted_of(params) if params["state"] == "present" else None
        bucket = Bucket(S3(module.connection), params["name"])
        current = bucket.read([option for option in wanted or {} if option != "name"])
        if wanted is not None:
            check_birth(bucket, current, wanted)
            if current is not None:
                keep_others(params, current, wanted)
        diff = plan(current, wanted)

        if diff.removed and not params["force"] and not bucket.is_empty():
            raise Fault(f"the bucket {bucket.name} is not empty: say force to remove it with all that is in it")
        if diff.changed and not module.check_mode:
            apply(bucket, diff, params["force"])

    result = diff.result()
    if diff.after is not None:
        result["bucket"] = diff.after
    module.exit_json(**result)


if __name__ == "__main__":
    main()
