#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_access_key_info
short_description: Look at access keys of a MinIO server
version_added: 0.1.0
description:
  - Shows the access keys (service accounts) of a user of a MinIO (or Silo) server, or one of them.
  - No server gives secrets away, and so neither does this module.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.attributes.info
  - odooops.stack.attributes.action_group_minio
  - odooops.stack.s3.connection
  - odooops.stack.minio_admin
options:
  user:
    description:
      - The user whose access keys are listed. One of O(user) and O(key) is required.
    type: str
  key:
    description:
      - The id of one access key. (O(access_key) is the one of the administrator who asks.)
    type: str
seealso:
  - module: odooops.stack.minio_access_key
"""

EXAMPLES = r"""
- name: The access keys of a user
  odooops.stack.minio_access_key_info:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    user: odoo
  register: found

- name: Those that may do all that their user may do
  ansible.builtin.debug:
    msg: "{{ found.access_keys | rejectattr('policy') | map(attribute='key') }}"
"""

RETURN = r"""
access_keys:
  description: The access keys, in alphabetical order; none where there is no such user or key.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: The id.
      type: str
    user:
      description: The user whose access key it is.
      type: str
    enabled:
      description: Whether it may sign requests.
      type: bool
    description:
      description: What it is for.
      type: str
    expiration:
      description: When it ends, or V(never).
      type: str
    policy:
      description: The policy of its own, in its canonical spelling; empty where it has none.
      type: dict
"""

from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server, describe_access_key


def main() -> None:
    module = MinioModule(
        argument_spec={"user": {"type": "str"}, "key": {"type": "str", "no_log": False}},
        required_one_of=[("user", "key")],
        mutually_exclusive=[("user", "key")],
    )
    key, user = module.params["key"], module.params["user"]

    with module.sentences():
        server = Server(module.connection)
        found = {name: server.access_key(name) for name in ([key] if user is None else server.access_keys(user))}

    module.exit_json(changed=False, access_keys=[describe_access_key(name, data) for name, data in found.items() if data is not None])


if __name__ == "__main__":
    main()
