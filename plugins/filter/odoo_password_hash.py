# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash of Odoo's master password for odoo.conf, without a change where the password did not change."""

from __future__ import annotations

DOCUMENTATION = r"""
name: odoo_password_hash
short_description: Hash a password the way Odoo does
version_added: 0.1.0
description:
  - Returns a PBKDF2-SHA512 hash in the notation of passlib, as C(admin_passwd) of odoo.conf takes it.
  - Keeps the present hash when it is the password's.
  - Without a password it keeps a present hash, else makes one that no password fits.
options:
  _input:
    description: The password.
    type: str
    required: true
  present:
    description: The text of the odoo.conf that is there.
    type: str
    default: ""
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Decide on the hash of the master password
  ansible.builtin.set_fact:
    admin_passwd: "{{ master_password | odooops.stack.odoo_password_hash(present=(conf.content | b64decode)) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The hash.
  type: str
"""

import configparser
import secrets
from typing import Any

from ansible_collections.odooops.stack.plugins.module_utils._odoo_password import is_hash, make, verify


def odoo_password_hash(password: str, present: str = "") -> str:
    """The hash to write into odoo.conf, given the text of the one that is there."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(present)
        stored = parser.get("options", "admin_passwd", fallback="")
    except configparser.Error:
        stored = ""
    if is_hash(stored) and (not password or verify(password, stored)):
        return stored
    return make(password or secrets.token_urlsafe(32))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Any]:
        return {"odoo_password_hash": odoo_password_hash}
