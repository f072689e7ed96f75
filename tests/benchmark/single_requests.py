# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time single requests as the addon makes them for one attachment, against the same ones by boto3, on MinIO.

make bench    stores, looks up and reads 200 contents of 20 KB one after the other, by turns, five times each.

Both tell the server the SHA-1, ask it not to overwrite, and check what they read. What counts is the processor time of the
process, which Odoo has for nothing else; the time on the clock is mostly that of the server, on the same machine.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib
import secrets
import statistics
import sys
import tempfile
import time
import typing as t

import boto3.session
from ansible_collections.odooops.stack.plugins.module_utils.filestore import config, keys, store

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "servers"))
from conftest import Server, start_minio  # the servers of the tests

COUNT, SIZE, ROUNDS = 200, 20_000, 5
BUCKET = "bench"


class Boto3:
    """The same requests, as one would write them with boto3."""

    def __init__(self, server: Server) -> None:
        self._client = boto3.session.Session().client(
            "s3",
            region_name=server.region,
            endpoint_url=server.endpoint_url,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )

    def put(self, fname: str, body: bytes) -> None:
        checksum = base64.b64encode(bytes.fromhex(fname[3:])).decode()
        self._client.put_object(Bucket=BUCKET, Key=fname, Body=body, ChecksumSHA1=checksum, IfNoneMatch="*", Metadata={"sha1": fname[3:]})

    def head(self, fname: str) -> None:
        self._client.head_object(Bucket=BUCKET, Key=fname, ChecksumMode="ENABLED")

    def get_bytes(self, fname: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=BUCKET, Key=fname)["Body"].read()
        assert hashlib.sha1(body, usedforsecurity=False).hexdigest() == fname[3:]
        return body


def one_round(client: t.Any) -> dict[str, tuple[float, float]]:
    """Milliseconds of the processor and of the clock for one request of each kind."""
    bodies = [secrets.token_bytes(SIZE) for _number in range(COUNT)]
    contents = {keys.build(hashlib.sha1(body, usedforsecurity=False).hexdigest()): body for body in bodies}
    found = {}
    for title, act in (("store", client.put), ("look up", lambda fname, _body: client.head(fname)), ("read", lambda fname, _body: client.get_bytes(fname))):
        processor, clock = time.process_time(), time.monotonic()
        for fname, body in contents.items():
            act(fname, body)
        found[title] = ((time.process_time() - processor) / COUNT * 1000, (time.monotonic() - clock) / COUNT * 1000)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, start_minio(pathlib.Path(folder)) as server:
        server.client.create_bucket(Bucket=BUCKET)
        given = {"endpoint_url": server.endpoint_url, "access_key": server.access_key, "secret_key": server.secret_key, "region": server.region}
        clients = {"s3_attachment": store.ObjectStore(config.parse({"bucket": BUCKET, **given}, {})), "boto3": Boto3(server)}
        rounds: dict[str, list[dict[str, tuple[float, float]]]] = {name: [] for name in clients}
        for client in clients.values():  # the first request of all is no measure
            one_round(client)
        for number in range(ROUNDS):
            for name in list(clients)[:: -1 if number % 2 else 1]:
                rounds[name].append(one_round(clients[name]))
        print(f"{COUNT} x {SIZE // 1000} KB, {ROUNDS} rounds: milliseconds for one request, median (range)\n")
        print("| Request | Client | Processor | Clock | Processor, of boto3's |\n| --- | --- | --- | --- | --- |")
        for title in rounds["boto3"][0]:
            for name, measured in rounds.items():
                shown = []
                for which in (0, 1):
                    values = [found[title][which] for found in measured]
                    shown.append(f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
                ratios = [found[title][0] / peer[title][0] for found, peer in zip(measured, rounds["boto3"], strict=True)]
                print(f"| {title} | {name} | {' | '.join(shown)} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")


if __name__ == "__main__":
    main()
