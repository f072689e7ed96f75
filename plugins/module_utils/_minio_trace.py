# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who signs what a MinIO server is asked: the entries of its trace, which tells of each request when it has been answered."""

from __future__ import annotations

import base64
import binascii
import re
import time
import typing as t
from collections.abc import Collection, Iterable
from urllib.parse import parse_qs

# What was refused with one of these was not signed with the key, or by a link that had ended: neither gets anything by it now.
_NO_USE = re.compile(rb"<Code>(SignatureDoesNotMatch|RequestTimeTooSkewed)</Code>|<Code>AccessDenied</Code><Message>Request has expired")


class Request(t.NamedTuple):
    """A request of the S3 API; ``time`` as the server writes it, in UTC."""

    key: str  # the id of the access key that signed it
    way: str  # header or link
    operation: str  # such as GetObject
    time: str
    client: str  # the address it came from


class Use(t.TypedDict):
    """What was seen of an access key; the last four are of the last request, and empty where there was none."""

    key: str
    requests: int
    last_used: str
    operation: str
    way: str
    client: str


def request_of(entry: dict[str, t.Any]) -> Request | None:
    """The request that an entry of the trace tells of; ``None`` where it was not signed, or not well."""
    told = entry.get("http") or {}
    request, response = told.get("request") or {}, told.get("response") or {}
    if response.get("statuscode") == 403 and _NO_USE.search(_body(response)):
        return None
    headers = request.get("headers") or {}
    query = parse_qs(request.get("rawquery") or "")
    authorization = " ".join(headers.get("Authorization") or [])
    if "Credential=" in authorization:
        key, way = authorization.split("Credential=", 1)[1].split("/", 1)[0], "header"
    elif authorization.startswith("AWS "):
        key, way = authorization[4:].split(":", 1)[0], "header"
    elif "X-Amz-Credential" in query:
        key, way = query["X-Amz-Credential"][0].split("/", 1)[0], "link"
    elif "AWSAccessKeyId" in query:
        key, way = query["AWSAccessKeyId"][0], "link"
    else:
        return None
    return Request(key, way, str(entry.get("funcname", "")).removeprefix("s3."), str(entry.get("time", "")), str(request.get("client", "")))


def _body(response: dict[str, t.Any]) -> bytes:
    try:
        return base64.b64decode(response.get("body") or "")
    except (binascii.Error, TypeError, ValueError):
        return b""


def watch(
    entries: Iterable[dict[str, t.Any] | None], keys: Collection[str], seconds: float, quiet: float = 0, clock: t.Callable[[], float] = time.monotonic
) -> tuple[dict[str, Use], float]:
    """Look for requests signed by some access keys.

    :param entries: those of the trace, and ``None`` now and then while there are none; see :meth:`_minio_admin.Server.trace`.
    :param seconds: how long is looked.
    :param quiet: end before, when for so many seconds none of the keys was seen; 0 is never.
    :return: what was seen of each key, and for how many seconds there was nothing at the end.
    """
    seen = {key: Use(key=key, requests=0, last_used="", operation="", way="", client="") for key in keys}
    began = last = -1.0
    for entry in entries:
        found = request_of(entry) if entry is not None else None
        now = clock()
        if began < 0:
            # Only now there is something that would tell.
            began = last = now
        if found is not None and found.key in seen:
            requests = seen[found.key]["requests"] + 1
            seen[found.key] = Use(key=found.key, requests=requests, last_used=found.time, operation=found.operation, way=found.way, client=found.client)
            last = now
        if now - began >= seconds or (quiet and now - last >= quiet):
            break
    return seen, clock() - last
