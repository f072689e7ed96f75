"""People who upload and download all the time, and playbooks that run meanwhile."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import subprocess
import threading
import time
import typing as t

from conftest import EPHEMERAL, SCENARIO
from site_person import Person

# Longer than what Odoo serves by itself: these come from the object store by a signed link.
LARGE = 1_200_000
# Seconds after which a link is used once more, and after which it may have ended.
LINK_AGE, LINK_END = 40, 55


class Load:
    """Some people at work, each in a thread, until :meth:`stop`."""

    def __init__(self, web: str, password: str, people: int = 4) -> None:
        self.failures: list[str] = []
        self.uploads = self.downloads = self.old_links = 0
        # When something could not be read, by the clock, as the object store was away: a link leads nowhere then, and what one host of Odoo has
        # kept meanwhile the other answers with 503. It could be read later.
        self.away: list[float] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(Person(web, "rotation.test", password), number)) for number in range(people)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, person: Person, number: int) -> None:
        links: list[tuple[float, str, bytes]] = []
        count = 0
        while not self._over.is_set():
            count += 1
            try:
                self._one(person, LARGE if (count + number) % 2 else 20_000, links)
            except Exception as error:  # whatever it is, a person has seen it
                self.failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {str(error)[:300]}")
            self._over.wait(0.2)

    def _one(self, person: Person, size: int, links: list[tuple[float, str, bytes]]) -> None:
        content = os.urandom(size)
        digest = hashlib.sha1(content).digest()
        identity = person.attachment("create", {"name": "load.bin", "datas": base64.b64encode(content).decode()})
        self.uploads += 1
        began = time.monotonic()
        answer = self._ask(lambda: person.request(f"/web/content/{identity}?download=1"), 503)
        if answer.status == 302:
            links.append((began, answer.headers["Location"], digest))
            answer = self._follow(person, answer.headers["Location"])
        self._same(answer, digest)
        self.downloads += 1
        while links and time.monotonic() - links[0][0] > LINK_AGE:
            signed, link, wanted = links.pop(0)
            if time.monotonic() - signed < LINK_END:
                self._same(self._follow(person, link), wanted)
                self.old_links += 1

    def _follow(self, person: Person, link: str) -> t.Any:
        return self._ask(lambda: person.fetch(link), 404, 502, 503, 504)

    def _ask(self, ask: t.Callable[[], t.Any], *away: int) -> t.Any:
        """The answer, asked for again while its status says that the object store is away."""
        until = time.monotonic() + 120
        while (answer := ask()).status in away and time.monotonic() < until:
            self.away.append(time.time())
            time.sleep(0.2)
        return answer

    def _same(self, answer: t.Any, digest: bytes) -> None:
        if answer.status != 200:
            raise AssertionError(f"status {answer.status}: {answer.data[:200]!r}")
        if hashlib.sha1(answer.data).digest() != digest:
            raise AssertionError("other bytes than were uploaded")


class Run:
    """A run of rotate.yml, with all that Ansible has to say. Where ``kill_at`` says so, it is killed as soon as a line has that."""

    def __init__(self, *options: str, kill_at: str = "", time_of_it: int = 1) -> None:
        command = ["ansible-playbook", "-vvv", "--diff", "-i", str(EPHEMERAL / "inventory"), *options, str(SCENARIO / "rotate.yml")]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
        lines: list[str] = []
        self.killed = False
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True) as process:
            assert process.stdout
            for line in process.stdout:
                lines.append(line)
                if kill_at and kill_at in line:
                    time_of_it -= 1
                    if time_of_it == 0:
                        os.killpg(process.pid, signal.SIGKILL)
                        self.killed = True
                        break
        self.code, self.output = process.returncode, "".join(lines)

    @property
    def changes(self) -> int:
        """How many tasks changed something, over all hosts."""
        recap = self.output.rsplit("PLAY RECAP", 1)[1]
        return sum(int(word.removeprefix("changed=")) for word in recap.split() if word.startswith("changed="))
