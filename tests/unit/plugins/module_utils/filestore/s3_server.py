"""A very small S3 server for tests: one bucket in memory, checks what the engine relies on, and can misbehave."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
import urllib.parse


class Server(http.server.ThreadingHTTPServer):
    """``objects`` maps keys to (body, headers); ``fault`` is a status to answer with, or 'cut' or 'hang up' for GET; ``deleted_keys`` are
    refused, as are the methods in ``forbidden``."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.requests: list[str] = []
        self.fault: int | str | None = None
        self.deleted_keys: set[str] = set()
        self.forbidden: set[str] = set()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_arguments):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), Content_Type="application/xml")

    def begin(self):
        """The key, or None if the request has been answered."""
        path = urllib.parse.urlsplit(self.path)
        _slash, bucket, key = urllib.parse.unquote(path.path).split("/", 2)
        self.query = dict(urllib.parse.parse_qsl(path.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(f"{self.command} {key}")
        fault = self.server.fault
        if isinstance(fault, int):
            self.refuse(fault, {403: "AccessDenied", 503: "SlowDown", 500: "InternalError", 501: "NotImplemented"}[fault])
        elif bucket != "test-bucket":
            self.refuse(404, "NoSuchBucket")
        elif self.command in self.server.forbidden or "AWS4-HMAC-SHA256" not in self.headers.get("Authorization", "") + self.query.get("X-Amz-Algorithm", ""):
            self.refuse(403, "AccessDenied")
        elif any(f"Credential={key}/" in self.headers.get("Authorization", "") for key in self.server.deleted_keys):
            self.refuse(403, "InvalidAccessKeyId")
        else:
            return key
        return None

    def do_PUT(self):
        key = self.begin()
        if key is None:
            return
        checksum = base64.b64encode(hashlib.sha1(self.body).digest()).decode()
        if self.headers.get("x-amz-checksum-sha1") != checksum:
            self.refuse(400, "XAmzContentChecksumMismatch")
        elif self.headers.get("If-None-Match") == "*" and key in self.server.objects:
            self.refuse(412, "PreconditionFailed")
        else:
            kept = {name.lower(): value for name, value in self.headers.items() if name.lower().startswith(("x-amz-meta-", "content-type"))}
            self.server.objects[key] = (self.body, {**kept, "x-amz-checksum-sha1": checksum})
            self.answer(200, ETag='"e"')

    def do_GET(self):
        key = self.begin()
        if key is None:
            return
        if key not in self.server.objects:
            self.refuse(404, "NoSuchKey")
            return
        body, kept = self.server.objects[key]
        status, extra = 200, {"Content-Type": self.query.get("response-content-type") or kept.get("content-type", "")}
        if "response-content-disposition" in self.query:
            extra["Content-Disposition"] = self.query["response-content-disposition"]
        extra |= {name: value for name, value in kept.items() if name.startswith("x-amz-meta-")}
        if self.headers.get("x-amz-checksum-mode") == "ENABLED" and "x-amz-checksum-sha1" in kept:
            extra["x-amz-checksum-sha1"] = kept["x-amz-checksum-sha1"]
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if part:
            status, body = 206, body[int(part[1]) : int(part[2]) + 1]
        if self.server.fault == "cut" and self.command == "GET":
            self.answer(status, body[: len(body) // 2], length=str(len(body)), ETag='"e"', **extra)
            self.close_connection = True
            return
        self.answer(status, body, ETag='"e"', **extra)

    def do_POST(self):
        if self.begin() is not None:
            self.answer(200, b"<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>", Content_Type="application/xml")

    def do_DELETE(self):
        if self.begin() is not None:
            self.answer(204)

    do_HEAD = do_GET  # noqa: N815
