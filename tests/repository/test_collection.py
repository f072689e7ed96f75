"""The collection as a user gets it: built, installed without a network, and explained by ansible-doc."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
import tarfile

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def run(*command, **environment):
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "", **environment}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def tarball(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    clean = folder / "source"
    # As a release is made: what git has, or could have.
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, files):
        source, target = ROOT / name, clean / name
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        else:
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    run("ansible-galaxy", "collection", "build", str(clean), "--output-path", str(folder))
    return next(folder.glob("odooops-stack-*.tar.gz"))


@pytest.fixture(scope="session")
def installed(tarball, tmp_path_factory):
    path = tmp_path_factory.mktemp("collections")
    run("ansible-galaxy", "collection", "install", "--offline", "--no-deps", "--collections-path", str(path), str(tarball), ANSIBLE_COLLECTIONS_PATH=str(path))
    return path


def test_addon_has_the_version_of_the_collection():
    """By it the role knows that a database has the addon of an older release, so each release has to have another one."""
    manifest = ast.literal_eval((ROOT / "roles/s3_addon/files/s3_attachment/__manifest__.py").read_text())
    assert manifest["version"] == yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


def test_tarball_has_what_users_need_and_nothing_else(tarball):
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    tops = {name.split("/")[0] for name in names}
    assert {"README.md", "LICENSE", "MANIFEST.json", "FILES.json", "meta", "plugins", "roles", "playbooks", "inventories", "docs", "changelogs"} <= tops
    assert not tops & {"tests", "tools", "molecule", ".git", ".ci", "artifacts", "Makefile"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(("secrets.yml.bak", ".pyc", "all/secrets.yml"))]


def test_engine_is_in_the_addon(installed):
    engine = installed / "ansible_collections/odooops/stack/roles/s3_addon/files/s3_attachment/engine"
    assert engine.is_symlink() and (engine / "store.py").is_file()
    assert not os.path.isabs(os.readlink(engine))


@pytest.mark.parametrize("module", MODULES)
def test_module_is_documented(installed, module):
    found = json.loads(run("ansible-doc", "-t", "module", "--json", f"odooops.stack.{module}", ANSIBLE_COLLECTIONS_PATH=str(installed)))
    entry = found[f"odooops.stack.{module}"]
    assert str(installed) in entry["doc"]["filename"]
    assert entry["examples"].strip() and entry["return"]
    assert {"check_mode", "diff_mode"} <= set(entry["doc"]["attributes"])


@pytest.mark.parametrize("role", ROLES)
def test_role_is_documented(installed, role):
    found = json.loads(run("ansible-doc", "-t", "role", "--json", f"odooops.stack.{role}", ANSIBLE_COLLECTIONS_PATH=str(installed)))
    entry = found[f"odooops.stack.{role}"]
    assert str(installed) in entry["path"]
    assert entry["entry_points"]["main"]["short_description"]


def test_action_groups_name_every_module_once():
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]
    listed = [name for members in groups.values() for name in members]
    assert sorted(listed) == sorted(name for name in MODULES if name.startswith(("s3_", "minio_")))
    assert all(members == sorted(members) for members in groups.values())
