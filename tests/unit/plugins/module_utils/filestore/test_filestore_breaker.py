"""The circuit breaker, and the time that a request may take."""

from __future__ import annotations

import os
import socket
import sys
import time

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import breaker, config, errors, keys, store

sys.path.insert(0, os.path.dirname(__file__))
from s3_server import Server

FNAME = keys.build("0" * 40)


def test_opens_and_closes():
    now = [0.0]
    tried = breaker.Breaker(failures=2, cool_down=10, clock=lambda: now[0])
    tried.failed()
    tried.succeeded()
    tried.failed()
    assert (tried.open, tried.wait()) == (False, 0)
    tried.failed()
    assert (tried.open, tried.wait()) == (True, 10)
    now[0] = 10
    assert tried.wait() == 0, "nobody ever asks again"
    assert tried.wait() == 10, "more than one is let through"
    tried.failed()
    now[0] = 19
    assert tried.wait() == 1
    now[0] = 20
    assert tried.wait() == 0
    tried.succeeded()
    assert (tried.open, tried.wait()) == (False, 0)


def settings(url, **given):
    common = {"bucket": "test-bucket", "access_key": "AK", "secret_key": "SK", "endpoint_url": url}
    return config.parse({**common, **{name: str(value) for name, value in given.items()}}, {})


def test_store_recovers():
    """Also by a write that first asks whether the content is there."""
    with Server() as server:
        objects = store.ObjectStore(settings(server.url, max_attempts=1))
        now = [0.0]
        objects.breaker = breaker.Breaker(failures=2, cool_down=10, clock=lambda: now[0])
        server.fault = 503
        for _number in range(2):
            with pytest.raises(errors.Unavailable, match="503"):
                objects.head(FNAME)
        asked = len(server.requests)
        with pytest.raises(errors.Unavailable, match=f"could not look up {FNAME} in bucket test-bucket at .*asked again in 10 s"):
            objects.head(FNAME)
        assert len(server.requests) == asked
        server.fault = None
        now[0] = 10
        body = b"content"
        assert objects.put(keys.build("040f06fd774092478d450774f5ba30c5da78acc8"), body, ask_first=True)
        assert not objects.breaker.open
        server.shutdown()


def test_refusals_are_answers():
    with Server() as server:
        objects = store.ObjectStore(settings(server.url))
        server.fault = 403
        for _number in range(5):
            with pytest.raises(errors.Denied):
                objects.head(FNAME)
        assert not objects.breaker.open
        server.shutdown()


def test_no_attempt_that_could_last_beyond_the_budget():
    """Pitfall 21: somebody takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as silent:
        objects = store.ObjectStore(settings(f"http://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=1, read_timeout=1, op_budget=3, max_attempts=10))
        objects._client()  # boto3 takes its time to read its own description of S3
        begin = time.monotonic()
        with pytest.raises(errors.Unavailable, match="no answer within 3 s"):
            objects.head(FNAME)
        assert 0.9 < time.monotonic() - begin < 3.5


def test_time_outs_have_to_fit():
    with pytest.raises(errors.ConfigError, match="connect_timeout and read_timeout make 31 s, which must not be more than op_budget, 30 s"):
        settings("http://127.0.0.1:1", connect_timeout=11)
