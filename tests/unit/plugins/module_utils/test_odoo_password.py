# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._odoo_password import is_hash, make, verify

# Made by passlib 1.7.4: pbkdf2_sha512.using(rounds=..., salt=...).hash(password), with salts that have "." and "/" in their notation.
BY_PASSLIB = [
    (
        "correct horse",
        "$pbkdf2-sha512$1000$AAECAwQFBgcICQoLDA0ODw$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO.dxO6p5FT/Uy7QRBXSXA",
        bytes(range(16)),
        1000,
    ),
    (
        "pässwörd",
        "$pbkdf2-sha512$25000$....//vvvv/7777/..../w$.QUe0F1oS7/v1KChd3FFsOFnD00Iz6aADov.cUGw4e8QxeElnPtINvCDNMXMBpGNHJjXuClpDWN8JfwZbM.v6w",
        b"\xfb\xef\xbe\xff" * 4,
        25000,
    ),
]


@pytest.mark.parametrize(("password", "stored", "salt", "rounds"), BY_PASSLIB)
def test_understands_and_makes_what_passlib_makes(password, stored, salt, rounds):
    assert verify(password, stored)
    assert not verify(password + "x", stored)
    assert make(password, rounds, salt) == stored


def test_makes_another_hash_each_time():
    first, second = make("a password", rounds=10), make("a password", rounds=10)
    assert first != second
    assert verify("a password", first)
    assert verify("a password", second)
    assert first.startswith("$pbkdf2-sha512$10$")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "admin",
        "$pbkdf2-sha512$",
        "$pbkdf2-sha512$x$AAAA$AAAA",
        "$pbkdf2-sha512$0$AAAA$AAAA",
        "$pbkdf2-sha512$10$AAAA",
        "$pbkdf2-sha512$10$AAAA$",
        "$pbkdf2-sha512$10$A!AA$AAAA",
        "$pbkdf2-sha256$10$AAAA$AAAA",
    ],
)
def test_anything_else_fits_no_password(stored):
    assert not is_hash(stored)
    assert not verify("admin", stored)
    assert not verify("", stored)
