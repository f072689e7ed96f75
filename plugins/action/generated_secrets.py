# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``generated_secrets``, whose documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_action import SecretsAction
from ansible_collections.odooops.stack.plugins.plugin_utils._secrets_store import SecretsError, Store, ensure


class ActionModule(SecretsAction):
    OPTIONS: t.ClassVar[dict[str, t.Any]] = {
        "names": {"type": "list", "elements": "str", "required": True},
        "length": {"type": "int", "default": 32},
    }

    def result(self, store: Store, options: dict[str, t.Any]) -> dict[str, t.Any]:
        if options["length"] < 20:
            raise SecretsError(f"length is {options['length']}: a secret needs at least 20 characters.")
        return ensure(store, options["names"], options["length"], self._task.check_mode)
