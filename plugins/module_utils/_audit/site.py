# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook site would change on a host.

Seen: ``host``, its name in the inventory, and ``lines``: what ``ansible-playbook --check`` says of all hosts. Nothing is declared: whatever the playbook
would change differs from the inventory.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import Area, Facts, Finding


def changes(seen: Facts) -> list[str]:
    """The names of the tasks that would change the host, in their order, each once."""
    task = ""
    found: dict[str, None] = {}
    for line in seen["lines"]:
        begun = re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\] \**$", line)
        if begun:
            task = begun[1]
        # A task of another host's may be done for this one: "changed: [this -> other]".
        elif re.match(rf"changed: \[{re.escape(seen['host'])}(?: -> [^\]]*)?\]", line):
            found[task] = None
    return list(found)


def differs(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Each task of the playbook that would change something."""
    for task in changes(seen):
        yield Finding(
            "medium",
            "site_differs",
            task,
            f"The task '{task}' of the playbook site would change this host.",
            "It is not as the inventory declares it, and the next run of the playbook changes it.",
            "Look at what it would be (the playbook site with --check --diff), and run the playbook, or declare what is there.",
        )


SITE = Area((differs,), lambda seen: {"what the playbook site would change": changes(seen)})
