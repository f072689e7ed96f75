# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.odooops.stack.plugins.filter.postgresql_scram import FilterModule, postgresql_scram, verifier


def test_the_vector_of_the_rfc() -> None:
    # RFC 7677, section 3: user "user", password "pencil". Its proof and its signature follow from these keys:
    # stored key = H(proof XOR HMAC(stored key, message)), signature = HMAC(server key, message).
    message = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    made = verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    stored, server = (base64.b64decode(part) for part in made.split("$")[2].split(":"))
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client_key = bytes(a ^ b for a, b in zip(proof, hmac.digest(stored, message, "sha256"), strict=True))
    assert hashlib.sha256(client_key).digest() == stored
    assert base64.b64encode(hmac.digest(server, message, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_new_one_each_time_unless_it_fits() -> None:
    first = postgresql_scram("correct horse")
    assert re.match(r"^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$", first)
    assert postgresql_scram("correct horse") != first
    assert postgresql_scram("correct horse", first) == first
    assert postgresql_scram("Correct horse", first) != first


def test_another_count_of_iterations_is_kept() -> None:
    current = verifier("correct horse", b"0123456789abcdef", 10000)
    assert postgresql_scram("correct horse", current) == current


@pytest.mark.parametrize("current", ["", None, "md5c0ffee", "SCRAM-SHA-256$4096:!$x:y", "correct horse"])
def test_what_is_no_verifier_is_replaced(current: str | None) -> None:
    assert postgresql_scram("correct horse", current).startswith("SCRAM-SHA-256$4096:")


@pytest.mark.parametrize("password", ["", "stra\u00dfe", "two\nlines"])
def test_a_password_that_clients_read_differently_is_refused(password: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        postgresql_scram(password)
    # A password that is refused must not be shown either.
    assert not password or password not in str(error.value)


def test_it_is_a_filter() -> None:
    assert FilterModule().filters()["postgresql_scram"] is postgresql_scram
