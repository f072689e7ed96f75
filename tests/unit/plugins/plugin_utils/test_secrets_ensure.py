# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
import yaml
from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_store import File, SecretsError, ensure


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "group_vars" / "all" / "secrets.yml")


@pytest.fixture
def store(path, vault):
    return File(path, vault)


def test_generates_once(path, store):
    first = ensure(store, ["a", "b"], 32, check_mode=False)
    assert first["changed"] and first["generated"] == ["a", "b"]
    assert all(len(value) == 32 for value in first["secrets"].values()) and first["secrets"]["a"] != first["secrets"]["b"]
    assert yaml.safe_load(open(path, encoding="utf-8")) == first["secrets"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    second = ensure(store, ["a", "b"], 32, check_mode=False)
    assert not second["changed"] and second["secrets"] == first["secrets"]


def test_adds_to_what_a_person_wrote(path, store):
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write("# mine\na: 'given'")
    result = ensure(store, ["a", "b"], 32, check_mode=False)
    text = open(path, encoding="utf-8").read()
    assert result["generated"] == ["b"] and result["secrets"]["a"] == "given"
    assert text.startswith("# mine\na: 'given'\nb: ")


def test_check_mode_writes_nothing(path, store):
    result = ensure(store, ["a"], 32, check_mode=True)
    assert result["changed"] and result["secrets"]["a"]
    assert not os.path.exists(os.path.dirname(path))


def test_diff_has_names_only(path, store):
    result = ensure(store, ["a"], 32, check_mode=False)
    assert result["secrets"]["a"] not in str(result["diff"]) and "a\n" in result["diff"]["after"]


def test_refuses_an_installed_collection(tmp_path, vault):
    for name in ("MANIFEST.json", "FILES.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(SecretsError, match="copy the inventory"):
        ensure(File(str(tmp_path / "inventories/single/group_vars/all/secrets.yml"), vault), ["a"], 32, check_mode=False)
    assert not (tmp_path / "inventories").exists()


@pytest.mark.parametrize(("text", "message"), [("- a\n", "must hold variables"), ("a: [\n", "not valid YAML")])
def test_a_broken_file_is_left_alone(path, store, text, message):
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(SecretsError, match=message):
        ensure(store, ["a"], 32, check_mode=False)
    assert open(path, encoding="utf-8").read() == text


def test_a_failed_write_leaves_the_old_file(path, store, monkeypatch):
    ensure(store, ["a"], 32, check_mode=False)
    before = open(path, encoding="utf-8").read()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SecretsError, match="No space left on device"):
        ensure(store, ["a", "b"], 32, check_mode=False)
    assert open(path, encoding="utf-8").read() == before
    assert os.listdir(os.path.dirname(path)) == ["secrets.yml"]
