# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import base64
import dataclasses
import io
import secrets
import urllib.parse
import urllib.request
import zipfile
from unittest.mock import patch

from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import config, mute_logger
from PIL import Image

from .. import http_stream, storage
from ..engine.store import ObjectStore
from .common import StoreCase, random_bytes

LOGGER = "odoo.addons.s3_attachment.storage"
SMALL, LARGE = 500, 5000  # of bytes; from 1000 on downloads go to the store


@tagged("-standard", "-at_install", "post_install", "s3_attachment")
class TestDownload(StoreCase, HttpCase):
    def setUp(self):
        super().setUp()
        # Whatever the administrator's password is here.
        new_test_user(self.env, "s3-tester", "base.group_user,base.group_system", password="s3-tester-password")  # noqa: S106
        self.authenticate("s3-tester", "s3-tester-password")

    def get(self, attachment, query="", method="GET", path=None, **headers):
        """Ask Odoo, and do not follow."""
        path = path or f"/web/content/{attachment.id}"
        return self.opener.request(method, self.base_url() + path + query, headers=headers, allow_redirects=False, timeout=30)

    def follow(self, response, method="GET", **headers):
        """Ask the store; Odoo's tests let only their own requests through."""
        request = urllib.request.Request(response.headers["Location"], method=method, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read()

    def test_redirect(self):
        """Pitfalls 14, 18 and 36: never to be remembered, with the name of the attachment, signed for the public address."""
        raw = random_bytes(LARGE)
        name = 'é;"b.bin'
        response = self.get(self.create(raw, name=name), "?download=1")
        self.assertEqual((response.status_code, response.content), (302, b""))
        self.assertEqual(response.headers["Cache-Control"], "private, no-cache")
        self.assertEqual(response.headers["Referrer-Policy"], "no-referrer")
        parts = urllib.parse.urlsplit(response.headers["Location"])
        public = urllib.parse.urlsplit(self.settings.public_endpoint_url)
        self.assertEqual((parts.scheme, parts.netloc), (public.scheme, public.netloc))
        query = urllib.parse.parse_qs(parts.query)
        self.assertEqual(query["X-Amz-Algorithm"], ["AWS4-HMAC-SHA256"])
        self.assertEqual(query["X-Amz-Expires"], [str(self.settings.presign_ttl)])
        status, headers, content = self.follow(response)
        self.assertEqual((status, content), (200, raw))
        self.assertEqual(headers["Content-Disposition"], "attachment; filename=\"_;_b.bin\"; filename*=UTF-8''%C3%A9%3B%22b.bin")

    def test_same_bytes_with_names_and_types_of_their_own(self):
        """Pitfall 18."""
        raw = random_bytes(LARGE)
        for name, mimetype in (("a.pdf", "application/pdf"), ("b.txt", "text/plain")):
            _status, headers, content = self.follow(self.get(self.create(raw, name=name, mimetype=mimetype)))
            self.assertEqual(content, raw)
            self.assertEqual(headers["Content-Type"], mimetype)
            self.assertEqual(headers["Content-Disposition"], f"inline; filename=\"{name}\"; filename*=UTF-8''{name}")

    def test_address_that_changes_with_the_content_may_be_remembered(self):
        """Pitfall 14: for less long than the link is good for."""
        attachment = self.create(random_bytes(LARGE), mimetype="application/pdf")
        response = self.get(attachment, "?unique=1")
        self.assertEqual(response.status_code, 302)
        self.assertEqual(response.headers["Cache-Control"], f"private, max-age={self.settings.presign_ttl - 60}")

    def test_small_file_comes_from_odoo(self):
        raw = random_bytes(SMALL)
        response = self.get(self.create(raw))
        self.assertEqual((response.status_code, response.content), (200, raw))
        response = self.get(self.create(raw), Range="bytes=100-199")
        self.assertEqual((response.status_code, response.content), (206, raw[100:200]))

    def test_range_through_the_redirect(self):
        raw = random_bytes(LARGE)
        response = self.get(self.create(raw, mimetype="video/mp4"), Range="bytes=100-199")
        self.assertEqual(response.status_code, 302)
        status, _headers, content = self.follow(response, Range="bytes=100-199")
        self.assertEqual((status, content), (206, raw[100:200]))

    def test_head(self):
        """Pitfall 15."""
        raw = random_bytes(LARGE)
        attachment = self.create(raw, mimetype="application/pdf")
        response = self.get(attachment, method="HEAD")
        self.assertEqual(response.status_code, 302)
        status, headers, content = self.follow(response, method="HEAD")
        self.assertEqual((status, headers["Content-Length"], content), (200, str(LARGE), b""))
        html = self.create(b"<html>" + b"x" * LARGE, mimetype="text/html")
        with patch.object(self.store, "get_to_file") as get:
            response = self.get(html, method="HEAD")
        self.assertEqual((response.status_code, response.headers["Content-Length"], response.content), (200, str(LARGE + 6), b""))
        get.assert_not_called()

    def test_unchanged(self):
        attachment = self.create(random_bytes(SMALL))
        etag = self.get(attachment).headers["ETag"]
        with patch.object(self.store, "presign", wraps=self.store.presign) as presign:
            self.assertEqual(self.get(attachment, **{"If-None-Match": etag}).status_code, 304)
            large = self.create(random_bytes(LARGE), mimetype="application/pdf")
            response = self.get(large, **{"If-None-Match": f'"{large.checksum}"'})
        self.assertEqual((response.status_code, response.content), (304, b""))
        presign.assert_not_called()

    def test_nothing_that_runs_comes_from_the_bucket(self):
        """Pitfall 17."""
        for mimetype in ("text/html", "image/svg+xml", "application/xml", "application/xhtml+xml", "text/javascript", "application/unknown"):
            raw = b"<x>" + secrets.token_hex(LARGE).encode()
            attachment = self.create(raw, mimetype=mimetype, name="x")
            self.assertEqual(attachment.mimetype, mimetype)
            response = self.get(attachment)
            self.assertEqual((response.status_code, response.content), (200, raw), mimetype)
            self.assertEqual(response.headers["Content-Security-Policy"], "default-src 'none'")
            self.assertEqual(self.get(attachment, "?download=1").status_code, 302 if mimetype == "application/unknown" else 200)
        # The type of the request counts, not that of the attachment.
        image = self.create(random_bytes(LARGE), mimetype="image/gif")
        self.assertEqual(self.get(image).status_code, 302)
        self.assertEqual(self.get(image, "?mimetype=text/html").status_code, 200)
        self.assertEqual(self.get(image, "?mimetype=text/html;x").status_code, 200)

    def test_reports_are_made_on_the_server(self):
        raw = random_bytes(LARGE)
        attachment = self.create(raw, mimetype="image/gif")
        response = self.get(attachment, **{"User-Agent": "Mozilla/5.0 (X11) AppleWebKit/538.1 (KHTML, like Gecko) wkhtmltopdf Safari/538.1"})
        self.assertEqual((response.status_code, response.content), (200, raw))

    def test_proxy_mode(self):
        raw = random_bytes(LARGE)
        store = ObjectStore(dataclasses.replace(self.settings, serve_mode="proxy"))
        attachment = self.create(raw)
        with patch.object(storage, "_load", lambda: store):
            response = self.get(attachment)
        self.assertEqual((response.status_code, response.content), (200, raw))

    def test_accelerated(self):
        """NGINX is sent to the store, with the headers that Odoo gives the file; scenario test_4_web_server has a real one."""
        raw = random_bytes(LARGE)
        store = ObjectStore(dataclasses.replace(self.settings, serve_mode="x_accel", public_endpoint_url="http://nowhere.invalid"))
        attachment = self.create(raw, name="é.pdf", mimetype="application/pdf")
        flag = {"X-S3-Attachment-Accel": "on"}
        with patch.object(storage, "_load", lambda: store):
            with patch.object(store, "_contents") as nobody:
                response = self.get(attachment, "?download=1", **flag)
                part = self.get(attachment, Range="bytes=100-199", **flag)
                unchanged = self.get(attachment, **flag, **{"If-None-Match": response.headers["ETag"]})
            nobody.assert_not_called()
            # Nobody who comes directly to Odoo gets an empty answer.
            for headers in ({}, {"X-S3-Attachment-Accel": "no"}):
                answer = self.get(attachment, **headers)
                self.assertEqual((answer.status_code, answer.content), (200, raw))
                self.assertNotIn("X-Accel-Redirect", answer.headers)
            html = self.create(b"<html>" + raw, mimetype="text/html")
            answer = self.get(html, **flag)
            self.assertEqual((answer.status_code, answer.content), (200, b"<html>" + raw))
            with patch.object(http_stream, "_CACHED_UP_TO", LARGE - 1):
                direct = self.get(attachment, method="HEAD", **flag)
        for answer in (response, part):
            self.assertEqual((answer.status_code, answer.content), (200, b""))
            self.assertEqual(answer.headers["Content-Type"], "application/pdf")
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(answer.headers["Content-Security-Policy"], "default-src 'none'")
            self.assertEqual(answer.headers["ETag"], f'"{attachment.checksum}"')
            self.assertNotIn("Content-Range", answer.headers)
            path = answer.headers["X-Accel-Redirect"]
            start = f"/-/s3_attachment/cached/{self.settings.bucket}/{self.settings.prefix}{attachment.store_fname}?"
            self.assertTrue(path.startswith(start), path)
            with urllib.request.urlopen(self.settings.endpoint_url + path.removeprefix("/-/s3_attachment/cached")) as content:  # noqa: S310
                self.assertEqual(content.read(), raw)
        self.assertIn("attachment", response.headers["Content-Disposition"])
        self.assertIn("%C3%A9.pdf", response.headers["Content-Disposition"])
        self.assertEqual((unchanged.status_code, unchanged.content), (304, b""))
        self.assertNotIn("X-Accel-Redirect", unchanged.headers)
        path = direct.headers["X-Accel-Redirect"]
        request = urllib.request.Request(self.settings.endpoint_url + path.removeprefix("/-/s3_attachment/direct"), method="HEAD")  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            self.assertEqual(answer.headers["Content-Length"], str(LARGE))

    def test_thumbnail(self):
        """Pitfall 13."""
        image = Image.frombytes("RGB", (400, 300), random_bytes(400 * 300 * 3))
        raw = io.BytesIO()
        image.save(raw, "PNG")
        attachment = self.create(raw.getvalue(), name="a.png", mimetype="image/png")
        response = self.get(attachment, path=f"/web/image/{attachment.id}/64x64")
        self.assertEqual(response.status_code, 200)
        self.assertEqual(Image.open(io.BytesIO(response.content)).size, (64, 48))
        response = self.get(attachment, path=f"/web/image/{attachment.id}")
        self.assertEqual(response.status_code, 302)
        self.assertEqual(self.follow(response)[2], raw.getvalue())

    def test_several_in_one_file(self):
        """Pitfall 13: as the downloads of many documents at once do it."""
        raws = [random_bytes(LARGE), random_bytes(SMALL)]
        with zipfile.ZipFile(io.BytesIO(), "w") as archive:
            for number, raw in enumerate(raws):
                archive.writestr(str(number), self.env["ir.binary"]._get_stream_from(self.create(raw)).read())
            self.assertEqual([archive.read(name) for name in archive.namelist()], raws)

    def test_image_of_a_record(self):
        image = io.BytesIO()
        Image.frombytes("RGB", (400, 300), random_bytes(400 * 300 * 3)).save(image, "PNG")
        partner = self.env["res.partner"].create({"name": "P", "image_1920": base64.b64encode(image.getvalue())})
        response = self.get(None, path=f"/web/image/res.partner/{partner.id}/image_128")
        # Odoo always goes over an image whose field's name holds a size.
        self.assertEqual(response.status_code, 200)
        self.assertEqual(Image.open(io.BytesIO(response.content)).size, (128, 96))

    def test_anonymous(self):
        """Pitfall 16."""
        private = self.create(random_bytes(LARGE))
        public = self.create(random_bytes(LARGE), public=True)
        self.authenticate(None, None)
        with patch.object(self.store, "presign", wraps=self.store.presign) as presign:
            response = self.get(private)
            self.assertIn(response.status_code, (403, 404))
            self.assertNotIn("X-Amz-Signature", str(response.headers) + response.text)
            presign.assert_not_called()
        response = self.get(public, "?download=1")
        self.assertEqual((response.status_code, self.follow(response)[2]), (302, public.raw))

    def test_file_of_another_company(self):
        """Pitfall 32: where a content lies does not depend on who reads it."""
        other = self.env["res.company"].create({"name": "Another company"})
        where = {"company_id": other.id, "company_ids": [(6, 0, [other.id])]}
        user = new_test_user(self.env, "s3-elsewhere", "base.group_user", password="s3-elsewhere-password", **where)  # noqa: S106
        partner = self.env["res.partner"].create({"name": "Somebody"})
        self.authenticate("s3-elsewhere", "s3-elsewhere-password")
        for size in (SMALL, LARGE):
            raw = random_bytes(size)
            attachment = self.create(raw, res_model="res.partner", res_id=partner.id, company_id=self.env.company.id)
            self.assertNotEqual(attachment.company_id, user.company_id)
            self.assertInStore(raw)
            response = self.get(attachment, "?download=1")
            self.assertEqual(response.status_code, 302 if size == LARGE else 200, response.text[:300])
            content = self.follow(response)[2] if size == LARGE else response.content
            self.assertEqual(content, raw)

    def test_fallback_address(self):
        raw = random_bytes(LARGE)
        attachment = self.create(raw, url="/s3_attachment/test.pdf", mimetype="application/pdf")
        response = self.get(attachment, path="/s3_attachment/test.pdf")
        self.assertEqual((response.status_code, self.follow(response)[2]), (302, raw))

    def test_outage(self):
        small = self.create(random_bytes(SMALL), mimetype="image/png")
        with self.outage(), mute_logger(LOGGER):
            for path in (f"/web/content/{small.id}", f"/web/image/{small.id}", f"/web/image/{small.id}/32x32"):
                self.assertEqual(self.get(small, path=path).status_code, 503, path)

    def test_local_file_is_not_redirected(self):
        raw = random_bytes(LARGE)
        with self.unconfigured():
            attachment = self.create(raw)
        response = self.get(attachment)
        self.assertEqual((response.status_code, response.content), (200, raw))

    def test_web_server_is_not_sent_to_a_local_file(self):
        """Where Odoo lets a web server send files from the filestore, those that are not there come from Odoo."""
        image = io.BytesIO()
        Image.frombytes("RGB", (8, 8), random_bytes(8 * 8 * 3)).save(image, "PNG")
        raw = image.getvalue()
        attachment = self.create(raw, name="a.png", mimetype="image/png", public=True, url="/s3_attachment/a.png")
        fname = self.assertInStore(raw)
        partner = self.env["res.partner"].create({"name": "P", "image_1920": base64.b64encode(raw)})
        paths = (
            attachment.url,
            f"/web/content/{attachment.id}",
            f"/web/image/{attachment.id}",
            f"/web/content/res.partner/{partner.id}/image_1920",
        )
        with patch.object(config, "options", {**config.options, "x_sendfile": True}):
            for path in paths:
                response = self.get(None, path=path)
                self.assertEqual((response.status_code, response.content), (200, raw), path)
                self.assertFalse({"X-Sendfile", "X-Accel-Redirect"} & set(response.headers), path)
                self.assertNotIn(fname, str(response.headers), path)

    def test_asset_bundle(self):
        self.env["ir.attachment"].search([("url", "=like", "/web/assets/%")]).unlink()
        self.env.registry.clear_cache("assets")
        attachment = self.env["ir.qweb"]._get_asset_bundle("web.assets_frontend_minimal").js()
        raw = attachment.raw
        self.assertGreater(len(raw), 1000)
        self.assertInStore(raw)
        for x_sendfile in (False, True):
            with patch.object(config, "options", {**config.options, "x_sendfile": x_sendfile}):
                response = self.get(None, path=attachment.url)
            self.assertEqual((response.status_code, response.content), (200, raw))
            self.assertIn("javascript", response.headers["Content-Type"])
