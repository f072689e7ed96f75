# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Database, disk and bucket side by side, one two-digit directory after the other, so that memory does not grow with the filestore."""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from . import keys
from .catalogue import PREFIXES, Catalogue
from .config import Config
from .errors import ConfigError, NotFound
from .transfer import Head, Listed, Transfer

# Up to so many names a directory, all directories are listed together, which is one request, or sixteen of them: fewer requests, and still little memory.
HANDFUL = 3
FEW = 500
# So many listings are made ahead of their use, fewer where they would bring more names than that.
_AHEAD = 6
_NAMES_AHEAD = 30_000


class Directory(NamedTuple):
    """One two-digit directory: names with sizes in bytes, as each of the three tells them.

    ``strange`` are local files and ``foreign`` are objects whose names are no names of contents.
    """

    prefix: str
    names: dict[str, int]
    local: dict[str, int]
    remote: dict[str, Listed]
    strange: list[str]
    foreign: list[str]


def shard_prefixes(shard: str) -> Sequence[str]:
    """The directories of a shard such as ``2/4``: the second of four parts of about the same size.

    :raises ConfigError: it is none.
    """
    number, _slash, total = shard.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total) <= len(PREFIXES)):
        raise ConfigError(f"shard is {shard!r}: it must be such as 2/4, the second of four parts, of at most {len(PREFIXES)}")
    count = len(PREFIXES)
    return PREFIXES[(int(number) - 1) * count // int(total) : int(number) * count // int(total)]


def scan(filestore: str, prefix: str) -> tuple[dict[str, int], list[str]]:
    """The local files of a directory with their sizes, and what else lies there (except what hides behind a dot)."""
    found, strange = {}, []
    try:
        with os.scandir(os.path.join(filestore, prefix)) as entries:
            for entry in entries:
                fname = f"{prefix}/{entry.name}"
                if keys.is_name(fname) and entry.is_file(follow_symlinks=False):
                    try:
                        found[fname] = entry.stat(follow_symlinks=False).st_size
                    except FileNotFoundError:
                        continue  # deleted since
                elif not entry.name.startswith("."):
                    strange.append(fname)
    except FileNotFoundError:
        pass
    return found, strange


class Listing:
    """The objects of all the settings' targets by directory, listed ahead of their use by threads of its own."""

    def __init__(self, transfer: Transfer, prefixes: Sequence[str]) -> None:
        self._transfer = transfer
        self._prefixes = prefixes
        self._pool = ThreadPoolExecutor(_AHEAD, "list")
        self._begun: dict[str, Future[dict[str, dict[str, Listed]]]] = {}
        # A bucket may have far more than the database knows of.
        self._first = self._pool.submit(lambda: sum(1 for _entry in itertools.islice(self._everywhere(f"{prefixes[0]}/"), FEW + 1)))

    def plan(self, names: int) -> None:
        """Choose how much is listed together; to be called before :meth:`of`.

        :param names: how many the first directory has in the database. Names are digests, so that all directories have about as many.
        """
        names = max(names, self._first.result())
        # The digits that the directories of one listing have in common.
        self._width = 0 if names <= HANDFUL else 1 if names <= FEW else 2
        self._ahead = min(_AHEAD, max(2, _NAMES_AHEAD // (max(names, 1) * 16 ** (2 - self._width))))
        self._groups = list(dict.fromkeys(prefix[: self._width] for prefix in self._prefixes))

    def of(self, prefix: str) -> dict[str, Listed]:
        """The objects of a directory; to be asked once for each, in their order."""
        group = prefix[: self._width]
        here = self._groups.index(group)
        for ahead in self._groups[here : here + self._ahead]:
            if ahead not in self._begun:
                self._begun[ahead] = self._pool.submit(self._list, ahead)
        for former in self._groups[:here]:
            self._begun.pop(former, None)
        return self._begun[group].result().pop(prefix, {})

    def _list(self, group: str) -> dict[str, dict[str, Listed]]:
        found: dict[str, dict[str, Listed]] = {prefix: {} for prefix in self._prefixes if prefix.startswith(group)}
        config = self._transfer.config
        for target, fname, entry in self._everywhere(group):
            directory = fname.partition("/")[0]
            # What else somebody keeps in the bucket is nobody's business here.
            if directory not in found:
                continue
            # What lies where nobody looks for it is not the content of that name.
            astray = keys.is_name(fname) and config.of(fname).target != target.target
            if astray or (target is not config and not keys.is_name(fname)):
                fname = f"{fname} in bucket {target.bucket}, prefix {target.prefix or '(none)'}"  # noqa: PLW2901
            found[directory][fname] = entry
        return found

    def _everywhere(self, group: str) -> Iterator[tuple[Config, str, Listed]]:
        for target in self._transfer.config.targets:
            for fname, entry in self._transfer.at(target).list(group):
                yield target, fname, entry

    def plain(self, remote: dict[str, Listed], *known: dict[str, int]) -> None:
        """Replace what the listing says of objects that are stored compressed, where another size is known, by what they are unpacked.

        A listing does not tell that they are compressed, so each that is smaller than expected is looked up.
        """
        smaller = [fname for fname, entry in remote.items() if any(entry.size < sizes.get(fname, 0) for sizes in known)]
        for fname, head in zip(smaller, self._pool.map(self._head, smaller), strict=True):
            if head is not None and head.packed and head.size >= 0:
                remote[fname] = Listed(head.size, head.etag, remote[fname].modified)

    def _head(self, fname: str) -> Head | None:
        try:
            return self._transfer.head(fname)
        except NotFound:  # deleted since
            return None

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def survey(filestore: str, catalogue: Catalogue, transfer: Transfer, prefixes: Sequence[str]) -> Iterator[Directory]:
    """What is where, directory by directory.

    The three are not of the same moment: what is missing in one of them has to be looked up again before it is believed.
    """
    listing = Listing(transfer, prefixes)
    try:
        every = catalogue.names(prefixes)
        first = next(every, {})
        listing.plan(len(first))
        for prefix, names in zip(prefixes, itertools.chain([first], every), strict=True):
            remote: dict[str, Listed] = {}
            foreign = []
            for fname, entry in listing.of(prefix).items():
                if keys.is_name(fname):
                    remote[fname] = entry
                else:
                    foreign.append(fname)
            local, strange = scan(filestore, prefix)
            listing.plain(remote, names, local)
            yield Directory(prefix, names, local, remote, strange, foreign)
    finally:
        listing.close()


class Crew:
    """Threads that do the same to many things, a bounded number of which wait. What ``work`` raises ends everything."""

    def __init__(self, size: int, work: Callable[[Any], None]) -> None:
        self._work = work
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(4 * size)
        self.failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._run, name=f"crew-{number}", daemon=True) for number in range(size)]
        for thread in self._threads:
            thread.start()

    def put(self, item: Any) -> None:
        """Have something done; waits while too much is waiting."""
        self._room.acquire()
        if self.failure is not None:
            self._room.release()
            raise self.failure
        self._waiting.put(item)

    def finish(self) -> None:
        """Wait until all is done.

        :raises BaseException: what went wrong first.
        """
        self.stop()
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Wait until what was begun has ended."""
        for _thread in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                if self.failure is None:
                    self._work(item)
            except BaseException as error:  # it is raised again where it is waited for
                self.failure = self.failure or error
            finally:
                self._room.release()
