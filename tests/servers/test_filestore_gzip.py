# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents that lie in the store compressed: every reader gets the plain bytes."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import pathlib
import secrets
import time
import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import cache, keys, prefetch
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Corrupt
from ansible_collections.odooops.stack.plugins.module_utils.filestore.store import ObjectStore
from ansible_collections.odooops.stack.plugins.module_utils.filestore.transfer import Transfer
from conftest import Server
from filestore import Filestore
from test_filestore import MAY_CLEAN, let_clean
from test_filestore_parts import BUCKET, MIB, prepared, store_at, unfinished

SMALL = b"".join(b"%d;some words that come again;%d\r\n" % (number, number * 7) for number in range(500))
# So random that it is sent in parts even when it is compressed.
LARGE = secrets.token_hex(5 * MIB).encode() + b"\xe9\n"
CONTENTS = {keys.build(hashlib.sha1(body).hexdigest()): body for body in (SMALL, LARGE)}


def packing(objects: ObjectStore) -> ObjectStore:
    """A store that compresses, as if everybody had had the time to notice that."""
    assert objects.put_note("gzip", b'{"since": 0}')
    return objects


@pytest.fixture
def objects(server: Server) -> ObjectStore:
    found = packing(prepared(server, gzip="text", multipart_threshold=str(5 * MIB)))
    for fname, body in CONTENTS.items():
        assert found.put(fname, body if body is SMALL else io.BytesIO(body))
    return found


def stored(objects: ObjectStore, fname: str) -> tuple[dict[str, t.Any], bytes]:
    answer = objects._client().get_object(Bucket=BUCKET, Key=objects.config.prefix + fname)
    return answer, answer["Body"].read()


def replace(objects: ObjectStore, fname: str, body: bytes, **described: t.Any) -> None:
    objects._client().put_object(Bucket=BUCKET, Key=objects.config.prefix + fname, Body=body, **described)


def test_as_it_is_stored(objects: ObjectStore) -> None:
    """Under the name of the plain bytes, and as its headers say; the same bytes always become the same."""
    for fname, body in CONTENTS.items():
        answer, packed = stored(objects, fname)
        assert "gzip" in answer["ContentEncoding"] and gzip.decompress(packed) == body
        assert (answer["Metadata"]["sha1"], answer["Metadata"]["size"]) == (fname[3:], str(len(body)))
        assert len(packed) < 0.9 * len(body) and packed[4:8] == b"\0\0\0\0"
        assert not objects.put(fname, body, ask_first=True)
        assert not objects.put(fname, body)
        assert ("-" in objects.head(fname).etag) == (body is LARGE)
        assert not unfinished(objects, fname)
        again = packing(ObjectStore(dataclasses.replace(objects.config, prefix=f"{fname[:2]}/{objects.config.prefix}")))
        assert again.put(fname, body)
        assert stored(again, fname)[1] == packed


def test_every_reader_gets_the_plain_bytes(objects: ObjectStore, server: Server, tmp_path: pathlib.Path) -> None:
    """Pitfall 35: plain bytes for 0-99 of a gzip object, too. Whatever the settings of the reader are."""
    reader = store_at(server, objects.config.prefix)
    transfer = Transfer(reader.config)
    for fname, body in CONTENTS.items():
        assert reader.get_bytes(fname) == body
        for size in (0, 1, 100, len(body) // 2, len(body) + 1):
            assert reader.get_bytes(fname, size) == body[:size]
        target = io.BytesIO()
        assert (reader.get_to_file(fname, target), target.getvalue()) == (len(body), body)
        head = reader.head(fname)
        assert (head.size, head.sha1, head.packed) == (len(body), fname[3:], True)
        assert not reader.put(fname, body, ask_first=True)
        assert transfer.read(fname) == len(body)
        assert (transfer.head(fname).size, transfer.head(fname).sha1, transfer.head(fname).packed) == (len(body), None, True)
        (tmp_path / "file").write_bytes(body)
    kept = cache.Cache(str(tmp_path / "cache"), 1024 * MIB, 1)
    prefetch.prefetch(kept, reader, CONTENTS)
    for fname, body in CONTENTS.items():
        assert (tmp_path / "cache" / fname).read_bytes() == body
        with kept.fetch(reader, fname) as file:
            assert file.read() == body
    # As many connections are free as before.
    for _number in range(3 * reader.config.pool_size):
        assert reader.get_bytes(next(iter(CONTENTS)), 10) == SMALL[:10]


def test_what_is_not_compressed(server: Server) -> None:
    """What is no text, what is small, what gains little, and what nobody wants compressed."""
    objects = packing(prepared(server, gzip="text"))
    bodies = [
        secrets.token_bytes(10_000),
        b"%PDF-1.7\n" + b"words " * 2000,
        b"words " * 600,
        bytes(byte for byte in secrets.token_bytes(10_000) if byte > 32 and byte != 127),
        gzip.compress(SMALL * 20),
    ]
    others = prepared(server)
    for store, body in [*((objects, body) for body in bodies), (others, SMALL)]:
        fname = keys.build(hashlib.sha1(body).hexdigest())
        assert store.put(fname, body)
        answer, found = stored(store, fname)
        assert found == body == store.get_bytes(fname) and "gzip" not in answer.get("ContentEncoding", "")
        assert (store.head(fname).size, store.head(fname).packed) == (len(body), False)
    with pytest.raises(Corrupt):
        objects.put(keys.build(hashlib.sha1(b"").hexdigest()), SMALL)


def test_nothing_is_compressed_before_everybody_knows(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that found that nothing is compressed believes it for a while, and sends people to the store without a further look."""
    writer = prepared(server, gzip="text")
    reader = store_at(server, writer.config.prefix)
    (fname, body), other = next(iter(CONTENTS.items())), SMALL + b"more"
    assert reader.sender(fname) is reader
    assert writer.put(fname, body) and not writer.head(fname).packed
    with monkeypatch.context() as asked:
        asked.setattr(ObjectStore, "head", None)
        asked.setattr(ObjectStore, "get_note", None)
        assert reader.sender(fname) is reader
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    other_name = keys.build(hashlib.sha1(other).hexdigest())
    assert writer.put(other_name, other) and writer.head(other_name).packed
    # By then it has looked again.
    reader._notice._next_look = 0
    assert (reader.sender(fname), reader.sender(other_name)) == (reader, None)


def test_damaged(objects: ObjectStore) -> None:
    """Cut short, longer than it was, never compressed, of other bytes: an error for all who read all of it. And it is mended when it comes again."""
    fname, body = next(iter(CONTENTS.items()))
    answer, packed = stored(objects, fname)
    described = {"ContentEncoding": "gzip", "Metadata": answer["Metadata"]}
    transfer = Transfer(objects.config)
    for damaged in (packed[:-9], packed[: len(packed) // 2], packed + b"more", packed + packed, body, gzip.compress(body + b"more"), gzip.compress(body[1:])):
        replace(objects, fname, damaged, **described)
        for read in (objects.get_bytes, transfer.read):
            with pytest.raises(Corrupt):
                read(fname)
    assert objects.put(fname, body)
    assert objects.get_bytes(fname) == body
    body += b"more"
    fname = keys.build(hashlib.sha1(body).hexdigest())
    replace(objects, fname, gzip.compress(body), ContentEncoding="gzip")  # it does not say how much it is
    assert (objects.head(fname).size, objects.get_bytes(fname)) == (-1, body)
    assert objects.put(fname, body)
    assert objects.head(fname).size == len(body)


def test_migration(server: t.Any, make_filestore: Callable[..., Filestore]) -> None:
    """Each phase takes what is compressed for what it is, and sees what is wrong with it."""
    store = make_filestore(server)
    names = [store.add(b"%d;" % number + SMALL[number:]) for number in range(12)]
    store.add_many(8)
    # Without a size in the row, and without a file here, nothing is known but the name.
    store.sql("UPDATE ir_attachment SET file_size = NULL WHERE store_fname = %s", names[0])
    objects = packing(ObjectStore(dataclasses.replace(store.config, gzip="text")))
    for fname in names:
        assert objects.put(fname, store.contents[fname])
        assert objects.head(fname).packed
    before = store.files()

    assert store.counts("upload") == {"referenced": 20, "in_bucket": 12, "uploaded": 8}
    for level in ("size", "checksum", "content"):
        assert store.counts("verify", level=level) == {"referenced": 20, "verified": 20}
        assert store.counts("audit", level=level) == {"referenced": 20, "verified": 20}
    assert set(store.versions().values()) == {1}
    let_clean(store)
    assert store.counts("clean", **MAY_CLEAN) == {"cleaned": 20}
    for level in ("size", "checksum", "content"):
        assert store.counts("audit", level=level) == {"referenced": 20, "verified": 20}
    assert store.counts("back") == {"referenced": 20, "downloaded": 20}
    assert store.files() == before
    assert store.counts("back") == {"referenced": 20, "local": 20}

    # Other bytes of the same size, as its metadata say.
    broken, other = names[3], b"x" * len(store.contents[names[3]])
    packed = gzip.compress(other)
    metadata = {"sha1": broken[3:], "size": str(len(other)), "packed-size": str(len(packed)), "packed-sha1": hashlib.sha1(packed).hexdigest()}
    store.server.client.put_object(Bucket=store.bucket, Key=f"shop/{broken}", Body=packed, ContentEncoding="gzip", Metadata=metadata)
    assert store.counts("verify")["differing"] == 1
    assert store.counts("audit", level="content")["checksum"] == 1
    let_clean(store)
    with pytest.raises(Exception, match="verif"):
        store.counts("clean", **MAY_CLEAN)


def test_former_version_comes_back(server: t.Any, make_filestore: Callable[..., Filestore]) -> None:
    """As it was, compressed."""
    store = make_filestore(server)
    fname = store.add(SMALL)
    (store.path / fname).unlink()
    objects = packing(ObjectStore(dataclasses.replace(store.config, gzip="text")))
    objects.put(fname, SMALL)
    store.server.client.put_object(Bucket=store.bucket, Key=f"shop/{fname}", Body=b"something else")
    assert store.counts("audit", repair=True)["repaired"] == 1
    assert objects.head(fname)[:2] == (len(SMALL), fname[3:])
    assert objects.get_bytes(fname) == SMALL
