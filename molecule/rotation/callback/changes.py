# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down each change that a playbook makes, and kills the playbook right after one of those that it is told."""

from __future__ import annotations

import json
import os
import signal
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: changes
type: notification
short_description: Writes down each change, and dies after a chosen one
description:
  - Appends a line to the file that E(ROTATION_CHANGES) names for each change of a task on a host.
  - Right after the first change that is in the list of JSON in E(ROTATION_KILL) it kills the playbook.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._play, self._one_by_one = "", False
        self._deadly = set(json.loads(os.environ["ROTATION_KILL"]))

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play, self._one_by_one = play.get_name(), bool(play.serial)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        # Of a loop each item was told.
        if not result.task.loop:
            self._note(result)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._note(result)

    def _note(self, result: t.Any) -> None:
        if not result.result.get("changed"):
            return
        kind = result.task.get_vars().get("__rotate_kind", "odoo")
        # Where all hosts do a task at once, the first of them may be any, and does it for all.
        where = result.host.get_name() if self._one_by_one else "any host"
        change = f"{self._play} | {kind} | {self._why(result.task)}{result.task.get_name()} | {where}"
        with open(os.environ["ROTATION_CHANGES"], "a") as file:
            file.write(f"{change}\n")
        if change in self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def _why(self, task: t.Any) -> str:
        """The name of what includes the task, where several do."""
        parent = task._parent
        while parent is not None and parent.__class__.__name__ not in {"TaskInclude", "HandlerTaskInclude"}:
            parent = parent._parent
        name = parent.get_name() if parent is not None else ""
        return "" if name in {"", "Do what each kind has to do in this phase"} else f"{name}: "
