"""What the guides and READMEs name is there: variables, settings, playbooks, modules, files."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("roles/*/README.md"))]
ROLES = [path.parent.parent for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))]
VARIABLE = re.compile(r"(?<![\w.-])((?:postgresql|minio|odoo|s3_addon|nginx|stack|migrate|rotate|audit)_[a-z0-9_]*[a-z0-9])(?=[`:= ,)\]]|$)")
# A finding's kind, and the names of databases' roles.
OTHERS = {"odoo_key", "odoo_root", "odoo_a", "odoo_sessions_a"}


def options(found: dict):
    for name, option in found.items():
        yield name
        yield from options(option.get("options", {}))


@pytest.fixture(scope="module")
def known() -> set[str]:
    names = set(OTHERS)
    for role in ROLES:
        for entry in yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"].values():
            names |= set(options(entry["options"]))
    for path in [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("inventories/**/*.yml")]:
        names |= set(re.findall(r"\b(?:stack|migrate|rotate|audit)_[a-z0-9_]+", path.read_text()))
    return names | {path.stem for path in [*ROOT.glob("plugins/modules/*.py"), *ROOT.glob("plugins/filter/*"), *ROOT.glob("playbooks/*.yml")]}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_only_what_there_is(document: pathlib.Path, known: set[str]):
    text = document.read_text()
    # What a document's own example makes up is between braces.
    made_up = set(re.findall(r"\{\{ (\w+) \}\}", text))
    spans = re.findall(r"`([^`\n]+)`", text) + re.findall(r"```(?:yaml|console)\n(.*?)```", text, re.S)
    named = {name for span in spans for name in VARIABLE.findall(span)}
    assert named - known - made_up == set()
    assert set(re.findall(r"odooops\.stack\.(\w+)", text)) - known - {"s3"} - {role.name for role in ROLES} == set()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (document.parent / target).exists(), target


def test_the_role_can_say_each_setting_of_the_addon():
    text = (ROOT / "plugins/module_utils/filestore/config.py").read_text()
    settings = set(re.findall(r"^    (\w+): (?:str|int) = ", text[text.index("class Config") : text.index("    watch: ")], re.M)) | {"bucket"}
    of_its_own = set(re.findall(r"'(\w+)': s3_addon_", (ROOT / "roles/s3_addon/vars/main.yml").read_text())) - {"PGSSLROOTCERT"}
    checks = yaml.safe_load((ROOT / "roles/s3_addon/tasks/validate.yml").read_text())
    further = set(next(task["vars"]["__s3_addon_further"] for task in checks if "__s3_addon_further" in task.get("vars", {})))
    assert of_its_own | further == settings
    told = yaml.safe_load((ROOT / "roles/s3_addon/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]["s3_addon_settings"]
    assert further - set(re.findall(r"C\((\w+)\)", told["description"])) == set()
