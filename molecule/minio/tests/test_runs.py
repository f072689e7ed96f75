"""What further runs of the role find, repair and refuse."""

from __future__ import annotations

import json
import re
import typing as t


def test_what_was_changed_by_hand_is_found_and_repaired(silo: t.Any) -> None:
    admin, root = silo.admin(silo.root), silo.s3(silo.root)
    intended = json.loads(admin.policy_info("odoo"))
    wider = {**intended, "Statement": [*intended["Statement"], {"Effect": "Allow", "Action": ["s3:DeleteObjectVersion"], "Resource": ["arn:aws:s3:::odoo/*"]}]}
    admin.policy_add("odoo", policy=wider)
    # Without naming its policy, which takes it away.
    admin.update_service_account(access_key=silo.odoo[0], secret_key="another-secret-by-hand")
    root.put_bucket_versioning(Bucket="odoo", VersioningConfiguration={"Status": "Suspended"})
    # As by a run that was interrupted after it had written the settings, before it restarted the server.
    silo.host.check_output("touch /etc/minio/server.env")
    pid = silo.host.check_output("systemctl show --property=MainPID --value silo")

    output, changed = silo.play("--check")
    # Three resources, and a restart, which is noticed and done.
    assert changed == 5, output
    assert re.search(r'^-.*"s3:DeleteObjectVersion"', output, re.MULTILINE), output
    assert re.search(r'^-.*"versioning": "suspended"', output, re.MULTILINE), output
    assert re.search(r'^-.*"policy": \{\}', output, re.MULTILINE), output
    assert re.search(r'^-.*"secret": "another than the one given"', output, re.MULTILINE), output
    # It was a check: nothing is repaired yet.
    assert json.loads(admin.policy_info("odoo")) == wider
    assert root.get_bucket_versioning(Bucket="odoo")["Status"] == "Suspended"

    # With all that Ansible has to say, there is no secret in it.
    output, changed = silo.play("-vvv")
    assert changed == 5, output
    assert silo.host.check_output("systemctl show --property=MainPID --value silo") != pid
    assert silo.odoo[0] in output
    assert silo.odoo[1] not in output
    assert silo.root[1][:20] not in output
    assert json.loads(admin.policy_info("odoo")) == intended
    assert json.loads(admin.get_service_account(silo.odoo[0]))["impliedPolicy"] is False
    assert root.get_bucket_versioning(Bucket="odoo")["Status"] == "Enabled"
    silo.s3(silo.odoo).put_object(Bucket="odoo", Key="again", Body=b"again")


def test_a_port_in_use_is_told_before_anything_is_changed(silo: t.Any) -> None:
    silo.host.check_output("systemd-run --unit=squatter python3 -m http.server 9555")
    silo.host.check_output("sh -c 'until ss -Hltn | grep -q :9555; do sleep 0.1; done'")
    try:
        output, changed = silo.play("--extra-vars=minio_address=:9555")
    finally:
        silo.host.check_output("systemctl stop squatter")
    assert "port 9555 of minio-debian12, which :9555 needs, is in use by python3" in " ".join(output.split()), output
    assert changed == 0


def test_a_download_that_fails_is_told_and_the_old_server_stays(silo: t.Any) -> None:
    checksum = "0123456789abcdef" * 4
    for url, sentence in (
        ("http://127.0.0.1:9/silo.tar.gz", "could not be downloaded by minio-debian12"),
        (f"{silo.url}/minio/health/live", f"is not what minio_archive_checksum names (sha256 {checksum})"),
    ):
        output, _changed = silo.play(f"--extra-vars=minio_archive_url={url}", f"--extra-vars=minio_archive_checksum={checksum}")
        assert sentence in " ".join(output.split()), output
    assert silo.host.service("silo").is_running
    # After mending, there is nothing to do: what was begun was never in use.
    assert silo.play("--check")[1] == 0

