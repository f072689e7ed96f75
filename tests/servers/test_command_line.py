# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's command line with settings that are in the database and in no file of the host."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import cli
from ansible_collections.odooops.stack.plugins.modules import filestore
from conftest import Server
from filestore import Filestore


@pytest.fixture
def odoo_conf(tmp_path: Path, database_server: dict[str, str]) -> Path:
    path = tmp_path / "odoo.conf"
    path.write_text(f"[options]\ndb_host = {database_server['host']}\ndb_user = {database_server['user']}\ndata_dir = {tmp_path}\n")
    return path


def test_settings_of_the_database_that_is_named(
    start_server: Callable[[str], Server],
    make_filestore: Callable[..., Filestore],
    odoo_conf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start_server("minio")
    shop = make_filestore(server)
    store = {"bucket": shop.bucket, "endpoint_url": server.endpoint_url, "access_key": server.access_key, "secret_key": server.secret_key}
    for name, value in {**store, "cache_max_bytes": "4096", "migration_hosts": "app1"}.items():
        shop.sql("INSERT INTO ir_config_parameter VALUES (%s, %s)", f"s3_attachment.{name}", value)
    fence = ["--config", str(odoo_conf), "fence", "--database", shop.database]
    assert cli.main(fence) == 1
    assert "there are no settings for the object store" in capsys.readouterr().err
    monkeypatch.setenv("ODOO_S3_DATABASE_SETTINGS", "all")
    assert cli.main(fence) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "free"
    assert cli.main(["--config", str(odoo_conf), "cache", "--database", shop.database]) == 0
    assert json.loads(capsys.readouterr().out)["max_bytes"] == 4096
    probe = ["--config", str(odoo_conf), "probe"]
    assert cli.main([*probe, "--database", shop.database]) == 0
    assert shop.bucket in json.loads(capsys.readouterr().out)["store"]
    # Which database would it be?
    assert cli.main(probe) == 1
    said = capsys.readouterr().err
    assert "there are no settings" in said and "those in a database count for commands that name it, by --database" in said
    # What is tried before it is in force, as the role does it, in a host that takes settings from there by this very file.
    monkeypatch.delenv("ODOO_S3_DATABASE_SETTINGS")
    opted = "[s3_attachment]\ndatabase_settings = all\n"
    for text, status in ((opted, 0), (opted.replace("all", "none"), 1)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        assert cli.main([*probe, "--database", shop.database, "--settings-on-stdin"]) == status
    audit = {"state": "audited", "database": shop.database, "config_file": str(odoo_conf), "state_directory": str(odoo_conf.parent / "state")}
    assert "there are no settings for the object store" in server.run(filestore, **audit)["msg"]
    (odoo_conf.parent / "s3_attachment.conf").write_text(opted)
    assert server.run(filestore, **audit)["complete"]
