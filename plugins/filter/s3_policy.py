# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The usual policies, so that nobody writes their JSON by hand."""

from __future__ import annotations

DOCUMENTATION = r"""
name: s3_policy
short_description: Write the policy for what is allowed in a bucket
version_added: 0.1.0
description:
  - Returns a policy document for a user or an access key, or (with O(principal)) for the bucket itself.
  - What is not allowed is denied by S3 anyway. O(private), O(tls_only), O(source_addresses) and O(keep_versions) are denials, which hold against
    whatever else allows it.
options:
  _input:
    description: The name of the bucket.
    type: str
    required: true
  allow:
    description:
      - V(read) is to get objects and to list them, V(write) to put objects, V(delete) to delete them. With any of them comes the right to see
        where the bucket is, and whether it keeps former versions.
      - On a bucket with versioning V(delete) leaves the former versions there; MinIO removes those too on demand, unless O(keep_versions) is set.
    type: list
    elements: str
    choices: [read, write, delete]
    default: []
  prefix:
    description: Only for objects whose key starts so, such as V(production/).
    type: str
    default: ''
  principal:
    description:
      - Whom a bucket policy is for, V(*) (anybody) or ARNs of users. Without it, the document is one for a user or an access key.
    type: list
    elements: str
  private:
    description: Deny everything that comes without a signature, even where another rule lets anybody in. Only in a bucket policy, with O(principal).
    type: bool
    default: false
  tls_only:
    description: Deny everything that comes without TLS.
    type: bool
    default: false
  source_addresses:
    description: Deny everything that comes from other addresses than these, given as V(192.0.2.7) or V(192.0.2.0/24).
    type: list
    elements: str
  keep_versions:
    description: Deny to remove versions of objects, and to get round their retention.
    type: bool
    default: false
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: A user that reads and writes one prefix, and can remove no version
  odooops.stack.minio_policy:
    name: odoo-production
    policy: "{{ 'odoo' | odooops.stack.s3_policy(allow=['read', 'write', 'delete'], prefix='production/', keep_versions=true) }}"

- name: A bucket that nobody reaches without TLS, or from elsewhere
  odooops.stack.s3_bucket:
    name: odoo
    policy: "{{ 'odoo' | odooops.stack.s3_policy(principal='*', tls_only=true, source_addresses=['10.0.0.0/8']) }}"
"""

RETURN = r"""
_value:
  description: The policy document.
  type: dict
"""

import ipaddress
import typing as t

from ansible.errors import AnsibleFilterError

ON_OBJECTS = {
    "read": ["s3:GetObject"],
    "write": ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"],
    "delete": ["s3:DeleteObject"],
}


def listed(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise AnsibleFilterError(f"s3_policy: source_addresses: {error}") from error


def s3_policy(
    bucket: str,
    *,
    allow: str | list[str] | tuple[()] = (),
    prefix: str = "",
    principal: str | list[str] | None = None,
    private: bool = False,
    tls_only: bool = False,
    source_addresses: str | list[str] | None = None,
    keep_versions: bool = False,
) -> dict[str, t.Any]:
    """The policy document, as DOCUMENTATION has it. Raises ``AnsibleFilterError``."""
    if not isinstance(bucket, str) or not bucket or "/" in bucket:
        raise AnsibleFilterError(f"s3_policy: {bucket!r} is no name of a bucket")
    wishes = listed(allow)
    unknown = sorted(set(wishes) - set(ON_OBJECTS))
    if unknown:
        raise AnsibleFilterError(f"s3_policy: allow has {', '.join(unknown)}: there are {', '.join(ON_OBJECTS)}")
    if wishes and principal is not None and not listed(principal):
        raise AnsibleFilterError("s3_policy: principal is empty: say for whom the bucket policy is")
    whole, objects = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{prefix}*"
    statements: list[dict[str, t.Any]] = []

    def add(effect: str, actions: list[str], resources: list[str], condition: dict[str, t.Any] | None = None) -> None:
        statement: dict[str, t.Any] = {"Effect": effect, "Action": actions, "Resource": resources}
        if principal is not None:
            # A denial is for all.
            statement["Principal"] = {"AWS": listed(principal) if effect == "Allow" else ["*"]}
        if condition:
            statement["Condition"] = condition
        statements.append(statement)

    if "read" in wishes:
        add("Allow", ["s3:ListBucket"], [whole], {"StringLike": {"s3:prefix": [f"{prefix}*"]}} if prefix else None)
    if wishes:
        add("Allow", ["s3:GetBucketLocation", "s3:GetBucketVersioning"], [whole])
        add("Allow", sorted({action for wish in wishes for action in ON_OBJECTS[wish]}), [objects])
    if private:
        if principal is None:
            raise AnsibleFilterError("s3_policy: private is for a bucket policy, which needs principal; who has a policy of its own has signed")
        # In lower case, which MinIO insists on, and to AWS it is the same.
        add("Deny", ["s3:*"], [whole, f"{whole}/*"], {"StringEquals": {"aws:principaltype": ["Anonymous"]}})
    if keep_versions:
        add("Deny", ["s3:BypassGovernanceRetention", "s3:DeleteObjectVersion"], [f"{whole}/*"])
    if tls_only:
        add("Deny", ["s3:*"], [whole, f"{whole}/*"], {"Bool": {"aws:SecureTransport": ["false"]}})
    if source_addresses is not None:
        if not listed(source_addresses):
            raise AnsibleFilterError("s3_policy: source_addresses is empty, which would shut out everybody")
        add("Deny", ["s3:*"], [whole, f"{whole}/*"], {"NotIpAddress": {"aws:SourceIp": [network(text) for text in listed(source_addresses)]}})
    if not statements:
        raise AnsibleFilterError("s3_policy: it would say nothing: give allow, private, keep_versions, tls_only or source_addresses")
    return {"Version": "2012-10-17", "Statement": statements}


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"s3_policy": s3_policy}
