"""The audit finds each mischief by its own sentence, and nothing when it is undone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]).parent / "shared"))

from site_person import address

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PLAYBOOK = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "audit.yml"
DATABASE, STORE, APP, WEB = "site-db", "site-s3", "site-app2", "site-web"

# Does mischief at the object store, and undoes it. The secrets come by standard input.
MISCHIEF_AT_THE_STORE = """
import json, sys
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
given = json.load(sys.stdin)
def admin(key, secret):
    return MinioAdmin(endpoint=given["endpoint"], credentials=StaticProvider(key, secret), region="us-east-1", secure=False)
root = admin("site-root", given["root"])
store = Minio(endpoint=given["endpoint"], access_key="site-root", secret_key=given["root"], region="us-east-1", secure=False)
every = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]}
public = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::site-filestore/*"]}]}
if given["do"] == "look":
    print(root.policy_info("site-odoo"))
elif given["do"] == "mischief":
    root.user_add("mallory", given["canary"])
    root.attach_policy(["consoleAdmin"], user="mallory")
    admin("site-odoo", given["user"]).add_service_account(access_key="forgotten", secret_key=given["canary"])
    root.policy_add("site-odoo", policy=every)
    store.set_bucket_policy(bucket_name="site-filestore", policy=json.dumps(public))
else:
    root.policy_add("site-odoo", policy=json.loads(given["kept"]))
    store.delete_bucket_policy(bucket_name="site-filestore")
    root.delete_service_account("forgotten")
    root.user_remove("mallory")
"""

# Each with its place and its sentence.
EXPECTED = {
    ("critical", STORE, "user_unknown", "mallory"): "has the user mallory, which the inventory does not declare and which is an administrator by consoleAdmin",
    ("critical", STORE, "bucket_public", "site-filestore"): "The bucket site-filestore lets anybody do s3:GetObject without a signature.",
    ("high", STORE, "policy_wider", "site-odoo"): "The policy site-odoo is wider than declared: it allows s3:* on arn:aws:s3:::*",
    ("high", STORE, "key_unknown", "forgotten"): "The user site-odoo has the access key forgotten, which the inventory does not declare.",
    ("high", APP, "file_open", "/etc/odoo/odoo.conf"): "The file /etc/odoo/odoo.conf holds secrets and can be read by everybody on the host (0644).",
    ("critical", DATABASE, "role_unknown", "mallory"): "has the role mallory, which the inventory does not declare and which can log in and has SUPERUSER.",
    (
        "critical",
        DATABASE,
        "hba_trust",
        "host all all 0.0.0.0/0 trust",
    ): "admits without any password what the inventory does not declare: host all all 0.0.0.0/0",
    ("high", WEB, "port_unknown", "0.0.0.0 port 4444"): "listens on 0.0.0.0 port 4444, which the inventory does not declare.",
}


class Audit:
    """A run of the playbook, its report, and what it said."""

    def __init__(self, *options: str) -> None:
        command = ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), *options, str(PLAYBOOK)]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.code, self.output = done.returncode, done.stdout
        self.report = json.loads((EPHEMERAL / "audit.json").read_text())
        self.page = (EPHEMERAL / "audit.html").read_text()

    @property
    def findings(self) -> dict[tuple[str, str, str, str], str]:
        return {(each["severity"], each["host"], each["check"], each["subject"]): each["what"] for each in self.report["findings"]}


class Audits(t.NamedTuple):
    mischief: Audit
    undone: Audit
    canary: str


@pytest.fixture(scope="module")
def audits(on, secrets) -> Audits:
    canary = "canary" + os.urandom(12).hex()

    def at_the_store(do: str, kept: str = "") -> str:
        given = {"do": do, "kept": kept, "canary": canary, "endpoint": f"{address(on(STORE))}:9000"}
        given |= {"root": secrets["stack_minio_root_password"], "user": secrets["stack_s3_user_secret"]}
        return on(STORE).check_output("printf %%s %s | /opt/minio-python/bin/python -c %s", json.dumps(given), MISCHIEF_AT_THE_STORE)

    hba = on(DATABASE).check_output("ls /etc/postgresql/*/main/pg_hba.conf")
    kept = at_the_store("look")
    try:
        at_the_store("mischief")
        on(DATABASE).check_output("runuser -u postgres -- psql -Xqc 'CREATE ROLE mallory LOGIN SUPERUSER'")
        # Not yet read by the server, which would be restarted with it one day.
        on(DATABASE).check_output("cp -p %s /root/pg_hba.conf && echo 'host all all 0.0.0.0/0 trust' >>%s", hba, hba)
        on(APP).check_output("chmod 0644 /etc/odoo/odoo.conf")
        on(WEB).check_output("systemd-run --quiet --collect --unit=mischief python3 -m http.server --directory /var/empty 4444")
        on(WEB).check_output("timeout 60 sh -c 'until ss -Hltn sport = :4444 | grep -q .; do sleep 0.2; done'")
        mischief = Audit()
    finally:
        on(WEB).run("systemctl stop mischief")
        on(APP).run("chmod 0640 /etc/odoo/odoo.conf")
        on(DATABASE).run("cp -p /root/pg_hba.conf %s && rm /root/pg_hba.conf", hba)
        on(DATABASE).run("runuser -u postgres -- psql -Xqc 'DROP ROLE mallory'")
        at_the_store("undo", kept)
    return Audits(mischief, Audit("--check"), canary)


def test_each_mischief_has_its_own_sentence(audits: Audits):
    found = audits.mischief.findings
    assert set(found) == set(EXPECTED), audits.mischief.output
    for which, sentence in EXPECTED.items():
        assert sentence in found[which]
        assert sentence in audits.mischief.page.replace("&#x27;", "'")
    assert audits.mischief.code != 0
    assert "The audit has findings from high on (4 critical, 4 high)" in audits.mischief.output


def test_it_is_told_on_the_screen_as_well(audits: Audits):
    lines = [line.strip() for line in audits.mischief.output.splitlines()]
    for (severity, host, _check, _subject), sentence in EXPECTED.items():
        assert [line for line in lines if line.startswith(f'"{severity.upper()} {host}: ') and sentence in line], sentence


def test_a_clean_site_has_no_finding(audits: Audits):
    assert audits.undone.findings == {}
    assert audits.undone.code == 0, audits.undone.output
    assert "Nothing was found." in audits.undone.output


def test_it_looked_at_everything(audits: Audits):
    seen = audits.undone.report["seen"]
    assert {name: set(areas) for name, areas in seen.items()} == {
        "site-db": {"database", "files", "listeners", "certificates", "units"},
        "site-s3": {"store", "files", "listeners", "certificates", "units"},
        "site-app": {"odoo", "files", "listeners", "certificates", "units"},
        "site-app2": {"odoo", "files", "listeners", "certificates", "units"},
        "site-web": {"files", "listeners", "certificates", "units"},
        "controller": {"files"},
    }
    assert seen["site-app"]["odoo"]["counts"]["referenced"]["files"] > 10
    assert {each["name"] for each in seen["site-web"]["certificates"]["certificates"]} == {"odoo.site.test", "files.site.test"}
    assert seen["site-s3"]["store"]["access keys"][0]["written"].endswith("UTC")
    assert "/etc/odoo/odoo.conf" in {each["path"] for each in seen["site-app2"]["files"]["files"]}
    assert {each["path"] for each in seen["site-web"]["files"]["files"]} and seen["controller"]["files"]["files"]
    assert [float(each["exposure"]) for name in ("site-s3", "site-app", "site-web") for each in seen[name]["units"]["units"]]


def test_it_changed_nothing_and_told_no_secret(audits: Audits, secrets):
    for audit in audits[:2]:
        recap = audit.output.rsplit("PLAY RECAP", 1)[1]
        assert recap.count("changed=0") == recap.count("changed=") == 5
        assert "site-root" in json.dumps(audit.report), "the scanner is blind"
        told = audit.output + audit.page + json.dumps(audit.report)
        assert [name for name, value in {**secrets, "canary": audits.canary}.items() if value in told and name != "stack_s3_access_key"] == []
    assert {(EPHEMERAL / f"audit.{ending}").stat().st_mode & 0o777 for ending in ("json", "html")} == {0o600}
