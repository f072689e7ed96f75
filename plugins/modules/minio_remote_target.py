#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_remote_target
short_description: Manage where buckets of a MinIO server are replicated to
version_added: 0.1.0
description:
  - Registers, changes and removes remote targets of a bucket of a MinIO (or Silo) server. A target is a bucket of another server (or of
    the same one), and the access key with which the server writes there.
  - The replication rules of M(odooops.stack.s3_bucket) name a target by its ARN, which the server makes up, and this module returns.
  - A target is known by O(bucket), O(target_endpoint_url) and O(target_bucket); another endpoint or target bucket is another target.
  - Both buckets need versioning. The server itself connects to the target, and has to trust its certificate.
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
    support: partial
    details:
      - With O(update_secret=always) each run writes the secret, and says that it changed something.
options:
  bucket:
    description:
      - The bucket that is replicated.
    type: str
    required: true
  target_endpoint_url:
    description:
      - The URL of the server that the copies go to, as the server (and not the host that the module runs on) reaches it.
    type: str
    required: true
  target_bucket:
    description:
      - The bucket there.
    type: str
    required: true
  target_access_key:
    description:
      - The access key with which the server writes there. Needed unless O(state=absent).
    type: str
  target_secret_key:
    description:
      - The secret of O(target_access_key). Needed to register the target, and to change the access key.
    type: str
  update_secret:
    description:
      - When the secret of a target that exists is set. The server tells nobody whether it has the one given, so V(on_change) means when
        O(target_access_key) changes, and V(always) each time.
    type: str
    choices: [on_change, always]
    default: on_change
  target_region:
    description:
      - The region there. It can only be given when the target is registered.
    type: str
  target_addressing_style:
    description:
      - Whether the server puts the target bucket's name into the path or into the host name of its requests.
      - Without it, a new target gets V(auto), and an existing one is left alone; so it is with the options below.
    type: str
    choices: [auto, path, virtual]
  bandwidth_limit:
    description:
      - The most that replication may send in a second, such as V(200MB) or a number of bytes (K, M, G are powers of 1024); V(0) for no limit.
        MinIO takes nothing below 100,000,000 bytes.
    type: str
  synchronous:
    description:
      - Whether a request that writes an object ends only when its copy is there. Else copies follow in the background.
    type: bool
  proxy_reads:
    description:
      - Whether an object that is not here, but was not yet replicated from there, is fetched from the target for those who read it. A new
        target has it.
    type: bool
  state:
    description:
      - Whether the target is registered. One that a replication rule uses cannot be removed.
      - MinIO removes all targets of a bucket by itself when the last of its replication rules goes.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: odooops.stack.s3_bucket
  - module: odooops.stack.minio_remote_target_info
"""

EXAMPLES = r"""
- name: Where the attachments are copied to
  odooops.stack.minio_remote_target:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    bucket: odoo
    target_endpoint_url: https://s3.example.org:9000
    target_bucket: odoo-copy
    target_access_key: replication
    target_secret_key: "{{ replication_secret_key }}"
  register: copy

- name: What is copied
  odooops.stack.s3_bucket:
    endpoint_url: https://s3.example.com:9000
    access_key: "{{ minio_root_user }}"
    secret_key: "{{ minio_root_password }}"
    name: odoo
    versioning: enabled
    replication:
      - id: to-the-other-site
        priority: 1
        destination: "{{ copy.target.arn }}"
        delete_markers: true
        existing_objects: true
"""

RETURN = r"""
target:
  description: The target.
  returned: when O(state=present)
  type: dict
  contains:
    arn:
      description:
        - The ARN by which a replication rule names it. In check mode, that of a target which is not there yet ends in C(:known-when-registered:)
          and the target bucket.
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
"""

import typing as t

from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible_collections.odooops.stack.plugins.module_utils import _remote_target as remote
from ansible_collections.odooops.stack.plugins.module_utils._diff import Diff, plan
from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import MinioModule, Server
from ansible_collections.odooops.stack.plugins.module_utils._s3 import Fault

UNKNOWN = "arn:minio:replication::known-when-registered:"


def bandwidth_of(text: str | None) -> int | None:
    """Bytes a second. Raises :class:`Fault`."""
    if text is None:
        return None
    try:
        limit = human_to_bytes(text)
    except ValueError:
        limit = -1
    if limit != 0 and limit < remote.SLOWEST:
        raise Fault(f"bandwidth_limit is {text}: give the bytes for a second, at least {remote.SLOWEST}, such as 200MB; 0 for no limit")
    return limit


def wanted_of(params: dict[str, t.Any], limit: int | None, current: remote.Target | None) -> remote.Target:
    """The target as it is to be. Raises :class:`Fault` for what cannot be had."""
    if not params["target_access_key"]:
        raise Fault("target_access_key is missing: give the one with which the server writes to the target")
    update = params["update_secret"]
    given = {name: params[name] for name in ("target_region", "target_addressing_style", "synchronous", "proxy_reads") if params[name] is not None}
    wanted = {**({} if current else remote.DEFAULTS), **given, "target_access_key": params["target_access_key"]}
    if limit is not None:
        wanted["bandwidth_limit"] = limit
    if current and wanted.get("target_region", current["target_region"]) != current["target_region"]:
        raise Fault(
            f"target_region is {wanted['target_region']}, and the target was registered with {current['target_region'] or 'none'}, which cannot be changed: "
            "take the replication rule and the target away, and register it anew"
        )
    if current is None or current["target_access_key"] != wanted["target_access_key"] or update == "always":
        wanted = {**wanted, "secret": "as given"}
    if not params["target_secret_key"] and "secret" in wanted:
        raise Fault(f"target_secret_key is missing: give the secret of {wanted['target_access_key']}, which is to be set")
    return wanted


def apply(server: Server, diff: Diff, secret: str | None, arn: str | None) -> str | None:
    """Bring the server from ``diff.before`` to ``diff.after``; the target's ARN, if it is there."""
    if diff.after is None:
        remote.remove_target(server, diff.before or {}, arn or "")
        return None
    changed = [name for name in remote.CHANGES if diff.touches(name)]
    return remote.set_target(server, diff.after, secret, arn=arn, changed=changed)


def main() -> None:
    module = MinioModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "target_endpoint_url": {"type": "str", "required": True},
            "target_bucket": {"type": "str", "required": True},
            "target_access_key": {"type": "str", "no_log": False},
            "target_secret_key": {"type": "str", "no_log": True},
            "update_secret": {"type": "str", "choices": ["on_change", "always"], "default": "on_change", "no_log": False},
            "target_region": {"type": "str"},
            "target_addressing_style": {"type": "str", "choices": list(remote.PATHS)},
            "bandwidth_limit": {"type": "str"},
            "synchronous": {"type": "bool"},
            "proxy_reads": {"type": "bool"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    )
    params = module.params

    with module.sentences():
        host, secure = remote.endpoint_of(params["target_endpoint_url"])
        limit = bandwidth_of(params["bandwidth_limit"])
        named = {
            "bucket": params["bucket"],
            "target_endpoint_url": f"{'https' if secure else 'http'}://{host}",
            "target_bucket": params["target_bucket"],
        }
        server = Server(module.connection)
        found = next((target for target in remote.targets(server, params["bucket"]) if named.items() <= target.items()), None)
        arn = found["arn"] if found else None
        # What the server makes up, and how it finds the target at the moment, is not for anybody to wish.
        current = {name: found[name] for name in (*named, "target_access_key", *remote.DEFAULTS)} if found else None
        wanted = None
        if params["state"] == "present":
            wanted = {**named, **wanted_of(params, limit, current)}
            if current and "secret" in wanted:
                current = {**current, "secret": "whatever it is"}
        diff = plan(current, wanted)
        if diff.changed and not module.check_mode:
            arn = apply(server, diff, params["target_secret_key"], arn)

    result = diff.result()
    if diff.after is not None:
        result["target"] = {"arn": arn or UNKNOWN + params["target_bucket"], **{name: value for name, value in diff.after.items() if name != "secret"}}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
