# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import checksums

SHA1 = hashlib.sha1(b"content", usedforsecurity=False).hexdigest()
MD5 = hashlib.md5(b"content", usedforsecurity=False).hexdigest()
BASE64 = "BA8G/XdAkkeNRQd09bowxdp4rMg="


def test_there_and_back():
    assert checksums.encoded(SHA1) == BASE64
    assert checksums.of_whole(BASE64, MD5) == SHA1


@pytest.mark.parametrize(("checksum", "etag"), [("", MD5), (f"{BASE64}-2", f"{MD5}-2"), (BASE64, f"{MD5}-2"), (f"{BASE64}-2", MD5)])
def test_of_parts_it_is_none_of_the_whole(checksum: str, etag: str):
    assert checksums.of_whole(checksum, etag) is None
