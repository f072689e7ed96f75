# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an inventory keeps its secrets: a file of variables, which ansible-vault may have encrypted, or a command of the user's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import string
import subprocess
import tempfile
import textwrap
import typing as t

import yaml
from ansible.parsing.vault import AnsibleVaultError, AnsibleVaultFormatError, VaultLib, is_encrypted, parse_vaulttext_envelope

ALPHABET = string.ascii_letters + string.digits
HEADER = "---\n# Generated, one value a line. Keep it like a key: back it up, or encrypt it with ansible-vault. Never commit it in the clear.\n"


class SecretsError(Exception):
    """What the user has to mend, as a sentence."""


class Store(t.Protocol):
    """Variables with their values, which are replaced all at once or not at all."""

    @property
    def place(self) -> str:
        """What a user knows it by."""

    @property
    def encrypted(self) -> bool:
        """Whether no value of it lies on the disk in the clear. Known after :meth:`read`."""

    def read(self) -> dict[str, t.Any]:
        """All variables.

        :raises SecretsError: they cannot be read.
        """

    def write(self, due: dict[str, str | None], check_mode: bool) -> None:
        """Set these variables, and remove those that are None; what was read before is the rest. It lasts when this returns.

        :raises SecretsError: they cannot be written, and are as they were. What can be known of that is told with check_mode as well.
        """


class File:
    """A YAML file, one ``name: value`` a line, of which only what is due is changed. It is written whole, for its owner only.

    What ansible-vault has encrypted stays encrypted, with the same password: the file as a whole, or else single values. Where there is one of these,
    what is new is encrypted as well, with the password of the first.
    """

    def __init__(self, path: str, vault: VaultLib) -> None:
        self.place = real_place(path)
        self.encrypted = False
        self._vault = vault
        self._text = ""
        self._values: dict[str, t.Any] = {}
        # What VaultLib.encrypt is to be given: for all of the file, and for its encrypted values.
        self._key: dict[str, t.Any] = {}
        self._keys: dict[str, dict[str, t.Any]] = {}

    def read(self) -> dict[str, t.Any]:
        try:
            with open(self.place, encoding="utf-8", newline="") as file:
                text = file.read()
        except FileNotFoundError:
            text = ""
        except (OSError, UnicodeDecodeError) as error:
            raise SecretsError(f"{self.place} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from error
        self.encrypted = is_encrypted(text)
        self._text = text
        if self.encrypted:
            opened = self._decrypted(text)
            self._text, self._key = str(opened), opened.key
        self._values, self._keys = self._understood(self._text)
        return dict(self._values)

    def write(self, due: dict[str, str | None], check_mode: bool) -> None:
        after = wanted(self._values, due)
        text, right = self._text or HEADER, True
        if not text.endswith("\n"):
            text += "\n"
        for name, value in due.items():
            line = "" if value is None else self._line(name, value)
            # An encrypted value is over several lines, all of them further to the right; any other over one.
            one = rf"(?m)^{re.escape(name)}[ \t]*:(?:[ \t]*!vault[ \t]*\|-?[ \t]*\n(?:[ \t]+\S.*\n)+|.*\n(?![ \t]+\S))"
            text, found = re.subn(one, line.replace("\\", r"\\"), text)
            # It may be there by another spelling, or twice.
            right = right and found == (name in self._values)
            if not found:
                text += line
        try:
            right = right and self._understood(text)[0] == after
        except SecretsError:
            right = False
        if not right:
            raise SecretsError(f"{self.place} has {', '.join(due)} in a form that cannot be changed: put each of them on a line of its own, as 'name: value'.")
        if not check_mode:
            replace(self.place, self._encrypted(text, self._key) if self.encrypted else text)
            self._text, self._values = text, after

    def _line(self, name: str, value: str) -> str:
        if self.encrypted or not self._keys:
            # YAML has no pairs of surrogates, and takes some letters for ends of lines that JSON does not.
            return f"{name}: {json.dumps(value, ensure_ascii=max(value, default='') <= chr(0xFFFF))}\n"
        key = self._keys.get(name) or next(iter(self._keys.values()))
        return f"{name}: !vault |\n{textwrap.indent(self._encrypted(value, key), '  ')}"

    def _understood(self, text: str) -> tuple[dict[str, t.Any], dict[str, dict[str, t.Any]]]:
        """The variables, and the keys of those that are encrypted."""

        class Loader(PlainLoader):
            """Understands what Ansible does."""

        for tag in ("!vault", "!vault-encrypted"):
            Loader.add_constructor(tag, lambda loader, node: self._decrypted(node.value))
        Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))
        try:
            values = yaml.load(text, Loader=Loader) or {}  # noqa: S506  # a safe loader
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
            raise SecretsError(f"{self.place} is not valid YAML (line {line}): mend it, or move it away.") from error
        if not isinstance(values, dict):
            raise SecretsError(f"{self.place} must hold variables, one 'name: value' a line.")
        opened = {name: value for name, value in values.items() if isinstance(value, Opened)}
        return {**values, **{name: str(value) for name, value in opened.items()}}, {name: value.key for name, value in opened.items()}

    def _decrypted(self, text: str) -> Opened:
        # As `ansible-vault edit` does: the label that stands there stays, whatever the one of the password that opens it is.
        try:
            plain, _label, secret = self._vault.decrypt_and_get_vault_id(text)
            label = parse_vaulttext_envelope(text.encode())[3]
            return Opened(plain.decode(), {"secret": secret, "vault_id": label})
        except AnsibleVaultFormatError as error:
            raise SecretsError(
                f"{self.place} is encrypted, or has values that are, and one is not as ansible-vault has written it: look for lines that are cut short, "
                "or that are a comment among those of a value."
            ) from error
        except AnsibleVaultError as error:
            raise SecretsError(
                f"{self.place} is encrypted, or has values that are, and no password of ansible-vault opens them: "
                "give the right one, as with --vault-password-file or --ask-vault-pass."
            ) from error
        except UnicodeDecodeError as error:
            raise SecretsError(f"{self.place} is encrypted, or has values that are, and holds what is no text.") from error

    def _encrypted(self, text: str, key: dict[str, t.Any]) -> str:
        return str(self._vault.encrypt(text, **key).decode())


class Opened(str):
    """What was encrypted, with the key to encrypt it again."""

    key: dict[str, t.Any]

    def __new__(cls, text: str, key: dict[str, t.Any]) -> Opened:
        opened = super().__new__(cls, text)
        opened.key = key
        return opened

    def __str__(self) -> str:
        return "".join(self)


class PlainLoader(yaml.SafeLoader):
    """Leaves what looks like a time as it is written."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if not tag.endswith(":timestamp")] for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Command:
    """A program of the user's. With the word C(read) after its own it prints the variables, as JSON or YAML; with C(write) it gets them as JSON."""

    encrypted = True

    def __init__(self, command: list[str]) -> None:
        self.place = command[0]
        self._command = command
        self._values: dict[str, t.Any] = {}

    def read(self) -> dict[str, t.Any]:
        values = self._parsed(self._run("read", {}))
        if not isinstance(values, dict):
            # What it has printed may be secret.
            raise SecretsError(f"{self.place} read did not print variables with their values, as JSON or YAML.")
        self._values = values
        return dict(values)

    def write(self, due: dict[str, str | None], check_mode: bool) -> None:
        after = wanted(self._values, due)
        if check_mode:
            return
        self._run("write", after)
        if self.read() != after:
            raise SecretsError(f"{self.place} write ended well, but {self.place} read does not print what it was given.")

    def _parsed(self, printed: bytes) -> t.Any:
        # JSON is nearly YAML, but not quite.
        with contextlib.suppress(ValueError):
            return json.loads(printed)
        try:
            return yaml.load(printed.decode(), Loader=PlainLoader) or {}  # noqa: S506  # a safe loader
        except (yaml.YAMLError, UnicodeDecodeError):
            return None

    def _run(self, what: str, given: dict[str, t.Any]) -> bytes:
        text = json.dumps(given, ensure_ascii=False) if what == "write" else ""
        try:
            done = subprocess.run([*self._command, what], input=text.encode(), capture_output=True, check=True)
        except OSError as error:
            raise SecretsError(f"{self.place} cannot be run: {error.strerror}.") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it says nothing of it"]
            # Some programs quote what they were given.
            values = [value for value in {**self._values, **given}.values() if isinstance(value, str) and len(value) >= 8]
            secret = [value for value in values if value in said[0] or json.dumps(value)[1:-1] in said[0]]
            raise SecretsError(f"{self.place} {what} ended with {error.returncode}: {'it says a secret' if secret else said[0]}") from error
        return done.stdout


def wanted(values: dict[str, t.Any], due: dict[str, str | None]) -> dict[str, t.Any]:
    """The variables as they are to be: these, with what is due."""
    return {name: value for name, value in {**values, **due}.items() if due.get(name, "") is not None}


def change(store: Store, changes: dict[str, str | None], check_mode: bool) -> dict[str, t.Any]:
    """The result of the module C(secrets_file): each variable gets its value, or is removed where that is None.

    :raises SecretsError: it cannot be done, and nothing was changed.
    """
    return _carry_out(store, store.read(), changes, check_mode)


def _carry_out(store: Store, values: dict[str, t.Any], changes: dict[str, str | None], check_mode: bool) -> dict[str, t.Any]:
    wrong = [name for name in changes if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]
    if wrong:
        raise SecretsError(f"{', '.join(wrong)} is no name of a variable.")
    due = {name: value for name, value in changes.items() if values.get(name) != value}
    if due:
        store.write(due, check_mode)
    after = wanted(values, due)
    return {
        "changed": bool(due),
        "encrypted": store.encrypted,
        "secrets": after,
        "diff": {
            "before_header": store.place,
            "after_header": store.place,
            "before": "".join(f"{name}\n" for name in values),
            "after": "".join(f"{name}{' (set)' if name in due else ''}\n" for name in after),
        },
    }


def ensure(store: Store, names: list[str], length: int, check_mode: bool) -> dict[str, t.Any]:
    """The result of the module C(generated_secrets): each of the names has a value, and those that had none a new one.

    :raises SecretsError: it cannot be done, and nothing was changed.
    """
    values = store.read()
    empty = [name for name in names if name in values and not values[name]]
    if empty:
        raise SecretsError(f"{store.place} has {', '.join(empty)} without a value.")
    new = {name: random_secret(length) for name in names if name not in values}
    result = _carry_out(store, values, dict(new), check_mode)
    return {
        "changed": result["changed"],
        "generated": list(new),
        "secrets": {name: result["secrets"][name] for name in names},
        "diff": {**result["diff"], "after": "".join(f"{name}\n" for name in result["secrets"])},
    }


def random_secret(length: int = 32) -> str:
    """Letters and digits."""
    return "".join(secrets.choice(ALPHABET) for dummy in range(length))


def real_place(path: str) -> str:
    """Where the file really is: what a link leads to is written, and not put in its place.

    :raises SecretsError: it is inside an installed collection.
    """
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        if os.path.exists(os.path.join(folder, "MANIFEST.json")) and os.path.exists(os.path.join(folder, "FILES.json")):
            raise SecretsError(
                f"{path} lies inside the installed collection {folder}, which an upgrade replaces with all that is in it: "
                "copy the inventory to a folder of your own and use it from there."
            )
        folder = os.path.dirname(folder)
    return path


def replace(path: str, text: str) -> None:
    """Replace the file at once: an interrupted run leaves the old one or the new one.

    :raises SecretsError: it cannot be written.
    """
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".secrets-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            # What uses a secret that is in the file may come next, and the power may fail then.
            directory = os.open(folder, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise SecretsError(f"{path} cannot be written: {error.strerror}.") from error
