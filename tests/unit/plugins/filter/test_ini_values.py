# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.odooops.stack.plugins.filter.ini_values import ini_values

TEXT = "# managed\n[options]\n; a comment\nadmin_passwd = x\ndb_password = old\n  and more\nDb_User: a\ndb_name = odoo\n\n[s3_attachment]\ndb_user = other\n"


def read(text):
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_values_of_one_section():
    new = ini_values(TEXT, "options", {"db_user": "b", "db_password": r"\1$%#;=", "db_port": 5432})
    assert read(new) == {
        "options": {"admin_passwd": "x", "db_password": r"\1$%#;=", "db_user": "b", "db_name": "odoo", "db_port": "5432"},
        "s3_attachment": {"db_user": "other"},
    }
    assert "; a comment\n" in new and new.startswith("# managed\n")
    assert ini_values(new, "options", {"db_user": "b"}) == new


def test_an_option_that_is_there_twice_is_there_once():
    assert ini_values("[a]\nb = 1\nb = 2\n", "a", {"b": "3"}) == "[a]\nb = 3\n"


@pytest.mark.parametrize(("section", "value", "says"), [("none", "x", r"no section \[none\]"), ("options", "x\ny", "db_user must have one line")])
def test_refused(section, value, says):
    with pytest.raises(AnsibleFilterError, match=says):
        ini_values(TEXT, section, {"db_user": value})
