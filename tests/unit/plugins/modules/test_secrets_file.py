# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
import yaml
from ansible_collections.odooops.stack.plugins.module_utils import _secrets_file
from ansible_collections.odooops.stack.plugins.modules import secrets_file

TEXT = '---\n# A comment of somebody\'s\na: "one"\nother: {x: 1}\nb: two # kept by hand\nlocked: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n'


@pytest.fixture
def path(tmp_path):
    (tmp_path / "secrets.yml").write_text(TEXT)
    return str(tmp_path / "secrets.yml")


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_several_at_once(path):
    result = secrets_file.change(path, {"b": 'th"r\\ee', "a": None, "c": "four"}, check_mode=False)
    assert result["changed"] and result["secrets"] == {"other": {"x": 1}, "b": 'th"r\\ee', "c": "four"}
    assert yaml.safe_load(text_of(path).split("locked")[0])["b"] == 'th"r\\ee'
    assert "# A comment" in text_of(path) and "  6162\n" in text_of(path) and "one" not in text_of(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert "four" not in str(result["diff"]) and "c (set)" in result["diff"]["after"]
    again = secrets_file.change(path, {"b": 'th"r\\ee', "a": None, "c": "four"}, check_mode=False)
    assert not again["changed"] and again["secrets"] == result["secrets"]


def test_a_link_stays_one(path, tmp_path, monkeypatch):
    (tmp_path / "link.yml").symlink_to(path)
    assert secrets_file.change(str(tmp_path / "link.yml"), {"a": "new"}, check_mode=False)["changed"]
    assert (tmp_path / "link.yml").is_symlink() and 'a: "new"' in text_of(path)
    monkeypatch.chdir(tmp_path)
    assert secrets_file.change("here.yml", {"a": "new"}, check_mode=False)["changed"]
    assert 'a: "new"' in text_of("here.yml")


def test_check_mode_writes_nothing(path):
    assert secrets_file.change(path, {"a": "new"}, check_mode=True)["secrets"]["a"] == "new"
    assert text_of(path) == TEXT


def test_a_new_file(tmp_path):
    path = str(tmp_path / "group_vars" / "secrets.yml")
    asked = secrets_file.change(path, {}, check_mode=False)
    assert (asked["changed"], asked["secrets"]) == (False, {})
    assert not os.path.exists(path)
    assert secrets_file.change(path, {"a": "x"}, check_mode=False)["changed"]
    assert yaml.safe_load(text_of(path)) == {"a": "x"}


@pytest.mark.parametrize("name", ["locked", "a b"])
def test_what_cannot_be_changed_is_refused(path, name):
    with pytest.raises(_secrets_file.SecretsError, match=r"form that cannot be changed|no name of a variable"):
        secrets_file.change(path, {name: "new"}, check_mode=False)
    assert text_of(path) == TEXT


def test_an_encrypted_file(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert secrets_file.change(path, {}, check_mode=False)["encrypted"]
    with pytest.raises(_secrets_file.SecretsError, match="is encrypted, and a is to be changed in it: run 'ansible-vault decrypt"):
        secrets_file.change(path, {"a": "x"}, check_mode=False)


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_secrets_file.os, "fsync", full)
    with pytest.raises(_secrets_file.SecretsError, match="cannot be written: No space left on device"):
        secrets_file.change(path, {"a": "x"}, check_mode=False)
    assert text_of(path) == TEXT
    assert os.listdir(os.path.dirname(path)) == ["secrets.yml"]
