#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_access_key_use_info
short_description: See whether access keys of a MinIO server are used
version_added: 0.1.0
description:
  - Watches what all nodes of a MinIO (or Silo) server are asked by the S3 API, and shows which of some access keys signed any of it.
  - The server does not keep when a key was last used, so this tells of the time of watching only. It reads the server's trace, as C(mc admin trace) does.
    Nothing has to be set up for that, and nothing is changed.
  - Not seen are uploads of HTML forms, whose signature is in the body, and what is asked by the admin API.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.attributes.info
  - odooops.stack.attributes.action_group_minio
  - odooops.stack.s3.connection
  - odooops.stack.minio_admin
options:
  keys:
    description: The ids of the access keys, or names of users. (O(access_key) is the one of the administrator who asks.)
    type: list
    elements: str
    required: true
  seconds:
    description: For how many seconds is watched.
    type: int
    default: 60
  quiet_seconds:
    description: End before, as soon as for so many seconds none of the keys was used. V(0) is never.
    type: int
    default: 0
seealso:
  - module: odooops.stack.minio_access_key
  - module: odooops.stack.minio_access_key_info
"""

EXAMPLES = r"""
- name: Wait until the former key was not used for a minute, for ten minutes at most
  odooops.stack.minio_access_key_use_info:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    keys: [shop-former]
    quiet_seconds: 60
    seconds: 600
  register: found

- name: Nobody uses it
  ansible.builtin.assert:
    that: found.quiet >= 60
    fail_msg: "{{ found.access_keys[0].client }} used it at {{ found.access_keys[0].last_used }}"
"""

RETURN = r"""
access_keys:
  description: The access keys in the order in which they were asked for.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: The id.
      type: str
    requests:
      description: How many requests it has signed in this time.
      type: int
    last_used:
      description: When it signed the last of them, in UTC; empty, as are the others, where there was none.
      type: str
      sample: "2026-11-25T18:30:00.123456789Z"
    operation:
      description: What the last one was.
      type: str
      sample: GetObject
    way:
      description: How the last one was signed, by V(header) or V(link). A link may have been made long before.
      type: str
    client:
      description: The address from which the last one came.
      type: str
quiet:
  description: For how many seconds at the end none of the keys was used.
  returned: always
  type: float
"""

from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server
from ansible_collections.odooops.stack.plugins.module_utils._minio_trace import watch


def main() -> None:
    module = MinioModule(
        argument_spec={
            "keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
            "seconds": {"type": "int", "default": 60},
            "quiet_seconds": {"type": "int", "default": 0},
        },
    )
    given = module.params
    with module.sentences():
        seen, quiet = watch(Server(module.connection).trace(), given["keys"], given["seconds"], given["quiet_seconds"])

    module.exit_json(changed=False, access_keys=list(seen.values()), quiet=round(quiet, 1))


if __name__ == "__main__":
    main()
