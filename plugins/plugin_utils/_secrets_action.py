# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that keep secrets have in common. They run in Ansible itself, which alone knows the passwords of ansible-vault."""

from __future__ import annotations

import abc
import typing as t

from ansible.parsing.vault import VaultLib, VaultSecretsContext
from ansible.plugins.action import ActionBase
from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_store import Command, File, SecretsError, Store


class SecretsAction(ActionBase):
    """Checks the options, opens the store that they name, and returns what :meth:`result` does with it."""

    TRANSFERS_FILES = False
    OPTIONS: t.ClassVar[dict[str, t.Any]] = {}  # beside those that name the store

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        returned: dict[str, t.Any] = super().run(tmp, task_vars)
        store: dict[str, t.Any] = {"path": {"type": "path"}, "command": {"type": "list", "elements": "str"}}
        _checked, options = self.validate_argument_spec({**store, **self.OPTIONS}, mutually_exclusive=[list(store)], required_one_of=[list(store)])
        try:
            return {**returned, **self.result(self._store(options), options)}
        except SecretsError as error:
            # Not raised, so that a task may tell what went wrong where no_log hides it.
            return {**returned, "failed": True, "msg": str(error)}

    @abc.abstractmethod
    def result(self, store: Store, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module does.

        :raises SecretsError: it cannot be done.
        """

    def _store(self, options: dict[str, t.Any]) -> Store:
        if options["command"] == []:
            raise SecretsError("command is empty: it must be a program with its options.")
        if options["command"]:
            return Command(options["command"])
        known = VaultSecretsContext.current(optional=True)
        return File(options["path"], VaultLib(known.secrets if known else None))
