#!/usr/bin/env python3
"""A stand-in behind NGINX: says what it was asked, and sends the headers that Odoo and object stores send.

Usage: backend.py NAME PORT [CERTIFICATE KEY]; NAME is odoo, websocket or store.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    ("odoo", "/web/login"): {"Content-Security-Policy": "frame-ancestors 'self'", "X-Frame-Options": "SAMEORIGIN", "Set-Cookie": "session_id=abc; Path=/"},
    ("odoo", "/web/content/1"): {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"},
    ("odoo", "/web/static/lib.js"): {"Cache-Control": "public, max-age=604800", "Content-Type": "application/javascript"},
    ("odoo", "/web/assets/1/private.js"): {"Cache-Control": "no-store"},
}
STORE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Strict-Transport-Security": "max-age=1; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "block-all-mixed-content",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""
    requests = 0

    def answer(self) -> None:
        Handler.requests += 1
        received = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.upgrade()
            return
        path = self.path.split("?")[0]
        body = json.dumps(
            {
                "name": self.name,
                "method": self.command,
                "path": self.path,
                "headers": dict(self.headers.items()),
                "received": received,
                "requests": Handler.requests,
                "padding": "x" * 2000,
            }
        ).encode()
        headers = {"Content-Type": "application/json", **(STORE if self.name == "store" else ANSWERS.get((self.name, path), {}))}
        self.send_response(200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def upgrade(self) -> None:
        digest = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.wfile.write(self.rfile.readline())
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer  # noqa: N815


Handler.name = sys.argv[1]
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
