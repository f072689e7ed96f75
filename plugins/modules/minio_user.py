#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_user
short_description: Manage users of a MinIO server
version_added: 0.1.0
description:
  - Creates, changes and removes users of a MinIO (or Silo) server, and attaches policies to them.
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
    details:
      - A secret is never shown; the diff says that it differs.
  idempotent:
    support: partial
    details:
      - Not with O(update_secret=always).
options:
  name:
    description:
      - The name of the user, which is its access key, of 3 characters or more.
    type: str
    required: true
  secret:
    description:
      - The secret of the user, of 8 to 40 characters. Required to create it.
    type: str
  update_secret:
    description:
      - When the secret of a user that exists is set to O(secret).
      - V(on_change) first finds out whether it is another one, by a request signed with it (the list of buckets).
        That cannot be found out for a disabled user; its secret is then left alone, with a warning, until it is enabled.
      - V(always) sets it by every run, and reports a change.
      - V(on_create) leaves it alone.
    type: str
    choices: [on_change, always, on_create]
    default: on_change
  enabled:
    description:
      - Whether the user may sign requests. Without it, a new user is enabled, and an existing one is left alone.
    type: bool
  policies:
    description:
      - The names of the policies attached to the user; they must exist. Without it they are left alone.
      - The policies of a user that is disabled, and stays so, cannot be changed.
    type: list
    elements: str
  purge_policies:
    description:
      - Whether attached policies that O(policies) does not name are detached.
    type: bool
    default: true
  state:
    description:
      - Whether the user is there. The access keys of a user that is removed are removed with it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: odooops.stack.minio_user_info
  - module: odooops.stack.minio_policy
  - module: odooops.stack.minio_access_key
  - module: odooops.stack.minio_group
"""

EXAMPLES = r"""
- name: A user for Odoo
  odooops.stack.minio_user:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: odoo
    secret: "{{ odoo_store_secret }}"
    policies: [odoo]

- name: Disable a user
  odooops.stack.minio_user:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: former
    enabled: false
"""

RETURN = r"""
user:
  description: The user.
  returned: when O(state=present)
  type: dict
  contains:
    name:
      description: The name.
      type: str
    enabled:
      description: Whether it may sign requests.
      type: bool
    policies:
      description: The names of the attached policies.
      type: list
      elements: str
"""

import secrets

from ansible_collections.odooops.stack.plugins.module_utils._diff import Diff, plan, wanted_set
from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server, check_credentials, secret_differs
from ansible_collections.odooops.stack.plugins.module_utils._s3 import Fault


def apply(server: Server, name: str, secret: str | None, diff: Diff) -> None:
    if diff.removed:
        server.remove_user(name)
        return
    before, after = diff.before or {"policies": [], "enabled": False}, diff.after or {}
    # The server changes the policies of enabled users only. One that is to be disabled is so as the last thing, and a new
    # one has a secret that nobody knows until then.
    disabling = not after["enabled"] and before["policies"] != after["policies"]
    if disabling:
        if diff.created:
            server.set_user(name, secrets.token_urlsafe(24), enabled=True)
        server.set_policies("user", name, before["policies"], after["policies"])
    if diff.touches("secret") and secret is not None:
        server.set_user(name, secret, enabled=after["enabled"])
    elif diff.touches("enabled"):
        server.enable_user(name, after["enabled"])
    if not disabling:
        server.set_policies("user", name, before["policies"], after["policies"])


def main() -> None:
    module = MinioModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "secret": {"type": "str", "no_log": True},
            "update_secret": {"type": "str", "choices": ["on_change", "always", "on_create"], "default": "on_change", "no_log": False},
            "enabled": {"type": "bool"},
            "policies": {"type": "list", "elements": "str"},
            "purge_policies": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    )
    params = module.params
    name, secret = params["name"], params["secret"]

    with module.sentences():
        if params["state"] == "present":
            check_credentials("name", name, secret)
        server = Server(module.connection)
        current = server.user(name)
        wanted = None
        if current is not None:
            current = {"name": name, **current}
        if params["state"] == "present" and current is None:
            if not secret:
                raise Fault(f"secret is missing: the user {name} is not there yet, and needs one to be created")
            wanted = {"name": name, "enabled": params["enabled"] is not False, "policies": sorted({*(params["policies"] or [])}), "secret": "as given"}
        elif params["state"] == "present":
            policies = wanted_set(current["policies"], params["policies"], params["purge_policies"])
            wanted = {"name": name, "enabled": params["enabled"], "policies": policies}
            if secret_differs(module, server, name, enabled=current["enabled"], enabling=params["enabled"] is True):
                current["secret"], wanted["secret"] = "another than the one given", "as given"
            if policies not in (None, current["policies"]) and not (current["enabled"] or params["enabled"]):
                raise Fault(
                    f"policies: the user {name} is disabled, and MinIO changes the policies of enabled users only: say enabled: true, or leave policies out"
                )
        diff = plan(current, wanted)
        if diff.changed and not module.check_mode:
            apply(server, name, secret, diff)

    result = diff.result()
    if diff.after is not None:
        result["user"] = {key: diff.after[key] for key in ("name", "enabled", "policies")}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
