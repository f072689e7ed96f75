# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets that are not empty: former versions, delete markers, and versions that are locked."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ansible_collections.odooops.stack.plugins.modules import s3_bucket
from conftest import Server

REFUSED = "the bucket removed is not empty: say force to remove it with all that is in it"


def test_only_delete_markers_and_former_versions(server: Server) -> None:
    assert server.run(s3_bucket, name="removed", versioning="enabled")["changed"]
    server.client.put_object(Bucket="removed", Key="a", Body=b"x")
    marker = server.client.delete_object(Bucket="removed", Key="a")["VersionId"]
    assert "Contents" not in server.client.list_objects_v2(Bucket="removed")
    for check in (True, False):
        assert server.run(s3_bucket, check=check, name="removed", state="absent")["msg"] == REFUSED
    version = server.client.list_object_versions(Bucket="removed")["Versions"][0]["VersionId"]
    server.client.delete_object(Bucket="removed", Key="a", VersionId=version)
    # Nothing but the marker is left, and that is not nothing.
    assert [found["VersionId"] for found in server.client.list_object_versions(Bucket="removed")["DeleteMarkers"]] == [marker]
    assert server.run(s3_bucket, name="removed", state="absent")["msg"] == REFUSED
    predicted = server.run(s3_bucket, check=True, name="removed", state="absent", force=True)
    assert server.run(s3_bucket, name="removed", state="absent", force=True)["diff"] == predicted["diff"]
    assert not server.run(s3_bucket, name="removed", state="absent", force=True)["changed"]


def test_locked_versions_keep_their_bucket(server: Server) -> None:
    client, until = server.client, datetime.now(timezone.utc) + timedelta(days=1)
    assert server.run(s3_bucket, name="removed", object_lock=True)["changed"]
    client.put_object(Bucket="removed", Key="free", Body=b"x")
    client.put_object(Bucket="removed", Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")
    client.put_object(Bucket="removed", Key="retained", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    done = server.run(s3_bucket, name="removed", state="absent", force=True)
    assert done["failed"] and done["msg"] == (
        "could not empty the bucket removed: versions of held, retained are locked: they can be removed when their retention has ended "
        "and no legal hold is on them, and not before; what was not locked is gone"
    )
    left = client.list_object_versions(Bucket="removed")["Versions"]
    assert {found["Key"] for found in left} == {"held", "retained"}
    client.put_object_legal_hold(Bucket="removed", Key="held", LegalHold={"Status": "OFF"})
    for found in left:
        client.delete_object(Bucket="removed", Key=found["Key"], VersionId=found["VersionId"], BypassGovernanceRetention=True)
    assert server.run(s3_bucket, name="removed", state="absent")["changed"]
