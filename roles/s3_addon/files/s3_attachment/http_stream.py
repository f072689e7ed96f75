# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Downloads of contents that are in the store."""

from __future__ import annotations

import contextlib
import re
import tempfile
from typing import IO, Any
from urllib.parse import urlsplit

from odoo.http import Response, request
from werkzeug.http import is_resource_modified

from . import storage
from .compat import Stream
from .engine.errors import StoreError
from .engine.store import ObjectStore, content_disposition

# What a browser only shows, without running anything in it. The bucket's answer has none of Odoo's headers that keep a
# document from running scripts, and all files share its origin; so HTML, SVG, XML and all that is not known comes from Odoo.
_SHOWN_ONLY = re.compile(r"image/(?!svg)[\w.-]+|audio/[\w.-]+|video/[\w.-]+|application/pdf|text/plain")
_MARKUP = re.compile(r"html|xml|svg|script|xsl|mhtml")
# What the role nginx sets in each request to Odoo, where it can do it.
_ACCEL_HEADER = "X-S3-Attachment-Accel"
# Larger ones NGINX does not keep: it would have to fetch all of a video for a part of it.
_CACHED_UP_TO = 16 * 1024 * 1024
_MIMETYPE = re.compile(r"[\w.+-]+/[\w.+-]+")


class ObjectStream(Stream):
    """A content in the store that looks like a local file.

    ``path`` is fetched when somebody touches it: to make a thumbnail, a ZIP, to send a part. A download that can go to
    the store itself never touches it.
    """

    def __init__(self, store: ObjectStore, fname: str, spooled: str, **kwargs: Any) -> None:
        super().__init__(type="path", **kwargs)
        self._store = store
        self._fname = fname
        self._file: IO[bytes] | None = None
        # Kept open: whoever works off the outbox may remove the file at any time.
        with contextlib.suppress(FileNotFoundError):
            self._file = open(spooled, "rb")  # noqa: SIM115

    @property
    def path(self) -> str | None:
        if self.type != "path":
            return None
        if self._file is None:
            self._file = self._fetch()
        # Not its name, which may be taken away from it.
        return f"/proc/self/fd/{self._file.fileno()}"

    @path.setter
    def path(self, value: None) -> None:
        # The core forgets the path after it has read the file.
        self._file = None

    def _fetch(self) -> IO[bytes]:
        # Goes with the last reference to this stream; whoever has opened the path by then can read on.
        try:
            cache = storage.cached(self._store)
            # Whoever says that no copy will do is given none: so the proof that this host reads from the bucket is one.
            anew = request and "no-cache" in request.httprequest.headers.get("Cache-Control", "")
            return cache.fetch(self._store, self._fname) if anew else cache.open(self._store, self._fname)
        except StoreError as error:
            raise storage.not_read(request.env, error, self._fname) from error

    def _outline(self, size: int | None = None) -> IO[bytes]:
        """A file of the same size without content: all that an answer without a body needs."""
        try:
            size = self._store.head(self._fname).size if size is None else size
        except StoreError as error:
            raise storage.not_read(request.env, error, self._fname) from error
        file = tempfile.NamedTemporaryFile(prefix="odoo-s3-")  # noqa: SIM115
        file.truncate(size)
        return file

    def get_response(self, as_attachment=None, immutable=None, **kwargs):
        if self.type == "path" and self._file is None:
            if as_attachment is None:
                as_attachment = self.as_attachment
            mode = self._mode(as_attachment)
            # What waits on another host may not be in the store yet, which would have the person find nothing there: Odoo looks.
            sender = None if mode == "proxy" or request.env["s3.outbox"]._hosts(self._fname) else self._sender()
            if sender is not None and mode == "redirect":
                return self._redirect(sender, as_attachment, self.immutable if immutable is None else immutable)
            # Of two end points NGINX knows the first one only.
            if sender is self._store and mode == "x_accel":
                return self._accelerated(super().get_response, as_attachment=as_attachment, immutable=immutable, **kwargs)
            if request.httprequest.method == "HEAD":
                self._file = self._outline()
        return super().get_response(as_attachment=as_attachment, immutable=immutable, **kwargs)

    def _mode(self, as_attachment: bool) -> str:
        """Who sends the file: the store (``redirect``), NGINX (``x_accel``), or Odoo (``proxy``)."""
        try:
            settings = self._store.config.of(self._fname)
        except StoreError as error:
            raise storage.not_read(request.env, error) from error
        mimetype = (self.mimetype or "").lower()
        others = (
            settings.serve_mode != "proxy"
            and request.httprequest.method in ("GET", "HEAD")
            and (self.size is None or self.size >= settings.redirect_min_size)
            and _MIMETYPE.fullmatch(mimetype) is not None
            and _MARKUP.search(mimetype) is None
            and (as_attachment or _SHOWN_ONLY.fullmatch(mimetype) is not None)
            # It runs on this server, from where the public name of the store may lead nowhere.
            and "wkhtmltopdf" not in request.httprequest.user_agent.string.lower()
            # Who asks Odoo directly would get an empty answer.
            and (settings.serve_mode != "x_accel" or request.httprequest.headers.get(_ACCEL_HEADER) == "on")
        )
        return settings.serve_mode if others else "proxy"

    def _sender(self) -> ObjectStore | None:
        try:
            return self._store.sender(self._fname)
        except StoreError as error:
            raise storage.not_read(request.env, error) from error

    def _accelerated(self, answer, **kwargs: Any) -> Response:
        """Odoo's own answer without its body, which NGINX is to fetch from the store."""
        cached = self.size is not None and self.size <= _CACHED_UP_TO
        self._file = self._outline(self.size)
        response = answer(**kwargs)
        if response.status_code == 304:
            return response
        try:
            # NGINX fetches all of what it keeps, whatever it is asked for.
            url = urlsplit(self._store.presign(self._fname, "GET" if cached else request.httprequest.method, public=False))
        except StoreError as error:
            raise storage.not_read(request.env, error) from error
        response.status_code = 200
        response.direct_passthrough = False
        response.set_data(b"")
        # Which part is meant NGINX knows from the request.
        for name in ("Content-Length", "Content-Range"):
            response.headers.pop(name, None)
        response.headers["X-Accel-Redirect"] = f"/-/s3_attachment/{'cached' if cached else 'direct'}{url.path}?{url.query}"
        return response

    def _redirect(self, sender: ObjectStore, as_attachment: bool, immutable: bool) -> Response:
        settings = self._store.config.of(self._fname)
        if is_resource_modified(request.httprequest.environ, etag=self.etag if isinstance(self.etag, str) else None):
            disposition = content_disposition("attachment" if as_attachment else "inline", self.download_name or "file")
            try:
                # A link that is signed for GET does not answer HEAD.
                url = sender.presign(self._fname, request.httprequest.method, self.mimetype, disposition)
            except StoreError as error:
                raise storage.not_read(request.env, error) from error
            response = Response(status=302)
            response.headers["Location"] = url
        else:
            response = Response(status=304)
            response.set_etag(self.etag)
        # Only where the address changes with the content may the browser remember where it was sent to.
        lasting = immutable and settings.presign_ttl > 60
        response.headers["Cache-Control"] = f"private, max-age={settings.presign_ttl - 60}" if lasting else "private, no-cache"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
