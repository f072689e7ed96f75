"""Runs on the host, in Odoo's interpreter: a person's browser. Does the steps given on standard input, prints their answers."""

import base64
import hashlib
import json
import re
import sys
import time
import urllib.parse

import requests


class Person:
    def __init__(self, job):
        self.base = job["base"]
        self.session = requests.Session()
        self.session.verify = job.get("certificate") or True
        if job.get("password"):
            self.call("/web/session/authenticate", db=job["database"], login="admin", password=job["password"])

    def call(self, path, **parameters):
        answer = self.session.post(self.base + path, json={"jsonrpc": "2.0", "params": parameters}, timeout=60).json()
        if "error" in answer:
            raise RuntimeError(json.dumps(answer["error"]["data"].get("message") or answer["error"]))
        return answer["result"]

    def model(self, method, *arguments, of="ir.attachment", **keywords):
        return self.call(f"/web/dataset/call_kw/{of}/{method}", model=of, method=method, args=arguments, kwargs=keywords)

    # -- steps, each with JSON in and out

    def upload(self, name, content, mimetype="application/octet-stream"):
        """By the form that has always been there."""
        token = re.search(r'csrf_token: "([^"]+)"', self.session.get(f"{self.base}/web", timeout=60).text)[1]
        files = {"ufile": (name, base64.b64decode(content), mimetype)}
        data = {"csrf_token": token, "model": "res.partner", "id": "1"}
        answer = self.session.post(f"{self.base}/web/binary/upload_attachment", data=data, files=files, timeout=60)
        return {"status": answer.status_code, "files": answer.json()}

    def create(self, name, content):
        """By RPC, as the web client does."""
        try:
            return {"id": self.model("create", {"name": name, "datas": content})}
        except RuntimeError as error:
            return {"error": str(error)}

    def unlink(self, ids):
        return {"deleted": self.model("unlink", ids)}

    def make_rule(self, **values):
        return self.model("create", values, of="s3.route")

    def remove_rule(self, rule):
        return self.model("unlink", [rule], of="s3.route")

    def search(self, domain, fields):
        return self.model("search_read", domain, fields)

    def download(self, path, follow=True, method="GET", **headers):
        answer = self.session.request(method, self.base + path, headers=headers, allow_redirects=False, timeout=60)
        found = {"status": answer.status_code, "headers": dict(answer.headers), "location": answer.headers.get("Location", "")}
        if follow and answer.status_code == 302:
            # Without Odoo's cookie, as it is another site.
            answer = requests.request(method, found["location"], headers=headers, timeout=60)
            found |= {"status": answer.status_code, "store_headers": dict(answer.headers)}
        return found | {
            "size": len(answer.content),
            "sha1": hashlib.sha1(answer.content).hexdigest(),
            "text": answer.text[:200] if len(answer.content) < 5000 else "",
        }

    def page(self, path):
        """A page's style sheets, each with the status and the SHA-1 of what comes."""
        answer = self.session.get(self.base + path, timeout=60)
        sheets = {link: self.download(link) for link in re.findall(r'<link[^>]+href="([^"]+\.css)"', answer.text)}
        return {"status": answer.status_code, "sheets": {link: [sheet["status"], sheet["sha1"]] for link, sheet in sheets.items()}}

    def unsigned(self, location):
        return requests.get(urllib.parse.urlsplit(location)._replace(query="").geturl(), timeout=60).status_code


def timed(person, do, **step):
    begin = time.monotonic()
    answer = getattr(person, do)(**step)
    return answer | {"seconds": time.monotonic() - begin} if isinstance(answer, dict) else answer


job = json.load(sys.stdin)
person = Person(job)
print(json.dumps([timed(person, **step) for step in job["steps"]]))
