# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remote targets of MinIO's buckets: where replication goes to, and with whose key.

A target is known by its bucket, its endpoint and its target bucket; the server gives it an ARN. Its form here has the
names of the options of minio_remote_target.
Source: the type BucketTarget of madmin-go 3, and what a server answers.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.odooops.stack.plugins.module_utils._s3 import Fault

if t.TYPE_CHECKING:
    from ansible_collections.odooops.stack.plugins.module_utils._minio_admin import Server

Target = dict[str, t.Any]

# Addressing style: option, and what the server calls it.
PATHS = {"auto": "auto", "path": "on", "virtual": "off"}
STYLES = {path: style for style, path in PATHS.items()}

# What a target that nothing more is said of has.
DEFAULTS: Target = {"target_region": "", "target_addressing_style": "auto", "bandwidth_limit": 0, "synchronous": False, "proxy_reads": True}

# The servers' slowest, in bytes a second.
SLOWEST = 100_000_000

# The parts of a target that can be changed, with the name that the API has for each change. A change of the credentials
# sends the endpoint and the target bucket as well, which are the same.
CHANGES = {
    "target_access_key": "creds",
    "secret": "creds",
    "target_addressing_style": "path",
    "bandwidth_limit": "bandwidth",
    "synchronous": "sync",
    "proxy_reads": "proxy",
}


def endpoint_of(text: str) -> tuple[str, bool]:
    """Host (with its port) of a target's endpoint, and whether TLS is spoken there. Raises :class:`Fault`."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.netloc or "@" in url.netloc or url.path not in ("", "/") or url.query:
        raise Fault(f"target_endpoint_url is {text}: give a server's URL, such as https://s3.example.org:9000")
    return url.netloc, url.scheme == "https"


def target_read(answer: dict[str, t.Any]) -> Target:
    """A target as the options have it, with its ``arn``, and whether the server reaches it as ``online``."""
    return {
        "arn": answer["arn"],
        "bucket": answer["sourcebucket"],
        "target_endpoint_url": f"{'https' if answer.get('secure') else 'http'}://{answer['endpoint']}",
        "target_bucket": answer["targetbucket"],
        "target_access_key": (answer.get("credentials") or {}).get("accessKey", ""),
        "target_region": answer.get("region") or "",
        "target_addressing_style": STYLES.get(answer.get("path") or "auto", "auto"),
        "bandwidth_limit": answer.get("bandwidthlimit") or 0,
        "synchronous": bool(answer.get("replicationSync")),
        "proxy_reads": not answer.get("disableProxy"),
        "online": bool(answer.get("isOnline")),
    }


def target_sent(target: Target, secret: str | None, arn: str | None) -> dict[str, t.Any]:
    endpoint, secure = endpoint_of(target["target_endpoint_url"])
    return {
        "sourcebucket": target["bucket"],
        "endpoint": endpoint,
        "secure": secure,
        "targetbucket": target["target_bucket"],
        "credentials": {"accessKey": target["target_access_key"], "secretKey": secret or ""},
        "region": target["target_region"],
        "path": PATHS[target["target_addressing_style"]],
        "api": "s3v4",
        "type": "replication",
        "bandwidthlimit": target["bandwidth_limit"],
        "replicationSync": target["synchronous"],
        "disableProxy": not target["proxy_reads"],
        **({"arn": arn} if arn else {}),
    }


def targets(server: Server, bucket: str | None) -> list[Target]:
    """The targets of a bucket (none where there is no such bucket), or those of all buckets. Raises :class:`Fault`."""
    doing = f"list the remote targets of the bucket {bucket}" if bucket else "list the remote targets"
    query = {"bucket": bucket or "", "type": "replication"}
    try:
        answers = server.request(doing, "GET", "list-remote-targets", query) or []
    except Fault as fault:
        if fault.code == "NoSuchBucket":
            return []
        raise
    found = [target_read(answer) for answer in answers]
    return sorted(found, key=lambda target: (target["bucket"], target["target_endpoint_url"], target["target_bucket"]))


def set_target(server: Server, target: Target, secret: str | None, *, arn: str | None = None, changed: t.Collection[str] = ()) -> str:
    """Register a target, or change what ``changed`` names of the one with ``arn``; its ARN. Raises :class:`Fault`."""
    query = {"bucket": target["bucket"]}
    if arn:
        query |= {"update": "true", **{CHANGES[name]: "true" for name in changed}}
    return t.cast(str, ask(server, "set", target, query, target_sent(target, secret, arn)))


def remove_target(server: Server, target: Target, arn: str) -> None:
    ask(server, "remove", target, {"bucket": target["bucket"], "arn": arn})


def ask(server: Server, verb: str, target: Target, query: dict[str, str], body: dict[str, t.Any] | None = None) -> t.Any:
    bucket, where = target["bucket"], target["target_endpoint_url"]
    doing = f"{verb} the remote target {target['target_bucket']} at {where} of the bucket {bucket}"
    reasons = {
        "ReplicationSourceNotVersionedError": f"the bucket {bucket} has no versioning: enable it first",
        "RemoteTargetNotVersionedError": f"the bucket {target['target_bucket']} at {where} has no versioning: enable it first",
        "RemoteTargetNotFoundError": f"{where} has no bucket {target['target_bucket']}",
        "ReplicationRemoteConnectionError": f"{server.connection.where} cannot reach {where}, does not trust its certificate, or is not let in "
        "with target_access_key and target_secret_key",
        "RemoteIdenticalToSource": "a bucket cannot be replicated to itself",
        "RemoteRemoveDisallowed": f"a replication rule uses it: take the rule away first, by replication of s3_bucket for {bucket}",
    }
    try:
        return server.request(doing, "PUT" if verb == "set" else "DELETE", f"{verb}-remote-target", query, body)
    except Fault as fault:
        for code, reason in reasons.items():
            if fault.code.endswith(code):
                # The server has its own reason, if any, in a line of its own.
                detail = " ".join(line.strip(" \t.)") for line in str(fault).splitlines()[1:])
                raise Fault(f"could not {doing}: {reason}" + (f" ({detail})" if detail else ""), fault.code) from fault
        raise
