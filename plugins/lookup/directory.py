# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a directory of the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: directory
short_description: Read all files of a directory of the controller
version_added: 0.1.0
description:
  - Reads a directory with all that is in it, for modules that take many small files at once, such as M(odooops.stack.odoo_addon).
  - Links are followed, so that their targets come as files. What Python has compiled is left out.
options:
  _terms:
    description: Paths of directories.
    type: list
    elements: path
    required: true
author:
  - odooops.stack authors (@odooops)
"""

EXAMPLES = r"""
- name: Install an addon of Odoo
  odooops.stack.odoo_addon:
    path: /opt/odoo/addons/my_addon
    files: "{{ lookup('odooops.stack.directory', 'files/my_addon') }}"
"""

RETURN = r"""
_raw:
  description: For each directory the contents of its files in Base64 by their paths in it.
  type: list
  elements: dict
"""

import base64
import os
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


def read(directory: str) -> dict[str, str]:
    """The contents in Base64 by their paths."""
    found = {}
    for folder, folders, names in os.walk(directory, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for path in (os.path.join(folder, name) for name in names if not name.endswith(".pyc")):
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = base64.b64encode(file.read()).decode()
    return dict(sorted(found.items()))


class LookupModule(LookupBase):
    """The lookup of this file."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        found = []
        for term in terms:
            path = term if os.path.isabs(term) else self.find_file_in_search_path(variables, "files", term)
            if not path or not os.path.isdir(path):
                raise AnsibleLookupError(f"{term} is no directory of the controller.")
            found.append(read(path))
        return found
