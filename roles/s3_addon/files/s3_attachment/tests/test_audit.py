# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What an audit finds, what it repairs, and who may see it."""

from __future__ import annotations

import dataclasses
from unittest.mock import Mock, patch

from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged
from werkzeug.exceptions import InternalServerError

from .. import compat, storage
from ..engine.store import ObjectStore
from ..models.s3_audit import S3Audit
from .common import CommittedCase, StoreCase, random_bytes


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestAudit(CommittedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings = dataclasses.replace(cls.settings, gc_grace_hours=0)
        cls.store = ObjectStore(cls.settings)

    @classmethod
    def _forget(cls):
        super()._forget()
        with cls.transaction() as env:
            env["s3.audit"].search([]).unlink()

    def audit(self, fname, level="checksum", repair=False):
        """The counts and the findings about one content, of an audit of its directory."""
        with self.transaction() as env:
            audit = storage.auditor(env, self.store, f"{int(fname[:2], 16) + 1}/256", level, repair)
            audit.learn()
            audit.audit()
        return {entry["finding"]: entry["detail"] for entry in audit.report.findings if entry["name"] == fname}

    def delete(self, fname):
        self.store._client().delete_object(Bucket=self.settings.bucket, Key=self.settings.prefix + fname)

    def put(self, fname, body):
        self.store._client().put_object(Bucket=self.settings.bucket, Key=self.settings.prefix + fname, Body=body, Metadata={"sha1": fname[3:]})

    def test_an_older_dump_after_garbage_collection(self):
        """Pitfall 33: the database is that of yesterday, and what was collected since is had back."""
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        self.unlink(attachment)
        self.assertCollected(fname)
        with self.transaction() as env:
            env.cr.execute(
                "INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum, mimetype)"
                " VALUES ('file.bin', 'binary', %s, 100, %s, 'application/octet-stream') RETURNING id",
                [fname, fname[3:]],
            )
            attachment = env.cr.fetchone()[0]
        with self.assertRaises(InternalServerError), self.assertLogs("odoo.addons.s3_attachment.storage", "ERROR"):
            self.read(attachment)
        self.assertIn("a repair would take the version", self.audit(fname)["missing"])
        self.assertEqual(list(self.audit(fname, repair=True)), ["repaired"])
        self.assertEqual(self.read(attachment), raw)
        self.assertEqual(self.audit(fname, repair=True), {})

    def test_damaged_objects(self):
        """Pitfalls 19 and 23: not the length and not what the metadata say, but the content."""
        raw = random_bytes(100)
        attachment, fname = self.committed(raw)
        self.assertEqual(self.audit(fname), {})
        self.put(fname, b"x" * 100)
        self.assertEqual(self.audit(fname, "size"), {})
        self.assertIn("are not the content", self.audit(fname)["checksum"])
        self.put(fname, raw[:-1])
        self.assertIn("99 bytes, and its rows say 100", self.audit(fname, "size")["size"])
        self.assertEqual(list(self.audit(fname, "size", repair=True)), ["repaired"])
        self.assertEqual(self.read(attachment), raw)

    def test_what_waits_is_not_missing(self):
        raw = random_bytes(100)
        with self.transaction() as env, patch.object(storage, "_load", lambda: self.dead), self.assertLogs("odoo.addons.s3_attachment", "ERROR"):
            fname = self.attach(env, raw).store_fname
        self.assertEqual(list(self.audit(fname)), ["waiting"])
        self.assertEqual(list(self.audit(fname, repair=True)), ["repaired"])
        with self.transaction() as env:
            self.assertEqual(storage.drain(env, self.store).error, "")
        self.assertEqual(self.audit(fname), {})
        self.assertEqual(self.store.get_bytes(fname), raw)

    def test_orphans(self):
        """What a transaction that failed has left is known to garbage collection, and no orphan."""
        with self.assertRaises(ZeroDivisionError), self.transaction() as env:
            fname = self.attach(env, random_bytes(100)).store_fname
            raise ZeroDivisionError
        self.assertEqual(self.audit(fname), {})
        with self.transaction() as env:
            env.cr.execute("DELETE FROM s3_gc_mark WHERE fname = %s", [fname])
        # The server tells times by the second, and this object was stored in this one.
        with patch.object(storage.audit, "moment", lambda _modified: 0.0):
            self.assertEqual(list(self.audit(fname)), ["orphans_bucket"])
        self.store.head(fname)

    def test_scheduled(self):
        """In as many runs as it takes; each kind is counted, and a later audit takes the place of the former."""
        fname = self.committed(random_bytes(100))[1]
        self.delete(fname)
        with self.transaction() as env:
            env["s3.audit"].search([]).unlink()
            self.patch(compat, "run_seconds", lambda: 0)
            # Or else the Odoo beside these tests would go on with the audit, too.
            triggered = Mock()
            self.patch(env.registry["ir.cron"], "_trigger", triggered)
            env["s3.audit"]._cron_audit()
            audit = env["s3.audit"].search([])
            self.assertEqual((len(audit), audit.state), (1, "running"))
            triggered.assert_called_once()
            position = audit.position
            self.assertIn(position, (1, 16))
        runs, state = 1, "running"
        while state == "running":
            with self.transaction() as env:
                env["s3.audit"]._cron_audit()
                audit = env["s3.audit"].search([])
                self.assertEqual(len(audit), 1)
                self.assertGreater(audit.position, position)
                state, position = audit.state, audit.position
                counts = (position, audit.referenced > 0, audit.missing > 0, audit.repairable > 0, bool(audit.ended_at))
            runs += 1
        self.assertGreater(runs, 10)
        self.assertEqual((state, counts), ("done", (256, True, True, True, True)))
        with self.transaction() as env:
            # In the transaction that makes a finding Odoo takes it for one without attachments.
            found = env["s3.audit"].search([]).finding_ids.filtered(lambda finding: finding.fname == fname)
            self.assertEqual((found.mapped("kind"), found.attachment_ids.mapped("store_fname")), (["missing"], [fname]))
        with self.transaction() as env:
            self.patch(compat, "run_seconds", lambda: 300)
            env["s3.audit"]._cron_audit()
            audits = env["s3.audit"].search([])
            self.assertEqual(audits.mapped("state"), ["done", "done"])
            self.assertEqual(audits.finding_ids.audit_id, audits[0])
            self.assertEqual((audits[0].referenced, audits[0].missing), (audits[1].referenced, audits[1].missing))
            metrics = env["s3.audit"]._metrics()
            self.assertIn(f's3_attachment_audit_findings{{kind="missing"}} {audits[0].missing}\n', metrics)
            self.assertRegex(metrics, r"(?m)^s3_attachment_audit_ended_seconds \d{10}$")
            page = env["res.config.settings"].create({})
            self.assertIn(f"{audits[0].missing} are missing", page.s3_attachment_audit)

    def test_outage(self):
        with self.transaction() as env, patch.object(storage, "_load", lambda: self.dead):
            audit = env["s3.audit"].create({})
            audit._go_on(60)
            self.assertEqual((audit.state, audit.position), ("failed", 0))
            self.assertIn("no complete answer", audit.fault)
            self.assertNotIn(self.settings.secret_key, audit.fault)
            audit.unlink()


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestAuditAccess(StoreCase, TransactionCase):
    def test_for_administrators_only(self):
        admin = new_test_user(self.env, "s3-auditor", "base.group_user,base.group_system")
        employee = new_test_user(self.env, "s3-nobody", "base.group_user,base.group_erp_manager")
        audit = self.env["s3.audit"].create({"state": "done"})
        self.env["s3.audit.finding"].create({"audit_id": audit.id, "kind": "missing", "fname": "ab/x"})
        for model in ("s3.audit", "s3.audit.finding"):
            self.assertTrue(self.env[model].with_user(admin).search([]))
            with self.assertRaises(AccessError):
                self.env[model].with_user(admin).search([]).unlink()
            with self.assertRaises(AccessError):
                self.env[model].with_user(employee).search([])
        for model, method in (("s3.audit", "action_repair"), ("res.config.settings", "action_s3_attachment_audit")):
            records = audit if model == "s3.audit" else self.env[model]
            with self.assertRaises(AccessError):
                getattr(records.with_user(employee), method)()
        with patch.object(S3Audit, "_go_on") as went:
            action = audit.with_user(admin).action_repair()
            began = self.env["s3.audit"].browse(action["res_id"])
            self.assertEqual((began.repair, began.level, began.state), (True, audit.level, "running"))
            action = self.env["res.config.settings"].with_user(admin).create({}).action_s3_attachment_audit()
            self.assertNotEqual(action["res_id"], began.id)
            self.assertEqual(went.call_count, 2)
        for name in ("s3_audit_menu", "s3_audit_finding_menu"):
            menu = self.env.ref(f"s3_attachment.{name}").id
            self.assertIn(menu, self.env["ir.ui.menu"].with_user(admin)._visible_menu_ids())
            self.assertNotIn(menu, self.env["ir.ui.menu"].with_user(employee)._visible_menu_ids())
