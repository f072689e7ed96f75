# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the store is asked to keep contents: storage class and encryption."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import keys
from ansible_collections.odooops.stack.plugins.module_utils.filestore import transfer as transfer_module
from ansible_collections.odooops.stack.plugins.module_utils.filestore.config import Route
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import Denied
from ansible_collections.odooops.stack.plugins.module_utils.filestore.store import ObjectStore
from ansible_collections.odooops.stack.plugins.module_utils.filestore.transfer import MULTIPART_FROM, Transfer
from conftest import KMS_KEY, Server
from test_filestore_parts import BODY, BUCKET, FNAME, prepared

SMALL = b"a few words"
SMALL_NAME = keys.build(hashlib.sha1(SMALL).hexdigest())
PLACEMENTS = {
    "class": ({"storage_class": "REDUCED_REDUNDANCY"}, ("REDUCED_REDUNDANCY", "", "")),
    "AES256": ({"sse": "AES256"}, ("STANDARD", "AES256", "")),
    "KMS": ({"sse": "aws:kms", "kms_key_id": KMS_KEY, "storage_class": "REDUCED_REDUNDANCY"}, ("REDUCED_REDUNDANCY", "aws:kms", KMS_KEY)),
}


def described(objects: ObjectStore, name: str) -> tuple[str, str, str]:
    head = objects._client().head_object(Bucket=BUCKET, Key=objects.config.prefix + name)
    return head.get("StorageClass", "STANDARD"), head.get("ServerSideEncryption", ""), head.get("SSEKMSKeyId", "").rpartition(":")[2]


@pytest.mark.parametrize(("name", "kind"), [*(("minio", kind) for kind in PLACEMENTS), ("moto", "KMS")])
def test_as_it_is_asked_for(name: str, kind: str, start_server: Callable[[str], Server], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small and large, from Odoo and from the migration; and each comes back."""
    monkeypatch.setattr(transfer_module, "WHOLE_UP_TO", 0)
    settings, expected = PLACEMENTS[kind]
    objects = prepared(start_server(name), **settings)
    assert objects.probe()
    assert not objects.probe()
    contents = {SMALL_NAME: SMALL, FNAME: BODY}
    for fname, body in contents.items():
        assert objects.put(fname, body)
        assert not objects.put(fname, body)
    transfer = Transfer(objects.config)
    transfer.probe()
    # This one has parts from 32 MiB on only.
    larger = BODY * 2
    assert len(larger) >= MULTIPART_FROM
    for body in (SMALL, larger):
        fname = keys.build(hashlib.sha1(body).hexdigest(), "moved")
        (tmp_path / "file").write_bytes(body)
        assert transfer.put(fname, str(tmp_path / "file"))
        contents[fname] = body
    assert "-" in objects.head(fname).etag
    for fname, body in contents.items():
        assert described(objects, fname) == expected
        assert objects.get_bytes(fname) == body
    # Encrypted as all else, but of the class that is meant for what is read often.
    objects.put_note("owner.json", b"{}")
    transfer.put_note(".readers/app1", b"{}")
    for note in (".odoo-s3/owner.json", ".readers/app1"):
        assert described(objects, note) == ("STANDARD", *expected[1:])


def test_route_with_a_placement_of_its_own(start_server: Callable[[str], Server]) -> None:
    """Beside the same content of no route and of one that has gone from the settings; each is an object, and goes for itself."""
    plain = prepared(start_server("minio"), sse="AES256")
    given = Route(storage_class="REDUCED_REDUNDANCY", sse="aws:kms", kms_key_id=KMS_KEY)
    objects = ObjectStore(dataclasses.replace(plain.config, routes=(("cold", given),)))
    assert plain.probe()
    assert objects.probe()
    assert not objects.probe()
    names = [SMALL_NAME, f"{SMALL_NAME}-cold", f"{SMALL_NAME}-gone"]
    for fname in names:
        assert objects.put(fname, SMALL)
    assert [described(objects, fname) for fname in names] == [("STANDARD", "AES256", ""), given[:3], ("STANDARD", "AES256", "")]
    assert objects.delete(names[:1]) == {}
    # Who does not know the route any more reads all the same.
    assert [plain.get_bytes(fname) for fname in names[1:]] == [SMALL, SMALL]
    refused = ObjectStore(dataclasses.replace(plain.config, routes=(("cold", given), ("ia", Route(storage_class="STANDARD_IA")))))
    with pytest.raises(Denied, match="InvalidStorageClass"):
        refused.probe()


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("minio", {"storage_class": "STANDARD_IA"}, r"could not store .* InvalidStorageClass \(400\)"),
        ("minio", {"sse": "aws:kms", "kms_key_id": "no-such-key"}, r"could not store .* kms:KeyNotFound \(404\)"),
        ("versitygw", {"storage_class": "STANDARD_IA"}, "storage_class is STANDARD_IA, but what is stored so .* has STANDARD"),
        ("versitygw", {"sse": "AES256"}, "sse is AES256, but what is stored so .* has none"),
    ],
)
def test_what_the_server_does_not_do_is_refused(name: str, settings: dict[str, str], sentence: str, start_server: Callable[[str], Server]) -> None:
    objects = prepared(start_server(name), **settings)
    for _time in range(2):  # what the first attempt has stored does not let the second one pass
        with pytest.raises(Denied, match=sentence):
            objects.probe()
