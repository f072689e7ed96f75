# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import contextlib
import logging
import os

from odoo import api, models
from odoo.tools.mimetypes import guess_mimetype

from .. import compat, storage
from ..engine import gc, keys
from ..engine.errors import NotFound, StoreError, Unavailable
from ..http_stream import ObjectStream
from ..upload import Upload, map_when_large

_logger = logging.getLogger(__name__)

_STORED = "s3_attachment.stored"
_PROMISED = "s3_attachment.promised"


class IrAttachment(models.Model):
    """Keeps ``_storage()`` 'file' and every ``store_fname`` as it is; only where the bytes lie is different."""

    _inherit = "ir.attachment"

    def _register_hook(self):
        super()._register_hook()
        storage.report(self.env)

    # -- writing --------------------------------------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        if storage.get(self.env) is None or not self.env["s3.route"]._rules():
            return super().create(vals_list)
        # One call for all whose owner is the same, as the core hands on nothing but the content.
        defaults = self.default_get(["company_id", "res_model"])
        groups: dict[tuple, list[int]] = {}
        for index, vals in enumerate(vals_list):
            owner = tuple({**defaults, **vals}.get(name) or False for name in ("company_id", "res_model"))
            groups.setdefault(owner, []).append(index)
        ids = [0] * len(vals_list)
        for owner, indexes in groups.items():
            owned = super(IrAttachment, self.with_context(s3_owner=owner)).create([vals_list[index] for index in indexes])
            for index, record in zip(indexes, owned, strict=True):
                ids[index] = record.id
        return self.browse(ids)

    def _set_attachment_data(self, asbytes):
        if storage.get(self.env) is None or not self.env["s3.route"]._rules():
            return super()._set_attachment_data(asbytes)
        for attachment in self:
            owner = (attachment.company_id.id, attachment.res_model)
            super(IrAttachment, attachment.with_context(s3_owner=owner))._set_attachment_data(asbytes)
        return None

    @api.model
    def _get_path(self, bin_data, sha):
        if storage.get(self.env) is None:
            return super()._get_path(bin_data, sha)
        fname = self.env.context.get("s3_fname") or self._s3_name(bin_data, sha)
        # Whoever asks for a path goes on to _file_write with no more than the content (19.0): it has to store this name.
        self.env.cr.precommit.data.setdefault(_PROMISED, {}).setdefault(sha, {})[fname] = True
        return fname, self._full_path(fname)

    @api.model
    def _s3_name(self, content, checksum: str) -> str:
        """The name of a content, with the route that the rules have for it."""
        if "s3_mimetype" not in self.env.context:
            return keys.build(checksum)
        company, model = self.env.context.get("s3_owner") or (False, False)
        return keys.build(checksum, self.env["s3.route"]._route(company, model, self.env.context["s3_mimetype"], len(content)))

    def _get_datas_related_values(self, data, mimetype):
        mapped, store = isinstance(data, Upload), storage.get(self.env)
        if mapped and (store is None or self._storage() == "db"):
            data, mapped = bytes(data), False
        if store is None:
            return super()._get_datas_related_values(data, mimetype)
        described = self.with_context(s3_mimetype=mimetype)
        # What would look for words in it reads all of it, and keeps them in the database.
        values = super(IrAttachment, described)._get_datas_related_values(b"" if mapped else data, mimetype)
        if mapped:
            fname, _path = described._get_path(data, data.sha1)
            values.update(file_size=len(data), checksum=data.sha1, store_fname=fname, db_datas=False)
        if values.get("store_fname"):
            # Before any row is written (19.0 does it afterwards): code that swallows the error, as the controller
            # /web/binary/upload_attachment does, must not commit a row without a content.
            self._s3_store(data, values["checksum"], values["store_fname"])
        return values

    @api.model
    def _file_write(self, bin_value, checksum):
        if storage.get(self.env) is None:
            return super()._file_write(bin_value, checksum)
        promised = self.env.cr.precommit.data.get(_PROMISED, {}).get(checksum)
        names = list(promised) if promised and "s3_mimetype" not in self.env.context else [self._s3_name(bin_value, checksum)]
        for fname in names:
            self._s3_store(bin_value, checksum, fname)
        return names[-1]

    @api.model
    def _s3_store(self, bin_value, checksum: str, fname: str) -> None:
        """Store a content under that name, unless this transaction has done so."""
        store = storage.get(self.env)
        stored = self.env.cr.precommit.data.setdefault(_STORED, {})
        held = gc.hold(self.env.cr, fname)
        if stored.get(fname) == held:
            return
        body = bin_value.file if isinstance(bin_value, Upload) else bytes(bin_value)
        try:
            if not storage.may_write(self.env, store, fname):
                os.makedirs(os.path.dirname(self._full_path(fname)), exist_ok=True)
                super(IrAttachment, self.with_context(s3_fname=fname))._file_write(bin_value, checksum)
                return
            # In a transaction of its own, and first: whatever happens to ours, the object can be found again.
            with self.env.registry.cursor() as cr:
                self.env["s3.gc.mark"]._mark(cr, fname)
            store.put(fname, body, self._s3_content_type(bin_value), ask_first=bool(self.env.context.get("s3_copy")))
        except Unavailable as error:
            if store.config.write_mode == "strict":
                raise storage.not_stored(self.env, error) from error
            _logger.error("An attachment waits on this host until the object store can take it: %s", error)
            storage.spool(self.env, store).put(self.env.cr, fname, body, str(error))
        except StoreError as error:
            raise storage.not_stored(self.env, error) from error
        stored[fname] = held

    def _from_request_file(self, file, **arguments):
        map_when_large(self.env, file)
        return super()._from_request_file(file, **arguments)

    def _compute_mimetype(self, values):
        if isinstance(values.get("raw"), Upload):
            values = {**values, "raw": values["raw"].head}
        return super()._compute_mimetype(values)

    @api.model
    def _s3_content_type(self, content: bytes) -> str:
        """What to call the object in the bucket; downloads are given the attachment's own type."""
        guess = guess_mimetype(content[:2048], default="application/octet-stream")
        return "application/octet-stream" if any(word in guess for word in ("html", "xml", "svg", "script")) else guess

    def copy(self, default=None):
        if storage.get(self.env) is None:
            return super().copy(default)
        # The content is in the store already, so it is looked up and not sent.
        copies = super(IrAttachment, self.with_context(s3_copy=True)).copy(default)
        return copies.with_context(self.env.context)

    # -- reading --------------------------------------------------------------------------------------------------------

    @api.model
    def _file_read(self, fname, size=None):
        store = storage.get(self.env)
        if store is None:
            return compat.read_local(super()._file_read, fname, size)
        try:
            if self._s3_is_local(fname):
                # A migration may take it away at this moment, when it is in the store.
                with contextlib.suppress(FileNotFoundError), open(self._full_path(fname), "rb") as file:
                    return file.read(size)
            if not keys.is_name(fname):
                raise NotFound(f"{fname} is not in the local filestore, and is no name of an object in the store")
            with contextlib.suppress(FileNotFoundError), open(storage.spool(self.env, store).path(fname), "rb") as file:
                return file.read(size)
            cache = storage.cached(store)
            if size is None or size < 0:
                return cache.read(store, fname)
            # A part alone is not worth fetching the whole.
            if (cached := cache.find(fname)) is not None:
                with cached:
                    return cached.read(size)
            return store.get_bytes(fname, size)
        except StoreError as error:
            raise storage.not_read(self.env, error, fname) from error

    def _compute_raw(self):
        store = storage.get(self.env) if len(self) > 1 else None
        at_once = storage.at_once(store) if store is not None else 0
        if not at_once:
            return super()._compute_raw()
        for some in self._s3_parts(at_once):
            names = {name for name in some.mapped("store_fname") if name and keys.is_name(name) and not self._s3_is_local(name)}
            storage.prefetch(self.env, store, names)
            super(IrAttachment, some)._compute_raw()
        return None

    def _s3_parts(self, most: int):
        """The records in parts, each with at most so many bytes of contents if it has more than one."""
        ids, size = [], 0
        for attachment in self:
            if ids and size + attachment.file_size > most:
                yield self.browse(ids)
                ids, size = [], 0
            ids.append(attachment.id)
            size += attachment.file_size
        yield self.browse(ids)

    @api.model
    def _s3_is_local(self, fname: str) -> bool:
        """Whether the content is in the local filestore: it has not been moved yet, or was written before this addon."""
        try:
            # A content is never empty, but a full disk leaves empty files.
            return os.path.getsize(self._full_path(fname)) > 0
        except OSError:
            return False

    def _to_http_stream(self):
        self.ensure_one()
        store = storage.get(self.env)
        if store is None or not self.store_fname or not keys.is_name(self.store_fname) or self._s3_is_local(self.store_fname):
            return super()._to_http_stream()
        try:
            spooled = storage.spool(self.env, store).path(self.store_fname)
        except StoreError as error:
            raise storage.not_read(self.env, error) from error
        return ObjectStream(
            store,
            self.store_fname,
            mimetype=self.mimetype,
            download_name=self.name,
            etag=keys.parse(self.store_fname).sha1,
            last_modified=self.write_date,
            size=self.file_size or None,
            public=self.public,
            spooled=spooled,
        )

    # -- deleting -------------------------------------------------------------------------------------------------------

    @api.model
    def _file_delete(self, fname):
        if storage.get(self.env) is None:
            return super()._file_delete(fname)
        if keys.is_name(fname):
            # In this transaction: if it is rolled back, nothing was deleted. The object itself is left alone.
            self.env["s3.gc.mark"]._mark(self.env.cr, fname)
        if os.path.exists(self._full_path(fname)):
            super()._file_delete(fname)
        return None
