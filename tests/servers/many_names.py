# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filestore of any number of names, and what each phase needs of memory for it.

The database is real, with a row for each name. The local files are real, but all names of a directory are of one and the
same file. The bucket is simulated: it lists as many objects, and takes what is stored; a million objects in a real one would
take an hour, and these phases see no more of it than this.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import hashlib
import http.server
import io
import itertools
import json
import os
import pathlib
import subprocess
import sys
import threading
import typing as t
import urllib.parse

import psycopg2
from ansible_collections.odooops.stack.plugins.module_utils.filestore import keys
from ansible_collections.odooops.stack.plugins.module_utils.filestore.catalogue import PREFIXES
from filestore import TABLES

ENGINE = pathlib.Path(keys.__file__).resolve().parents[1]
BUCKET = "many"
CONTENT = b"the same"
NEW = 300
# What a run is asked for, in this order; the last one reports a finding for each name, with a database that knows none of them.
RUNS = {
    "plan": ["plan"],
    "upload": ["upload"],
    "verify": ["verify", "--level", "size"],
    "audit": ["audit", "--level", "size"],
    "back": ["back", "--dry-run"],
    "report": ["plan"],
}
# By a small process in between: what a process is forked from counts as its own.
MEASURE = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def names(count: int) -> list[str]:
    """In their order."""
    return sorted(keys.build(hashlib.sha1(number.to_bytes(8, "big"), usedforsecurity=False).hexdigest()) for number in range(count))


class Bucket(http.server.ThreadingHTTPServer):
    """The simulated bucket; ``names`` are in their order."""

    daemon_threads = True

    def __init__(self, listed: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = list(listed)
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def log_message(self, *_arguments: t.Any) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} OK", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()), f"Content-Length: {len(body)}"]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if "list-type" not in query:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        prefix, listed = query["prefix"], self.server.names
        with self.server.lock:
            start = bisect.bisect_right(listed, query.get("continuation-token", prefix))
            page = list(itertools.takewhile(lambda name: name.startswith(prefix), listed[start : start + 1000]))
        etag = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
        rest = f"<LastModified>2026-11-25T10:00:00.000Z</LastModified><ETag>&#34;{etag}&#34;</ETag><Size>{len(CONTENT)}</Size></Contents>"
        contents = "".join(f"<Contents><Key>{name}</Key>{rest}" for name in page)
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{page[-1]}</NextContinuationToken>" if len(page) == 1000 else ""
        self._answer(200, f"<ListBucketResult>{contents}{more}</ListBucketResult>".encode())

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        checksum = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
        if self.headers.get("x-amz-checksum-sha1", checksum) != checksum:
            self._answer(400, b"<Error><Code>BadDigest</Code></Error>")
        else:
            if keys.is_name(name := self.path.removeprefix(f"/{BUCKET}/")):
                with self.server.lock:
                    bisect.insort(self.server.names, name)
            self._answer(200, x_amz_checksum_sha1=checksum)


def make_files(filestore: pathlib.Path, listed: list[str], known: int) -> list[str]:
    """As many names on the disk, and some new files that only the disk has; gives the new names."""
    # One file for each directory, since a file may not have names without end.
    for prefix in PREFIXES:
        (filestore / prefix).mkdir()
        (filestore / prefix / ".one").write_bytes(CONTENT)
    for name in listed[:known]:
        os.link(filestore / name[:2] / ".one", filestore / name)
    new = []
    for number in range(NEW):
        content = f"new {number:04}".encode()
        new.append(keys.build(hashlib.sha1(content, usedforsecurity=False).hexdigest()))
        (filestore / new[-1]).write_bytes(content)
    return new


def make_database(connection: dict[str, str], database: str, listed: t.Iterable[str]) -> None:
    """One of Odoo's with a row for each name."""
    with contextlib.closing(psycopg2.connect(dbname="postgres", **connection)) as link:
        link.autocommit = True
        link.cursor().execute(f"CREATE DATABASE {database}")
    with contextlib.closing(psycopg2.connect(dbname=database, **connection)) as link, link.cursor() as cursor:
        link.autocommit = True
        cursor.execute(TABLES)
        lines = "".join(f"file\t{name}\t{len(CONTENT)}\n" for name in listed)
        cursor.copy_from(io.StringIO(lines), "ir_attachment", columns=("name", "store_fname", "file_size"))
        cursor.execute("ANALYZE ir_attachment")


def _expected(run: str, count: int) -> dict[str, int]:
    here, there = count // 2, count - count // 2
    every = {"referenced": count + NEW}
    return {
        "plan": {**every, "to_upload": NEW, "in_bucket": here, "only_bucket": there},
        "upload": {**every, "uploaded": NEW, "in_bucket": here, "only_bucket": there},
        "verify": {**every, "verified": count + NEW},
        "audit": {**every, "verified": count + NEW},
        "back": {**every, "to_download": there, "local": here + NEW},
        "report": {"orphans_local": here + NEW},
    }[run]


def peaks(count: int, place: pathlib.Path, connection: dict[str, str], runs: t.Iterable[str] = tuple(RUNS)) -> dict[str, float]:
    """The highest memory of each run with that many names, in MB (RSS). Each run is held against what it should have counted.

    :param place: a directory for the files, which has to be new; a name takes some hundred bytes there, or of memory on a tmpfs.
    """
    database, filestore, listed = f"many{count}", place / "filestore", names(count)
    filestore.mkdir(parents=True)
    # Half of the names are on the disk and in the bucket, the others in the bucket only, as after a first cleanup.
    new = make_files(filestore, listed, count // 2)
    make_database(connection, database, [*listed, *new])
    make_database(connection, f"{database}_none", [])
    (place / "odoo.conf").write_text(f"[options]\ndb_host = {connection['host']}\ndb_user = {connection['user']}\ndata_dir = {place}\n")
    bucket = Bucket(listed)
    threading.Thread(target=bucket.serve_forever, args=(0.02,), daemon=True).start()
    settings = {"bucket": BUCKET, "endpoint_url": bucket.url, "access_key": "key", "secret_key": "secret", "region": "us-east-1"}
    (place / "s3_attachment.conf").write_text("[s3_attachment]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    found = {}
    try:
        for name in runs:
            phase, *options = RUNS[name]
            where = ["--database", f"{database}_none" if name == "report" else database, "--filestore", str(filestore)]
            where += ["--state-dir", str(place / "state"), "--report-dir", str(place / "state/report")]
            command = [sys.executable, "-m", "filestore.cli", "--config", str(place / "odoo.conf"), phase, *where, *options]
            done = subprocess.run([sys.executable, "-c", MEASURE, *command], cwd=ENGINE, capture_output=True, text=True, check=True)
            output, *kibibytes = done.stdout.splitlines()
            assert kibibytes, done.stderr
            counts = {what: entry["files"] for what, entry in json.loads(output)["counts"].items()}
            assert counts == _expected(name, count), counts
            found[name] = int(kibibytes[0]) / 1024
    finally:
        bucket.shutdown()
    return found
