#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_bucket_info
short_description: Look at buckets of any S3 server
version_added: 0.1.0
description:
  - Shows what can be declared of buckets by M(odooops.stack.s3_bucket), in the form that its options have.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.attributes.info
  - odooops.stack.attributes.action_group_s3
  - odooops.stack.s3.connection
  - odooops.stack.s3
options:
  name:
    description:
      - The name of the bucket. Without it, all are listed that O(access_key) owns.
    type: str
  aspects:
    description:
      - What to ask for; each is a request, or two. An empty list asks for nothing but whether the bucket is there.
      - An aspect that the server cannot do, or does not let O(access_key) see, is an error where it is named here.
      - Without this option all aspects are asked for, and those that cannot be had are in RV(buckets[].unavailable).
    type: list
    elements: str
    choices:
      - versioning
      - object_lock
      - default_retention
      - encryption
      - tags
      - lifecycle
      - cors
      - notifications
      - logging
      - replication
      - policy
      - quota
seealso:
  - module: odooops.stack.s3_bucket
"""

EXAMPLES = r"""
- name: Whether versions are kept, and for how long
  odooops.stack.s3_bucket_info:
    endpoint_url: https://s3.example.com
    name: odoo
    aspects: [versioning, lifecycle]
  register: found

- name: Fail where former versions are lost
  ansible.builtin.assert:
    that: found.buckets[0].versioning == 'enabled'

- name: All buckets, with all that the server knows of them
  odooops.stack.s3_bucket_info:
    endpoint_url: https://s3.example.com
"""

RETURN = r"""
buckets:
  description: The buckets, in alphabetical order; none where there is none of the name asked for.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    versioning:
      description:
        - The value of the option of M(odooops.stack.s3_bucket), in its canonical form, without what says nothing.
        - So it is with the other aspects, which have the names of their options. RV(buckets[].quota) is a number of bytes, and 0 where
          there is no limit. C(replication_role) comes with C(replication).
      returned: when it was asked for and can be had
      type: str
    quota:
      description: The most that the bucket may hold, in bytes; 0 where there is no limit.
      returned: when it was asked for and can be had
      type: int
    unavailable:
      description: The aspects that could not be had, each with the reason in a sentence.
      returned: when O(aspects) is not given
      type: dict
"""

import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._bucket import ASPECTS, Bucket
from ansible_collections.odooops.stack.plugins.module_utils._s3 import S3, Fault, S3Module

CHOICES = [*ASPECTS, "quota"]


class KnownBucket(Bucket):
    """A bucket that was seen to be there, which is not asked for again with every aspect that it has not."""

    def exists(self) -> bool:
        return True


def all_of(bucket: Bucket) -> dict[str, t.Any] | None:
    """Every aspect of a bucket, and why the others cannot be had; ``None`` where there is no such bucket."""
    result: dict[str, t.Any] = {"name": bucket.name}
    unavailable = {}
    # Aspects that one operation tells of are asked for together.
    operations: dict[str, list[str]] = {}
    for option in CHOICES:
        operations.setdefault(ASPECTS[option].get if option in ASPECTS else option, []).append(option)
    for options in operations.values():
        try:
            found = bucket.read(options)
        except Fault as fault:
            # Where nothing was answered, the server itself is the matter. Of quotas there may be nobody to ask.
            if not fault.code and options != ["quota"]:
                raise
            unavailable.update(dict.fromkeys(options, str(fault)))
        else:
            if found is None:
                return None
            result.update(found)
    return {**result, "unavailable": unavailable}


def as_options(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was found in the form of the options: replication has two."""
    if "replication" not in found:
        return found
    replication = found["replication"] or {"role": "", "rules": []}
    return {**found, "replication": replication["rules"], "replication_role": replication["role"]}


def main() -> None:
    module = S3Module(
        argument_spec={
            "name": {"type": "str"},
            "aspects": {"type": "list", "elements": "str", "choices": CHOICES},
        },
    )
    name, aspects = module.params["name"], module.params["aspects"]

    with module.sentences():
        s3 = S3(module.connection)
        if name is None:
            names = sorted(bucket["Name"] for bucket in s3.call("list_buckets", "list the buckets").get("Buckets", []))
        else:
            names = [name] if Bucket(s3, name).exists() else []
        buckets = [KnownBucket(s3, each) for each in names]
        found = [all_of(bucket) if aspects is None else bucket.read(aspects) for bucket in buckets]

    module.exit_json(changed=False, buckets=[as_options(bucket) for bucket in found if bucket is not None])


if __name__ == "__main__":
    main()
