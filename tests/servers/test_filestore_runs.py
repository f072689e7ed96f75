# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, on a real MinIO and PostgreSQL; and runs that are killed, and servers that come and go."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import database, keys, survey
from ansible_collections.odooops.stack.plugins.module_utils.filestore.transfer import MIB
from ansible_collections.odooops.stack.plugins.modules import filestore as module
from ansible_collections.odooops.stack.tests.unit.plugins.modules.running import result_of
from conftest import Server
from filestore import Filestore
from test_filestore import let_clean

ENGINE = pathlib.Path(module.__file__).resolve().parents[1] / "module_utils"
KILLS = int(os.environ.get("ODOOOPS_KILLS", "10"))


@pytest.fixture
def store(start_server: Callable[[str], Server], make_filestore: Callable[..., Filestore], monkeypatch: pytest.MonkeyPatch) -> Filestore:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    return make_filestore(start_server("minio"))


def odoo_conf(store: Filestore) -> pathlib.Path:
    """What Odoo and the addon's role would have written."""
    folder = store.path.parent.parent
    (folder / "odoo.conf").write_text(f"[options]\ndb_host = {store.connection['host']}\ndb_user = odoo\ndb_password = False\ndata_dir = {folder}\n")
    config = store.config
    names = ("bucket", "prefix", "endpoint_url", "region", "access_key", "secret_key", "ca_bundle", "connect_timeout", "read_timeout")
    settings = {name: getattr(config, name) for name in names}
    (folder / "s3_attachment.conf").write_text("[s3_attachment]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items() if value))
    return folder / "odoo.conf"


def ansible(store: Filestore, state: str, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    result = result_of(
        module,
        {"state": state, "database": store.database, "config_file": str(odoo_conf(store)), "state_directory": str(store.state), **options},
        check=check,
    )
    assert store.config.secret_key not in json.dumps(result)
    return result


class Odoo(http.server.ThreadingHTTPServer):
    """Serves /web/content/<id> as an Odoo would: with the addon from the bucket, without it from the disk or not at all."""

    def __init__(self, store: Filestore, addon: bool) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_arguments: t.Any) -> None:
                pass

            def do_GET(self) -> None:
                ((fname,),) = store.sql("SELECT store_fname FROM ir_attachment WHERE id = %s", int(self.path.rsplit("/", 1)[1]))
                path = store.path / fname
                body = path.read_bytes() if path.exists() else store.object(fname) if addon else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def test_module_through_all_states(store: Filestore) -> None:
    store.add_many(20)
    store.add(b"for everybody", public=True)
    rows, before = store.rows(), store.files()

    foreseen = ansible(store, "uploaded", check=True)
    assert foreseen["changed"] and foreseen["counts"]["to_upload"] == {"files": 21, "bytes": sum(map(len, before.values()))}
    assert "report" not in foreseen and not store.state.exists() and not store.objects()
    done = ansible(store, "uploaded")
    assert done["changed"] and done["diff"]["after"] == foreseen["diff"]["after"]
    assert done["complete"] and done["problems"] == 0 and done["files_per_second"] > 0
    assert pathlib.Path(done["report"]).exists() and not oct(store.state.stat().st_mode).endswith("7")
    assert not ansible(store, "uploaded")["changed"]
    assert not ansible(store, "verified")["changed"]

    store.sql("UPDATE ir_module_module SET state = 'installed' WHERE name = 's3_attachment'")
    plain, with_addon = Odoo(store, addon=False), Odoo(store, addon=True)
    try:
        refused = ansible(store, "proved", host="app1", odoo_url=plain.url)
        assert refused["failed"] and "does not read from the bucket" in refused["msg"]
        assert store.files() == before
        assert "app1 has not shown" in ansible(store, "cleaned", app_hosts=["app1"], retention_days=0)["msg"]
        assert ansible(store, "proved", check=True, host="app1", odoo_url=with_addon.url)["changed"]
        assert ansible(store, "proved", host="app1", odoo_url=with_addon.url)["changed"]
        assert not ansible(store, "proved", host="app1", odoo_url=with_addon.url)["changed"]
    finally:
        plain.shutdown()
        with_addon.shutdown()
    assert store.files() == before
    assert "14 days" in ansible(store, "cleaned", app_hosts=["app1"])["msg"]
    assert ansible(store, "cleaned", check=True, app_hosts=["app1"], retention_days=0)["counts"]["to_clean"]["files"] == 21
    assert store.files() == before
    assert ansible(store, "cleaned", app_hosts=["app1"], retention_days=0)["changed"]
    assert store.files() == {}
    assert not ansible(store, "cleaned", app_hosts=["app1"], retention_days=0)["changed"]
    assert ansible(store, "audited")["counts"]["verified"]["files"] == 21
    assert ansible(store, "local")["changed"]
    assert not ansible(store, "local")["changed"]
    assert store.files() == before and store.rows() == rows


def test_module_says_what_is_wrong(store: Filestore) -> None:
    first, *_rest = store.add_many(3)
    store.write(first, b"not that")
    result = ansible(store, "uploaded")
    assert result["counts"]["corrupt"]["files"] == 1 and "1 corrupt" in " ".join(map(str, result["warnings"]))
    assert "cannot be reached" in ansible(store, "uploaded", login_host="/nowhere")["msg"]
    assert "is not a directory" in ansible(store, "uploaded", path="/nowhere")["msg"]
    assert "it must be such as 2/4" in ansible(store, "uploaded", shard="5/4")["msg"]
    for bad in ({"bucket": "Not A Bucket"}, {"bucket": "there-is-none", "endpoint_url": "ftp://x"}):
        assert ansible(store, "uploaded", **bad)["failed"]


def test_database_is_only_read(store: Filestore) -> None:
    with pytest.raises(database.ConfigError, match="read-only transaction"), database.open_catalogue(store.database, store.connection) as catalogue:
        catalogue._rows("DELETE FROM ir_attachment RETURNING id")


def command(store: Filestore, phase: str, *options: str) -> list[str]:
    where = ["--database", store.database, "--state-dir", str(store.state), "--report-dir", str(store.state / "report")]
    return [sys.executable, "-m", "filestore.cli", "--config", str(odoo_conf(store)), phase, *where, *options]


def killed_at_random(store: Filestore, dice: random.Random, seconds: float, phase: str, *options: str) -> bool:
    """Run a phase in a process of its own, and kill it; whether it had ended before."""
    run = subprocess.Popen(command(store, phase, *options), cwd=ENGINE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        run.wait(dice.uniform(0.15, seconds))
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
    _output, errors = run.communicate()
    assert run.returncode in (0, -signal.SIGKILL), errors.decode()
    return run.returncode == 0


@pytest.mark.parametrize("seed", range(max(1, KILLS // 10)))
def test_killed_at_any_moment(store: Filestore, seed: int) -> None:
    """Pitfall 29. Whatever is killed and when, while people work: the next run goes on, nothing is lost, and next to nothing is sent twice."""
    dice = random.Random(seed)
    store.add_many(500, largest=4000)
    # So slow that most runs do not come to their end.
    slow = ["--bandwidth", "200000", "--concurrency", "8"]
    with store.people_at_work() as touched:
        killed = sum(not killed_at_random(store, dice, 1.2, "upload", *slow) for _kill in range(10))
        assert killed > 5 and touched
        assert store.run("upload")["problems"] == 0
    assert store.files() == store.contents
    # What came after the last listing.
    assert store.run("upload")["problems"] == 0
    stored = store.objects()
    assert {name: stored.get(name) for name in store.contents} == store.contents
    assert [name for name, content in stored.items() if hashlib.sha1(content).hexdigest() != name[3:43]] == []
    versions = store.versions()
    # What was under way at each kill may have been stored without that we came to know of it.
    assert sum(versions.values()) - len(versions) <= 8 * killed

    rows = store.rows()
    store.run("verify")
    let_clean(store)
    clean = ["--app-host", "app1", "--retention-days", "0", *slow]
    removed = 0
    for _kill in range(10):
        if killed_at_random(store, dice, 0.8, "clean", *clean):
            break
        files = store.files()
        assert all(store.contents[name] == content for name, content in files.items())
        journal = next(store.state.glob("*/removed.log"), None)
        told = {json.loads(line)["removed"] for line in journal.read_text().splitlines()} if journal else set()
        assert set(store.contents) - set(files) <= told, "a file was removed before the journal told of it"
        assert len(files) <= len(store.contents) - removed
        removed = len(store.contents) - len(files)
    store.run("clean", retention_days=0, app_hosts=("app1",))
    assert store.files() == {}

    for _kill in range(3):
        killed_at_random(store, dice, 0.8, "back", *slow)
        assert all(store.contents[name] == content for name, content in store.files().items() if not pathlib.Path(name).name.startswith("."))
    store.run("back")
    assert {name: content for name, content in store.files().items() if keys.is_name(name)} == store.contents
    assert store.rows() == rows


def test_memory_does_not_grow_with_the_files(store: Filestore) -> None:
    """Pitfall 26: there and back with more than would fit, and each process stays below the limit (in bytes)."""
    content, limit = store.random.randbytes(MIB), 150 * MIB
    for number in range(256):
        store.add(number.to_bytes(4, "big") + content)
    # By a small process in between: what a process is forked from counts as its own.
    measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    for phase in ("upload", "verify", "audit"):
        run = subprocess.run([sys.executable, "-c", measure, *command(store, phase)], cwd=ENGINE, capture_output=True, text=True, check=True)
        result, kibibytes = run.stdout.splitlines()
        assert json.loads(result)["counts"]["referenced"]["files"] == 256
        assert 10 * MIB < int(kibibytes) * 1024 < limit, phase


@pytest.mark.parametrize("batch", [1, 3, 7, 5000])
def test_names_by_directory(store: Filestore, batch: int) -> None:
    """Whatever the batches, and whatever other names lie among them, each directory gets all of its names once."""
    store.add_many(60)
    for strange in ("ab", "ab/g", "ab/zz", "3f/x", "zz/top", "00", f"{'0' * 40}", f"5a/{'5' * 40}"):
        store.sql("INSERT INTO ir_attachment (name, store_fname) VALUES ('strange', %s)", strange)
    fname = sorted(store.contents)[5]
    store.sql("INSERT INTO ir_attachment (name, store_fname, file_size) VALUES ('routed', %s, 7)", f"{fname}-archive")
    wanted = {name: len(body) for name, body in store.contents.items()} | {f"{fname}-archive": 7}
    with database.open_catalogue(store.database, store.connection) as catalogue:
        catalogue._batch = batch
        for shard in ("1/1", "1/3", "2/3", "3/3"):
            prefixes = survey.shard_prefixes(shard)
            directories = list(catalogue.names(prefixes))
            assert len(directories) == len(prefixes)
            for prefix, names in zip(prefixes, directories, strict=True):
                assert names == {name: size for name, size in wanted.items() if name.startswith(f"{prefix}/")}
        assert len(catalogue.others()) == 8
