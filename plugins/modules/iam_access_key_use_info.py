#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_access_key_use_info
short_description: Ask AWS's IAM when access keys were last used
version_added: 0.1.0
description:
  - Shows when an access key of AWS was last used, and for what, by IAM's C(GetAccessKeyLastUsed). M(amazon.aws.iam_access_key_info) does not tell.
  - AWS notes a use some minutes after it.
  - The connection's options are those of the modules of C(amazon.aws), which this one does not need. What is not given is taken from the environment and
    AWS's files, as boto3 does.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.attributes.info
options:
  keys:
    description: The ids of the access keys.
    type: list
    elements: str
    required: true
  profile:
    description: A profile of AWS's files. (O(access_key) and O(secret_key) are those of the administrator who asks.)
    type: str
  access_key:
    description: The id of the administrator's access key.
    type: str
  secret_key:
    description: Its secret key.
    type: str
  session_token:
    description: The token of a temporary key.
    type: str
  region:
    description: A region, which says of which of AWS's partitions the IAM is.
    type: str
  endpoint_url:
    description: The URL of something else that has the API of IAM.
    type: str
  aws_ca_bundle:
    description: A file with the certificates of the authorities to trust.
    type: path
requirements:
  - boto3
seealso:
  - module: amazon.aws.iam_access_key_info
"""

EXAMPLES = r"""
- name: Whether the former key is in use
  odooops.stack.iam_access_key_use_info:
    keys: [AKIAIOSFODNN7EXAMPLE]
    profile: admin
  register: found
  delegate_to: localhost

- name: It was never used
  ansible.builtin.assert:
    that: found.access_keys[0].last_used == ''
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
    user:
      description: The user to whom it belongs.
      type: str
    last_used:
      description: When it was last used, in UTC; empty if it never was.
      type: str
      sample: "2026-11-25T18:30:00Z"
    service:
      description: For which of AWS's services.
      type: str
      sample: s3
"""

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

BOTO3_ERROR: str | None = None
try:
    import boto3
    import botocore.exceptions
except ImportError:
    BOTO3_ERROR = traceback.format_exc()


def use_of(client: t.Any, key: str) -> dict[str, str]:
    """What the module returns of one key."""
    answer = client.get_access_key_last_used(AccessKeyId=key)
    use = answer.get("AccessKeyLastUsed", {})
    date = use.get("LastUsedDate")
    return {
        "key": key,
        "user": answer.get("UserName", ""),
        "last_used": date.strftime("%Y-%m-%dT%H:%M:%SZ") if date else "",
        "service": use.get("ServiceName", ""),
    }


def main() -> None:
    plain = ("profile", "region", "endpoint_url")
    module = AnsibleModule(
        argument_spec={
            "keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
            "access_key": {"type": "str", "no_log": False},
            "secret_key": {"type": "str", "no_log": True},
            "session_token": {"type": "str", "no_log": True},
            "aws_ca_bundle": {"type": "path"},
            **{name: {"type": "str"} for name in plain},
        },
        required_together=[("access_key", "secret_key")],
        mutually_exclusive=[("profile", "access_key")],
        supports_check_mode=True,
    )
    if BOTO3_ERROR is not None:
        module.fail_json(msg=missing_required_lib("boto3"), exception=BOTO3_ERROR)
    given = module.params
    try:
        session = boto3.session.Session(
            profile_name=given["profile"],
            region_name=given["region"],
            aws_access_key_id=given["access_key"],
            aws_secret_access_key=given["secret_key"],
            aws_session_token=given["session_token"],
        )
        client = session.client("iam", endpoint_url=given["endpoint_url"], verify=given["aws_ca_bundle"])
        found = [use_of(client, key) for key in given["keys"]]
    except (ValueError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"IAM does not tell when {', '.join(given['keys'])} was last used: {error}")

    module.exit_json(changed=False, access_keys=found)


if __name__ == "__main__":
    main()
