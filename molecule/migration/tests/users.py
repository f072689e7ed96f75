"""Runs on the host: ten people who read and write attachments over HTTPS.

They do until their standard input ends, and they have read often enough. Prints what they met.
"""

import base64
import hashlib
import json
import random
import secrets
import sys
import threading
import time

import requests

BASE = "https://odoo.migration.test"


class Person(threading.Thread):
    def __init__(self, number, job, over):
        super().__init__()
        self.number, self.job, self.over = number, job, over
        self.reads = self.writes = self.deletes = 0
        self.failures = []
        self.kept = []  # [id, sha1] of what it has written

    def call(self, path, **parameters):
        answer = self.session.post(BASE + path, json={"jsonrpc": "2.0", "params": parameters}, timeout=60)
        answer.raise_for_status()
        if "error" in answer.json():
            raise RuntimeError(json.dumps(answer.json()["error"])[:500])
        return answer.json()["result"]

    def model(self, method, *arguments):
        return self.call(f"/web/dataset/call_kw/ir.attachment/{method}", model="ir.attachment", method=method, args=arguments, kwargs={})

    def read(self, attachment, sha1):
        # Redirects to the store are followed: where the bytes come from is not a user's business.
        answer = self.session.get(f"{BASE}/web/content/{attachment}", timeout=60)
        found = hashlib.sha1(answer.content).hexdigest()
        if answer.status_code != 200 or found != sha1:
            raise RuntimeError(f"attachment {attachment}: {answer.status_code}, {len(answer.content)} bytes with the SHA-1 {found} instead of {sha1}")
        self.reads += 1

    def work(self):
        number = random.Random(self.number)
        while not self.over.is_set():
            try:
                for _time in range(4):
                    self.read(*number.choice(self.job["attachments"]))
                content = secrets.token_bytes(number.randrange(1, 50_000))
                new = self.model("create", [{"name": f"of {self.number}", "datas": base64.b64encode(content).decode()}])
                new = new[0] if isinstance(new, list) else new
                self.writes += 1
                self.read(new, hashlib.sha1(content).hexdigest())
                if number.random() < 0.3:
                    self.model("unlink", [new])
                    self.deletes += 1
                else:
                    self.kept.append([new, hashlib.sha1(content).hexdigest()])
            except (requests.RequestException, RuntimeError) as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} person {self.number}: {error}")
            # As people do, who also look at what they have read; and the migration is to get on meanwhile.
            self.over.wait(number.random() * 2)

    def run(self):
        with requests.Session() as self.session:
            self.session.verify = self.job["certificate"]
            try:
                self.call("/web/session/authenticate", db="odoo", login=f"person{self.number}", password=f"secret-of-person-{self.number}")
            except (requests.RequestException, RuntimeError) as error:
                self.failures.append(f"person {self.number} could not log in: {error}")
                return
            self.work()


over = threading.Event()
job = json.loads(sys.stdin.readline())
people = [Person(number, job, over) for number in range(10)]
for person in people:
    person.start()
    # The log-in page is limited in its rate.
    time.sleep(0.2)
print(json.dumps("at work"), flush=True)
sys.stdin.read()
# However slow the machine is.
while sum(person.reads for person in people) < job["reads"] and any(person.is_alive() for person in people):
    time.sleep(0.1)
over.set()
for person in people:
    person.join()
counts = {name: sum(getattr(person, name) for person in people) for name in ("reads", "writes", "deletes")}
print(json.dumps({**counts, "failures": [line for person in people for line in person.failures], "kept": [pair for person in people for pair in person.kept]}))
