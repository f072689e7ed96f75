# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords the way Odoo stores them: PBKDF2 with SHA-512, in the notation of passlib."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

PREFIX = "$pbkdf2-sha512$"
# As many as Odoo itself takes.
ROUNDS = 600_000


def _decode(text: str) -> bytes:
    """The bytes of passlib's base64: "." for "+", no padding."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii").rstrip("=").replace("+", ".")


def is_hash(stored: str) -> bool:
    """Whether this is a hash that `verify` understands."""
    return _parts(stored) is not None


def _parts(stored: str) -> tuple[int, bytes, bytes] | None:
    if not stored.startswith(PREFIX):
        return None
    fields = stored[len(PREFIX) :].split("$")
    if len(fields) != 3:
        return None
    try:
        parts = int(fields[0]), _decode(fields[1]), _decode(fields[2])
    except (ValueError, binascii.Error):
        return None
    return parts if parts[0] > 0 and parts[2] else None


def verify(password: str, stored: str) -> bool:
    """Whether the hash is the password's; False for anything that is no such hash."""
    parts = _parts(stored)
    if parts is None:
        return False
    rounds, salt, checksum = parts
    return hmac.compare_digest(hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, len(checksum)), checksum)


def make(password: str, rounds: int | None = None, salt: bytes | None = None) -> str:
    """A new hash of the password, with a new salt."""
    salt = os.urandom(16) if salt is None else salt
    rounds = rounds or ROUNDS
    checksum = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"{PREFIX}{rounds}${_encode(salt)}${_encode(checksum)}"
