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
  state:
    description:
      - Whether the bucket is there.
    type: str
    choices: [present, absent]
    default: present
  force:
    description:
      - With O(state=absent), whether a bucket that is not empty is removed, with all its objects, their versions and unfinished uploads.
        There is no way back.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: A bucket that keeps former versions
  odooops.stack.s3_bucket:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ store_access_key }}"
    secret_key: "{{ store_secret_key }}"
    name: odoo
    versioning: enabled

- name: Remove a bucket and all that is in it
  odooops.stack.s3_bucket:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ store_access_key }}"
    secret_key: "{{ store_secret_key }}"
    name: scratch
    state: absent
    force: true
"""

RETURN = r"""
bucket:
  description: The bucket, as far as it is declared.
  returned: when O(state=present)
  type: dict
  contains:
    name:
      description: The name.
      type: str
    versioning:
      description: Whether it keeps former versions; only when O(versioning) is given.
      type: str
"""

import typing as t
from dataclasses import dataclass

from ansible_collections.odooops.stack.plugins.module_utils._diff import plan
from ansible_collections.odooops.stack.plugins.module_utils._s3 import S3, Fault, S3Module


@dataclass(frozen=True)
class Aspect:
    """Something that can be declared of a bucket: how its present value is read, and a new one written."""

    read: t.Callable[[S3, str], t.Any]
    write: t.Callable[[S3, str, t.Any], None]
    # What a bucket has on its first day.
    new: t.Any


def read_versioning(s3: S3, bucket: str) -> str:
    answer = s3.call("get_bucket_versioning", f"read the versioning of the bucket {bucket}", Bucket=bucket)
    return answer.get("Status", "Suspended").lower()


def write_versioning(s3: S3, bucket: str, value: str) -> None:
    s3.call("put_bucket_versioning", f"set the versioning of the bucket {bucket}", Bucket=bucket, VersioningConfiguration={"Status": value.capitalize()})


ASPECTS = {"versioning": Aspect(read_versioning, write_versioning, "suspended")}


def exists(s3: S3, bucket: str) -> bool:
    try:
        return s3.call("head_bucket", f"look at the bucket {bucket}", missing=("404", "NoSuchBucket"), Bucket=bucket) is not None
    except Fault:
        # An answer to HEAD has no body, so it does not tell why; the same question by GET does.
        answer = s3.call("get_bucket_location", f"look at the bucket {bucket}", missing=("NoSuchBucket",), Bucket=bucket)
        return answer is not None


def create(s3: S3, bucket: str) -> None:
    region = s3.connection.region
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region and region != "us-east-1" else {}
    # The bucket is ours already: made meanwhile by somebody with the same wish.
    s3.call("create_bucket", f"create the bucket {bucket}", missing=("BucketAlreadyOwnedByYou",), Bucket=bucket, **place)


def is_empty(s3: S3, bucket: str) -> bool:
    answer = s3.call("list_object_versions", f"list the bucket {bucket}", Bucket=bucket, MaxKeys=1)
    return not answer.get("Versions") and not answer.get("DeleteMarkers")


def empty(s3: S3, bucket: str) -> None:
    """Remove all objects with their versions, and all unfinished uploads."""
    doing = f"empty the bucket {bucket}"
    while True:
        page = s3.call("list_object_versions", doing, Bucket=bucket, MaxKeys=1000)
        found = [{"Key": item["Key"], "VersionId": item["VersionId"]} for kind in ("Versions", "DeleteMarkers") for item in page.get(kind, [])]
        if not found:
            break
        answer = s3.call("delete_objects", doing, Bucket=bucket, Delete={"Objects": found, "Quiet": True})
        for error in answer.get("Errors", []):
            raise Fault(f"could not {doing}: {error.get('Key')}: {error.get('Code')} {error.get('Message', '')}".rstrip())
    # Some servers (MinIO) only list the uploads of a key that is named; there the bucket goes with its unfinished uploads.
    uploads = s3.call("list_multipart_uploads", doing, Bucket=bucket)
    for upload in uploads.get("Uploads", []):
        s3.call("abort_multipart_upload", doing, missing=("NoSuchUpload",), Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def main() -> None:
    module = S3Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "versioning": {"type": "str", "choices": ["enabled", "suspended"]},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "force": {"type": "bool", "default": False},
        },
    )
    params = module.params
    name = params["name"]

    with module.sentences():
        s3 = S3(module.connection)
        there = exists(s3, name)
        declared = {option: aspect for option, aspect in ASPECTS.items() if params[option] is not None}
        wanted = {"name": name, **{option: params[option] for option in declared}} if params["state"] == "present" else None
        current = None
        if there:
            current = {"name": name, **({option: aspect.read(s3, name) for option, aspect in declared.items()} if wanted else {})}
        diff = plan(current, wanted)

        if diff.removed and not params["force"] and not is_empty(s3, name):
            raise Fault(f"the bucket {name} is not empty: say force to remove it with all that is in it")
        if diff.changed and not module.check_mode:
            if diff.removed:
                if params["force"]:
                    empty(s3, name)
                s3.call("delete_bucket", f"remove the bucket {name}", Bucket=name)
            else:
                if diff.created:
                    create(s3, name)
                before = {option: aspect.new for option, aspect in declared.items()} if current is None else current
                for option, aspect in declared.items():
                    if params[option] != before[option]:
                        aspect.write(s3, name, params[option])

    result = diff.result()
    if diff.after is not None:
        result["bucket"] = diff.after
    module.exit_json(**result)


if __name__ == "__main__":
    main()
