# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What can go wrong, told apart by what the caller can do about it. No message holds a secret or a signed URL."""

from __future__ import annotations

import errno


class StoreError(Exception):
    """Something about the object store; the message is one sentence for an administrator."""


class ConfigError(StoreError):
    """The settings are incomplete, contradict each other or cannot be read."""


class NotFound(StoreError):
    """The store answered that it does not have the object."""


class Unavailable(StoreError):
    """The store did not answer, or not completely: the same request may succeed later."""


class Denied(StoreError):
    """The store refuses, and goes on refusing until somebody changes its configuration or ours."""


class Corrupt(StoreError):
    """The bytes are not those whose SHA-1 the name says."""


# What S3 servers call them: bytes that did not arrive as they were sent, and troubles that pass.
CORRUPT = {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "IncompleteBody"}
PASSING = {"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "TooManyRequests", "InternalError", "ServiceUnavailable"}

_MISSING = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "NotFound", "404"}


def kind(code: str, status: int, *, bucket_missing: bool = False) -> type[StoreError]:
    """Which error an answer is.

    :param bucket_missing: it says so elsewhere than in its code: that to a HEAD has no body.
    """
    if code in CORRUPT:
        return Corrupt
    # What a server has never learnt (501) it will not know later either.
    if code in PASSING or (status >= 500 and status != 501) or status in (408, 425, 429):
        return Unavailable
    # A missing bucket, or a missing key of encryption, is no missing object.
    return NotFound if code in _MISSING and not bucket_missing else Denied


def of_this_host(error: OSError) -> str:
    """A sentence about a local file that could not be used, and what to do if the disk is full."""
    more = "; make room and run it again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{error.filename or 'a local file'} cannot be used: {error.strerror or error}{more}"
