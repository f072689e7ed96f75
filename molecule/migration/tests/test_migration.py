"""A filestore goes to the bucket and comes back while ten people read and write over HTTPS."""

from __future__ import annotations

import hashlib
import re
import time

import pytest
from conftest import EPHEMERAL, FILESTORE, READS, inside, people_at_work, play, playing, rows
from testinfra.host import Host

# The SHA-1 of every object, as the object store gives it away; by boto3 alone, since our own engine is what is tried.
OBJECTS = """
import concurrent.futures, hashlib, json, sys, boto3
job = json.load(sys.stdin)
client = boto3.client("s3", endpoint_url="http://127.0.0.1:9000", aws_access_key_id="READER-KEY", aws_secret_access_key=job["secret"], region_name="us-east-1")
pages = client.get_paginator("list_objects_v2").paginate(Bucket="odoo", Prefix="test/")
keys = [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].startswith("test/.")]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    found = pool.map(lambda key: hashlib.sha1(client.get_object(Bucket="odoo", Key=key)["Body"].read()).hexdigest(), keys)
    print(json.dumps({key.removeprefix("test/"): sha1 for key, sha1 in zip(keys, found)}))
"""
REPORTS = "/var/lib/odooops-filestore/reports/odoo"
FILES = """
import hashlib, json, pathlib, sys
root = pathlib.Path(json.load(sys.stdin))
print(json.dumps({f"{path.parent.name}/{path.name}": hashlib.sha1(path.read_bytes()).hexdigest() for path in root.glob("[0-9a-f][0-9a-f]/*")}))
"""


def secret(name: str) -> str:
    """A secret that the playbook made, with the signs that group_vars puts before it."""
    return "%(x)s;#=" + (EPHEMERAL / name).read_text().split()[0]


def objects() -> dict[str, str]:
    return inside(OBJECTS, {"secret": secret("secret_key")})


def files() -> dict[str, str]:
    return inside(FILES, FILESTORE)


def served(host: Host) -> str:
    """How Odoo gives large downloads away."""
    return host.check_output("sed -n 's/^serve_mode *= *//p' /etc/odoo/s3_attachment.conf")


def documents(found: dict[int, tuple[str, str]]) -> list[tuple[int, str]]:
    """The attachments that prepare.yml has made, with their SHA-1: every other row of that time is Odoo's own."""
    return [(number, name[3:]) for number, (_digest, name) in found.items()][-5000:]


@pytest.fixture(scope="module")
def before() -> dict[int, tuple[str, str]]:
    found = rows()
    assert len(found) > 5000
    return found


def unchanged(before: dict[int, tuple[str, str]]) -> list[int]:
    """The rows of before that are not as they were."""
    now = rows()
    return [number for number, row in before.items() if now.get(number) != row]


def test_a_check_tells_what_would_go(before: dict[int, tuple[str, str]]):
    told = play(check="yes")
    assert told["code"] == 0, told["output"]
    names = {name for _digest, name in before.values()}
    counted = re.search(r"to_upload: (\d+) files", told["output"])
    assert counted and int(counted[1]) == len(names), told["output"]
    assert objects() == {}


def test_so_does_one_before_anything_is_deployed(host: Host):
    host.check_output("mkdir -p /srv/unprepared && cp -p /etc/odoo/odoo.conf /srv/unprepared/")
    told = play(check="yes", steps="prepare,upload", s3_addon_odoo_config="/srv/unprepared/odoo.conf")
    assert told["code"] == 0, told["output"]
    assert re.search(r"to_upload: \d{4} files", told["output"]), told["output"]


def test_a_playbook_that_is_killed_midway(host: Host, before: dict[int, tuple[str, str]]):
    """With it the run on the host, as in a loss of power; the next test is the run that goes on."""
    here = files()
    # Slow, so that there is a midway.
    with playing(steps="upload", migrate_bandwidth="5000000") as run:
        for _attempt in range(300):
            told = host.run(f"cat {REPORTS}/progress.log").stdout
            if re.search(r", [1-9]\d* files .* uploaded", told):
                break
            assert run.poll() is None, "it has ended"
            time.sleep(0.2)
    # The host's part would go on without the playbook.
    assert host.run("pkill -KILL -f '[A]nsiballZ_filestore'").rc == 0
    assert 0 < len(objects()) < len({name for _digest, name in before.values()})
    assert files() == here and unchanged(before) == []


def test_people_notice_nothing_of_the_migration(host: Host, before: dict[int, tuple[str, str]]):
    assert served(host) == "proxy"
    with people_at_work(documents(before)) as work:
        run = play()
    assert run["code"] == 0, run["output"]
    told = re.search(r"uploaded: referenced: .*? problems", " ".join(run["output"].split()))
    assert told and re.search(r"in_bucket: [1-9]", told[0]), "what the killed run had uploaded was uploaded again"
    assert served(host) == "redirect"
    assert work.counts["failures"] == []
    assert work.counts["reads"] >= READS and work.counts["writes"] > 20 and work.counts["deletes"] > 0, work.counts
    assert unchanged(before) == []
    # What they wrote meanwhile has its rows; that its bytes are where the rows say is asked of all rows below.
    now = rows()
    assert [pair for pair in work.counts["kept"] if now[pair[0]][1][3:] != pair[1]] == []


def test_every_object_is_what_its_name_says():
    stored = objects()
    assert [name for name, sha1 in stored.items() if sha1 != name[3:]] == []
    assert {name for _digest, name in rows().values()} - set(stored) == set()


@pytest.mark.parametrize("variables", [{}, {"check": "yes"}], ids=["run", "check"])
def test_a_second_run_changes_nothing(variables: dict[str, str]):
    run = play(**variables)
    assert run["code"] == 0, run["output"]
    assert run["changed"] == 0, run["output"]


def test_cleanup_waits():
    run = play(steps="cleanup")
    assert run["code"] != 0
    assert "days" in run["output"]
    assert len(files()) > 4000


def test_cleanup_while_people_work(before: dict[int, tuple[str, str]]):
    with people_at_work(documents(before)) as work:
        run = play(steps="cleanup", migrate_retention_days="0")
    assert run["code"] == 0, run["output"]
    assert work.counts["failures"] == []
    assert work.counts["reads"] >= READS, work.counts
    left = files()
    assert set(left) & {name for _digest, name in rows().values()} == set()
    assert unchanged(before) == []


def test_back_while_people_work(before: dict[int, tuple[str, str]]):
    with people_at_work(documents(before)) as work:
        run = play(direction="back", steps="download")
    assert run["code"] == 0, run["output"]
    assert work.counts["failures"] == []
    run = play(direction="back")
    assert run["code"] == 0, run["output"]
    assert unchanged(before) == []
    here = files()
    assert [name for name, sha1 in here.items() if sha1 != name[3:]] == []
    assert {name for _digest, name in rows().values()} - set(here) == set()


def test_odoo_needs_the_bucket_no_more(host: Host, before: dict[int, tuple[str, str]]):
    host.check_output("systemctl stop silo")
    with people_at_work(documents(before)) as work:
        pass
    assert work.counts["failures"] == []
    assert work.counts["reads"] >= READS
    again = play(direction="back")
    assert (again["code"], again["changed"]) == (0, 0), again["output"]
    owner = host.check_output(f"find {FILESTORE} ! -user odoo")
    assert owner == ""
    assert hashlib.sha1(host.file(f"{FILESTORE}/{before[max(before)][1]}").content).hexdigest() == before[max(before)][1][3:]
