#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_policy_info
short_description: Look at policies of a MinIO server
version_added: 0.1.0
description:
  - Lists the policies that users and groups of a MinIO (or Silo) server can have attached, those that come with the server among them.
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
      - The name of the policy. Without it, all are listed.
    type: str
seealso:
  - module: odooops.stack.minio_policy
"""

EXAMPLES = r"""
- name: All policies
  odooops.stack.minio_policy_info:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
  register: found

- name: Fail where there is no policy for Odoo
  ansible.builtin.assert:
    that: "'odoo' in found.policies | map(attribute='name')"
"""

RETURN = r"""
policies:
  description: The policies, in alphabetical order; none where there is none of the name asked for.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    policy:
      description: The policy document in its canonical spelling.
      type: dict
"""

from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server
from ansible_collections.odooops.stack.plugins.module_utils._policy import canonical


def main() -> None:
    module = MinioModule(
        argument_spec={"name": {"type": "str"}},
    )
    name = module.params["name"]

    with module.sentences():
        server = Server(module.connection)
        found = server.policies() if name is None else {name: server.policy(name)}

    module.exit_json(changed=False, policies=[{"name": key, "policy": canonical(document)} for key, document in found.items() if document is not None])


if __name__ == "__main__":
    main()
