#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_access_key
short_description: Manage access keys of the users of a MinIO server
version_added: 0.1.0
description:
  - Creates, changes and removes access keys (service accounts) of users of a MinIO (or Silo) server.
  - An access key may do what its user may do, narrowed by a policy of its own where it has one.
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
  key:
    description:
      - The access key's id, of 3 to 20 characters. (O(access_key) is the one of the administrator who asks.)
    type: str
    required: true
  user:
    description:
      - The user whose access key it is. Required when O(state=present).
      - The user of an access key cannot be changed.
    type: str
  secret:
    description:
      - The secret of the access key, of 8 to 40 characters.
      - Without it, a new access key gets a random one, which is returned once.
    type: str
  update_secret:
    description:
      - When the secret of an access key that exists is set to O(secret).
      - V(on_change) first finds out whether it is another one, by a request signed with it (the list of buckets).
        That cannot be found out for a disabled access key; its secret is then left alone, with a warning, until it is enabled.
      - V(always) sets it by every run, and reports a change.
      - V(on_create) leaves it alone.
    type: str
    choices: [on_change, always, on_create]
    default: on_change
  policy:
    description:
      - A policy document that narrows what the user's policies allow. V({}) takes it away.
      - Without it, that of an existing access key is left alone.
    type: dict
  description:
    description:
      - What the access key is for, of 256 characters at most. The server can change it, but not empty it.
    type: str
  expiration:
    description:
      - The moment at which the access key ends, in ISO 8601 with its zone, such as V(2027-01-31T00:00:00Z), or V(never).
      - The server takes moments that are at least 15 minutes and at most 365 days ahead when they are set.
    type: str
  enabled:
    description:
      - Whether the access key may sign requests. Without it, a new one is enabled, and an existing one is left alone.
    type: bool
  state:
    description:
      - Whether the access key is there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: odooops.stack.minio_user
  - module: odooops.stack.minio_access_key_info
"""

EXAMPLES = r"""
- name: An access key for one Odoo, which may only use its own prefix
  odooops.stack.minio_access_key:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    key: ODOOPRODUCTION
    secret: "{{ odoo_store_secret }}"
    user: odoo
    description: Odoo, production
    policy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Action: s3:ListBucket
          Resource: arn:aws:s3:::odoo
        - Effect: Allow
          Action: [s3:GetObject, s3:PutObject]
          Resource: arn:aws:s3:::odoo/production/*

- name: Disable an access key
  odooops.stack.minio_access_key:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    key: ODOOFORMER
    user: odoo
    enabled: false
"""

RETURN = r"""
access_key_info:
  description: The access key, without its secret.
  returned: when O(state=present)
  type: dict
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
secret:
  description: The secret that was made up for a new access key.
  returned: when the access key was created and O(secret) was not given
  type: str
"""

import secrets
import string
import typing as t
from datetime import datetime, timezone

from ansible_collections.odooops.stack.plugins.module_utils._diff import Diff, plan
from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import (
    LATEST,
    NEVER,
    SOONEST,
    MinioModule,
    Server,
    check_credentials,
    describe_access_key,
    moment,
    rfc3339,
    secret_differs,
)
from ansible_collections.odooops.stack.plugins.module_utils._policy import PolicyError, canonical, for_minio
from ansible_collections.odooops.stack.plugins.module_utils._s3 import Fault


def expiration_of(text: str | None) -> str | None:
    if text is None or text == "never":
        return text
    try:
        return rfc3339(moment(text))
    except ValueError as error:
        raise Fault(f"expiration is {text}: give a moment in ISO 8601 with its zone, such as 2027-01-31T00:00:00Z, or never ({error})") from error


def wanted_of(module: MinioModule, server: Server, current: dict[str, t.Any] | None) -> dict[str, t.Any]:
    params = module.params
    key, user = params["key"], params["user"]
    check_credentials("key", key, params["secret"])
    if len(params["description"] or "") > 256:
        raise Fault(f"description has {len(params['description'])} characters: that of the access key {key} is to have 256 at most")
    wanted = {
        "key": key,
        "user": user,
        "enabled": params["enabled"],
        "description": params["description"],
        "expiration": expiration_of(params["expiration"]),
        "policy": canonical(for_minio(params["policy"])) if params["policy"] else params["policy"],
    }
    if wanted["expiration"] not in (None, "never", current and current["expiration"]):
        ahead = moment(wanted["expiration"]) - datetime.now(timezone.utc)
        if not SOONEST <= ahead <= LATEST:
            raise Fault(f"expiration is {params['expiration']}: the access key {key} can end 15 minutes from now at the soonest, and in 365 days at the latest")
    if current is None:
        wanted["enabled"] = params["enabled"] is not False
        fresh = {"description": "", "expiration": "never", "policy": {}}
        return {**wanted, **{name: value for name, value in fresh.items() if wanted[name] is None}, "secret": "as given" if params["secret"] else "made up"}
    if current["user"] != user:
        raise Fault(f"user is {user}: the access key {key} belongs to the user {current['user']}, for good; remove it first, or take another key")
    if params["description"] == "" and current["description"]:
        raise Fault(f"description is empty: MinIO can change the description of the access key {key}, but not empty it; leave it out, or give another")
    if secret_differs(module, server, key, enabled=current["enabled"], enabling=params["enabled"] is True):
        current["secret"], wanted["secret"] = "another than the one given", "as given"
    return wanted


def apply(server: Server, diff: Diff, document: dict[str, t.Any] | None, secret: str | None) -> None:
    """Bring the server to ``diff.after``; ``document`` is the policy that the key shall have."""
    after = diff.after
    if after is None:
        server.remove_access_key(diff.before["key"] if diff.before else "")
        return
    key = after["key"]
    ends = None if after["expiration"] == "never" else moment(after["expiration"])
    if diff.created:
        server.create_access_key(key, user=after["user"], secret=secret or "", description=after["description"], expiration=ends, policy=document)
        if not after["enabled"]:
            server.update_access_key(key, policy=document, enabled=False)
        return
    server.update_access_key(
        key,
        policy=document,
        secret=secret if diff.touches("secret") else None,
        description=after["description"] if diff.touches("description") else None,
        expiration=(ends or NEVER) if diff.touches("expiration") else None,
        enabled=after["enabled"] if diff.touches("enabled") else None,
    )


def main() -> None:
    module = MinioModule(
        argument_spec={
            "key": {"type": "str", "required": True, "no_log": False},
            "user": {"type": "str"},
            "secret": {"type": "str", "no_log": True},
            "update_secret": {"type": "str", "choices": ["on_change", "always", "on_create"], "default": "on_change", "no_log": False},
            "policy": {"type": "dict"},
            "description": {"type": "str"},
            "expiration": {"type": "str"},
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["user"])],
    )
    params = module.params
    key, secret = params["key"], params["secret"]
    made_up = None

    with module.sentences():
        server = Server(module.connection)
        found = server.access_key(key)
        current = None if found is None else describe_access_key(key, found)
        wanted = None
        if params["state"] == "present":
            try:
                wanted = wanted_of(module, server, current)
            except PolicyError as error:
                raise Fault(f"policy: {error}") from error
        diff = plan(current, wanted)
        if diff.changed and not module.check_mode:
            document = found["policy"] if found and params["policy"] is None else params["policy"]
            if diff.created and not secret:
                secret = made_up = "".join(secrets.choice(string.ascii_letters + string.digits) for _position in range(40))
            apply(server, diff, for_minio(document) if document else None, secret)

    result = diff.result()
    if diff.after is not None:
        result["access_key_info"] = {name: diff.after[name] for name in ("key", "user", "enabled", "description", "expiration", "policy")}
    if made_up:
        result["secret"] = made_up
    module.exit_json(**result)


if __name__ == "__main__":
    main()
