# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peers of tests/benchmark/migration.py that are Python libraries: each uploads what a bucket lacks of a filestore, and ends.

    python clients.py CLIENT FILESTORE BUCKET

The store is told by AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for TLS, AWS_CA_BUNDLE.
It is a process of its own so that its memory and its start count as those of the other programs do.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

THREADS = 16
MIB = 1024 * 1024


def files(filestore: str) -> Iterator[tuple[str, int]]:
    """Names such as ab/<sha1>, with sizes in bytes."""
    with os.scandir(filestore) as folders:
        for folder in folders:
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    yield f"{folder.name}/{entry.name}", entry.stat().st_size


def each(action: object, names: Iterable[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for _done in pool.map(action, names):  # type: ignore[arg-type]
            pass


def boto3_threads(filestore: str, bucket: str) -> None:
    """As most people would write it."""
    import boto3
    import botocore.config

    config = botocore.config.Config(max_pool_connections=THREADS, s3={"addressing_style": "path"})
    client = boto3.session.Session().client("s3", config=config)
    there = {item["Key"]: item["Size"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket) for item in page.get("Contents", [])}
    each(
        lambda name: client.upload_file(f"{filestore}/{name}", bucket, name),
        [name for name, size in files(filestore) if there.get(name) != size],
    )


def obstore_threads(filestore: str, bucket: str) -> None:
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_REGION"],
        unsigned_payload=True,
        client_options={"allow_http": True},
    )
    there = {item["path"]: item["size"] for page in obstore.list(store) for item in page}

    def upload(name: str) -> None:
        obstore.put(store, name, Path(filestore, name), chunk_size=16 * MIB, max_concurrency=4)

    each(upload, [name for name, size in files(filestore) if there.get(name) != size])


CLIENTS = {"boto3": boto3_threads, "obstore": obstore_threads}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](*sys.argv[2:])
