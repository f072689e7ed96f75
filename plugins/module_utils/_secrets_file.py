# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory's file of secrets: YAML, one C(name: value) a line, written whole and for its owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
import string
import tempfile
import typing as t

try:
    import yaml

    HAS_YAML = True
except ImportError:  # reported in main(); a controller has it, as Ansible needs it
    HAS_YAML = False

ALPHABET = string.ascii_letters + string.digits
HEADER = "---\n# Generated, one value a line. Keep it like a key: back it up, or encrypt it with ansible-vault. Never commit it in the clear.\n"


class SecretsError(Exception):
    """What the user has to mend, as a sentence."""


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


def parse(text: str, path: str) -> dict[str, t.Any]:
    """The variables that the text of that file says; an encrypted one is C(None). Raises :class:`SecretsError`."""

    class Loader(yaml.SafeLoader):
        """Understands C(!vault): such a value is Ansible's to decrypt, here it is none."""

    Loader.add_constructor("!vault", lambda loader, node: None)
    try:
        values = yaml.load(text, Loader=Loader) or {}  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise SecretsError(f"{path} is not valid YAML (line {line}): mend it, or move it away.") from error
    if not isinstance(values, dict):
        raise SecretsError(f"{path} must hold variables, one 'name: value' a line.")
    return values


def read(path: str) -> tuple[str, dict[str, t.Any], bool]:
    """Return the file's text, its variables, and whether it is encrypted as a whole."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return "", {}, False
    except OSError as error:
        raise SecretsError(f"{path} cannot be read: {error.strerror}.") from error
    if text.startswith("$ANSIBLE_VAULT"):
        return text, {}, True

    return text, parse(text, path), False


def random_secret(length: int = 32) -> str:
    """Letters and digits."""
    return "".join(secrets.choice(ALPHABET) for dummy in range(length))


def write(path: str, text: str) -> None:
    """Replace the file at once: an interrupted run leaves the old one or the new one."""
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".secrets-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
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
