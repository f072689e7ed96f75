#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_group_info
short_description: Look at groups of a MinIO server
version_added: 0.1.0
description:
  - Lists the groups of a MinIO (or Silo) server with their members and policies.
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
      - The name of the group. Without it, all are listed.
    type: str
seealso:
  - module: odooops.stack.minio_group
"""

EXAMPLES = r"""
- name: One group
  odooops.stack.minio_group_info:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: auditors
  register: found

- name: Its members
  ansible.builtin.debug:
    msg: "{{ found.groups | map(attribute='members') | flatten }}"
"""

RETURN = r"""
groups:
  description: The groups, in alphabetical order; none where there is none of the name asked for.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    enabled:
      description: Whether it gives its members anything.
      type: bool
    members:
      description: The names of the users in it.
      type: list
      elements: str
    policies:
      description: The names of the attached policies.
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
        found = {key: server.group(key) for key in (server.groups() if name is None else [name])}

    module.exit_json(changed=False, groups=[{"name": key, **group} for key, group in found.items() if group is not None])


if __name__ == "__main__":
    main()
