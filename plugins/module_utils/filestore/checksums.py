# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""A SHA-1 as S3 writes it, in Base64."""

from __future__ import annotations

import base64


def encoded(sha1: str) -> str:
    """What a server is told: the SHA-1, given in hexadecimal, in Base64."""
    return base64.b64encode(bytes.fromhex(sha1)).decode()


def of_whole(checksum: str, etag: str) -> str | None:
    """The SHA-1 of a whole object, in hexadecimal, by what the server says of it; None where it says none.

    Of an object that came in parts it is a checksum of checksums, marked by '-<parts>'; not everywhere, but its ETag is.

    :param checksum: the SHA-1 that the server has, in Base64; '' for none.
    """
    return base64.b64decode(checksum).hex() if checksum and "-" not in checksum + etag else None
