# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
import yaml
from ansible_collections.odooops.stack.plugins.modules import generated_secrets


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "group_vars" / "all" / "secrets.yml")


def test_generates_once(path):
    first = generated_secrets.ensure(path, ["a", "b"], 32, check_mode=False)
    assert first["changed"] and first["generated"] == ["a", "b"]
    assert all(len(value) == 32 for value in first["secrets"].values()) and first["secrets"]["a"] != first["secrets"]["b"]
    assert yaml.safe_load(open(path, encoding="utf-8")) == first["secrets"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    second = generated_secrets.ensure(path, ["a", "b"], 32, check_mode=False)
    assert not second["changed"] and second["secrets"] == first["secrets"]


def test_adds_to_what_a_person_wrote(path):
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write("# mine\na: 'given'")
    result = generated_secrets.ensure(path, ["a", "b"], 32, check_mode=False)
    text = open(path, encoding="utf-8").read()
    assert result["generated"] == ["b"] and result["secrets"]["a"] == "given"
    assert text.startswith("# mine\na: 'given'\nb: ")


def test_check_mode_writes_nothing(path):
    result = generated_secrets.ensure(path, ["a"], 32, check_mode=True)
    assert result["changed"] and result["secrets"]["a"]
    assert not os.path.exists(os.path.dirname(path))


def test_diff_has_names_only(path):
    result = generated_secrets.ensure(path, ["a"], 32, check_mode=False)
    assert result["secrets"]["a"] not in str(result["diff"]) and "a\n" in result["diff"]["after"]


def test_refuses_an_installed_collection(tmp_path):
    for name in ("MANIFEST.json", "FILES.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(generated_secrets.SecretsError, match="copy the inventory"):
        generated_secrets.ensure(str(tmp_path / "inventories/single/group_vars/all/secrets.yml"), ["a"], 32, check_mode=False)
    assert not (tmp_path / "inventories").exists()


def test_an_encrypted_file_is_left_alone(path):
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write("$ANSIBLE_VAULT;1.1;AES256\n3031\n")
    with pytest.raises(generated_secrets.SecretsError, match="no value for a, b: add them with 'ansible-vault edit"):
        generated_secrets.ensure(path, ["a", "b"], 32, check_mode=False)
    assert open(path, encoding="utf-8").read() == "$ANSIBLE_VAULT;1.1;AES256\n3031\n"


@pytest.mark.parametrize(("text", "message"), [("- a\n", "must hold variables"), ("a: [\n", "not valid YAML")])
def test_a_broken_file_is_left_alone(path, text, message):
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(generated_secrets.SecretsError, match=message):
        generated_secrets.ensure(path, ["a"], 32, check_mode=False)
    assert open(path, encoding="utf-8").read() == text


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    generated_secrets.ensure(path, ["a"], 32, check_mode=False)
    before = open(path, encoding="utf-8").read()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(generated_secrets.SecretsError, match="No space left on device"):
        generated_secrets.ensure(path, ["a", "b"], 32, check_mode=False)
    assert open(path, encoding="utf-8").read() == before
    assert os.listdir(os.path.dirname(path)) == ["secrets.yml"]
