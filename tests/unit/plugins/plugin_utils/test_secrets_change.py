# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import stat

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.odooops.stack.plugins.plugin_utils import _secrets_store
from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_store import Command, File, SecretsError, change, ensure

TEXT = '---\n# A comment of somebody\'s\na: "one"\nother: {x: 1}\nb: two # kept by hand\nlong: |\n  over\n  lines\n'


@pytest.fixture
def path(tmp_path):
    (tmp_path / "secrets.yml").write_text(TEXT)
    return str(tmp_path / "secrets.yml")


@pytest.fixture
def store(path, vault):
    return File(path, vault)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def encrypted(path, vault, secret=1):
    """Encrypt the file with one of the vault's passwords; gives its first line."""
    label, key = vault.secrets[secret]
    with open(path, "wb") as file:
        file.write(vault.encrypt(TEXT, secret=key, vault_id=label))
    return text_of(path).splitlines()[0]


# -- a file in the clear -------------------------------------------------------------------------------------------------


def test_several_at_once(path, store):
    result = change(store, {"b": 'th"r\\ee 😀', "a": None, "c": "four"}, check_mode=False)
    assert result["changed"] and result["secrets"] == {"other": {"x": 1}, "b": 'th"r\\ee 😀', "long": "over\nlines\n", "c": "four"}
    assert yaml.safe_load(text_of(path)) == result["secrets"]
    assert "# A comment" in text_of(path) and "one" not in text_of(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert "four" not in str(result["diff"]) and "c (set)" in result["diff"]["after"]
    again = change(store, {"b": 'th"r\\ee 😀', "a": None, "c": "four"}, check_mode=False)
    assert not again["changed"] and again["secrets"] == result["secrets"]


def test_a_link_stays_one(path, tmp_path, vault, monkeypatch):
    (tmp_path / "link.yml").symlink_to(path)
    assert change(File(str(tmp_path / "link.yml"), vault), {"a": "new"}, check_mode=False)["changed"]
    assert (tmp_path / "link.yml").is_symlink() and 'a: "new"' in text_of(path)
    monkeypatch.chdir(tmp_path)
    assert change(File("here.yml", vault), {"a": "new"}, check_mode=False)["changed"]
    assert 'a: "new"' in text_of("here.yml")


def test_check_mode_writes_nothing(path, store):
    assert change(store, {"a": "new"}, check_mode=True)["secrets"]["a"] == "new"
    assert text_of(path) == TEXT


def test_a_new_file(tmp_path, vault):
    path = str(tmp_path / "group_vars" / "secrets.yml")
    asked = change(File(path, vault), {}, check_mode=False)
    assert (asked["changed"], asked["secrets"]) == (False, {})
    assert not os.path.exists(path)
    assert change(File(path, vault), {"a": "x"}, check_mode=False)["changed"]
    assert yaml.safe_load(text_of(path)) == {"a": "x"}


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("name", ["long", "a b"])
def test_what_cannot_be_changed_is_refused(path, store, name, check_mode):
    with pytest.raises(SecretsError, match=r"form that cannot be changed|no name of a variable"):
        change(store, {name: "new"}, check_mode=check_mode)
    assert text_of(path) == TEXT


@pytest.mark.parametrize(
    "text",
    ['"a": one\n', "? a\n: one\n", "\ufeffa: one\n", "a: one\nb: x\na: two\n", "a: |\n  # one\nb: x\n", "a: >-\n  one\n", "a: one\n  more\n"],
    ids=["quoted", "long", "after a mark", "twice", "like a comment", "folded", "two lines"],
)
@pytest.mark.parametrize("value", ["new", None])
def test_what_is_there_in_another_form_is_refused(path, store, text, value):
    """And not left there beside a new line that wins over it."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    with pytest.raises(SecretsError, match="form that cannot be changed"):
        change(store, {"a": value}, check_mode=False)
    assert text_of(path) == text


def test_what_is_not_changed_stays_as_it_is(path, store):
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write("a: one\r\nat: 2026-11-26T10:00:00Z\r\nraw: !unsafe '{{ x }}'\r\n")
    result = change(store, {"a": "new\x85", "b": "\U0001f600"}, check_mode=False)
    assert result["secrets"] == {"a": "new\x85", "at": "2026-11-26T10:00:00Z", "raw": "{{ x }}", "b": "\U0001f600"}
    with open(path, encoding="utf-8", newline="") as file:
        assert "at: 2026-11-26T10:00:00Z\r\nraw: !unsafe '{{ x }}'\r\n" in file.read()


def test_a_failed_write_leaves_the_old_file(path, store, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_secrets_store.os, "fsync", full)
    with pytest.raises(SecretsError, match="cannot be written: No space left on device"):
        change(store, {"a": "x"}, check_mode=False)
    assert text_of(path) == TEXT
    assert os.listdir(os.path.dirname(path)) == ["secrets.yml"]


# -- ansible-vault -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("secret", "header"), [(0, "$ANSIBLE_VAULT;1.1;AES256"), (1, "$ANSIBLE_VAULT;1.2;AES256;site")])
def test_an_encrypted_file_stays_encrypted_with_its_password(path, store, vault, secret, header):
    assert encrypted(path, vault, secret) == header
    result = change(store, {"a": "changed", "c": "four", "b": None}, check_mode=False)
    assert result["changed"] and result["encrypted"] and result["secrets"]["c"] == "four"
    assert text_of(path).splitlines()[0] == header and "changed" not in text_of(path)
    only = VaultLib([vault.secrets[secret]])
    assert only.decrypt(text_of(path)).decode() == TEXT.replace('"one"', '"changed"').replace("b: two # kept by hand\n", "") + 'c: "four"\n'
    before = text_of(path)
    assert not change(File(path, vault), {"c": "four"}, check_mode=False)["changed"]
    assert change(File(path, vault), {"c": "five"}, check_mode=True)["secrets"]["c"] == "five"
    assert text_of(path) == before
    assert ensure(File(path, vault), ["a", "d"], 32, check_mode=False)["generated"] == ["d"]
    assert len(yaml.safe_load(only.decrypt(text_of(path)))["d"]) == 32


@pytest.mark.parametrize("known", [[], [("default", VaultSecret(b"another one"))]])
def test_without_its_password_an_encrypted_file_is_left_alone(path, vault, known):
    encrypted(path, vault)
    before = text_of(path)
    for what in ({}, {"a": "x"}):
        with pytest.raises(SecretsError, match="is encrypted, or has values that are, and no password of ansible-vault opens them: give the right one"):
            change(File(path, VaultLib(known)), what, check_mode=False)
    assert text_of(path) == before


@pytest.mark.parametrize("form", ["{cut}", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "a: !vault |\n  {indented}\n  # mine\n"])
def test_what_only_looks_encrypted(path, store, vault, form):
    whole = vault.encrypt("one", secret=vault.secrets[0][1]).decode()
    text = form.format(cut=whole[:-20], indented=whole.strip().replace("\n", "\n  "))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(SecretsError, match="one is not as ansible-vault has written it"):
        change(store, {}, check_mode=False)
    assert text_of(path) == text


def test_encrypted_values(path, store, vault):
    label, key = vault.secrets[1]

    def block(name, value):
        return f"{name}: !vault |\n" + "".join(f"          {line}\n" for line in vault.encrypt(value, secret=key, vault_id=label).decode().splitlines())

    with open(path, "w", encoding="utf-8") as file:
        file.write(f"---\nplain: here\n{block('a', 'one')}# between\n{block('b', 'two')}")
    result = change(store, {"a": "changed", "c": "four"}, check_mode=False)
    assert result["secrets"] == {"plain": "here", "a": "changed", "b": "two", "c": "four"} and not result["encrypted"]
    text = text_of(path)
    assert "plain: here\n" in text and "# between\n" in text and "changed" not in text and "four" not in text
    assert text.count("!vault |\n  $ANSIBLE_VAULT;1.2;AES256;site\n") == 2
    assert change(File(path, VaultLib([vault.secrets[1]])), {"b": None}, check_mode=False)["secrets"] == {"plain": "here", "a": "changed", "c": "four"}
    assert text_of(path).count("!vault") == 2


def test_each_value_keeps_its_password(path, store, vault):
    blocks = []
    for name, (label, key) in zip("ab", vault.secrets, strict=True):
        blocks.append(f"{name}: !vault |\n" + "".join(f"  {line}\n" for line in vault.encrypt("old", secret=key, vault_id=label).decode().splitlines()))
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(blocks)
    change(store, {"b": "new"}, check_mode=False)
    assert text_of(path).startswith(blocks[0]) and "\nb: !vault |\n  $ANSIBLE_VAULT;1.2;AES256;site\n" in text_of(path)


# -- a command -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    """Keeps what it is given in a file, and refuses it while there is one named ``shut``."""
    program = tmp_path / "keeper"
    program.write_text(
        f'#!/bin/sh\ncd "{tmp_path}" && test "$1" = --of-shop || exit 9\n'
        'case $2 in read) test ! -e kept || cat kept ;; write) if test -e shut; then echo "the vault is sealed" >&2; exit 3; fi; cat >kept ;; esac\n'
    )
    program.chmod(0o755)
    return [str(program), "--of-shop"]


def test_a_command_keeps_them(command, tmp_path):
    first = ensure(Command(command), ["a", "b"], 32, check_mode=False)
    assert first["generated"] == ["a", "b"] and json.loads((tmp_path / "kept").read_text()) == first["secrets"]
    result = change(Command(command), {"a": "new", "b": None}, check_mode=False)
    assert result["changed"] and result["encrypted"] and json.loads((tmp_path / "kept").read_text()) == {"a": "new"}
    assert not change(Command(command), {"a": "new"}, check_mode=False)["changed"]
    assert change(Command(command), {"a": "other"}, check_mode=True)["changed"]
    assert json.loads((tmp_path / "kept").read_text()) == {"a": "new"}
    assert change(Command(command), {"a": None}, check_mode=False)["secrets"] == {} and (tmp_path / "kept").read_text() == "{}"
    (tmp_path / "kept").write_text("a: in YAML\nat: 2026-11-26T10:00:00Z\n")
    result = change(Command(command), {"b": "\U0001f600"}, check_mode=False)
    assert result["secrets"] == {"a": "in YAML", "at": "2026-11-26T10:00:00Z", "b": "\U0001f600"}
    (tmp_path / "kept").write_text('{\n\t"a": "\\ud83d\\ude00"\n}')
    assert change(Command(command), {}, check_mode=False)["secrets"] == {"a": "\U0001f600"}


def test_a_command_that_fails_says_why(command, tmp_path):
    (tmp_path / "shut").touch()
    with pytest.raises(SecretsError, match="keeper write ended with 3: the vault is sealed"):
        change(Command(command), {"a": "new"}, check_mode=False)
    with pytest.raises(SecretsError, match="keeper read ended with 9: it says nothing"):
        change(Command([command[0], "--of-another"]), {}, check_mode=False)
    with pytest.raises(SecretsError, match="absent cannot be run: No such file"):
        change(Command([str(tmp_path / "absent")]), {}, check_mode=False)


def test_a_command_that_quotes_what_it_was_given(tmp_path):
    program = tmp_path / "loud"
    program.write_text("#!/bin/sh\ntest $1 = read || { cat >&2; exit 1; }\n")
    program.chmod(0o755)
    with pytest.raises(SecretsError, match=r"loud write ended with 1: it says a secret$"):
        change(Command([str(program)]), {"a": "secretvalue"}, check_mode=False)


@pytest.mark.parametrize("printed", [b"- secretvalue", b"{secretvalue", b"secretvalue", b"\xff\xfe"])
def test_a_command_that_prints_something_else(command, tmp_path, printed):
    (tmp_path / "kept").write_bytes(printed)
    with pytest.raises(SecretsError, match="did not print variables") as told:
        change(Command(command), {}, check_mode=False)
    assert "secretvalue" not in str(told.value)


def test_a_command_that_forgets():
    with pytest.raises(SecretsError, match="write ended well, but true read does not print what it was given"):
        change(Command(["true"]), {"a": "new"}, check_mode=False)
