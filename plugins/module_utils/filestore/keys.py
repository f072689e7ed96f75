# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Names of contents.

Odoo's ``store_fname`` is ``ab/<sha1>``, where ``ab`` are the first two digits of the SHA-1 of the bytes. A route other
than the default one is a suffix: ``ab/<sha1>-<route>``. The object's key is the prefix plus the whole name, so that two
routes which share a bucket and a prefix never share an object.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_NAME = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{38})(?:-([a-z0-9]{1,12}))?")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_ROUTE = re.compile(r"[a-z0-9]{1,12}")

EMPTY_SHA1 = hashlib.sha1(b"", usedforsecurity=False).hexdigest()


class Name(NamedTuple):
    """The parts of a ``store_fname``; ``route`` is '' for the default one."""

    sha1: str
    route: str


def parse(fname: str) -> Name:
    """Take a ``store_fname`` apart; ValueError if it is not the name of a content."""
    match = _NAME.fullmatch(fname)
    if not match:
        raise ValueError(f"{fname!r} is not the name of a stored file (ab/<sha1> or ab/<sha1>-<route>)")
    return Name(match[2], match[3] or "")


def is_name(fname: str) -> bool:
    """Whether it is the name of a content at all: others (of older releases, of other addons) are not ours."""
    return _NAME.fullmatch(fname) is not None


def is_route(code: str) -> bool:
    """Whether names can carry it."""
    return _ROUTE.fullmatch(code) is not None


def build(sha1: str, route: str = "") -> str:
    """The ``store_fname`` of a content."""
    if not _SHA1.fullmatch(sha1):
        raise ValueError(f"{sha1!r} is not a SHA-1 in lower case hexadecimal")
    if route and not is_route(route):
        raise ValueError(f"{route!r} is not a route (1 to 12 of a-z and 0-9)")
    return f"{sha1[:2]}/{sha1}-{route}" if route else f"{sha1[:2]}/{sha1}"


def object_key(prefix: str, fname: str) -> str:
    """The key under which the content lies in the bucket."""
    parse(fname)
    return prefix + fname
