# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Tests against the store that this Odoo is configured for, under a prefix of their own.

They are not among the standard ones, because they need that store: --test-tags s3_attachment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from unittest.mock import patch

from botocore.exceptions import ClientError
from odoo import SUPERUSER_ID, api
from odoo.tests import common

from .. import compat, storage
from ..engine import gc
from ..engine.store import ObjectStore


def random_bytes(size: int) -> bytes:
    """A content that Odoo takes for bytes and nothing else: one in 256 begins with "<", and what may be markup is not redirected."""
    return b"\0" + secrets.token_bytes(size - 1)


class StoreCase:
    """To be mixed into a test case of Odoo."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        configured = storage._load()
        if configured is None:
            raise AssertionError("these tests need a configured object store")
        spool = tempfile.mkdtemp(prefix="s3-attachment-test-")
        cls.addClassCleanup(shutil.rmtree, spool)
        settings = dataclasses.replace(
            configured.config,
            # What a test is given stays so, whatever the files say.
            watch=None,
            prefix=f"{configured.config.prefix}test-{secrets.token_hex(4)}/",
            redirect_min_size=1000,
            routes=(),
            spool_dir=spool,
            node="this-host",
            # What is read comes from the store, unless a test is about the cache.
            cache_max_bytes=0,
        )
        cls.settings = settings
        cls.store = ObjectStore(settings)
        # Nothing listens there.
        dead = dataclasses.replace(settings, endpoint_url="http://127.0.0.1:9", max_attempts=1)
        cls.dead = ObjectStore(dead)
        cls.dead_strict = ObjectStore(dataclasses.replace(dead, write_mode="strict"))
        cls.classPatch(storage, "_load", lambda: cls.store)
        cls.addClassCleanup(cls._empty)

    @classmethod
    def _empty(cls):
        for key in cls._keys():
            # Odoo's key need not be allowed to delete.
            with contextlib.suppress(ClientError):
                cls.store._client().delete_object(Bucket=cls.settings.bucket, Key=key)

    @classmethod
    def _keys(cls):
        answer = cls.store._client().list_objects_v2(Bucket=cls.settings.bucket, Prefix=cls.settings.prefix)
        return [item["Key"] for item in answer.get("Contents", []) if not item["Key"].startswith(f"{cls.settings.prefix}.odoo-s3/")]

    def outage(self, strict=False):
        return patch.object(storage, "_load", lambda: self.dead_strict if strict else self.dead)

    def unconfigured(self):
        return patch.object(storage, "_load", lambda: None)

    def create(self, raw, **values):
        return self.env["ir.attachment"].create({"name": "file.bin", "mimetype": "application/octet-stream", "raw": raw, **values})

    def unfinished(self, fname):
        """The uploads in parts of that name that are neither complete nor given up."""
        answer = self.store._client().list_multipart_uploads(Bucket=self.settings.bucket, Prefix=self.settings.prefix + fname)
        return answer.get("Uploads", [])

    def local_path(self, fname):
        return self.env["ir.attachment"]._full_path(fname)

    def assertInStore(self, raw):
        sha1 = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        fname = f"{sha1[:2]}/{sha1}"
        self.assertIn(self.settings.prefix + fname, self._keys())
        self.assertEqual(self.store.get_bytes(fname), raw)
        self.assertFalse(os.path.exists(self.local_path(fname)))
        return fname


class CommittedCase(StoreCase, common.BaseCase):
    """Tests whose transactions are real: none is open but those that a test opens, and each can be committed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.names = set()
        cls.addClassCleanup(cls._forget)

    @classmethod
    @contextlib.contextmanager
    def transaction(cls):
        """An environment whose transaction is committed at the end."""
        with compat.new_cursor(common.get_db_name()) as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    @classmethod
    def _forget(cls):
        with cls.transaction() as env:
            env.cr.execute("DELETE FROM ir_attachment WHERE store_fname = ANY(%s)", [list(cls.names)])
            for table in ("s3_gc_mark", "s3_outbox"):
                env.cr.execute(f"DELETE FROM {table} WHERE fname = ANY(%s)", [list(cls.names)])  # noqa: S608

    def attach(self, env, raw, **values):
        attachment = env["ir.attachment"].create({"name": "file.bin", "mimetype": "application/octet-stream", "raw": raw, **values})
        env.flush_all()
        self.names.add(attachment.store_fname)
        return attachment

    def committed(self, raw, **values):
        """An attachment that is in the database, as (id, name)."""
        with self.transaction() as env:
            attachment = self.attach(env, raw, **values)
            return attachment.id, attachment.store_fname

    def unlink(self, attachment_id):
        with self.transaction() as env:
            env["ir.attachment"].browse(attachment_id).unlink()

    def read(self, attachment_id):
        with self.transaction() as env:
            return env["ir.attachment"].browse(attachment_id).raw

    def count_marks(self, fname):
        with self.transaction() as env:
            env.cr.execute("SELECT count(*) FROM s3_gc_mark WHERE fname = %s", [fname])
            return env.cr.fetchone()[0]

    def eventually(self, condition):
        for _attempt in range(300):
            if condition():
                return
            time.sleep(0.1)
        self.fail("it never came true")

    def await_ripe(self, beginning):
        """Wait until all marks of names that begin so are older than every transaction of the Odoo beside these tests."""

        def ripe():
            with self.transaction() as env:
                horizon = gc._horizon(env.cr, 0)[0]
                env.cr.execute("SELECT max(marked_at) < %s FROM s3_gc_mark WHERE starts_with(fname, %s)", [horizon, beginning])
                return env.cr.fetchone()[0]

        self.eventually(ripe)

    def collect_until(self, done, store=None):
        """Collect garbage until that is so. A transaction of the Odoo beside these tests may be older than a mark: then its turn comes later."""
        for _attempt in range(150):
            with self.transaction() as env:
                report = storage.collect(env, store or self.store, 60)
            if done():
                return
            time.sleep(0.2)
        self.fail(f"it never came true: {report}")

    def assertCollected(self, fname):
        """Garbage collection takes it."""
        self.collect_until(lambda: self.settings.prefix + fname not in self._keys())
        self.assertEqual(self.count_marks(fname), 0)

    def versions(self):
        """All there is under the prefix, deleted or not."""
        answer = self.store._client().list_object_versions(Bucket=self.settings.bucket, Prefix=self.settings.prefix)
        return sorted((item["Key"], item["VersionId"], kind, item["IsLatest"]) for kind in ("Versions", "DeleteMarkers") for item in answer.get(kind, []))
