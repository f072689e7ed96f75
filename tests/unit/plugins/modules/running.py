# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module within this process, by Ansible's own way in and out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import typing as t
from unittest.mock import patch

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args


def forget_aws(monkeypatch: pytest.MonkeyPatch, directory: pathlib.Path) -> None:
    """Take everything out of the environment that would tell of a server; AWS's files are ``config`` and ``credentials`` in the directory."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(directory / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(directory / "credentials"))
    # Else boto3 looks for a key on the network.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def result_of(module: t.Any, arguments: dict[str, t.Any], *, check: bool = False) -> dict[str, t.Any]:
    """The result that a module prints; options that are ``None`` are not given."""
    given = {name: value for name, value in arguments.items() if value is not None}
    printed = io.StringIO()
    # Another test may have loaded what belongs to the controller; then warnings would go to its screen, and not into the result.
    remote = patch.object(_internal, "is_controller", False)
    with (
        remote,
        patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}),
        contextlib.redirect_stdout(printed),
        pytest.raises(SystemExit),
    ):
        module.main()
    return json.loads(printed.getvalue().splitlines()[-1])
