# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``secrets_file``, whose documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_action import SecretsAction
from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_store import SecretsError, Store, change, random_secret


class ActionModule(SecretsAction):
    OPTIONS: t.ClassVar[dict[str, t.Any]] = {
        "set": {"type": "dict", "default": {}},
        "generate": {"type": "list", "elements": "str", "default": []},
        "remove": {"type": "list", "elements": "str", "default": []},
    }

    def result(self, store: Store, options: dict[str, t.Any]) -> dict[str, t.Any]:
        strange = [name for name, value in options["set"].items() if isinstance(value, bool) or not isinstance(value, (str, int, float))]
        if strange:
            raise SecretsError(f"{', '.join(strange)} is to be set to what is neither text nor a number.")
        changes: dict[str, str | None] = {name: str(value) for name, value in options["set"].items()}
        changes.update({name: random_secret() for name in options["generate"]})
        changes.update(dict.fromkeys(options["remove"]))
        # A name that is given twice is a mistake whose outcome nobody should have to guess.
        if len(changes) < sum(len(options[name]) for name in self.OPTIONS):
            raise SecretsError("set, generate and remove have a name in common: each variable can be changed in one way only.")
        return change(store, changes, self._task.check_mode)
