"""Any sequence of phases, kills, changes and damage keeps: what a row refers to can be read somewhere, always."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import keys, migration, survey
from ansible_collections.odooops.stack.plugins.module_utils.filestore.audit import Aids, Audit
from ansible_collections.odooops.stack.plugins.module_utils.filestore.client import Features
from ansible_collections.odooops.stack.plugins.module_utils.filestore.config import Config
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Corrupt, NotFound, Unavailable
from ansible_collections.odooops.stack.plugins.module_utils.filestore.journal import State
from ansible_collections.odooops.stack.plugins.module_utils.filestore.report import Report
from ansible_collections.odooops.stack.plugins.module_utils.filestore.transfer import Head, Listed

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

CONTENTS = [bytes([65 + number]) * (number + 1) for number in range(6)]
NAMES = {keys.build(hashlib.sha1(content).hexdigest()): content for content in CONTENTS}

REMOVED: list[int] = []


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Store:
    """A bucket that proves what it is given, fails when it is told to, and lets the process die before or after a request."""

    part_size = 1
    config = Config(bucket="shop")

    def __init__(self):
        self.objects = {}
        self.features = Features()
        self.die_at = None
        self.fail_at = None
        self.requests = 0

    @contextlib.contextmanager
    def request(self):
        self.requests += 1
        if self.requests == self.fail_at:
            raise Unavailable("no")
        if self.die_at == -self.requests:
            raise Killed
        yield
        if self.requests == self.die_at:
            raise Killed

    def at(self, _target):
        return self

    def probe(self):
        return self.features

    def versioned(self):
        return True

    def list(self, start):
        with self.request():
            found = [(name, Listed(len(body), hashlib.md5(body).hexdigest())) for name, body in sorted(self.objects.items()) if name.startswith(start)]
        yield from found

    def put(self, fname, path, replace=False):
        with self.request():
            with open(path, "rb") as file:
                body = file.read()
            if hashlib.sha1(body).hexdigest() != fname[3:]:
                raise Corrupt(fname)
            if fname in self.objects and not replace:
                return False
            self.objects[fname] = body
            return True

    def put_small(self, files):
        stored = set()
        with contextlib.suppress(Unavailable, Corrupt):
            for fname, path in files:
                if self.put(fname, path):
                    stored.add(fname)
        return stored

    def head(self, fname):
        with self.request():
            if fname not in self.objects:
                raise NotFound(fname)
            body = self.objects[fname]
            return Head(len(body), hashlib.sha1(body).hexdigest(), hashlib.md5(body).hexdigest(), "", 0.0)

    def versions(self, fname):
        return []

    def read(self, fname):
        return self.get(fname, lambda _chunk: None, lambda: None)

    def get(self, fname, sink, restart):
        with self.request():
            if fname not in self.objects:
                raise NotFound(fname)
            restart()
            sink(self.objects[fname])
            if hashlib.sha1(self.objects[fname]).hexdigest() != fname[3:]:
                raise Corrupt(fname)
            return len(self.objects[fname])


class Rows:
    """The catalogue of a set of names."""

    def __init__(self):
        self.referenced_names = set()

    def names(self, prefixes):
        for prefix in prefixes:
            yield {fname: len(NAMES[fname]) for fname in sorted(self.referenced_names) if fname.startswith(prefix)}

    def count(self, prefix):
        return len(next(self.names([prefix])))

    def referenced(self, names):
        return self.referenced_names.intersection(names)

    def marked(self, names):
        return set()

    def waiting(self, names):
        return {}

    def others(self):
        return []

    def has_addon(self):
        return True


class Machine(RuleBasedStateMachine):
    """An Odoo whose users add and delete, and somebody who migrates, and whom everything goes wrong for."""

    @initialize()
    def begin(self):
        self.folder = tempfile.mkdtemp()
        self.filestore = os.path.join(self.folder, "filestore")
        os.mkdir(self.filestore)
        self.rows, self.store = self.surroundings()
        self.now = time.time()

    def surroundings(self):
        """A catalogue and a bucket, both empty; tests/servers has the same machine with real ones."""
        return Rows(), Store()

    def teardown(self):
        shutil.rmtree(getattr(self, "folder", "/nonexistent"), ignore_errors=True)

    def path(self, fname):
        return os.path.join(self.filestore, fname)

    def local(self, fname):
        try:
            with open(self.path(fname), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    @rule(fname=st.sampled_from(sorted(NAMES)), in_bucket=st.booleans())
    def user_adds(self, fname, in_bucket):
        if in_bucket:
            self.store.objects[fname] = NAMES[fname]
        else:
            os.makedirs(os.path.dirname(self.path(fname)), exist_ok=True)
            with open(self.path(fname), "wb") as file:
                file.write(NAMES[fname])
        self.rows.referenced_names.add(fname)

    @rule(fname=st.sampled_from(sorted(NAMES)), collected=st.booleans())
    def user_deletes(self, fname, collected):
        self.rows.referenced_names.discard(fname)
        if collected:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(fname))

    @rule(fname=st.sampled_from(sorted(NAMES)), how=st.sampled_from(["cut", "other", "empty"]))
    def disk_is_damaged(self, fname, how):
        # Only where the bucket has it: what is in one place only and breaks there is lost to everybody.
        if self.local(fname) is not None and self.store.objects.get(fname) == NAMES[fname]:
            with open(self.path(fname), "wb") as file:
                file.write({"cut": NAMES[fname][:-1], "other": b"#" * len(NAMES[fname]), "empty": b""}[how])

    @rule(fname=st.sampled_from(sorted(NAMES)), how=st.sampled_from(["cut", "other", "gone"]))
    def bucket_is_damaged(self, fname, how):
        if self.local(fname) == NAMES[fname] and fname in self.store.objects:
            body = {"cut": NAMES[fname][:-1], "other": b"#" * len(NAMES[fname]), "gone": None}[how]
            if body is None:
                del self.store.objects[fname]
            else:
                self.store.objects[fname] = body

    @rule(hours=st.sampled_from([1, 23, 25, 400]))
    def time_passes(self, hours):
        self.now += hours * 3600

    @rule(
        phase=st.sampled_from(["upload", "verify", "clean", "back", "audit"]),
        die=st.one_of(st.none(), st.none(), st.integers(-30, 30)),
        fail=st.one_of(st.none(), st.none(), st.integers(1, 30)),
        dry=st.sampled_from([False, False, False, True]),
        orphans=st.booleans(),
        level=st.sampled_from(migration.LEVELS),
    )
    def somebody_migrates_as_it_comes(self, **how):
        self.migrate(**how)

    @rule(then=st.one_of(st.none(), st.sampled_from(sorted(NAMES))), die=st.one_of(st.none(), st.integers(-20, 20)))
    def somebody_migrates_by_the_book(self, then, die):
        """All phases in their order, with something happening right before the dangerous one."""
        for phase in ("upload", "verify"):
            self.migrate(phase=phase)
        self.now += 2 * 3600
        if then:
            self.bucket_is_damaged(then, "other")
            self.user_adds(then, in_bucket=False)
        self.migrate(phase="clean", die=die)

    def migrate(self, *, phase, die=None, fail=None, dry=False, orphans=False, level="checksum"):
        self.store.requests, self.store.die_at, self.store.fail_at = 0, die, fail
        before = (dict(self.store.objects), {fname: self.local(fname) for fname in NAMES})
        job = migration.Job(
            filestore=self.filestore,
            catalogue=self.rows,
            transfer=self.store,
            state=State(os.path.join(self.folder, "state"), {"database": "shop"}),
            report=Report(None, phase, {}),
            concurrency=1,
            dry=dry,
            orphans=orphans,
            level=level,
            clock=lambda: self.now,
        )
        conditions = migration.Conditions(retention=3600, max_age=86400, unversioned=False, read_by_hosts=lambda: None)
        run = Audit(job, Aids()) if phase == "audit" else migration.Migration(job)
        with contextlib.suppress(Killed, migration.Refused, Unavailable):
            run.clean(conditions) if phase == "clean" else getattr(run, phase)()
        REMOVED.append(run.report.files("cleaned"))
        if dry or phase == "audit":
            assert before == (self.store.objects, {fname: self.local(fname) for fname in NAMES})
        if phase in ("back", "verify", "audit"):
            assert before[0] == self.store.objects

    @precondition(lambda self: hasattr(self, "rows"))
    @invariant()
    def what_is_referenced_can_be_read(self):
        for fname in self.rows.referenced_names:
            assert NAMES[fname] in (self.local(fname), self.store.objects.get(fname)), fname

    @precondition(lambda self: hasattr(self, "rows"))
    @invariant()
    def nothing_of_ours_is_left_in_the_filestore(self):
        for folder in os.scandir(self.filestore):
            assert not [name for name in os.listdir(folder) if name.startswith(".")]


@pytest.fixture(autouse=True)
def no_ceremony(monkeypatch):
    # What makes it survive a loss of power takes long, and no process dies of it here.
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    monkeypatch.setattr(os, "sync", lambda: None)
    prefixes = sorted({fname[:2] for fname in NAMES})
    monkeypatch.setattr(migration, "shard_prefixes", lambda _shard: prefixes)
    monkeypatch.setattr(survey, "_AHEAD", 1)


def test_any_sequence(no_ceremony):
    machine = Machine.TestCase()
    machine.settings = settings(max_examples=150, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    machine.runTest()
    assert sum(REMOVED) > 0, "hardly anything was ever removed, so that this has shown nothing"
