#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_group
short_description: Manage groups of users of a MinIO server
version_added: 0.1.0
description:
  - Creates, changes and removes groups of a MinIO (or Silo) server, puts users into them, and attaches policies to them.
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
      - The name of the group.
    type: str
    required: true
  members:
    description:
      - The names of the users in the group; they must exist. Without it they are left alone.
    type: list
    elements: str
  purge_members:
    description:
      - Whether users that O(members) does not name are taken out of the group.
    type: bool
    default: true
  policies:
    description:
      - The names of the policies attached to the group; they must exist. Without it they are left alone.
    type: list
    elements: str
  purge_policies:
    description:
      - Whether attached policies that O(policies) does not name are detached.
    type: bool
    default: true
  enabled:
    description:
      - Whether the group gives its members anything. Without it, a new group is enabled, and an existing one is left alone.
    type: bool
  state:
    description:
      - Whether the group is there. Its members stay, and lose what they had by the group.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: odooops.stack.minio_group_info
  - module: odooops.stack.minio_user
  - module: odooops.stack.minio_policy
"""

EXAMPLES = r"""
- name: Those who may look at the backups
  odooops.stack.minio_group:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: auditors
    members: [anna, ben]
    policies: [read-backups]

- name: Take the group away
  odooops.stack.minio_group:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: auditors
    state: absent
"""

RETURN = r"""
group:
  description: The group.
  returned: when O(state=present)
  type: dict
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

from ansible_collections.odooops.stack.plugins.module_utils._diff import Diff, plan, wanted_set
from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server


def apply(server: Server, name: str, diff: Diff) -> None:
    before = diff.before or {"members": [], "policies": [], "enabled": True}
    after = diff.after or {"members": [], "policies": [], "enabled": before["enabled"]}

    joined, left = sorted({*after["members"]} - {*before["members"]}), sorted({*before["members"]} - {*after["members"]})
    # Who is no longer to be in the group leaves before it gets anything new, and who is new joins before anything is taken away.
    if left:
        server.remove_members(name, left)
    if diff.removed:
        server.remove_group(name)
        return
    if joined or diff.created:
        server.add_members(name, joined)
    server.set_policies("group", name, before["policies"], after["policies"], enabled=before["enabled"])
    if after["enabled"] != before["enabled"]:
        server.enable_group(name, after["enabled"])


def main() -> None:
    module = MinioModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str"},
            "purge_members": {"type": "bool", "default": True},
            "policies": {"type": "list", "elements": "str"},
            "purge_policies": {"type": "bool", "default": True},
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    )
    params = module.params
    name = params["name"]

    with module.sentences():
        server = Server(module.connection)
        found = server.group(name)
        current = None if found is None else {"name": name, **found}
        wanted = None
        if params["state"] == "present":
            there = found or {"members": [], "policies": [], "enabled": True}
            sets = {option: wanted_set(there[option], params[option], params[f"purge_{option}"]) for option in ("members", "policies")}
            wanted = {"name": name, "enabled": params["enabled"], **sets}
            if current is None:
                wanted = {"name": name, "enabled": params["enabled"] is not False, **{option: value or [] for option, value in sets.items()}}
        diff = plan(current, wanted)
        if diff.changed and not module.check_mode:
            apply(server, name, diff)

    result = diff.result()
    if diff.after is not None:
        result["group"] = diff.after
    module.exit_json(**result)


if __name__ == "__main__":
    main()
