from __future__ import annotations

import os
import typing as t

import pytest
import testinfra
import testinfra.host
import yaml


@pytest.fixture(scope="session")
def on(request: pytest.FixtureRequest) -> t.Callable[[str], testinfra.host.Host]:
    """Return a function that gives a host of the scenario by its name."""
    inventory = request.config.getoption("--ansible-inventory")
    return lambda name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory)


@pytest.fixture(scope="session")
def secrets_file() -> str:
    return os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "secrets.yml")


@pytest.fixture(scope="session")
def secrets(secrets_file: str) -> dict[str, str]:
    with open(secrets_file, encoding="utf-8") as file:
        return yaml.safe_load(file)
