"""What further runs of the role refuse, find and repair."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._policy import same

DRIFT = {"Effect": "Allow", "Action": ["s3:GetObjectVersion"], "Resource": ["arn:aws:s3:::odoo/*"]}


def test_a_port_in_use_is_told_before_anything_is_changed(silo: t.Any, run: t.Any) -> None:
    silo.host.check_output("systemd-run --unit=squatter python3 -m http.server 9555")
    silo.host.check_output("sh -c 'until ss -Hltn | grep -q :9555; do sleep 0.1; done'")
    try:
        output, changed = run(f"--limit={silo.name}", "--extra-vars=minio_address=:9555")
    finally:
        silo.host.check_output("systemctl stop squatter")
    assert "port 9555 of minio-silo, which :9555 needs, is in use by python3" in " ".join(output.split()), output
    assert changed == {silo.name: 0}


def test_a_download_that_fails_is_told_and_the_old_server_stays(silo: t.Any, tls: t.Any, run: t.Any) -> None:
    checksum = "0123456789abcdef" * 4
    urls = {silo.name: "http://127.0.0.1:9/silo.tar.gz", tls.name: f"http://{silo.address}:9000/minio/health/live"}
    given = {"minio_install_method": "archive", "minio_archive_url": "{{ " + repr(urls) + "[inventory_hostname] }}", "minio_archive_checksum": checksum}
    output, _changed = run(f"--extra-vars={json.dumps(given)}")
    words = " ".join(output.split())
    assert f"minio_archive_url: {urls[silo.name]} could not be downloaded by minio-silo" in words, output
    assert f"minio_archive_url: {urls[tls.name]} is not what minio_archive_checksum names (sha256 {checksum})" in words, output
    assert silo.host.service("silo").is_running
    assert tls.host.service("minio").is_running


def test_what_was_changed_by_hand_is_found_and_repaired(silo: t.Any, tls: t.Any, run: t.Any) -> None:
    admin, root = silo.admin(silo.root), silo.s3(silo.root)
    intended = json.loads(admin.policy_info("odoo"))
    wider = {**intended, "Statement": [*intended["Statement"], DRIFT]}
    admin.policy_add("odoo", policy=wider)
    # Without naming its policy, which takes it away.
    admin.update_service_account(access_key=silo.odoo[0], secret_key="another-secret-by-hand", status="off")
    admin.detach_policy(["odoo"], user="odoo")
    admin.group_remove("auditors", ["anna"])
    root.put_bucket_versioning(Bucket="odoo", VersioningConfiguration={"Status": "Suspended"})
    root.delete_bucket_lifecycle(Bucket="odoo")
    admin.bucket_quota_clear("odoo")
    # As by a run that was interrupted after it had written the settings, before it restarted the server.
    silo.host.check_output("touch /etc/minio/server.env")
    silo_pid = silo.host.check_output("systemctl show --property=MainPID --value silo")
    # The same certificate, said in another way: what counts is that the role sees it, and does not restart for it.
    tls.host.check_output("sh -c 'echo >> /etc/ssl/store/store.crt'")
    tls_pid = tls.host.check_output("systemctl show --property=MainPID --value minio")

    output, changed = run("--check")
    # Five resources (policy, user, group, key, bucket), and a restart, noticed and done; the certificate, and its reading.
    # And nothing is left of what failed above.
    assert changed == {silo.name: 7, tls.name: 2}, output
    assert re.search(r'^-.*"s3:GetObjectVersion"', output, re.MULTILINE), output
    assert re.search(r'^-.*"versioning": "suspended"', output, re.MULTILINE), output
    assert re.search(r'^-.*"policy": \{\}', output, re.MULTILINE), output
    assert re.search(r'^-.*"secret": "another than the one given"', output, re.MULTILINE), output
    assert re.search(r'^-.*"enabled": false', output, re.MULTILINE), output
    assert re.search(r'^-.*"lifecycle": \[\]', output, re.MULTILINE), output
    assert re.search(r'^-.*"members": \[\]', output, re.MULTILINE), output
    assert re.search(r'^-.*"policies": \[\]', output, re.MULTILINE), output
    assert re.search(r'^-.*"quota": 0', output, re.MULTILINE), output
    # It was a check: nothing is repaired yet.
    assert same(json.loads(admin.policy_info("odoo")), wider)
    assert root.get_bucket_versioning(Bucket="odoo")["Status"] == "Suspended"
    assert json.loads(admin.get_service_account(silo.odoo[0]))["accountStatus"] == "off"

    output, changed = run("-vvv")
    assert changed == {silo.name: 7, tls.name: 2}, output
    assert silo.host.check_output("systemctl show --property=MainPID --value silo") != silo_pid
    assert tls.host.check_output("systemctl show --property=MainPID --value minio") == tls_pid
    assert same(json.loads(admin.policy_info("odoo")), intended)
    assert json.loads(admin.get_service_account(silo.odoo[0]))["impliedPolicy"] is False
    assert root.get_bucket_versioning(Bucket="odoo")["Status"] == "Enabled"
    assert json.loads(admin.bucket_quota_get("odoo"))["quota"] == 10 * 1024**3
    assert json.loads(admin.get_service_account(silo.odoo[0]))["accountStatus"] == "on"
    assert json.loads(admin.user_info("odoo"))["policyName"] == "odoo"
    assert json.loads(admin.group_info("auditors"))["members"] == ["anna"]
    for store in (silo, tls):
        store.s3(store.odoo).put_object(Bucket="odoo", Key="again", Body=b"again")
    # With all that Ansible has to say, there is no secret in it (and the search would find one: the key's id is there).
    assert silo.odoo[0] in output
    for secret in (silo.odoo[1], silo.anna[1], silo.root[1][:20], tls.odoo[1]):
        assert secret not in output
