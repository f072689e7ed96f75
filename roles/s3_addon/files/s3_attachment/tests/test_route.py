# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import urllib.request
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from .. import storage
from ..engine import fence, keys
from ..engine.config import Route
from ..engine.errors import Denied, NotFound
from ..engine.store import ObjectStore
from .common import CommittedCase, StoreCase, random_bytes

COLD, OTHER = Route(storage_class="REDUCED_REDUNDANCY"), Route(storage_class="STANDARD")
# A second bucket, in which the key of this Odoo may do as much as in the first.
ANOTHER_BUCKET = os.environ.get("S3_ATTACHMENT_TEST_BUCKET", "plain")


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
        return keys.parse(self.create(random_bytes(100), **values).store_fname).route

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
        return keys.parse(self.create(**{"raw": random_bytes(100), **values}).store_fname).route

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
        raw, contents = random_bytes(100), [random_bytes(100) for _number in range(3)]
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
        attachment = self.create(random_bytes(100), mimetype="image/x-own")
        self.rule(mimetype="image/*", company_id=attachment.company_id.id)
        raw, before = random_bytes(100), attachment.store_fname
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
        rule, raw = self.rule(), random_bytes(100)
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
        raw = random_bytes(100)
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
        raw = random_bytes(100)
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
        raw = random_bytes(100)
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
        attachment = self.env["ir.attachment"].with_user(user).create({"name": "x", "raw": random_bytes(100)})
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
        raw = random_bytes(100)
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


class ElsewhereCase(StoreCase):
    """The route ``apart`` leads to another bucket, and ``near`` to another prefix."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.routes = {"apart": Route(bucket=ANOTHER_BUCKET), "near": Route(prefix=f"{cls.settings.prefix}near/")}
        cls.store = cls.with_routes()

    @classmethod
    def with_routes(cls, **changed):
        """The store with some routes in another way; None for no longer having one."""
        routes = {code: route for code, route in {**cls.routes, **changed}.items() if route}
        # Not every second bucket keeps versions.
        return ObjectStore(dataclasses.replace(cls.settings, routes=tuple(routes.items()), gc_grace_hours=0, gc_unversioned="allow"))

    @classmethod
    def _empty(cls):
        super()._empty()
        for key in cls.listed(ANOTHER_BUCKET):
            cls.store._client().delete_object(Bucket=ANOTHER_BUCKET, Key=key)

    @classmethod
    def listed(cls, bucket):
        answer = cls.store._client().list_objects_v2(Bucket=bucket, Prefix=cls.settings.prefix)
        return [item["Key"] for item in answer.get("Contents", [])]

    def places(self, sha1):
        """Where there is an object with that content: pairs of bucket and key."""
        return {(bucket, key) for bucket in (self.settings.bucket, ANOTHER_BUCKET) for key in self.listed(bucket) if sha1 in key}

    def rule(self, env, code, **values):
        return env["s3.route"].create({"name": "a rule", "code": code, **values})


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestRouteElsewhere(ElsewhereCase, HttpCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(storage._fences.clear)

    def get(self, attachment, query="?download=1", **headers):
        return self.opener.get(f"{self.base_url()}/web/content/{attachment.id}{query}", headers=headers, allow_redirects=False, timeout=30)

    def test_object_is_in_the_right_bucket(self):
        """Pitfall 31: 19.0 hands no more than a content on to where it is stored."""
        raw = random_bytes(100)
        sha1 = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        prefix, bucket = self.settings.prefix, self.settings.bucket
        plain = self.create(raw)
        apart_rule = self.rule(self.env, "apart", mimetype="application/x-apart")
        self.rule(self.env, "near", mimetype="application/x-near")
        apart, near = self.env["ir.attachment"].create([{"name": kind, "raw": raw, "mimetype": f"application/x-{kind}"} for kind in ("apart", "near")])
        name = keys.build(sha1)
        self.assertEqual([record.store_fname for record in (plain, apart, near)], [name, f"{name}-apart", f"{name}-near"])
        everywhere = {(bucket, prefix + name), (ANOTHER_BUCKET, f"{prefix}{name}-apart"), (bucket, f"{prefix}near/{name}-near")}
        self.assertEqual(self.places(sha1), everywhere)
        # One by one, as on the form: for several at once the store is not asked.
        self.assertEqual([self.env["ir.attachment"].browse(record.id).s3_bucket for record in (plain, apart, near)], [bucket, ANOTHER_BUCKET, bucket])
        # Written again, and copied: it stays where it is, whatever becomes of the rule.
        plain.write({"raw": raw, "mimetype": "application/x-apart"})
        apart_rule.unlink()
        self.assertEqual(plain.store_fname, f"{name}-apart")
        copied = apart.copy()
        self.assertEqual(self.places(sha1), everywhere)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual((plain + apart + near + copied).mapped("raw"), [raw] * 4)
        for record in (plain, near, copied):
            self.assertEqual(self.env["ir.attachment"].browse(record.id).raw, raw)

    def test_file_of_another_company(self):
        """Pitfall 32: the bucket is that of the company whose file it is, whoever reads it."""
        other = self.env["res.company"].create({"name": "Another company"})
        where = {"company_id": other.id, "company_ids": [(6, 0, [other.id])]}
        new_test_user(self.env, "s3-elsewhere", "base.group_user", password="s3-elsewhere-password", **where)  # noqa: S106
        partner = self.env["res.partner"].create({"name": "Somebody"})
        self.rule(self.env, "apart", company_id=self.env.company.id)
        self.rule(self.env, "near", company_id=other.id)
        self.authenticate("s3-elsewhere", "s3-elsewhere-password")
        for size, status in ((500, 200), (5000, 302)):
            raw = random_bytes(size)
            attachment = self.create(raw, res_model="res.partner", res_id=partner.id, company_id=self.env.company.id)
            self.assertEqual(attachment.s3_bucket, ANOTHER_BUCKET)
            response = self.get(attachment)
            self.assertEqual(response.status_code, status, response.text[:300])
            if status == 302:
                self.assertIn(f"/{ANOTHER_BUCKET}/{self.settings.prefix}{attachment.store_fname}?", response.headers["Location"])
                with urllib.request.urlopen(response.headers["Location"], timeout=30) as answer:  # noqa: S310
                    self.assertEqual(answer.read(), raw)
            else:
                self.assertEqual(response.content, raw)

    def test_who_sends_it(self):
        """Each route's files as the route says, the rest as ever; and each link is good for as long as the route says."""
        store = self.with_routes(
            apart=Route(bucket=ANOTHER_BUCKET, serve_mode="x_accel"),
            near=Route(prefix=f"{self.settings.prefix}near/", serve_mode="proxy"),
            long=Route(presign_ttl=self.settings.presign_ttl + 100),
        )
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")
        raw, links = random_bytes(5000), {}
        with patch.object(storage, "_load", lambda: store):
            for code in ("apart", "near", "long"):
                self.rule(self.env, code, mimetype=f"application/x-{code}")
            for code in ("", "apart", "near", "long"):
                attachment = self.create(raw, mimetype=f"application/x-{code or 'own'}")
                self.assertEqual(keys.parse(attachment.store_fname).route, code)
                response = self.get(attachment, "?download=1&unique=1", **{"X-S3-Attachment-Accel": "on"})
                links[code] = response.headers.get("Location") or response.headers.get("X-Accel-Redirect") or response.content
        self.assertEqual(links["near"], raw)
        self.assertTrue(links["apart"].startswith(f"/-/s3_attachment/cached/{ANOTHER_BUCKET}/{self.settings.prefix}"), links["apart"])
        self.assertIn(f"X-Amz-Expires={self.settings.presign_ttl}&", links[""])
        self.assertIn(f"X-Amz-Expires={self.settings.presign_ttl + 100}&", links["long"])


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestRouteElsewhereGarbage(ElsewhereCase, CommittedCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(storage._fences.clear)
        self.raw = random_bytes(100)
        self.sha1 = hashlib.sha1(self.raw, usedforsecurity=False).hexdigest()
        self.plain, self.fname = self.committed(self.raw)
        with self.transaction() as env:
            self.rule(env, "apart", mimetype="application/x-apart")
        self.addCleanup(self.forget_rules)
        self.routed, self.routed_fname = self.committed(self.raw, mimetype="application/x-apart")
        self.here = (self.settings.bucket, self.settings.prefix + self.fname)
        self.there = (ANOTHER_BUCKET, self.settings.prefix + self.routed_fname)
        self.assertEqual(self.places(self.sha1), {self.here, self.there})

    def forget_rules(self):
        with self.transaction() as env:
            env["s3.route"].search([]).unlink()

    def test_collecting_the_one_leaves_the_other(self):
        self.unlink(self.routed)
        self.collect_until(lambda: self.places(self.sha1) == {self.here})
        self.assertEqual(self.read(self.plain), self.raw)
        self.unlink(self.plain)
        self.collect_until(lambda: not self.places(self.sha1))

    def test_copy(self):
        """It reads from both, and deletes in neither; also where only the route's bucket is the original's."""
        for mine in ({"instance_id": "copy"}, {"instance_id": "copy", "prefix": f"{self.settings.prefix}copy/"}):
            apart = Route(bucket=ANOTHER_BUCKET, prefix=self.settings.prefix)
            copy = ObjectStore(dataclasses.replace(self.store.config, **mine, routes=(("apart", apart),)))
            with patch.object(storage, "_load", lambda copy=copy: copy), mute_logger("odoo.addons.s3_attachment.storage"):
                self.assertEqual(self.read(self.routed), self.raw)
                new, fname = self.committed(random_bytes(100), mimetype="application/x-apart")
                with self.transaction() as env:
                    self.assertEqual(fence.examine(copy, env.cr).state, fence.FOREIGN)
                    self.assertRaises(fence.NotOwner, storage.collect, env, copy, 60)
                    path = env["ir.attachment"]._full_path(fname)
                self.assertTrue(os.path.isfile(path))
                self.unlink(new)
                self.addCleanup(lambda path=path: os.path.exists(path) and os.unlink(path))
            self.assertEqual(self.places(self.sha1), {self.here, self.there})
            self.assertFalse(self.places(fname[3:43]))

    def test_route_whose_bucket_was_changed(self):
        """Nothing is stored by it, deleted, or taken for missing, until its files are where the settings say; all else goes on."""
        for route in (None, Route(prefix=f"{self.settings.prefix}new/")):
            changed = self.with_routes(apart=route)
            with patch.object(storage, "_load", lambda changed=changed: changed):
                self.committed(random_bytes(100))
                with mute_logger("odoo.addons.s3_attachment.storage", "odoo.addons.s3_attachment.models.s3_route"):
                    if route:
                        with self.assertRaisesRegex(UserError, "does not accept it"):
                            self.committed(random_bytes(100), mimetype="application/x-apart")
                with self.transaction() as env:
                    sentence = f"the contents of the route apart are in bucket {ANOTHER_BUCKET}"
                    self.assertRaisesRegex(Denied, sentence, storage.collect, env, changed, 60)
                    self.assertRaisesRegex(Denied, sentence, storage.auditor(env, changed, "1/256", "size", False).audit)
        self.assertEqual(self.read(self.routed), self.raw)
        self.assertEqual(self.places(self.sha1), {self.here, self.there})
