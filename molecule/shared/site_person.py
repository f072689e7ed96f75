"""A person at a deployed site, from outside: through the proxy, to Odoo and to the object store."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

import testinfra.host
import urllib3


class Person:
    """Somebody who is logged in at Odoo through the proxy, and keeps the session."""

    def __init__(self, web: str, domain: str, password: str) -> None:
        self.web, self.domain, self.cookie = web, domain, ""
        self.call("/web/session/authenticate", db="odoo", login="admin", password=password)

    def call(self, path: str, base: str = "", **parameters: t.Any) -> t.Any:
        body = json.dumps({"jsonrpc": "2.0", "params": parameters}).encode()
        answer = self.ask(path, base, body)
        result = json.loads(answer)
        assert "error" not in result, result
        return result["result"]

    def ask(self, path: str, base: str = "", body: bytes | None = None) -> bytes:
        """Ask the proxy, or the Odoo at ``base``."""
        answer = self.request(path, base, body)
        assert answer.status == 200, (path, answer.status)
        return answer.data

    def request(self, path: str, base: str = "", body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        """Ask, and follow to nowhere."""
        host = f"odoo.{self.domain}"
        headers = {"Content-Type": "application/json", "Cookie": self.cookie, "Host": host}
        # Whose certificate it is was asked elsewhere; the name is needed, for by its address the proxy serves nobody.
        pool = urllib3.connection_from_url(base) if base else self._proxy(host)
        with pool:
            answer = pool.request("POST" if body else "GET", path, headers=headers, body=body, timeout=60, retries=False)
        cookie = answer.headers.get("Set-Cookie", "")
        if "session_id=" in cookie:
            self.cookie = cookie.split(";")[0]
        return answer

    def fetch(self, link: str) -> urllib3.BaseHTTPResponse:
        """Ask the object store for what a link leads to, as a browser does: without Odoo's cookie."""
        parts = urllib.parse.urlsplit(link)
        with self._proxy(parts.netloc) as pool:
            return pool.request("GET", f"{parts.path}?{parts.query}", headers={"Host": parts.netloc}, timeout=60, retries=False)

    def _proxy(self, name: str) -> urllib3.HTTPSConnectionPool:
        return urllib3.HTTPSConnectionPool(self.web, server_hostname=name, cert_reqs="CERT_NONE")

    def attachment(self, method: str, *arguments: t.Any, base: str = "") -> t.Any:
        return self.call(f"/web/dataset/call_kw/ir.attachment/{method}", base, model="ir.attachment", method=method, args=arguments, kwargs={})


def address(host: testinfra.host.Host) -> str:
    return host.check_output("hostname -I").split()[0]
