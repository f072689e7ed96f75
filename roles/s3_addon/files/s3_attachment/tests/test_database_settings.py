# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Settings of the store that are system parameters, where the host allows it."""

from __future__ import annotations

import pathlib
import re
import secrets
import tempfile
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged

from .. import storage
from ..engine import sources
from ..storage import _load as load
from .common import StoreCase, random_bytes

NAMES = ("bucket", "prefix", "endpoint_url", "region", "access_key", "secret_key")
SECRET = "s3_attachment.secret_key"  # noqa: S105


class HostCase(StoreCase):
    """Tests on a host with settings of their own."""

    def host(self, **settings):
        """The host says only that, and that in the environment."""
        self.addCleanup(storage._fences.clear)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        watch = sources.Watch(f"{folder}/odoo.conf", {f"ODOO_S3_{name.upper()}": value for name, value in settings.items()})
        self.enterContext(patch.object(storage, "_watch", lambda: watch))
        self.enterContext(patch.object(storage, "_load", load))
        self.env.registry.clear_all_caches()
        self.addCleanup(self.env.registry.clear_all_caches)

    def store_of_the_tests(self):
        # It has no instance_id, so it is another owner to others.
        return {name: str(getattr(self.settings, name)) for name in NAMES} | {"prefix": self.prefix}

    def setUp(self):
        super().setUp()
        self.prefix = f"{self.settings.prefix}{secrets.token_hex(4)}/"

    def set(self, **settings):
        for name, value in settings.items():
            self.env["ir.config_parameter"].sudo().set_param(f"s3_attachment.{name}", value)


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestDatabaseSettings(HostCase, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(cls.env, "s3-admin", "base.group_user,base.group_system")

    def page(self, **values):
        return self.env["res.config.settings"].with_user(self.admin).create(values)

    def test_nothing_by_default(self):
        self.host(**self.store_of_the_tests())
        self.set(presign_ttl="600")
        self.assertEqual(storage.get(self.env).config.presign_ttl, 300)
        self.assertEqual(self.page().s3_attachment_database_settings, "none")

    def test_database_comes_last(self):
        self.host(**self.store_of_the_tests(), database_settings="safe", presign_ttl="120")
        before = storage.get(self.env)
        self.set(presign_ttl="600", serve_mode="proxy")
        settings = storage.get(self.env).config
        self.assertEqual((settings.presign_ttl, settings.serve_mode), (120, "proxy"))
        self.assertIs(storage.get(self.env), storage.get(self.env))
        self.assertIsNot(storage.get(self.env), before)
        table = self.page().s3_attachment_settings
        self.assertIn("<tr><td>serve_mode</td><td>proxy</td><td>the database</td></tr>", table)
        self.assertIn("<tr><td>presign_ttl</td><td>120</td><td>the environment</td></tr>", table)
        self.set(serve_mode=False)
        self.assertEqual(storage.get(self.env).config.serve_mode, "redirect")

    def test_reading_asks_the_database_once(self):
        self.host(**self.store_of_the_tests(), database_settings="safe")
        storage.get(self.env)
        with self.assertQueryCount(0):
            for _time in range(5):
                storage.get(self.env)

    def test_other_workers_are_told(self):
        """By the sequences of the caches that all processes look at before each request."""
        self.host(**self.store_of_the_tests(), database_settings="safe")
        storage.get(self.env)
        self.env.registry.cache_invalidated.clear()
        self.set(serve_mode="proxy")
        self.assertTrue(self.env.registry.cache_invalidated)

    def test_whole_store(self):
        self.host(database_settings="all")
        self.assertIsNone(storage.get(self.env))
        page = self.page()
        self.assertEqual(page.s3_attachment_database_settings, "all")
        values = self.store_of_the_tests()
        saved = self.page(**{f"s3_attachment_{name}": value for name, value in values.items()})
        saved.execute()
        store = storage.get(self.env)
        self.assertEqual((store.config.bucket, store.config.key), (self.settings.bucket, self.settings.key))
        attachment = self.env["ir.attachment"].create({"name": "x", "raw": random_bytes(10)})
        self.assertIn(self.prefix + attachment.store_fname, self._keys())
        self.assertFalse(saved.s3_attachment_secret_key)

    def test_secret_is_written_and_never_read(self):
        self.host(database_settings="all")
        self.page(**{f"s3_attachment_{name}": value for name, value in self.store_of_the_tests().items()}).execute()
        page = self.page()
        for field in ("s3_attachment_secret_key", "s3_attachment_settings"):
            self.assertNotIn(self.settings.secret_key, str(page[field]))
        self.assertNotIn(self.settings.secret_key, str(self.page().default_get(list(page.fields_get()))))
        self.assertIn("<tr><td>secret_key</td><td>********</td><td>the database</td>", page.s3_attachment_settings)
        parameters = self.env["ir.config_parameter"].with_user(self.admin)
        self.assertFalse(parameters.search([("key", "=", SECRET)]))
        self.assertFalse(parameters.get_param(SECRET))
        self.assertFalse(parameters.search([("value", "=", self.settings.secret_key)]))
        hidden = parameters.sudo().search([("key", "=", SECRET)]).with_user(self.admin)
        self.assertTrue(hidden)
        hidden.invalidate_recordset()
        with self.assertRaises(AccessError):
            hidden.read(["value"])
        # Saving the page again leaves it as it is.
        self.page().execute()
        self.assertEqual(storage.get(self.env).config.key, self.settings.key)

    def test_host_that_names_the_store_is_not_led_elsewhere(self):
        self.host(database_settings="all")
        self.set(endpoint_url="http://127.0.0.1:9", bucket="elsewhere", public_endpoint_url="http://127.0.0.1:9")
        self.host(**self.store_of_the_tests(), database_settings="all")
        settings = storage.get(self.env).config
        self.assertEqual((settings.where, settings.public_endpoint_url), (self.settings.where, self.settings.endpoint_url))
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            self.set(access_key="mine")
        self.assertEqual(self.page().s3_attachment_database_settings, "safe")

    def test_wrong_ones_are_refused(self):
        self.host(**self.store_of_the_tests(), database_settings="safe")
        for name, value, says in (("presign_ttl", "5", "a whole number from 60 to 900"), ("bucket", "mine", "not taken from the database")):
            with self.assertRaisesRegex(ValidationError, says), self.env.cr.savepoint():
                self.set(**{name: value})
        # Nobody's business.
        self.set(migration_hosts="app1", anything="else")
        self.assertEqual(storage.get(self.env).config.presign_ttl, 300)

    def test_incomplete_store_is_refused(self):
        self.host(database_settings="all")
        with self.assertRaisesRegex(ValidationError, "access_key is set .* without secret_key"):
            self.page(s3_attachment_bucket=self.settings.bucket, s3_attachment_access_key="AK").execute()

    def test_copy_does_not_have_the_key(self):
        self.host(database_settings="all")
        self.set(**self.store_of_the_tests())
        self.env.flush_all()
        script = pathlib.Path(storage.__file__).parent / "data/neutralize.sql"
        self.env.cr.execute(script.read_text())
        self.env.cr.execute("SELECT key FROM ir_config_parameter WHERE key LIKE 's3_attachment.%_key'")
        self.assertEqual(self.env.cr.fetchall(), [])

    def test_whoever_asks_for_the_store_says_for_which_database(self):
        """Else the settings of the database would count here and not there."""
        for path in sorted(pathlib.Path(storage.__file__).parent.rglob("*.py")):
            if "tests" not in path.parts:
                self.assertFalse(re.findall(r"storage\.get\(\)", path.read_text()), path)


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestDatabaseSettingsDownload(HostCase, HttpCase):
    def test_downloads_follow_at_once(self):
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")
        self.host(**self.store_of_the_tests(), database_settings="safe", redirect_min_size="1000")
        raw = random_bytes(5000)
        attachment = self.env["ir.attachment"].create({"name": "x.bin", "raw": raw})
        address = f"{self.base_url()}/web/content/{attachment.id}?download=1"
        for mode, status in (("redirect", 302), ("proxy", 200), ("redirect", 302)):
            self.set(serve_mode=mode)
            self.env.flush_all()
            self.assertEqual(self.opener.get(address, allow_redirects=False, timeout=30).status_code, status, mode)
