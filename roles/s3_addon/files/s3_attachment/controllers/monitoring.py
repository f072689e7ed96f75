# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""What a monitoring system asks. It has a token and no user."""

from __future__ import annotations

import hmac
import json

from odoo import http
from odoo.http import Response, request
from werkzeug.exceptions import NotFound

from .. import storage
from ..engine import fence, metrics
from ..engine.errors import StoreError, Unavailable
from ..engine.failover import Failover


class Monitoring(http.Controller):
    @http.route("/s3_attachment/metrics", type="http", auth="none", methods=["GET"], save_session=False, readonly=True)
    def metrics(self):
        """Counters of all processes of this host, and what the last audit has found, in Prometheus's text format."""
        self._check_token()
        audit = request.env["s3.audit"].sudo()._metrics() if request.db else ""
        return Response(metrics.SHARED.render() + audit, content_type="text/plain; version=0.0.4; charset=utf-8")

    @http.route("/s3_attachment/health", type="http", auth="none", methods=["GET"], save_session=False, readonly=True)
    def health(self):
        """200 if the store answers, or the second end point in its place, else 503; as JSON what is wrong."""
        store = self._check_token()
        answer = {"status": "ok", "store": store.config.where}
        try:
            # One small object of each bucket and prefix; nothing is counted as wrong if nobody has stored anything yet.
            for target in store.config.targets:
                store.at(target).get_note(fence.OWNER)
        except StoreError as error:
            answer |= {"status": "fault", "fault": str(error)}
            if isinstance(error, Unavailable) and isinstance(store, Failover):
                answer |= self._second(store)
        return Response(json.dumps(answer), status=503 if answer["status"] == "fault" else 200, content_type="application/json")

    def _second(self, store):
        """What the second end point adds to the answer, where the first one is silent."""
        try:
            store.second.get_note(fence.OWNER)
        except StoreError as error:
            return {"failover_fault": str(error)}
        return {"status": "failover", "failover": store.second.config.where}

    def _check_token(self):
        """The store; to whoever has no token there is no such page."""
        store = storage.get(request.env if request.db else None)
        try:
            expected = store.config.metrics_token if store is not None else ""
        except StoreError:
            expected = ""
        given = request.httprequest.headers.get("Authorization", "")
        if not expected or not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
            raise NotFound()
        return store
