# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import secrets
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from .. import storage
from ..engine import keys
from ..engine.config import Placement
from ..engine.errors import NotFound
from ..engine.store import ObjectStore
from .common import CommittedCase, StoreCase

COLD, OTHER = Placement(storage_class="REDUCED_REDUNDANCY"), Placement(storage_class="STANDARD")


class RouteCase(StoreCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = cls.store
        cls.store = ObjectStore(dataclasses.replace(cls.settings, routes=(("cold", COLD), ("other", OTHER))))


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestRoute(RouteCase, TransactionCase):
    def rule(self, code="cold", **values):
        return self.env["s3.route"].create({"name": "a rule", "code": code, **values})

    def route(self, **values):
        return keys.parse(self.create(secrets.token_bytes(100), **values).store_fname).route

    def test_each_criterion(self):
        company = self.env["res.company"].create({"name": "Another"})
        partner = self.env["ir.model"]._get("res.partner")
        cases = [
            ({"company_id": company.id}, {"company_id": company.id}, {}),
            ({"model_id": partner.id}, {"res_model": "res.partner", "res_id": 1}, {"res_model": "res.company", "res_id": 1}),
            ({"mimetype": "image/*"}, {"mimetype": "image/x-own"}, {"mimetype": "text/image"}),
            ({"mimetype": "video/mp4"}, {"mimetype": "video/mp4"}, {"mimetype": "video/mp4x"}),
            ({"min_size": 100, "max_size": 100}, {}, {"raw": b"x" * 101}),
            ({"min_size": 100}, {}, {"raw": b"x" * 99}),
        ]
        for criterion, fitting, other in cases:
            rule = self.rule(**criterion)
            self.assertEqual((self.route(**fitting), self.route_of(other)), ("cold", ""), criterion)
            rule.active = False
            self.assertEqual(self.route(**fitting), "")

    def route_of(self, values):
        return keys.parse(self.create(**{"raw": secrets.token_bytes(100), **values}).store_fname).route

    def test_first_rule_that_fits(self):
        first, second = self.rule(mimetype="image/*", sequence=1), self.rule("other", sequence=2)
        self.assertEqual((self.route(mimetype="image/x-own"), self.route()), ("cold", "other"))
        first.sequence = 3
        self.assertEqual(self.route(mimetype="image/x-own"), "other")
        second.unlink()
        self.assertEqual((self.route(mimetype="image/x-own"), self.route()), ("cold", ""))

    def test_company_that_is_not_given(self):
        self.rule(company_id=self.env.company.id)
        self.assertEqual((self.route(), self.route(company_id=False)), ("cold", ""))

    def test_several_at_once(self):
        """Each by its own route, in the order in which they came, and with its bytes."""
        self.rule(mimetype="image/*")
        self.rule("other", model_id=self.env["ir.model"]._get("res.partner").id)
        raw, contents = secrets.token_bytes(100), [secrets.token_bytes(100) for _number in range(3)]
        records = self.env["ir.attachment"].create(
            [
                {"name": "0", "raw": contents[0], "mimetype": "application/x-own", "res_model": "res.partner", "res_id": 1},
                {"name": "1", "datas": base64.b64encode(raw), "mimetype": "image/x-own"},
                {"name": "2", "raw": raw, "mimetype": "application/x-own"},
                {"name": "3", "raw": contents[1], "mimetype": "image/x-own", "res_model": "res.partner", "res_id": 1},
                {"name": "4", "raw": "text", "mimetype": "text/plain", "res_model": "res.partner", "res_id": 1},
                {"name": "5", "raw": b""},
            ]
        )
        self.assertEqual(records.mapped("name"), list("012345"))
        self.assertEqual([fname and keys.parse(fname).route for fname in records.mapped("store_fname")], ["other", "cold", "", "cold", "other", False])
        self.assertNotIn("s3_owner", records.env.context)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(records.mapped("raw"), [contents[0], raw, raw, contents[1], b"text", False])
        # One by one, as on the form: for several at once the store is not asked.
        for record in map(self.env["ir.attachment"].browse, records[:5].ids):
            self.assertEqual(record.s3_storage_class, "REDUCED_REDUNDANCY" if keys.parse(record.store_fname).route == "cold" else "STANDARD")
        # Nothing was stored that nobody refers to.
        self.assertLessEqual({self.settings.prefix + name for name in self.both(raw)}, set(self._keys()))
        self.assertNotIn(self.settings.prefix + self.both(contents[1])[0], self._keys())

    def both(self, raw):
        sha1 = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        return keys.build(sha1), keys.build(sha1, "cold")

    def test_written_again(self):
        attachment = self.create(secrets.token_bytes(100), mimetype="image/x-own")
        self.rule(mimetype="image/*", company_id=attachment.company_id.id)
        raw, before = secrets.token_bytes(100), attachment.store_fname
        attachment.write({"raw": raw, "mimetype": "image/x-own"})
        self.assertEqual((keys.parse(before).route, keys.parse(attachment.store_fname).route), ("", "cold"))
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(attachment.raw, raw)
        copied = attachment.copy()
        self.assertEqual(copied.store_fname, attachment.store_fname)

    def test_binary_field(self):
        self.rule(model_id=self.env["ir.model"]._get("res.partner").id)
        image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        partner = self.env["res.partner"].create({"name": "x", "image_1920": image})
        found = self.env["ir.attachment"].search([("res_model", "=", "res.partner"), ("res_id", "=", partner.id), ("res_field", "=", "image_1920")])
        self.assertEqual(keys.parse(found.store_fname).route, "cold")
        self.env.invalidate_all()
        self.assertTrue(partner.image_1920)

    def test_what_is_stored_stays_found(self):
        """Whatever becomes of the rule, and of the route in the settings."""
        rule, raw = self.rule(), secrets.token_bytes(100)
        attachment = self.create(raw)
        fname = attachment.store_fname
        with patch.object(storage, "_load", lambda: self.plain):
            self.env.invalidate_all()
            self.assertEqual(attachment.raw, raw)
            with mute_logger("odoo.addons.s3_attachment.models.s3_route"):
                self.assertEqual(self.route(), "")
        rule.unlink()
        self.env.invalidate_all()
        self.assertEqual((attachment.raw, attachment.store_fname, self.route()), (raw, fname, ""))

    def test_outage(self):
        self.rule()
        raw = secrets.token_bytes(100)
        with self.outage(), patch.object(type(self.env["s3.route"]), "_routes", lambda _self: [("cold", "cold")]):
            with mute_logger("odoo.addons.s3_attachment.models.ir_attachment"):
                attachment = self.create(raw)
            self.env.invalidate_all()
            self.assertEqual(attachment.raw, raw)
        fname = attachment.store_fname
        self.assertEqual((keys.parse(fname).route, self.env["s3.outbox"]._hosts(fname)), ("cold", ["this-host"]))
        with open(storage.spool(self.env, self.store).path(fname), "rb") as file:
            self.assertTrue(self.store.put(fname, file))
        self.assertEqual(attachment.s3_storage_class, "REDUCED_REDUNDANCY")

    def test_copy_of_the_database(self):
        """What it keeps locally it finds under the name in the row."""
        self.rule()
        raw = secrets.token_bytes(100)
        with patch.object(storage, "may_write", lambda *_arguments: False):
            attachment = self.create(raw)
        self.assertEqual(keys.parse(attachment.store_fname).route, "cold")
        with open(self.local_path(attachment.store_fname), "rb") as file:
            self.assertEqual(file.read(), raw)
        self.assertFalse(os.path.exists(self.local_path(self.both(raw)[0])))
        self.env.invalidate_all()
        with self.outage():
            self.assertEqual(attachment.raw, raw)

    def test_name_that_others_ask_for(self):
        """Whoever takes a path and then writes finds its content, also where this transaction has sent the same one by a route."""
        self.rule()
        raw = secrets.token_bytes(100)
        self.create(raw)
        default, _cold = self.both(raw)
        attachments = self.env["ir.attachment"]
        with self.assertRaises(NotFound):
            self.store.head(default)
        self.assertEqual(attachments._get_path(raw, default[3:])[0], default)
        attachments._file_write(raw, default[3:])
        self.assertEqual(attachments._file_read(default), raw)

    def test_only_administrators(self):
        self.rule()
        user = new_test_user(self.env, "s3-route-user", groups="base.group_user")
        for act in (lambda rules: rules.search([]).mapped("name"), lambda rules: rules.create({"name": "x", "code": "cold"})):
            with self.assertRaises(AccessError):
                act(self.env["s3.route"].with_user(user))
        attachment = self.env["ir.attachment"].with_user(user).create({"name": "x", "raw": secrets.token_bytes(100)})
        self.assertEqual(keys.parse(attachment.sudo().store_fname).route, "cold")

    def test_what_makes_no_sense(self):
        for values in ({"min_size": 2, "max_size": 1}, {"min_size": -1}, {"mimetype": "image"}, {"code": "unknown"}):
            with self.assertRaises(ValidationError):
                self.rule(**values)


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestRouteGarbage(RouteCase, CommittedCase):
    def test_same_content_by_two_routes(self):
        """Collecting the one leaves the other."""
        self.store.config = dataclasses.replace(self.store.config, gc_grace_hours=0)
        raw = secrets.token_bytes(100)
        plain, name = self.committed(raw)
        with self.transaction() as env:
            env["s3.route"].create({"name": "a rule", "code": "cold"})
        self.addCleanup(self.forget_rules)
        routed, other = self.committed(raw)
        self.assertEqual(other, f"{name}-cold")
        self.unlink(plain)
        self.assertCollected(name)
        self.assertEqual((self.store.get_bytes(other), self.read(routed)), (raw, raw))
        self.unlink(routed)
        self.assertCollected(other)

    def forget_rules(self):
        with self.transaction() as env:
            env["s3.route"].search([]).unlink()
