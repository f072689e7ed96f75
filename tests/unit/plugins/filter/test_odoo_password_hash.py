# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.filter.odoo_password_hash import FilterModule, odoo_password_hash
from ansible_collections.odooops.stack.plugins.module_utils import _odoo_password

PRESENT = _odoo_password.make("correct horse", rounds=1000)
CONF = f"[options]\nadmin_passwd = {PRESENT}\ndb_password = 100%%sure\n"


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(_odoo_password, "ROUNDS", 10)


def test_keeps_the_hash_of_the_same_password():
    assert odoo_password_hash("correct horse", CONF) == PRESENT


@pytest.mark.parametrize("present", [CONF, "", "[options]\nadmin_passwd = admin\n", "[options]\nadmin_passwd = correct battery\n", "no section = 1"])
def test_makes_a_hash_of_another_password(present):
    made = odoo_password_hash("correct battery", present)
    assert made != PRESENT
    assert _odoo_password.verify("correct battery", made)


def test_without_a_password_keeps_any_hash_or_makes_one_that_nothing_fits():
    assert odoo_password_hash("", CONF) == PRESENT
    made = odoo_password_hash("", "[options]\nadmin_passwd = admin\n")
    assert _odoo_password.is_hash(made)
    assert not _odoo_password.verify("", made)
    assert not _odoo_password.verify("admin", made)


def test_is_loaded_by_its_name():
    assert FilterModule().filters() == {"odoo_password_hash": odoo_password_hash}
