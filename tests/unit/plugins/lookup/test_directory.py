from __future__ import annotations

import base64

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.odooops.stack.plugins.lookup import directory


def test_links_are_followed_and_compiled_files_are_not_there(tmp_path):
    engine = tmp_path / "engine"
    (engine / "__pycache__").mkdir(parents=True)
    (engine / "a.py").write_text("a")
    (engine / "b.pyc").write_bytes(b"\0")
    (engine / "__pycache__/c").write_text("c")
    addon = tmp_path / "addon"
    (addon / "static").mkdir(parents=True)
    (addon / "engine").symlink_to("../engine")
    (addon / "static/icon.png").write_bytes(b"\x89\xff")
    found = directory.LookupModule().run([str(addon)])
    assert found == [{"engine/a.py": base64.b64encode(b"a").decode(), "static/icon.png": base64.b64encode(b"\x89\xff").decode()}]
    assert list(found[0]) == sorted(found[0])


def test_nowhere(tmp_path):
    with pytest.raises(AnsibleLookupError, match="no directory"):
        directory.LookupModule().run([str(tmp_path / "nowhere")])
