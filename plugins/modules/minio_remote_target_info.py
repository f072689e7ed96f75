#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_remote_target_info
short_description: Look at where buckets of a MinIO server are replicated to
version_added: 0.1.0
description:
  - Lists the remote targets of a bucket of a MinIO (or Silo) server, or those of all buckets.
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
    details:
      - It changes nothing anyway.
  diff_mode:
    support: N/A
    details:
      - It changes nothing.
  idempotent:
    support: full
options:
  bucket:
    description:
      - The bucket that is replicated. Without it, the targets of all buckets are listed.
    type: str
seealso:
  - module: odooops.stack.minio_remote_target
"""

EXAMPLES = r"""
- name: Where the bucket is copied to
  odooops.stack.minio_remote_target_info:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    bucket: odoo
  register: found

- name: See that all of it can be reached
  ansible.builtin.assert:
    that: found.targets | rejectattr('online') | length == 0
"""

RETURN = r"""
targets:
  description: The targets, in the order of their buckets, endpoints and target buckets.
  returned: always
  type: list
  elements: dict
  contains:
    arn:
      description: The ARN by which a replication rule names it.
      type: str
    bucket:
      description: The bucket that is replicated.
      type: str
    target_endpoint_url:
      description: The server that the copies go to.
      type: str
    target_bucket:
      description: The bucket there.
      type: str
    target_access_key:
      description: The access key with which the server writes there.
      type: str
    target_region:
      description: The region there, empty where none was given.
      type: str
    target_addressing_style:
      description: How the target bucket is addressed.
      type: str
    bandwidth_limit:
      description: The most that is sent, in bytes a second; 0 where there is no limit.
      type: int
    synchronous:
      description: Whether writes wait for their copies.
      type: bool
    proxy_reads:
      description: Whether reads of what is not here go to the target.
      type: bool
    online:
      description: Whether the server reached it when it last looked, which it does each few seconds.
      type: bool
"""

from ansible_collections.odooops.stack.plugins.module_utils import _remote_target as remote
from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server


def main() -> None:
    module = MinioModule(
        argument_spec={"bucket": {"type": "str"}},
    )

    with module.sentences():
        found = remote.targets(Server(module.connection), module.params["bucket"])

    module.exit_json(changed=False, targets=found)


if __name__ == "__main__":
    main()
