"""meta/argument_specs.yml is the one truth on a role's variables: everything else is held against it."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/main.yml"))
SECRET = re.compile(r"(password|secret|secret_key)(_[ab])?$")


def options(role: pathlib.Path) -> dict:
    return yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]


def sources(role: pathlib.Path):
    for folder in ("tasks", "handlers", "templates", "defaults", "vars"):
        for path in (role / folder).rglob("*"):
            if path.is_file():
                yield path, path.read_text()


def walk(found: dict, prefix: str = ""):
    for name, option in found.items():
        yield prefix + name, option
        yield from walk(option.get("options", {}), f"{prefix}{name}.")


def test_there_are_roles():
    assert {role.name for role in ROLES} >= {"postgresql", "minio", "odoo", "s3_addon", "nginx"}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_defaults_are_the_spec_s(self, role):
        defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
        assert defaults == {name: option["default"] for name, option in options(role).items() if "default" in option}

    def test_each_variable_is_named_typed_and_described(self, role):
        for name in options(role):
            assert name.startswith(f"{role.name}_"), name
        for name, option in walk(options(role)):
            assert option.get("type"), name
            assert option.get("description"), name

    def test_secrets_are_marked(self, role):
        for name, option in walk(options(role)):
            if SECRET.search(name) and not option.get("choices"):
                assert option.get("no_log") is True and option["type"] == "str", name

    def test_looks_at_its_own_variables_only(self, role):
        for path, text in sources(role):
            assert not re.search(r"\b(hostvars|groups)\s*[\[.|]", text), path
            assert not re.search(r"\b(ansible_default_ipv4|ansible_distribution|ansible_os_family|ansible_memtotal_mb)\b", text), path

    def test_uses_no_variable_that_the_spec_does_not_know(self, role):
        known = set(options(role)) | {name for name, _unused in walk(options(role))}
        for path, text in sources(role):
            if path.parts[-2] == "vars" or "vars" in path.relative_to(role).parts:
                continue
            expressions = " ".join(re.findall(r"\{[{%].*?[%}]\}", text, re.S)) + " ".join(re.findall(r"^\s*(?:when|loop|that|- ).*$", text, re.M))
            for name in re.findall(rf"(?<![\w.'\"/-]){role.name}_[a-z0-9_]+(?![\w.(]*\()", expressions):
                assert name in known or f"odooops.stack.{name}" in text, f"{name} in {path}"

    def test_every_variable_is_used(self, role):
        everything = " ".join(text for path, text in sources(role) if path.parts[-2] != "defaults")
        for name in options(role):
            assert re.search(rf"\b{name}\b", everything), name

    def test_validates_first(self, role):
        tasks = yaml.safe_load((role / "tasks/main.yml").read_text())
        first = tasks[0].get("ansible.builtin.import_tasks") or tasks[0].get("ansible.builtin.include_tasks")
        assert first == "validate.yml"

    def test_has_a_scenario(self, role):
        assert (ROOT / "molecule" / role.name / "molecule.yml").exists()


def test_times_of_systemd_are_asked_for_as_ubuntu_22_04_tells_them():
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/tasks/**/*.yml")]:
        text = path.read_text()
        if re.search(r"systemctl,? show.*Timestamp", text):
            assert "--timestamp=unix" not in text, path
            assert re.search(r"\bTZ(: |=)UTC\b", text), path


def tasks_of(found: list):
    for task in found:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part) or [])


def test_nobody_needs_sudo_on_the_controller():
    there = [
        (path, task)
        for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/tasks/**/*.yml")]
        for task in tasks_of(yaml.safe_load(path.read_text()))
        if task.get("delegate_to") == "localhost"
    ]
    assert len(there) > 8
    for path, task in there:
        # The variable too: where an inventory has it for all hosts, it is stronger than the keyword.
        assert task.get("become") is False and task.get("vars", {}).get("ansible_become") is False, f"{path}: {task['name']}"


def test_readme_tables_are_up_to_date():
    subprocess.run([ROOT / "tools/docs", "--check"], check=True)


LISTS = {
    "minio_buckets": "s3_bucket",
    "minio_policies": "minio_policy",
    "minio_users": "minio_user",
    "minio_groups": "minio_group",
    "minio_access_keys": "minio_access_key",
}


@pytest.mark.parametrize(("variable", "module"), LISTS.items())
def test_what_the_role_minio_declares_takes_every_option_of_its_module(variable, module):
    text = (ROOT / f"plugins/modules/{module}.py").read_text()
    documented = yaml.safe_load(re.search(r'^DOCUMENTATION = r"""(.*?)"""', text, re.M | re.S).group(1))["options"]
    said = options(ROOT / "roles/minio")[variable]["options"]
    assert said.keys() == documented.keys()
    for name, option in documented.items():
        for field in ("type", "elements", "choices", "default"):
            assert said[name].get(field) == option.get(field), f"{name}: {field}"
    tasks = yaml.safe_load((ROOT / "roles/minio/tasks/resources.yml").read_text())
    calls = [task[f"odooops.stack.{module}"] for task in tasks[1]["block"] if f"odooops.stack.{module}" in task]
    assert set().union(*calls) == documented.keys()
