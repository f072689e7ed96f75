# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The proof that the Odoo of a host reads from the bucket, which local copies must not be removed without.

It goes through Odoo's own door: of an attachment that anybody may read, and that is in the bucket, the local copy is hidden
for the moment of one download. What the host has shown is noted in the bucket, as ``<prefix>.readers/<host>``, where every
other host of the same Odoo finds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import keys
from .catalogue import PREFIXES, Catalogue
from .errors import ConfigError, NotFound, StoreError
from .migration import Refused
from .transfer import Transfer

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_HIDDEN = ".hidden-"
_DISTURBED = "the local file came back while it was hidden, as when another host proves at the same moment: let one do so after the other"


def _note(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ConfigError(f"{host!r} is not the name of a host: A-Z, a-z, 0-9, '.', '_' and '-'")
    return f".readers/{host}"


def prove(
    catalogue: Catalogue, transfer: Transfer, filestore: str, *, database: str, host: str, url: str, clock: Callable[[], float] = time.time
) -> dict[str, Any]:
    """Let the Odoo at ``url`` on this host read a file that only the bucket has, and note that it could.

    :raises Refused: it could not, or there is nothing to try it with.
    """
    note = _note(host)
    restore(filestore)
    for identity, fname in catalogue.samples():
        try:
            transfer.head(fname)
        except NotFound:
            continue
        with _hidden(os.path.join(filestore, fname)):
            found = _download(f"{url.rstrip('/')}/web/content/{identity}", database)
            if os.path.lexists(os.path.join(filestore, fname)):
                raise Refused(_DISTURBED)
        if found != keys.parse(fname).sha1:
            raise Refused(
                f"the Odoo at {url} does not read from the bucket: of attachment {identity} it gave something else while the local file was hidden. "
                "Install the addon s3_attachment, restart Odoo, and look at its log"
            )
        proof = {"host": host, "database": database, "name": fname, "at": clock()}
        transfer.put_note(note, json.dumps(proof).encode())
        return proof
    raise Refused(
        "there is no attachment to try it with, which must be public, small and in the bucket: upload first, "
        "or open Odoo's log-in page once, which makes some, and upload again"
    )


def check(transfer: Transfer, hosts: Sequence[str], database: str, max_age: float, clock: Callable[[], float] = time.time) -> None:
    """See whether each of the hosts has shown it, at most ``max_age`` seconds ago.

    :raises Refused: one has not, or none is named.
    """
    if not hosts:
        raise Refused("no host of Odoo is named that has shown that it reads from the bucket: give app_hosts")
    missing = []
    for host in hosts:
        try:
            proof = json.loads(transfer.get_note(_note(host)))
            sound = proof["database"] == database and proof["host"] == host and clock() - max_age <= float(proof["at"])
        except (NotFound, ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            missing.append(host)
    if missing:
        raise Refused(f"{', '.join(missing)} has not shown in the last {max_age / 3600:.0f} hours that its Odoo reads from the bucket")


def restore(filestore: str) -> None:
    """Bring to light what a run that was killed has left hidden."""
    for prefix in PREFIXES:
        folder = os.path.join(filestore, prefix)
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                if name.startswith(_HIDDEN):
                    os.replace(os.path.join(folder, name), os.path.join(folder, name[len(_HIDDEN) :]))


@contextlib.contextmanager
def _hidden(path: str) -> Iterator[None]:
    folder, name = os.path.split(path)
    aside = os.path.join(folder, _HIDDEN + name)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        yield  # it is only in the bucket already
        return
    try:
        yield
    finally:
        try:
            os.replace(aside, path)
        except FileNotFoundError as error:
            raise Refused(_DISTURBED) from error


def _download(url: str, database: str) -> str:
    import urllib.error  # noqa: PLC0415  # slow to load, and only this needs it
    import urllib.request  # noqa: PLC0415

    request = urllib.request.Request(url, headers={"X-Odoo-Database": database, "Cache-Control": "no-cache"})  # noqa: S310
    try:
        # Not urlopen, which a linter of Ansible's forbids; the engine knows no Ansible.
        with urllib.request.build_opener().open(request, timeout=60) as answer:
            return hashlib.sha1(answer.read(), usedforsecurity=False).hexdigest()
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        raise StoreError(f"the Odoo at {url} does not answer ({error}): give the address at which it listens on this host") from error
