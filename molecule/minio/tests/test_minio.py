"""Ask the running stores what they do, as Odoo and as root would."""

from __future__ import annotations

import json
import os
import re
import typing as t

UNSIGNED = """
import ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context(cafile="/etc/ssl/store/ca.crt") if sys.argv[1].startswith("https") else None
try:
    print(urllib.request.urlopen(sys.argv[1], context=context).status)
except urllib.error.HTTPError as error:
    print(error.code)
""".strip()


def test_the_unit_runs(store: t.Any) -> None:
    service = store.host.service(store.unit)
    assert service.is_running
    assert service.is_enabled
    assert store.host.process.get(user="minio", comm=store.unit).args.startswith(f"/usr/local/bin/{store.unit} server --address :{store.port}")


def test_odoo_writes_and_reads(store: t.Any) -> None:
    odoo = store.s3(store.odoo)
    content = os.urandom(6 * 1024 * 1024)
    odoo.put_object(Bucket="odoo", Key="ab/abcdef", Body=content)
    assert odoo.get_object(Bucket="odoo", Key="ab/abcdef")["Body"].read() == content
    assert "ab/abcdef" in [item["Key"] for item in odoo.list_objects_v2(Bucket="odoo")["Contents"]]


def test_former_versions_are_kept_from_odoo(store: t.Any) -> None:
    odoo, root = store.s3(store.odoo), store.s3(store.root)
    assert root.get_bucket_versioning(Bucket="odoo")["Status"] == "Enabled"
    assert "Status" not in root.get_bucket_versioning(Bucket="other")
    first = odoo.put_object(Bucket="odoo", Key="versioned", Body=b"first")["VersionId"]
    odoo.put_object(Bucket="odoo", Key="versioned", Body=b"second")
    odoo.delete_object(Bucket="odoo", Key="versioned")
    with store.refused():
        odoo.delete_object(Bucket="odoo", Key="versioned", VersionId=first)
    assert root.get_object(Bucket="odoo", Key="versioned", VersionId=first)["Body"].read() == b"first"


def test_odoo_may_do_nothing_else(store: t.Any) -> None:
    odoo, admin = store.s3(store.odoo), store.admin(store.odoo)
    with store.refused():
        odoo.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": store.region})
    with store.refused():
        odoo.list_objects_v2(Bucket="other")
    with store.refused():
        odoo.put_bucket_versioning(Bucket="odoo", VersioningConfiguration={"Status": "Suspended"})
    with store.refused():
        odoo.delete_bucket(Bucket="odoo")
    with store.refused():
        admin.user_add("intruder", "secret-of-intruder")
    with store.refused():
        admin.policy_add("odoo", policy={"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]})
    with store.refused():
        admin.info()


def test_a_group_gives_its_members_what_it_has(store: t.Any) -> None:
    anna = store.s3(store.anna)
    assert "Contents" not in anna.list_objects_v2(Bucket="other")
    with store.refused():
        anna.put_object(Bucket="other", Key="new", Body=b"new")
    with store.refused():
        anna.list_objects_v2(Bucket="odoo")


def test_a_bucket_is_as_it_is_declared(store: t.Any) -> None:
    root, admin = store.s3(store.root), store.admin(store.root)
    assert json.loads(admin.bucket_quota_get("odoo"))["quota"] == 10 * 1024**3
    assert root.get_bucket_tagging(Bucket="odoo")["TagSet"] == [{"Key": "instance", "Value": "production"}]
    rules = root.get_bucket_lifecycle_configuration(Bucket="odoo")["Rules"]
    assert [(rule["ID"], rule["NoncurrentVersionExpiration"]["NoncurrentDays"]) for rule in rules] == [("former-versions", 90)]


def test_who_has_no_key_gets_nothing(store: t.Any) -> None:
    store.s3(store.odoo).put_object(Bucket="odoo", Key="private", Body=b"private")
    with store.refused("SignatureDoesNotMatch"):
        store.s3((store.odoo[0], "x" * 32)).get_object(Bucket="odoo", Key="private")
    response = store.host.run(f"/opt/minio-python/bin/python -c '{UNSIGNED}' {store.url}/odoo/private")
    assert response.stdout.strip() == "403"


def test_the_root_credentials_are_roots_own(store: t.Any) -> None:
    file = store.host.file("/etc/minio/root.env")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    # The file is read as it was meant, with all the signs of the password.
    assert store.s3(store.root).list_buckets()["Buckets"]
    assert store.host.run("runuser -u minio -- cat /etc/minio/root.env /etc/minio/server.env").stdout == ""
    assert store.root[1][:20] not in store.host.check_output("ps -eo args")
    assert store.root[1][:20] not in store.host.run("journalctl --no-pager; cat /etc/systemd/system/*.service").stdout


def test_the_unit_is_confined(store: t.Any) -> None:
    pid = store.host.check_output(f"systemctl show --property=MainPID --value {store.unit}")
    status = dict(line.split(":", 1) for line in store.host.file(f"/proc/{pid}/status").content_string.splitlines())
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    # Only the right to open a port below 1024, and only where there is one.
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == (1 << 10 if store.port < 1024 else 0)
    for path in ("/etc/x", "/usr/x", "/var/lib/x"):
        assert "Read-only file system" in store.inside(pid, f"touch {path}")
    assert store.inside(pid, "ls /root") == ""
    drive = "/srv/minio/disk1" if store.unit == "silo" else "/var/lib/minio/data"
    assert store.inside(pid, f"touch {drive}/.x && rm {drive}/.x && echo done") == "done\n"
    exposure = store.host.check_output(f"systemd-analyze security --no-pager {store.unit}").splitlines()[-1]
    assert float(re.findall(r"\d+\.\d+", exposure)[0]) < 2.5, exposure
