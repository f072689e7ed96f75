# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Signature version 4 of S3 requests, for many small requests: nothing is built that the server does not look at."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"


class Credentials(NamedTuple):
    """An access key; ``token`` only where it is a temporary one."""

    access_key: str
    secret_key: str
    token: str = ""


class Signer:
    """Signs for one region. ``credentials`` is asked for each request, so that temporary ones may change."""

    def __init__(self, region: str, credentials: Callable[[], Credentials]) -> None:
        self._region = region
        self._credentials = credentials
        # In one attribute, so that a thread never sees the key of another day.
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def sign(self, method: str, path: str, query: str, headers: Mapping[str, str], payload: str) -> dict[str, str]:
        """The headers to send: those given (lower case, ``host`` among them) and the signature's.

        :param path: as it is sent, percent-encoded.
        :param query: as it is sent, sorted and percent-encoded.
        :param payload: the SHA-256 of the body in hexadecimal, or :data:`UNSIGNED`.
        """
        credentials = self._credentials()
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signed = {**headers, "x-amz-content-sha256": payload, "x-amz-date": now}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        lines = "".join(f"{name}:{signed[name]}\n" for name in names)
        listed = ";".join(names)
        request = f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{payload}"
        scope = f"{now[:8]}/{self._region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(credentials.secret_key, now[:8]), text.encode(), "sha256").hex()
        signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope},SignedHeaders={listed},Signature={signature}"
        return signed

    def _signing_key(self, secret_key: str, day: str) -> bytes:
        made_for, key = self._key
        if made_for != (secret_key, day):
            key = b"AWS4" + secret_key.encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = ((secret_key, day), key)
        return key
