#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_policy
short_description: Manage policies of a MinIO server
version_added: 0.1.0
description:
  - Creates, changes and removes the policies that users and groups of a MinIO (or Silo) server can have attached.
  - Documents are compared by what they mean, so that order and spelling make no change.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.attributes.action_group_minio
  - odooops.stack.s3.connection
  - odooops.stack.minio_admin
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
      - The name of the policy.
    type: str
    required: true
  policy:
    description:
      - The policy document. Required when O(state=present).
      - On Silo, a right on the bucket itself needs the bucket's own ARN C(arn:aws:s3:::bucket) among the resources;
        C(arn:aws:s3:::bucket/*) is for its objects only.
      - MinIO and Silo take C(s3:DeleteObject) for the right to remove former versions of objects as well, unless a statement
        denies C(s3:DeleteObjectVersion).
    type: dict
  state:
    description:
      - Whether the policy is there.
      - A policy that is attached to a user or group cannot be removed.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: odooops.stack.minio_policy_info
  - module: odooops.stack.minio_user
"""

EXAMPLES = r"""
- name: Let Odoo read and write one bucket
  odooops.stack.minio_policy:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: odoo
    policy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Action: [s3:GetBucketLocation, s3:ListBucket]
          Resource: arn:aws:s3:::odoo
        - Effect: Allow
          Action: [s3:GetObject, s3:PutObject, s3:DeleteObject]
          Resource: arn:aws:s3:::odoo/*
        - Effect: Deny
          Action: s3:DeleteObjectVersion
          Resource: arn:aws:s3:::odoo/*

- name: Remove a policy
  odooops.stack.minio_policy:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: former
    state: absent
"""

RETURN = r"""
policy:
  description: The policy in its canonical spelling.
  returned: when O(state=present)
  type: dict
"""

from ansible_collections.odooops.stack.plugins.module_utils._diff import plan
from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server
from ansible_collections.odooops.stack.plugins.module_utils._policy import PolicyError, canonical, for_minio


def main() -> None:
    module = MinioModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "policy": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["policy"])],
    )
    name, document = module.params["name"], module.params["policy"]
    wanted = None
    if module.params["state"] == "present":
        try:
            document = for_minio(document)
            wanted = canonical(document)
        except PolicyError as error:
            module.fail_json(msg=f"policy: {error}")

    with module.sentences():
        server = Server(module.connection)
        current = server.policy(name)
        diff = plan(None if current is None else canonical(current), wanted)
        if diff.changed and not module.check_mode:
            if diff.removed:
                server.remove_policy(name)
            else:
                server.set_policy(name, document)

    result = diff.result()
    if wanted is not None:
        result["policy"] = wanted
    module.exit_json(**result)


if __name__ == "__main__":
    main()
