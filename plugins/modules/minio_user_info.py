#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_user_info
short_description: Look at users of a MinIO server
version_added: 0.1.0
description:
  - Lists the users of a MinIO (or Silo) server. The root user is none of them.
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
  name:
    description:
      - The name of the user. Without it, all are listed.
    type: str
seealso:
  - module: odooops.stack.minio_user
"""

EXAMPLES = r"""
- name: All users
  odooops.stack.minio_user_info:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
  register: found

- name: Who may sign requests
  ansible.builtin.debug:
    msg: "{{ found.users | selectattr('enabled') | map(attribute='name') }}"
"""

RETURN = r"""
users:
  description: The users, in alphabetical order; none where there is none of the name asked for.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name, which is its access key.
      type: str
    enabled:
      description: Whether it may sign requests.
      type: bool
    policies:
      description: The names of the policies attached to the user itself.
      type: list
      elements: str
"""

from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server


def main() -> None:
    module = MinioModule(
        argument_spec={"name": {"type": "str"}},
    )
    name = module.params["name"]

    with module.sentences():
        server = Server(module.connection)
        found = server.users() if name is None else {name: server.user(name)}

    module.exit_json(changed=False, users=[{"name": key, **user} for key, user in found.items() if user is not None])


if __name__ == "__main__":
    main()
