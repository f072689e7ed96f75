# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""One line of JSON for each operation on the store.

The level of this module's logger says how many: DEBUG all, INFO those that failed. A line has the beginning of the name
of the content, which is enough to find its rows, and neither a URL nor the content's own name.
"""

from __future__ import annotations

import json
import logging

_logger = logging.getLogger(__name__)


def operation(name: str, content: str, outcome: str, *, seconds: float, sent: int = 0, received: int = 0, error: str = "") -> None:
    """Write the line.

    :param content: the ``store_fname``, or the key of an object that is no content.
    :param outcome: ``ok``, or the class of the error.
    :param error: its sentence, which holds no secret.
    """
    level = logging.DEBUG if outcome in ("ok", "NotFound") else logging.INFO
    if _logger.isEnabledFor(level):
        line = {"op": name, "content": content[:11], "outcome": outcome, "ms": round(seconds * 1000, 1), "sent": sent, "received": received}
        _logger.log(level, "%s", json.dumps({**line, "error": error} if error else line))


def failover(name: str, content: str, where: str, outcome: str) -> None:
    """Write a line about an operation that the second end point has answered.

    :param where: the second one.
    :param outcome: the class of the first one's error.
    """
    if _logger.isEnabledFor(logging.INFO):
        _logger.info("%s", json.dumps({"op": name, "content": content[:11], "outcome": "failover", "after": outcome, "answered": where}))
