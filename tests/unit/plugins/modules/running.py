# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module within this process, by Ansible's own way in and out."""

from __future__ import annotations

import contextlib
import io
import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args


def result_of(module: t.Any, arguments: dict[str, t.Any], *, check: bool = False) -> dict[str, t.Any]:
    """The result that a module prints; options that are ``None`` are not given."""
    given = {name: value for name, value in arguments.items() if value is not None}
    printed = io.StringIO()
    with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}), contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        module.main()
    return json.loads(printed.getvalue().splitlines()[-1])
