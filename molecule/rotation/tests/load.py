"""People who upload and download all the time, and how each of their requests is answered."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
import typing as t

import urllib3
from site_person import Person

# Longer than what Odoo serves by itself: these come from the object store by a signed link.
LARGE = 1_200_000
# Seconds after which a link is used once more, and after which it may have ended.
LINK_AGE, LINK_END = 40, 55
# How long a link lasts, as converge.yml has it.
LINK_TTL = 60
# Seconds that each of them does nothing after each file, and when there were enough: the machine has to do the rotation beside.
REST, REST_LATER = 3, 8


class Away(t.NamedTuple):
    """Something that could not be read, as the object store was away: a link leads nowhere then, and what one host of Odoo has kept meanwhile the
    other answers with 503. It could be read later."""

    when: float  # by the clock
    what: str  # of Odoo, or of the link that Odoo redirects to
    status: int


class Busy(Person):
    """A person whose requests are counted."""

    def __init__(self, web: str, password: str, asked: list[float]) -> None:
        self._asked = asked
        super().__init__(web, "rotation.test", password)

    def request(self, path: str, base: str = "", body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        self._asked.append(time.time())
        return super().request(path, base, body)

    def fetch(self, link: str) -> urllib3.BaseHTTPResponse:
        self._asked.append(time.time())
        return super().fetch(link)


class Load:
    """Some people at work, each in a thread, until :meth:`stop`. They slow down when they have sent `enough` requests."""

    def __init__(self, web: str, password: str, enough: int, people: int = 10) -> None:
        self.failures: list[str] = []
        self.uploads = self.downloads = self.old_links = 0
        self.began = time.time()
        # When each request was sent, by the clock.
        self.asked: list[float] = []
        self.away: list[Away] = []
        self._count = threading.Lock()
        self._enough = enough
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(Busy(web, password, self.asked), number)) for number in range(people)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def report(self) -> dict[str, t.Any]:
        away = [f"{each.what}: {each.status}" for each in self.away]
        return {
            "people": len(self._threads),
            "seconds": round(max(self.asked) - self.began),
            "requests": len(self.asked),
            "failed": len(self.failures),
            "uploads": self.uploads,
            "downloads": self.downloads,
            "links used once more": self.old_links,
            "answered later, as the object store was away": {answer: away.count(answer) for answer in sorted(set(away))},
        }

    def _work(self, person: Person, number: int) -> None:
        links: list[tuple[float, str, bytes]] = []
        count = 0
        while not self._over.is_set():
            count += 1
            try:
                self._one(person, LARGE if (count + number) % 2 else 20_000, links)
            except Exception as error:  # whatever it is, a person has seen it
                self.failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {str(error)[:300]}")
            self._over.wait(REST if len(self.asked) < self._enough else REST_LATER)

    def _one(self, person: Person, size: int, links: list[tuple[float, str, bytes]]) -> None:
        content = os.urandom(size)
        digest = hashlib.sha1(content).digest()
        identity = person.attachment("create", {"name": "load.bin", "datas": base64.b64encode(content).decode()})
        began = time.monotonic()
        answer = self._ask("Odoo", lambda: person.request(f"/web/content/{identity}?download=1"), 503)
        if answer.status == 302:
            links.append((began, answer.headers["Location"], digest))
            answer = self._follow(person, answer.headers["Location"])
        self._same(answer, digest)
        with self._count:
            self.uploads += 1
            self.downloads += 1
        while links and time.monotonic() - links[0][0] > LINK_AGE:
            signed, link, wanted = links.pop(0)
            if time.monotonic() - signed < LINK_END:
                answer = self._follow(person, link)
                # On a machine so slow that the link ended on its way: by its time, and not with its key, which has another answer.
                if b"Request has expired" in answer.data and time.monotonic() - signed >= LINK_TTL:
                    continue
                self._same(answer, wanted)
                with self._count:
                    self.old_links += 1

    def _follow(self, person: Person, link: str) -> t.Any:
        return self._ask("the link", lambda: person.fetch(link), 404, 502, 503, 504)

    def _ask(self, what: str, ask: t.Callable[[], t.Any], *away: int) -> t.Any:
        """The answer, asked for again while its status says that the object store is away."""
        until = time.monotonic() + 120
        while (answer := ask()).status in away and time.monotonic() < until:
            self.away.append(Away(time.time(), what, answer.status))
            time.sleep(0.2)
        return answer

    def _same(self, answer: t.Any, digest: bytes) -> None:
        if answer.status != 200:
            raise AssertionError(f"status {answer.status}: {answer.data[:200]!r}")
        if hashlib.sha1(answer.data).digest() != digest:
            raise AssertionError("other bytes than were uploaded")
