"""What is known to go wrong with attachments in a store, by number: docs/addon.md lists it all, and a test cites each number."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = {
    "addon": "roles/s3_addon/files/s3_attachment/tests",
    "scenario": "molecule/s3_addon/tests",
    "use": "molecule/addon/tests",
    "unit": "tests/unit/plugins/module_utils/filestore",
    "servers": "tests/servers",
}
NUMBERS = range(1, 43)
CITED = re.compile(r"[Pp]itfalls? ((?:\d+(?: \([^)]*\))?(?:, | and |,\s+and )?)+)")
TABLE = {int(number): cell for number, cell in re.findall(r"^\| (\d+) \|[^|]*\| (.*) \|$", (ROOT / "docs/addon.md").read_text(), re.MULTILINE)}


def citations() -> set[int]:
    found = set()
    for folder in FOLDERS.values():
        for path in (ROOT / folder).glob("test_*.py"):
            for match in CITED.finditer(path.read_text()):
                found |= {int(number) for number in re.findall(r"\d+", re.sub(r"\([^)]*\)", "", match[1]))}
    return found


def test_each_is_cited_by_a_test():
    assert set(NUMBERS) - citations() == set()


def test_each_is_in_the_guide():
    assert set(NUMBERS) - set(TABLE) == set()


@pytest.mark.parametrize("number", TABLE)
def test_the_guide_names_tests_that_there_are(number: int):
    folder, module = "", ""
    for word, name in re.findall(r"(?:(\w+) )?`([\w.]+)`", TABLE[number]):
        folder = FOLDERS[word] if word else folder
        parts = name.split(".")
        if len(parts) == 2 or f"def {name}(" not in module:
            module = (ROOT / folder / f"{parts[0]}.py").read_text()
        assert len(parts) == 1 or f"def {parts[1]}(" in module, name
    assert folder, "no test is named"
