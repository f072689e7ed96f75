from __future__ import annotations

import os
import secrets
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import testinfra
import testinfra.host
from ansible.parsing.vault import is_encrypted

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
VAULT_PASSWORD = EPHEMERAL / "vault_password"
sys.path.insert(0, str(SCENARIO.parent / "shared"))
# After which changes the playbook is killed: one of each phase, or all.
KILLS = os.environ.get("ROTATION_KILLS", "some")
NIGHTLY = ("test_rotation_back.py", "test_rotation_end.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is for the night. (The verifier names each file, which `collect_ignore` does not hold for.)"""
    if KILLS != "all":
        items[:] = [item for item in items if item.path.name not in NIGHTLY]


@pytest.fixture(scope="session", autouse=True)
def encrypted() -> None:
    """The file of secrets, which `site` has made, is one that ansible-vault has encrypted, as a person would keep it."""
    if not VAULT_PASSWORD.exists():
        VAULT_PASSWORD.write_text(secrets.token_hex())
    if not is_encrypted((EPHEMERAL / "secrets.yml").read_text()):
        subprocess.run(["ansible-vault", "encrypt", f"--vault-id=site@{VAULT_PASSWORD}", str(EPHEMERAL / "secrets.yml")], check=True)
    os.environ["ANSIBLE_VAULT_PASSWORD_FILE"] = str(VAULT_PASSWORD)


@pytest.fixture(scope="session")
def on() -> t.Callable[[str], testinfra.host.Host]:
    return lambda name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(EPHEMERAL / "inventory"))
