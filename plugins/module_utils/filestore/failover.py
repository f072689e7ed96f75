# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Two end points: what the first one cannot answer is asked of the second one, which has copies of the same contents.

Copies come there by a replication, some time after the contents themselves, and what was written to the second one in an
outage comes back in the same way. So a name that one of them does not have may be with the other, and only what neither has
is nowhere. Garbage is collected, notes are written and owners are looked up at the first one only.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from . import fence, log, metrics, replication
from .config import Config
from .database import Cursor
from .errors import Corrupt, NotFound, StoreError, Unavailable
from .store import Head, ObjectStore

_logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

# For how many seconds nobody asks again for a proof that was not there.
_PROOF_PAUSE = 60


def open_store(config: Config) -> ObjectStore:
    """The store of these settings, which is two if they name a second end point."""
    second = config.failover
    return Failover(config, ObjectStore(second)) if second else ObjectStore(config)


def _behind(target: Config, second: ObjectStore) -> ObjectStore:
    """The second end point with only that one of the first one's targets."""
    return second.at(target.failover or second.config)


class Failover(ObjectStore):
    """The first end point, with a second one behind it for reading, and for writing where replication was proved."""

    def __init__(self, config: Config, second: ObjectStore) -> None:
        super().__init__(config)
        self.second = second
        self._lock = threading.Lock()
        self._away = False
        self._proved = False
        self._proof_asked = 0.0

    @property
    def away(self) -> bool:
        """Whether the first end point did not answer when it was last asked, so that the second one was."""
        return self._away

    # -- reading --------------------------------------------------------------------------------------------------------

    def get_bytes(self, fname: str, size: int | None = None) -> bytes:
        if size is None or size < 0:
            return super().get_bytes(fname)  # which is by get_to_file
        first = functools.partial(super().get_bytes, fname, size)
        return self._either("read", fname, first, functools.partial(self.second.get_bytes, fname, size))[0]

    def get_to_file(self, fname: str, target: BinaryIO) -> int:
        begin = target.tell()

        def anew() -> int:
            target.seek(begin)
            target.truncate()
            return self.second.get_to_file(fname, target)

        return self._either("read", fname, functools.partial(super().get_to_file, fname, target), anew)[0]

    def head(self, fname: str) -> Head:
        return self._find(fname)[0]

    def sender(self, fname: str) -> ObjectStore | None:
        """As :meth:`ObjectStore.sender`: the end point that has the content. It is asked, as a link cannot be sent elsewhere later."""
        head, holder = self._find(fname)
        return None if head.packed else holder

    def _find(self, fname: str) -> tuple[Head, ObjectStore]:
        return self._either("look up", fname, functools.partial(super().head, fname), functools.partial(self.second.head, fname))

    def _either(self, operation: str, fname: str, first: Callable[[], _Result], second: Callable[[], _Result]) -> tuple[_Result, ObjectStore]:
        """The answer of one of the two, and whose it is.

        :raises NotFound: both have answered that they do not have it.
        """
        try:
            result: _Result = first()
            self._seen(None)
            return result, self
        except (NotFound, Unavailable, Corrupt) as error:
            fault: StoreError = error
        self._seen(fault)
        try:
            result = second()
        except StoreError as error:
            if isinstance(fault, NotFound):
                # It may be there, unless it is the same answer.
                raise
            raise type(fault)(f"{fault}; and then: {error}") from error
        self._answered(operation, fname, fault)
        return result, self.second

    def probe(self, write: bool = True, anew: bool = False) -> bool:
        """As :meth:`ObjectStore.probe`; and the second one has to let this key read, too."""
        missing = super().probe(write, anew)
        for _first, second in self._pairs():
            second.get_note(fence.OWNER)
        return missing

    def prove(self, *, write: bool = True, anew: bool = False, seconds: float = 60) -> bool:
        """As :func:`replication.prove`, for each bucket and prefix where contents may be."""
        # Each of them, not up to the first.
        missing = [replication.prove(first, second, write=write, anew=anew, seconds=seconds) for first, second in self._pairs()]
        return any(missing)

    def _pairs(self) -> Iterator[tuple[ObjectStore, ObjectStore]]:
        """For each bucket and prefix where contents may be: the two end points, with only that one."""
        for target in self.config.targets:
            yield self.at(target), _behind(target, self.second)

    # -- writing --------------------------------------------------------------------------------------------------------

    def put(self, fname: str, body: bytes | BinaryIO, content_type: str = "application/octet-stream", ask_first: bool = False, anew: bool = False) -> bool:
        try:
            sent = super().put(fname, body, content_type, ask_first, anew)
            self._seen(None)
            return sent
        except Unavailable as error:
            self._seen(error)
            if not self.writes():
                raise
            fault = error
        # Even if it is there: a deletion of the same content, from before the outage, may be on its way from the first one.
        sent = self.second.put(fname, body, content_type, anew=True)
        self._answered("store", fname, fault)
        return sent

    def writes(self) -> bool:
        """Whether new contents may go to the second end point: by the settings, and as both ways of replication were proved."""
        if self.config.failover_writes != "allow":
            return False
        if not self._proved and (not self._proof_asked or time.monotonic() - self._proof_asked > _PROOF_PAUSE):
            self._proof_asked = time.monotonic()
            try:
                self._proved = all(replication.is_proved(first.config, second) for first, second in self._pairs())
            except StoreError as error:
                _logger.error("Nothing is stored in %s, as the proof of the replication cannot be read: %s", self.second.config.where, error)
                return False
            if not self._proved:
                _logger.error("Nothing is stored in %s: %s", self.second.config.where, replication.not_proved(self.config, self.second))
        return self._proved

    def owner_in_outage(self, cursor: Cursor) -> fence.Fence:
        """Whose the objects are by the copy of the note that the second end point has.

        :raises StoreError: it does not say so.
        """
        return fence.examine(_Copies(self.config, self.second), cursor)

    # -- what is told about it ------------------------------------------------------------------------------------------

    def _seen(self, fault: StoreError | None) -> None:
        away = isinstance(fault, Unavailable)
        with self._lock:
            if away == self._away:
                return
            self._away = away
        if away:
            _logger.warning("%s does not answer, so %s is asked: %s", self.config.where, self.second.config.where, fault)
        else:
            _logger.warning("%s answers again", self.config.where)

    def _answered(self, operation: str, fname: str, fault: StoreError) -> None:
        metrics.SHARED.failover(operation)
        log.failover(operation, fname, self.second.config.where, type(fault).__name__)
        if isinstance(fault, Corrupt):
            _logger.error("What %s has is read from %s instead: %s", self.config.where, self.second.config.where, fault)


class _Copies:
    """The notes that the second end point has, which are about the first one."""

    def __init__(self, config: Config, second: ObjectStore) -> None:
        self.config = config
        self._second = second

    def at(self, target: Config) -> _Copies:
        return _Copies(target, _behind(target, self._second))

    def get_note(self, name: str) -> tuple[bytes, str] | None:
        return self._second.get_note(name)
