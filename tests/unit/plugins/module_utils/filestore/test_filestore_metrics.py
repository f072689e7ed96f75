"""Counters of processes that come and go, and the line that each operation writes."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import re

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import log, metrics


def value(text: str, series: str) -> float:
    (found,) = re.findall(rf"^s3_attachment_{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found)


READS = 'operations_total{operation="read",outcome="ok"}'


@pytest.mark.parametrize("shared", [False, True])
def test_counts(tmp_path, shared):
    counter = metrics.Metrics(str(tmp_path / "new/one") if shared else "")
    counter.count("read", "ok", 0.03, received=100)
    counter.count("read", "Unavailable", 40)
    counter.count("read", "ok", 0.03, received=11)
    counter.count("dance", "Surprise", 1)
    text = counter.render()
    assert value(text, READS) == 2
    assert value(text, 'operations_total{operation="read",outcome="Unavailable"}') == 1
    assert value(text, 'operations_total{operation="other",outcome="other"}') == 1
    assert value(text, 'bytes_total{direction="received"}') == 111
    assert [value(text, f'operation_seconds_bucket{{operation="read",le="{bound}"}}') for bound in ("0.025", "0.05", "30.0", "+Inf")] == [0, 2, 2, 3]
    assert value(text, 'operation_seconds_sum{operation="read"}') == 40.06
    assert value(text, 'operation_seconds_count{operation="read"}') == 3
    assert len(re.findall("^# TYPE ", text, re.MULTILINE)) == 6


def test_a_full_disk_takes_the_counters_and_not_the_process(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    counter = metrics.Metrics(str(tmp_path))
    counter.count("read", "ok", 0.03)
    assert value(counter.render(), READS) == 1
    monkeypatch.undo()
    metrics.Metrics(str(tmp_path)).count("read", "ok", 0.03)
    (kept,) = tmp_path.glob("[0-9]*")
    # Blocks, and not a hole, in which the first write may end the process.
    assert kept.stat().st_blocks > 0


def work(counter, times, ready=None, leave=None):
    for _time in range(times):
        counter.count("read", "ok", 0.01)
    if ready:
        ready.set()
        leave.wait(30)


def test_processes_that_come_and_go(tmp_path):
    context = multiprocessing.get_context("fork")
    counter = metrics.Metrics(str(tmp_path))
    counter.count("read", "ok", 0.01)
    ready, leave = context.Event(), context.Event()
    stays = context.Process(target=work, args=(counter, 10, ready, leave))
    stays.start()
    assert ready.wait(30)
    for times in (100, 1000):
        goes = context.Process(target=work, args=(counter, times))
        goes.start()
        goes.join(30)
    assert [value(counter.render(), READS) for _time in range(3)] == [1111, 1111, 1111]
    leave.set()
    stays.join(30)
    assert value(counter.render(), READS) == 1111
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == sorted([str(os.getpid()), "gone", "lock"])
    counter.count("read", "ok", 0.01)
    assert value(counter.render(), READS) == 1112


def test_a_directory_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    counter = metrics.Metrics(str(tmp_path / "file/below"))
    counter.count("read", "ok", 0.01)
    assert value(counter.render(), READS) == 1


def test_line(caplog):
    name = "ab/ab" + "1" * 38
    with caplog.at_level(logging.INFO, logger=log.__name__):
        log.operation("read", name, "ok", seconds=0.01)
        log.operation("read", name, "NotFound", seconds=0.01)
        assert not caplog.messages
        log.operation("read", name, "Unavailable", seconds=1.23456, error='no "answer"\nhere')
    with caplog.at_level(logging.DEBUG, logger=log.__name__):
        log.operation("store", name, "ok", seconds=0.01, sent=5)
    failed, stored = (json.loads(message) for message in caplog.messages)
    assert failed == {
        "op": "read", "content": "ab/ab111111", "outcome": "Unavailable", "ms": 1234.6, "sent": 0, "received": 0, "error": 'no "answer"\nhere',
    }  # fmt: skip
    assert (stored["op"], stored["sent"], "error" in stored) == ("store", 5, False)
    assert name not in caplog.text and "\n" not in caplog.messages[0]
