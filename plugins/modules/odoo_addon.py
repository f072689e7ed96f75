#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_addon
short_description: Install the files of an addon of Odoo
version_added: 0.1.0
author:
  - the odooops.stack authors (@odooops)
description:
  - Makes a directory hold exactly the given files, in one step for all of them, which takes a fraction of the time of copying one after the other.
  - Files that an earlier version had are removed; what Python has compiled is left alone.
  - Directories and files belong to root and can be read by all, so Odoo cannot change its own code.
options:
  path:
    description: The directory of the addon, which is made if it is not there. Its name is that of the addon.
    type: path
    required: true
  files:
    description: The contents of the files in Base64 by their paths in the directory, as the lookup P(odooops.stack.directory#lookup) reads them.
    type: dict
    required: true
attributes:
  check_mode:
    description: Can predict the change without making it.
    support: full
  diff_mode:
    description: Shows the files that are text.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Install an addon that lies beside the playbook
  odooops.stack.odoo_addon:
    path: /opt/odoo/addons/my_addon
    files: "{{ lookup('odooops.stack.directory', 'files/my_addon') }}"
"""

RETURN = r"""
written:
  description: Paths of the files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [__manifest__.py]
removed:
  description: Paths of the files that were removed, or would be.
  returned: success
  type: list
  elements: str
  sample: []
"""

import base64
import binascii
import os
import shutil
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

FILE_MODE = 0o644
DIRECTORY_MODE = 0o755


class Failure(Exception):
    """The sentence that the module ends with."""


def decode(files: dict[str, str]) -> dict[str, bytes]:
    """The contents; no path may lead out of the directory."""
    found = {}
    for path, content in files.items():
        if os.path.isabs(path) or os.path.normpath(path) != path or path.split(os.sep)[0] in ("", ".", ".."):
            raise Failure(f"files has the path {path!r}: give paths within the directory.")
        try:
            found[path] = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise Failure(f"files has for {path} what is not Base64.") from None
    if "__manifest__.py" not in found:
        raise Failure("files has no __manifest__.py, so it is no addon of Odoo.")
    return found


def look(root: str) -> tuple[dict[str, bytes | None], dict[str, os.stat_result]]:
    """What is there: contents by paths (None for what is no plain file), and the states of all files and directories."""
    contents: dict[str, bytes | None] = {}
    states = {"": os.lstat(root)} if os.path.isdir(root) and not os.path.islink(root) else {}
    if not states:
        return ({"": None} if os.path.lexists(root) else {}), {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in [*folders, *names]:
            full = os.path.join(folder, name)
            path, state = os.path.relpath(full, root), os.lstat(full)
            if stat.S_ISDIR(state.st_mode):
                states[path] = state
            elif stat.S_ISREG(state.st_mode):
                states[path] = state
                with open(full, "rb") as file:
                    contents[path] = file.read()
            else:
                contents[path] = None
    return contents, states


def folders_of(paths: dict[str, Any]) -> set[str]:
    """The directories that hold these files, from the addon's own ('') down."""
    found = {""}
    for path in paths:
        while path := os.path.dirname(path):
            found.add(path)
    return found


def is_right(state: os.stat_result | None, mode: int) -> bool:
    return state is not None and (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (os.geteuid(), os.getegid(), mode)


def write(root: str, path: str, content: bytes) -> None:
    """Replace a file, so that nobody ever reads half of it."""
    full = os.path.join(root, path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(full), prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), FILE_MODE)
        os.rename(temporary, full)
    except OSError:
        os.unlink(temporary)
        raise


def remove(full: str) -> None:
    if os.path.isdir(full) and not os.path.islink(full):
        shutil.rmtree(full)
    else:
        os.unlink(full)


def ensure(root: str, files: dict[str, str], check_mode: bool) -> dict[str, Any]:
    """Make the directory hold exactly these files."""
    wanted = decode(files)
    contents, states = look(root)
    folders = folders_of(wanted)
    # Also a directory where a file is wanted, and a file or a link where a directory is.
    gone = sorted(path for path in contents if path not in wanted or contents[path] is None)
    gone += sorted(path for path, state in states.items() if stat.S_ISDIR(state.st_mode) and path not in folders)
    written = [path for path, content in wanted.items() if contents.get(path) != content]
    wrong = [path for path in wanted if path not in written and not is_right(states.get(path), FILE_MODE)]
    unmade = sorted(path for path in folders if path in gone or not is_right(states.get(path), DIRECTORY_MODE))
    if not check_mode:
        for path in gone:
            if os.path.lexists(os.path.join(root, path)):
                remove(os.path.join(root, path) if path else root)
        for path in unmade:
            full = os.path.join(root, path) if path else root
            os.makedirs(full, DIRECTORY_MODE, exist_ok=True)
            os.chown(full, os.geteuid(), os.getegid())
            os.chmod(full, DIRECTORY_MODE)
        for path in written:
            write(root, path, wanted[path])
        for path in wrong:
            os.chown(os.path.join(root, path), os.geteuid(), os.getegid())
            os.chmod(os.path.join(root, path), FILE_MODE)

    def shown(content: bytes | None) -> str:
        return "" if content is None else content.decode("utf-8", "replace") if b"\0" not in content else "(not text)\n"

    diff = [
        {"before_header": path, "after_header": path, "before": shown(contents.get(path)), "after": shown(wanted.get(path))}
        for path in sorted({*written, *gone} - {""})
    ]
    if wrong or unmade:
        diff.append(
            {
                "before_header": "owners and modes",
                "after_header": "owners and modes",
                "before": "".join(f"{path or '.'}\n" for path in [*wrong, *unmade]),
                "after": "",
            }
        )
    return {"changed": bool(gone or written or wrong or unmade), "written": written, "removed": [path for path in gone if path], "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "files": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    try:
        result = ensure(module.params["path"], module.params["files"], module.check_mode)
    except Failure as failure:
        module.fail_json(msg=str(failure))
    except OSError as error:
        module.fail_json(msg=f"The addon could not be installed at {module.params['path']}: {error.strerror} ({error.filename}). Mend that and run this again.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
