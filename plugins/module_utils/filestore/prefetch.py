# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Contents that will be read one after the other are fetched at once."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Iterable

from .cache import Cache
from .errors import NotFound, StoreError
from .store import ObjectStore

# More at once bring nothing for one reader, and take the connections of others.
THREADS = 8


def prefetch(cache: Cache, store: ObjectStore, names: Iterable[str]) -> None:
    """Bring into the cache what is not there, for as long as one operation may take.

    What could not be fetched is no error: whoever reads it asks the store again, and is told. Memory is that of one piece for
    each thread, for contents go to the disk as they come.
    """
    missing = collections.deque(dict.fromkeys(name for name in names if not cache.holds(name)))
    # One alone would come no sooner.
    if len(missing) < 2 or not cache.ready():
        return
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                fname = missing.popleft()
            except IndexError:
                return
            try:
                # What is not there does not keep the others from coming.
                with contextlib.suppress(NotFound):
                    cache.fill(store, fname)
            except (StoreError, OSError):
                stop.set()

    until = time.monotonic() + store.config.op_budget
    # Daemons: one that still waits for the store when the time is over does not keep the process from ending.
    threads = [threading.Thread(target=work, name="s3-prefetch", daemon=True) for _number in range(min(THREADS, store.config.pool_size, len(missing)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    stop.set()
