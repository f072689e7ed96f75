"""Copies of contents on a host: which are given, and what becomes of them."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import logging
import multiprocessing
import os
import secrets
import shutil
import stat
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import cache, cli, config, errors, keys, metrics, store
from ansible_collections.odooops.stack.plugins.module_utils.filestore.prefetch import prefetch

sys.path.insert(0, os.path.dirname(__file__))
from s3_server import Server

MINUTE, DAY = 60, 86400


@pytest.fixture(scope="module")
def running():
    """The server and a client, which takes long to be made."""
    with Server() as server:
        given = {"bucket": "test-bucket", "access_key": "AK", "secret_key": "SK", "endpoint_url": server.url, "max_attempts": "1"}
        yield server, store.ObjectStore(config.parse(given, {}))
        server.shutdown()


@pytest.fixture
def server(running):
    server, _objects = running
    server.fault = None
    server.requests.clear()
    return server


@pytest.fixture
def objects(running, server):
    _server, objects = running
    objects.breaker.succeeded()
    return objects


@pytest.fixture
def here(tmp_path):
    return cache.Cache(str(tmp_path / "new/cache"), 100_000, 30)


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    counter = metrics.Metrics()
    monkeypatch.setattr(metrics, "SHARED", counter)
    return lambda what: float(next(line.split()[1] for line in counter.render().splitlines() if line.startswith("s3_attachment_cache_") and what in line))


def stored(objects, size=1000):
    body = secrets.token_bytes(size)
    fname = keys.build(hashlib.sha1(body).hexdigest())
    objects.put(fname, body)
    return body, fname


def path_of(here, fname):
    return os.path.join(here.directory, fname)


def used(here, fname, seconds_ago):
    os.utime(path_of(here, fname), (time.time() - seconds_ago, os.stat(path_of(here, fname)).st_mtime))


def gets(server):
    return sum(request.startswith("GET ") for request in server.requests)


def opened(here, objects, fname):
    with here.open(objects, fname) as file:
        return file.read()


READERS = {"read": lambda here, objects, fname: here.read(objects, fname), "open": opened}


@pytest.fixture(params=list(READERS))
def reader(request):
    return READERS[request.param]


def test_second_read_asks_nobody(server, objects, here, reader, counted):
    body, fname = stored(objects)
    assert [reader(here, objects, fname) for _time in range(3)] == [body] * 3
    assert gets(server) == 1
    assert [counted('"hit"'), counted('"miss"'), counted('"served"'), counted('"stored"')] == [2, 1, 2000, 1000]
    server.fault = 503
    assert reader(here, objects, fname) == body
    assert here.find(fname).read(10) == body[:10]
    assert cache.Cache(here.directory, 100_000, 30).read(objects, fname) == body


def test_nobody_else_reads_it(objects, here, reader):
    _body, fname = stored(objects)
    reader(here, objects, fname)
    for folder, folders, files in os.walk(here.directory):
        assert [name for name in folders if stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) != 0o700] == []
        assert [name for name in files if stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) != 0o600] == []
    assert stat.S_IMODE(os.stat(here.directory).st_mode) == 0o700
    assert os.listdir(os.path.join(here.directory, "unfinished")) == []


def spoil(path, how):
    with open(path, "r+b") as file:
        if how == "cut short":
            file.truncate(500)
        elif how == "empty":
            file.truncate(0)
        elif how == "too long":
            file.seek(0, os.SEEK_END)
            file.write(b"x")
        else:
            byte = file.read(1)
            file.seek(0)
            file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("how", ["cut short", "empty", "too long", "flipped bit"])
def test_damaged_file_is_never_given(server, objects, here, reader, *, how, known, caplog):
    body, fname = stored(objects)
    reader(here, objects, fname)
    if known:  # this process has checked the file before
        reader(here, objects, fname)
    spoil(path_of(here, fname), how)
    assert reader(here, objects, fname) == body
    assert fname in caplog.text
    assert gets(server) == 2
    assert reader(here, objects, fname) == body
    assert gets(server) == 2


def test_link_is_not_followed(server, objects, here, tmp_path):
    body, fname = stored(objects)
    here.read(objects, fname)
    (tmp_path / "elsewhere").write_bytes(body)
    os.unlink(path_of(here, fname))
    os.symlink(tmp_path / "elsewhere", path_of(here, fname))
    assert here.read(objects, fname) == body
    assert gets(server) == 2


def test_wrong_bytes_of_the_store_are_not_kept(server, objects, here, reader):
    body, fname = stored(objects)
    server.objects[fname] = (b"x" * len(body), server.objects[fname][1])
    with pytest.raises(errors.Corrupt):
        reader(here, objects, fname)
    assert not here.holds(fname)
    assert here.usage() == cache.Usage()
    assert os.listdir(os.path.join(here.directory, "unfinished")) == [] if os.path.isdir(here.directory) else True


def test_off(server, objects, tmp_path, reader):
    body, fname = stored(objects)
    off = cache.Cache(str(tmp_path / "none"), 0, 30)
    assert [reader(off, objects, fname) for _time in range(2)] == [body] * 2
    assert gets(server) == 2
    assert not (tmp_path / "none").exists()


def test_file_lasts_while_it_is_open(objects, here):
    body, fname = stored(objects)
    for _time in range(2):
        with here.open(objects, fname) as file:
            here.clear()
            assert not here.holds(fname)
            assert file.read() == body


def test_large_content_is_not_kept(server, objects, here, reader):
    body, fname = stored(objects, 25_001)
    assert [reader(here, objects, fname) for _time in range(2)] == [body] * 2
    assert gets(server) == 2
    assert here.usage() == cache.Usage()


def test_least_recently_used_goes(objects, here):
    contents = [stored(objects, 10_000) for _number in range(10)]
    for number, (_body, fname) in enumerate(contents):
        here.read(objects, fname)
        used(here, fname, seconds_ago=(10 - number) * 20 * MINUTE)
    assert here.usage() == cache.Usage(10, 100_000)
    # The oldest is read again, which costs no other look at the directory.
    here.read(objects, contents[0][1])
    new = stored(objects, 1000)
    here.read(objects, new[1])
    held = [here.holds(fname) for _body, fname in contents]
    assert held == [True, False, False, *[True] * 7]
    assert here.usage() == cache.Usage(9, 81_000)


def test_only_a_full_cache_is_looked_through(objects, here, monkeypatch):
    looks = []
    real = here._files
    monkeypatch.setattr(here, "_files", lambda: looks.append(1) or real())
    here.read(objects, stored(objects, 10_000)[1])
    first = len(looks)  # what is there has to be counted once
    for _number in range(9):
        _body, fname = stored(objects, 10_000)
        assert [here.read(objects, fname) for _time in range(3)] and here.find(fname)
    assert len(looks) == first
    here.read(objects, stored(objects, 1000)[1])
    assert len(looks) == first + 2


def test_many_of_one_minute(objects, here):
    """The clock's minute decides nothing where all were read in it."""
    names = [stored(objects, 1000)[1] for _number in range(150)]
    for number, fname in enumerate(names):
        here.read(objects, fname)
        assert here.usage().bytes <= 100_000
        # Those that came last are there: they may have been fetched to be read now.
        assert all(here.holds(name) for name in names[max(number - 50, 0) : number + 1])
    assert here.usage().bytes >= 75_000


def test_number_that_is_lost_or_wrong(objects, here):
    for _number in range(50):
        here.read(objects, stored(objects, 1000)[1])
    os.unlink(os.path.join(here.directory, ".total"))
    for wrong in (b"", b"abc", (10**12).to_bytes(8, sys.byteorder)):
        with open(os.path.join(here.directory, ".total"), "wb") as file:
            file.write(wrong)
        body, fname = stored(objects, 1000)
        assert here.read(objects, fname) == body
        assert here.holds(fname), wrong
    assert here.usage() == cache.Usage(53, 53_000)
    with open(os.path.join(here.directory, ".total"), "rb") as file:
        assert int.from_bytes(file.read(), sys.byteorder) == 53_000


def test_what_nobody_reads_leaves(objects, here):
    """As what belongs to an attachment that was deleted."""
    gone, stays = stored(objects)[1], stored(objects)[1]
    for fname in (gone, stays):
        here.read(objects, fname)
    used(here, gone, 31 * DAY)
    used(here, stays, 29 * DAY)
    for name, age in (("of-the-dead", 2 * 3600), ("of-the-living", 60)):
        path = os.path.join(here.directory, "unfinished", name)
        with open(path, "wb"):
            os.utime(path, (time.time() - age,) * 2)
    assert here.evict() == cache.Usage(1, 1000, 1, 1000)
    assert (here.holds(gone), here.holds(stays)) == (False, True)
    assert os.listdir(os.path.join(here.directory, "unfinished")) == ["of-the-living"]


def test_directory_of_somebody_else(server, objects, tmp_path, reader, caplog):
    """Such as Odoo's own filestore, which must never be emptied."""
    body, fname = stored(objects)
    (tmp_path / fname[:2]).mkdir()
    (tmp_path / fname).write_bytes(b"the only copy")
    wrong = cache.Cache(str(tmp_path), 100_000, 30)
    other = stored(objects)
    assert [reader(wrong, objects, other[1]) for _time in range(2)] == [other[0]] * 2
    assert gets(server) == 2
    assert "files in it that are not of a cache" in caplog.text
    assert (wrong.clear(), wrong.evict()) == (None, None)
    assert sorted(os.listdir(tmp_path)) == [fname[:2]]
    assert (tmp_path / fname).read_bytes() == b"the only copy"
    assert body


def test_directory_that_cannot_be_used(server, objects, tmp_path, reader, caplog):
    (tmp_path / "file").write_text("")
    body, fname = stored(objects)
    wrong = cache.Cache(str(tmp_path / "file/below"), 100_000, 30)
    with caplog.at_level(logging.WARNING):
        assert [reader(wrong, objects, fname) for _time in range(3)] == [body] * 3
    assert gets(server) == 3
    assert caplog.text.count("cannot be used") == 1
    # Somebody mends it.
    (tmp_path / "file").unlink()
    wrong._next_try = 0
    assert [reader(wrong, objects, fname) for _time in range(3)] == [body] * 3
    assert gets(server) == 4


@pytest.mark.parametrize("when", ["writing", "naming"])
def test_full_disk(server, objects, here, reader, *, monkeypatch, when):
    def full(*_arguments, **_keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    body, fname = stored(objects)
    monkeypatch.setattr(*((here, "_unfinished", full) if when == "writing" else (os, "replace", full)))
    assert [reader(here, objects, fname) for _time in range(2)] == [body] * 2
    assert gets(server) >= 2
    assert not here.holds(fname)


def test_disk_that_is_nearly_full(objects, here, reader, monkeypatch):
    body, fname = stored(objects)
    monkeypatch.setattr(cache, "RESERVE", 2**62)
    assert reader(here, objects, fname) == body
    assert not here.holds(fname)


def test_directory_is_taken_away(objects, here, reader):
    body, fname = stored(objects)
    for _time in range(2):
        assert reader(here, objects, fname) == body
        assert here.holds(fname)
        shutil.rmtree(here.directory)


def work(directory, settings, contents, rounds, wrong):
    here, objects = cache.Cache(directory, 100_000, 30), store.ObjectStore(settings)
    choose = secrets.SystemRandom()
    for _round in range(rounds):
        fname, body = choose.choice(contents)
        if READERS[choose.choice(["read", "open"])](here, objects, fname) != body:
            wrong.set()
        if choose.random() < 0.02:
            here.evict()


def test_several_processes(objects, here):
    """Nobody gets wrong bytes, nobody fails, and the limit holds, though all contents are three times as many."""
    contents = [(fname, body) for body, fname in (stored(objects, 10_000) for _number in range(30))]
    context = multiprocessing.get_context("fork")
    wrong = context.Event()
    workers = [context.Process(target=work, args=(here.directory, objects.config, contents, 100, wrong)) for _number in range(3)]
    here.read(objects, contents[0][0])
    for worker in workers:
        worker.start()
    most = 0
    while any(worker.is_alive() for worker in workers):
        with here._total():  # else a file that goes and one that comes could both be seen
            most = max(most, here.usage().bytes)
        time.sleep(0.01)
    assert [worker.exitcode for worker in workers] == [0] * 3
    assert not wrong.is_set()
    assert 0 < most <= 100_000
    assert os.listdir(os.path.join(here.directory, "unfinished")) == []


def test_two_at_once_evict(here, objects):
    here.read(objects, stored(objects)[1])
    with here._locked(".evicting", cache.fcntl.LOCK_EX):
        assert here.evict() is None
        # And whoever has no room for a content goes on without.
        os.unlink(os.path.join(here.directory, ".total"))
        body, fname = stored(objects)
        assert here.read(objects, fname) == body
        assert not here.holds(fname)
    assert here.read(objects, fname) == body
    assert here.holds(fname)


# -- several at once ----------------------------------------------------------------------------------------------------


def test_prefetch(server, objects, here, counted):
    contents = [stored(objects) for _number in range(20)]
    here.read(objects, contents[0][1])
    server.requests.clear()
    prefetch(here, objects, [fname for _body, fname in contents] * 2)
    assert gets(server) == 19
    assert [here.read(objects, fname) for _body, fname in contents] == [body for body, _fname in contents]
    assert gets(server) == 19
    assert [counted('"hit"'), counted('"miss"'), counted('"prefetched"')] == [20, 1, 19]


def test_prefetch_is_parallel_and_bounded(objects, here, monkeypatch):
    running, most, gate = [], [], threading.Event()

    def fill(_store, fname):
        running.append(fname)
        most.append(len(running))
        if len(running) == 8:
            gate.set()
        assert gate.wait(60)
        running.remove(fname)

    monkeypatch.setattr(here, "fill", fill)
    prefetch(here, objects, [stored(objects)[1] for _number in range(30)])
    assert max(most) == 8 and len(most) == 30


def test_prefetch_of_what_is_not_there(server, objects, here):
    names = [keys.build(secrets.token_hex(20)) for _number in range(3)]
    body, fname = stored(objects)
    prefetch(here, objects, [*names, fname])
    assert here.holds(fname)
    with pytest.raises(errors.NotFound):
        here.read(objects, names[0])
    assert body


def test_prefetch_in_an_outage(server, objects, here):
    """It ends at the first fault, and says nothing: the read does."""
    names = [stored(objects)[1] for _number in range(50)]
    server.fault = 503
    server.requests.clear()
    prefetch(here, objects, names)
    assert gets(server) <= 8
    with pytest.raises(errors.Unavailable):
        here.read(objects, names[0])


def test_prefetch_keeps_to_the_time(objects, here, monkeypatch):
    leave = threading.Event()
    monkeypatch.setattr(here, "fill", lambda _store, _fname: leave.wait(60))
    names = [stored(objects)[1] for _number in range(10)]
    monkeypatch.setattr(objects, "config", dataclasses.replace(objects.config, op_budget=0.2))
    begin = time.monotonic()
    prefetch(here, objects, names)
    assert time.monotonic() - begin < 30
    leave.set()


def test_prefetch_without_a_cache(server, objects, tmp_path):
    names = [stored(objects)[1] for _number in range(3)]
    prefetch(cache.Cache(str(tmp_path), 0, 30), objects, names)
    assert gets(server) == 0


# -- the command line ---------------------------------------------------------------------------------------------------


def test_command_line(tmp_path, objects, server, capsys):
    conf = tmp_path / "odoo.conf"
    conf.write_text(f"[options]\ndata_dir = {tmp_path}\n[s3_attachment]\nbucket = test-bucket\nendpoint_url = {server.url}\ncache_max_bytes = 10000\n")

    def answer(*options):
        assert cli.main(["--config", str(conf), "cache", *options]) == 0
        return json.loads(capsys.readouterr().out)

    known = {"directory": str(tmp_path / "s3_cache"), "max_bytes": 10000, "days": 30}
    nothing = {"files": 0, "bytes": 0, "removed_files": 0, "removed_bytes": 0}
    assert answer() == {**known, **nothing}
    assert answer("--clear") == {**known, **nothing}
    here = cache.Cache(str(tmp_path / "s3_cache"), 10000, 30)
    names = [stored(objects)[1] for _number in range(9)]
    for number, fname in enumerate(names):
        here.read(objects, fname)
        used(here, fname, (20 - number) * 20 * MINUTE)
    used(here, names[0], 31 * DAY)
    assert answer() == {**known, **nothing, "files": 9, "bytes": 9000}
    assert answer("--evict") == {**known, "files": 8, "bytes": 8000, "removed_files": 1, "removed_bytes": 1000}
    assert answer("--evict") == {**known, "files": 8, "bytes": 8000, "removed_files": 0, "removed_bytes": 0}
    assert answer("--clear") == {**known, "files": 0, "bytes": 0, "removed_files": 8, "removed_bytes": 8000}


def test_command_line_needs_no_boto3(tmp_path):
    """Each of its runs is shorter than loading boto3 takes."""
    (tmp_path / "odoo.conf").write_text(f"[options]\ndata_dir = {tmp_path}\n[s3_attachment]\nbucket = test-bucket\n")
    script = (
        f"import sys; from {cli.__name__} import main; status = main(['--config', {str(tmp_path / 'odoo.conf')!r}, 'cache', '--evict']);"
        "sys.exit(status or 'boto3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)
    assert done.returncode == 0
