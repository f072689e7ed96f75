# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers, so that a password itself is never sent to a server that could log it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: postgresql_scram
short_description: Compute the SCRAM-SHA-256 verifier of a password for PostgreSQL
version_added: 0.1.0
description:
  - C(ALTER ROLE ... PASSWORD) takes a verifier in place of a password. With it the password is neither in the statement nor in the log of the server.
  - The present verifier is returned unchanged if it is one of this password, so that a second run changes nothing.
positional: _input, current
options:
  _input:
    description: The password, of printable ASCII characters.
    type: str
    required: true
  current:
    description: What the server has in C(pg_authid.rolpassword) now.
    type: str
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Set the password of a role
  community.postgresql.postgresql_user:
    name: odoo_a
    password: "{{ odoo_password | odooops.stack.postgresql_scram }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The verifier, as C(SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>).
  type: str
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Any

from ansible.errors import AnsibleFilterError

# PostgreSQL's own default (scram_iterations) and length of salt.
ITERATIONS = 4096
SALT_BYTES = 16

_VERIFIER = re.compile(r"^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$")


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """The verifier of RFC 5802 in PostgreSQL's notation."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def postgresql_scram(password: str, current: str | None = None) -> str:
    """The present verifier if it is one of this password, a new one otherwise."""
    password = str(password)
    # Outside ASCII a client first normalises by SASLprep, and none does it quite as another.
    if not password or not all(" " <= character <= "~" for character in password):
        raise AnsibleFilterError("A password is empty or has characters other than printable ASCII.")
    match = _VERIFIER.match(current or "")
    if match and hmac.compare_digest(verifier(password, base64.b64decode(match[2]), int(match[1])), match[0]):
        return match[0]
    return verifier(password, secrets.token_bytes(SALT_BYTES))


class FilterModule:
    """The filter postgresql_scram."""

    def filters(self) -> dict[str, Any]:
        return {"postgresql_scram": postgresql_scram}
