from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import keys

SHA1 = "ab" + "0" * 38


@pytest.mark.parametrize("route", ["", "cold", "a1b2c3d4e5f6"])
def test_round_trip(route):
    fname = keys.build(SHA1, route)
    assert keys.parse(fname) == (SHA1, route)
    assert keys.is_name(fname)


def test_routes_do_not_share_an_object():
    assert keys.object_key("p/", keys.build(SHA1)) == f"p/ab/{SHA1}"
    assert keys.object_key("p/", keys.build(SHA1, "cold")) == f"p/ab/{SHA1}-cold"
    assert keys.object_key("", keys.build(SHA1)) == f"ab/{SHA1}"


@pytest.mark.parametrize(
    "fname",
    [
        "",
        SHA1,
        f"cd/{SHA1}",  # not its first two digits
        f"ab/{SHA1}-",
        f"ab/{SHA1}-Cold",
        f"ab/{SHA1}-abcdefghijklm",
        f"ab/{SHA1}\n",
        f"ab/{SHA1.upper()}",
        f"ab/{SHA1}/../x",
        f"../ab/{SHA1}",
        f"s3://bucket/{SHA1}",
        f"checklist/ab/{SHA1}",
        "ab/short",
    ],
)
def test_not_a_name(fname):
    assert not keys.is_name(fname)
    with pytest.raises(ValueError, match="not the name"):
        keys.parse(fname)
    with pytest.raises(ValueError, match="not the name"):
        keys.object_key("", fname)


@pytest.mark.parametrize(("sha1", "route"), [("test", ""), (SHA1.upper(), ""), (SHA1, "a-b"), (SHA1, "a" * 13)])
def test_not_to_be_built(sha1, route):
    with pytest.raises(ValueError, match=r"not a (SHA-1|route)"):
        keys.build(sha1, route)
