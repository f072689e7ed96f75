# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How contents are compressed; tests/servers has the store and its readers."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import time

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import errors, gzipped

TEXT = b"".join(b"%d words\n" % number for number in range(2000))


def pack(body):
    return gzipped.pack(body, hashlib.sha1(body).hexdigest())


def test_same_bytes_become_the_same():
    first, second = pack(TEXT), gzipped.pack(io.BytesIO(TEXT), hashlib.sha1(TEXT).hexdigest())
    found = first.file.seek(0) or first.file.read()
    assert found == second.file.getvalue() and gzip.decompress(found) == TEXT
    assert (first.size, first.sha1) == (len(found), hashlib.sha1(found).hexdigest())


def test_large_one_goes_by_the_disk(monkeypatch):
    monkeypatch.setattr(gzipped, "_IN_MEMORY", len(TEXT) - 1)
    packed = pack(TEXT)
    assert packed.file.fileno() and packed.file.seek(0) == 0
    assert gzip.decompress(packed.file.read()) == TEXT


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"a;b\r\n\t1;2\n", True),
        ("Wörter".encode(), True),
        ("Wörter".encode("latin-1"), True),
        (b"<svg/>", True),
        (b'{"a": 1}', True),
        (b"", False),
        (b"%PDF-1.7\n", False),
        (b"PK\x03\x04", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"GIF89a\x01\x00", False),
        ("Wörter".encode("utf-16"), False),
    ],
)
def test_what_is_text(head, expected):
    assert gzipped.is_text(head) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("gzip", True), ("GZIP", True), ("aws-chunked,gzip", True), ("gzip, aws-chunked", True), ("aws-chunked", False), ("", False), (None, False)],
)
def test_what_is_packed(header, expected):
    assert gzipped.is_packed(header) is expected


def test_headers():
    packed = pack(TEXT)
    said = gzipped.headers(packed, len(TEXT))
    assert gzipped.plain_size(said, packed.size, packed.sha1) == gzipped.plain_size(said, packed.size, None) == len(TEXT)
    for length, sha1 in ((packed.size - 1, packed.sha1), (packed.size, "0" * 40)):
        assert gzipped.plain_size(said, length, sha1) == -1
    assert gzipped.plain_size({}, packed.size, None) == -1
    assert gzipped.plain_size({**said, "x-amz-meta-size": "-5"}, packed.size, None) == -1


def test_wrong_name():
    with pytest.raises(errors.Corrupt, match="have the SHA-1"):
        gzipped.pack(TEXT, "0" * 40)


def unpacked(packed, step=100_000):
    unpacker = gzipped.Unpacker("x")
    for start in range(0, len(packed), step):
        yield from unpacker.feed(packed[start : start + step])
    yield unpacker.end()


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_pieces(step):
    packed = gzip.compress(TEXT)
    assert b"".join(unpacked(packed, step)) == TEXT
    for wrong in (packed[:-1], packed[:50], packed + b"x", packed + packed, TEXT, b""):
        with pytest.raises(errors.Corrupt):
            list(unpacked(wrong, step))


def test_what_becomes_very_much_comes_in_pieces():
    zeros, count = bytes(1024 * 1024), 64
    packed = gzip.compress(zeros * count)
    assert len(packed) < 100_000
    sizes = [len(piece) for piece in unpacked(packed)]
    assert max(sizes) <= len(zeros) and sum(sizes) == count * len(zeros)


class Notes:
    def __init__(self):
        self.kept, self.asked = {}, 0

    def get_note(self, name):
        self.asked += 1
        return self.kept.get(name)

    def put_note(self, name, body, replaces=""):
        return self.kept.setdefault(name, (body, "tag")) == (body, "tag")


def test_who_comes_while_somebody_looks_waits_for_the_answer():
    notes, answers = Notes(), []
    notes.kept["gzip"] = (b'{"since": 1}', "tag")
    get_note, looking, told = notes.get_note, threading.Event(), threading.Event()

    def slow(name):
        looking.set()
        told.wait(10)
        return get_note(name)

    notes.get_note = slow
    notice = gzipped.Notice(notes)
    readers = [threading.Thread(target=lambda: answers.append(notice.there())) for _number in range(3)]
    for reader in readers:
        reader.start()
    looking.wait(10)
    time.sleep(0.1)
    assert answers == []
    told.set()
    for reader in readers:
        reader.join()
    assert answers == [True] * 3 and notes.asked == 1


def test_in_an_outage_it_is_what_was_known_before(monkeypatch):
    notes, clock = Notes(), [1000.0]
    monkeypatch.setattr(gzipped.time, "monotonic", lambda: clock[0])

    def nobody(name):
        notes.asked += 1
        raise errors.Unavailable("no answer")

    known, new = gzipped.Notice(notes), gzipped.Notice(notes)
    assert not known.there()
    notes.get_note = nobody
    clock[0] += 61
    for notice, times in ((known, 1), (new, 3)):
        notes.asked = 0
        for number in range(3):
            if number < times:
                with pytest.raises(errors.Unavailable):
                    notice.there()
            else:
                assert not notice.there()
        assert notes.asked == times


def test_notice(monkeypatch):
    notes, clock = Notes(), [1000.0]
    monkeypatch.setattr(gzipped.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(gzipped.time, "time", lambda: clock[0])
    reader, writer = gzipped.Notice(notes), gzipped.Notice(notes)
    assert not reader.there() and not notes.kept
    assert not writer.ripe() and notes.kept
    clock[0] += 59
    assert not reader.there() and not writer.ripe()
    clock[0] += 2
    assert reader.there()
    clock[0] += 238
    assert not writer.ripe()
    clock[0] += 1
    assert writer.ripe() and gzipped.Notice(notes).ripe()
    asked = notes.asked
    assert reader.there() and writer.ripe() and notes.asked == asked, "what stays for good is looked up once"
