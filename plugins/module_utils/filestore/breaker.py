# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""A circuit breaker: when the store is gone, each process waits for it a few times, and not for every file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Opens after some failures in a row. Then one request in ``cool_down`` seconds is let through, until one succeeds."""

    def __init__(self, failures: int = 3, cool_down: float = 15, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._cool_down = cool_down
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_try = 0.0

    @property
    def open(self) -> bool:
        return self._failures >= self._limit

    def wait(self) -> float:
        """For how many seconds nobody need ask; 0 to whoever is to ask now."""
        with self._lock:
            if not self.open:
                return 0
            if (left := self._next_try - self._clock()) > 0:
                return left
            self._next_try = self._clock() + self._cool_down
            return 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._next_try = self._clock() + self._cool_down

    def succeeded(self) -> None:
        """The store answered, whatever it said."""
        with self._lock:
            self._failures = 0
