from __future__ import annotations

import base64
import os
import stat

import pytest
from ansible_collections.odooops.stack.plugins.modules import odoo_addon

MANIFEST = {"__manifest__.py": base64.b64encode(b"{}").decode()}
FILES = {**MANIFEST, "models/a.py": base64.b64encode(b"a = 1\n").decode(), "static/description/icon.png": base64.b64encode(b"\0\xff").decode()}


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "addons/my_addon")


def tree(root):
    return sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _folders, names in os.walk(root) for name in names)


def test_installs_once(root):
    predicted = odoo_addon.ensure(root, FILES, check_mode=True)
    assert not os.path.exists(root)
    first = odoo_addon.ensure(root, FILES, check_mode=False)
    assert first == predicted
    assert first["changed"] and sorted(first["written"]) == tree(root) == sorted(FILES)
    assert open(os.path.join(root, "models/a.py"), "rb").read() == b"a = 1\n"
    for path in [root, *(os.path.join(root, name) for name in ("models", "static/description", "models/a.py"))]:
        assert stat.S_IMODE(os.stat(path).st_mode) == (0o755 if os.path.isdir(path) else 0o644)
    second = odoo_addon.ensure(root, FILES, check_mode=False)
    assert second == {"changed": False, "written": [], "removed": [], "diff": []}


def test_upgrade(root):
    odoo_addon.ensure(root, FILES, check_mode=False)
    os.makedirs(os.path.join(root, "models/__pycache__"))
    open(os.path.join(root, "models/__pycache__/a.pyc"), "wb").close()
    newer = {**MANIFEST, "models/a.py": base64.b64encode(b"a = 2\n").decode()}
    predicted = odoo_addon.ensure(root, newer, check_mode=True)
    assert sorted(FILES) == [name for name in tree(root) if "__pycache__" not in name]
    result = odoo_addon.ensure(root, newer, check_mode=False)
    assert result == predicted
    assert result["written"] == ["models/a.py"]
    assert result["removed"] == ["static/description/icon.png", "static", "static/description"]
    assert {"before_header": "models/a.py", "after_header": "models/a.py", "before": "a = 1\n", "after": "a = 2\n"} in result["diff"]
    assert tree(root) == ["__manifest__.py", "models/__pycache__/a.pyc", "models/a.py"]
    assert not odoo_addon.ensure(root, newer, check_mode=False)["changed"]


def test_mends_modes(root):
    odoo_addon.ensure(root, FILES, check_mode=False)
    os.chmod(os.path.join(root, "models"), 0o777)
    os.chmod(os.path.join(root, "models/a.py"), 0o666)
    result = odoo_addon.ensure(root, FILES, check_mode=False)
    assert result["changed"] and result["written"] == [] and "models/a.py" in result["diff"][0]["before"]
    assert stat.S_IMODE(os.stat(os.path.join(root, "models")).st_mode) == 0o755
    assert not odoo_addon.ensure(root, FILES, check_mode=False)["changed"]


def test_links_are_replaced(root, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("x")
    odoo_addon.ensure(root, MANIFEST, check_mode=False)
    os.symlink(other, os.path.join(root, "models"))
    odoo_addon.ensure(root, FILES, check_mode=False)
    assert not os.path.islink(os.path.join(root, "models"))
    assert (other / "precious").exists() and not (other / "a.py").exists()
    assert not odoo_addon.ensure(root, FILES, check_mode=False)["changed"]


def test_link_in_the_addon_s_place_is_replaced(root, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    os.makedirs(os.path.dirname(root))
    os.symlink(other, root)
    odoo_addon.ensure(root, FILES, check_mode=False)
    assert not os.path.islink(root) and os.listdir(other) == []
    assert not odoo_addon.ensure(root, FILES, check_mode=False)["changed"]


def test_file_and_directory_change_places(root):
    odoo_addon.ensure(root, {**MANIFEST, "a": "", "b/c": ""}, check_mode=False)
    swapped = {**MANIFEST, "a/c": "", "b": ""}
    assert odoo_addon.ensure(root, swapped, check_mode=False)["changed"]
    assert tree(root) == ["__manifest__.py", "a/c", "b"]
    assert not odoo_addon.ensure(root, swapped, check_mode=False)["changed"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a/../b", "./a", "", "a//b"])
def test_paths_stay_within(root, path):
    with pytest.raises(odoo_addon.Failure, match="within the directory"):
        odoo_addon.ensure(root, {**MANIFEST, path: ""}, check_mode=False)
    assert not os.path.exists(root)


def test_no_addon(root):
    with pytest.raises(odoo_addon.Failure, match="no __manifest__"):
        odoo_addon.ensure(root, {"a": ""}, check_mode=False)
    with pytest.raises(odoo_addon.Failure, match="not Base64"):
        odoo_addon.ensure(root, {**MANIFEST, "a": "%%%"}, check_mode=False)
