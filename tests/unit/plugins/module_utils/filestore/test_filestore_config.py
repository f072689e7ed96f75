from __future__ import annotations

import os

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import config, keys, sources
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import ConfigError

SECRET = "s3cr%et;#=x"


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")


def load(folder, **environ):
    return sources.load(str(folder / "odoo.conf"), environ)


def test_nothing_is_set(folder):
    assert load(folder) is None
    write(folder, "odoo.conf", "[options]\nbucket = not ours\n")
    assert load(folder, HOME="/", ODOO_S3_BUCKET="") is None


def test_order(folder):
    write(folder, "s3_attachment.conf", f"[s3_attachment]\nbucket = one\nprefix = a/\naccess_key = AK\nsecret_key = {SECRET}\nregion = r1\n")
    write(folder, "odoo.conf", "[options]\ndb_name = x\n[s3_attachment]\nbucket = two\nregion =\nprefix = b/\n")
    found = load(folder, ODOO_S3_BUCKET="three", ODOO_S3_PRESIGN_TTL="900", OTHER="x")
    assert (found.bucket, found.prefix, found.region, found.presign_ttl, found.secret_key) == ("three", "b/", "r1", 900, SECRET)
    assert found.origins == {
        "bucket": "the environment",
        "presign_ttl": "the environment",
        "prefix": str(folder / "odoo.conf"),
        **dict.fromkeys(("access_key", "secret_key", "region"), str(folder / "s3_attachment.conf")),
    }


def test_secret_is_not_shown(folder):
    found = load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_ACCESS_KEY="AK", ODOO_S3_SECRET_KEY=SECRET)
    assert found.secret_key == SECRET
    assert SECRET not in repr(found) + str(found) + found.where
    assert "AK" in repr(found)


def test_defaults_of_an_own_store(folder):
    found = load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_ENDPOINT_URL="https://store.example:9000/")
    assert found.endpoint_url == found.public_endpoint_url == "https://store.example:9000"
    assert (found.addressing_style, found.region, found.serve_mode) == ("path", "us-east-1", "redirect")
    assert (found.connect_timeout, found.read_timeout, found.max_attempts) == (3, 20, 3)
    amazon = load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_REGION="eu-west-1")
    assert (amazon.endpoint_url, amazon.addressing_style) == ("", "")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("presign_ttl", "59", "a whole number from 60 to 900"),
        ("presign_ttl", "901", "is '901', but must be"),
        ("presign_ttl", "5m", "a whole number"),
        ("presign_ttl", "-60", "a whole number"),
        ("serve_mode", "x-accel", "redirect or x_accel or proxy"),
        ("bucket", "Up", "3 to 63 of"),
        ("prefix", "odoo", "each followed by '/'"),
        ("prefix", "../", "each followed by '/'"),
        ("prefix", "/odoo/", "each followed by '/'"),
        ("endpoint_url", "store.example:9000", "http:// or https://"),
        ("endpoint_url", "http://store.example/path", "http:// or https://"),
        ("endpoint_url", "http://user:pw@store.example", "http:// or https://"),
        ("endpoint_url", "http://store.example:99999", "http:// or https://"),
        ("endpoint_url", "ftp://store.example", "http:// or https://"),
        ("public_endpoint_url", "https://store.example?x", "http:// or https://"),
        ("ca_bundle", "/nowhere/ca.pem", "a file that is there"),
        ("instance_id", "a b", "1 to 64 of"),
        ("storage_class", "GLACIER", "can be read at once"),
        ("storage_class", "DEEP_ARCHIVE", "can be read at once"),
        ("storage_class", "standard", "can be read at once"),
        ("sse", "aes256", "AES256 or aws:kms"),
        ("kms_key_id", "my key", "the name or the ARN"),
        ("multipart_threshold", "5242879", "from 5242880 to 5368709120"),
        ("gzip", "true", "none or text"),
        ("gzip_min_size", "-1", "a whole number from 0"),
    ],
)
def test_wrong_value(folder, name, value, says):
    with pytest.raises(ConfigError) as raised:
        load(folder, **{"ODOO_S3_BUCKET": "abc", f"ODOO_S3_{name.upper()}": value})
    assert says in str(raised.value)
    assert str(raised.value).startswith(f"{name} (from the environment)")


def test_incomplete(folder):
    with pytest.raises(ConfigError, match="bucket is missing, although region"):
        load(folder, ODOO_S3_REGION="r")
    with pytest.raises(ConfigError, match=r"secret_key is set .* without access_key") as raised:
        load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_SECRET_KEY=SECRET)
    assert SECRET not in str(raised.value)
    with pytest.raises(ConfigError, match=r"access_key is set .* without secret_key"):
        load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_ACCESS_KEY="AK")
    for other in ({}, {"ODOO_S3_SSE": "AES256"}):
        with pytest.raises(ConfigError, match=r"kms_key_id is set \(from the environment\), which is of use with aws:kms as sse only"):
            load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_KMS_KEY_ID="key", **other)


def failover(folder, **more):
    first = {"ODOO_S3_BUCKET": "abc", "ODOO_S3_ENDPOINT_URL": "http://a:9000", "ODOO_S3_ACCESS_KEY": "AK", "ODOO_S3_SECRET_KEY": SECRET}
    return load(folder, **{**first, "ODOO_S3_FAILOVER_ENDPOINT_URL": "http://b:9000/", **{f"ODOO_S3_{name.upper()}": value for name, value in more.items()}})


def test_second_end_point(folder):
    assert load(folder, ODOO_S3_BUCKET="abc").failover is None
    first = failover(folder)
    second = first.failover
    assert (second.endpoint_url, second.public_endpoint_url, second.bucket, second.key) == ("http://b:9000", "http://b:9000", "abc", ("AK", SECRET))
    # Both together take no longer than one would.
    assert (first.read_timeout, first.patience, second.patience) == (12, 15, 15)
    assert load(folder, ODOO_S3_BUCKET="abc").patience == 30
    own = {"bucket": "copies", "region": "eu-west-1", "access_key": "AK2", "secret_key": "other", "public_endpoint_url": "https://public"}
    second = failover(folder, **{f"failover_{name}": value for name, value in own.items()}).failover
    assert (second.bucket, second.region, second.key, second.public_endpoint_url) == ("copies", "eu-west-1", ("AK2", "other"), "https://public")
    assert (second.prefix, second.where) == (first.prefix, "bucket copies at http://b:9000")
    shown = config.shown(failover(folder, failover_access_key="AK2", failover_secret_key="other-secret"))
    assert "other-secret" not in str(shown) and ("failover_secret_key", "********", "the environment") in shown


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"failover_endpoint_url": "http://a:9000"}, "failover_endpoint_url (from the environment) is endpoint_url itself"),
        ({"failover_endpoint_url": "b:9000"}, "failover_endpoint_url (from the environment) is 'b:9000', but must be http:// or"),
        ({"failover_endpoint_url": "", "failover_bucket": "copies"}, "failover_bucket is set (from the environment) without failover_endpoint_url"),
        ({"failover_endpoint_url": "", "failover_writes": "allow"}, "failover_writes is set (from the environment) without failover_endpoint_url"),
        ({"endpoint_url": ""}, "failover_endpoint_url is set (from the environment) without endpoint_url"),
        ({"failover_access_key": "AK2"}, "failover_access_key is set (from the environment) without failover_secret_key"),
        ({"failover_writes": "yes"}, "failover_writes (from the environment) is 'yes', but must be refuse or allow"),
        ({"read_timeout": "13"}, "connect_timeout and read_timeout make 16 s, which must not be more than half of op_budget, 30 s"),
        ({"op_budget": "7"}, "connect_timeout and read_timeout make 4 s, which must not be more than half of op_budget, 7 s"),
    ],
)
def test_wrong_second_end_point(folder, more, says):
    with pytest.raises(ConfigError) as raised:
        failover(folder, **more)
    assert says in str(raised.value)


def test_encryption(folder):
    key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab"
    found = load(folder, ODOO_S3_BUCKET="abc", ODOO_S3_SSE="aws:kms", ODOO_S3_KMS_KEY_ID=key, ODOO_S3_STORAGE_CLASS="GLACIER_IR")
    assert found.placement().encryption == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    assert found.placement().parameters == {"StorageClass": "GLACIER_IR", **found.placement().encryption}
    assert load(folder, ODOO_S3_BUCKET="abc").placement().parameters == {}


def test_routes(folder):
    write(folder, "s3_attachment.conf", "[s3_attachment]\nbucket = abc\nsse = aws:kms\nkms_key_id = k1\n[s3_attachment:cold]\nstorage_class = A\nsse =\n")
    write(folder, "odoo.conf", "[s3_attachment:cold]\nstorage_class = GLACIER_IR\n[s3_attachment:b2]\nsse = AES256\n[s3_attachments]\nx = 1\n[options:x]\n")
    found = load(folder)
    assert dict(found.routes) == {"cold": config.Route("GLACIER_IR", "aws:kms", "k1"), "b2": config.Route("", "AES256", "")}
    assert found.placement("cold") == ("GLACIER_IR", "aws:kms", "k1") and found.placement("b2") == ("", "AES256", "")
    # Where a route says nothing of a place, all stays where it was.
    assert found.targets == (found,)
    assert found.placement("gone") == found.placement() == ("", "aws:kms", "k1")
    assert ("b2: sse", "AES256", "[s3_attachment:b2]") in config.shown(found)
    assert hash(found)


def test_routes_to_other_places(folder):
    """What a route says nothing about is as all else; and no two names share an object."""
    text = "[s3_attachment]\nbucket = abc\nprefix = shop/\naddressing_style = path\nserve_mode = x_accel\nsse = AES256\n"
    text += "[s3_attachment:cold]\nbucket = deep\nserve_mode = proxy\npresign_ttl = 600\n[s3_attachment:b]\nprefix = b/\n[s3_attachment:c]\nbucket = deep\n"
    write(folder, "s3_attachment.conf", text + "[s3_attachment:d]\nstorage_class = STANDARD_IA\n[s3_attachment:e]\nprefix = shop/e/\n")
    found = load(folder)
    sha1 = "ab" + "0" * 38
    names = [keys.build(sha1, route) for route in ("", "cold", "b", "c", "d", "e", "gone")]
    where = {fname.partition("-")[2]: (found.of(fname).bucket, found.key_of(fname)) for fname in names}
    assert where == {
        "": ("abc", f"shop/ab/{sha1}"),
        "cold": ("deep", f"shop/ab/{sha1}-cold"),
        "b": ("abc", f"b/ab/{sha1}-b"),
        "c": ("deep", f"shop/ab/{sha1}-c"),
        "d": ("abc", f"shop/ab/{sha1}-d"),
        "e": ("abc", f"shop/e/ab/{sha1}-e"),
        "gone": ("abc", f"shop/ab/{sha1}-gone"),
    }
    assert [target.target for target in found.targets] == [("abc", "shop/"), ("abc", "b/"), ("abc", "shop/e/"), ("deep", "shop/")]
    assert found.targets[0] is found
    served = [(found.of(fname).serve_mode, found.of(fname).presign_ttl) for fname in names[:3]]
    assert served == [("x_accel", 300), ("proxy", 600), ("x_accel", 300)]
    assert {found.of(fname).sse for fname in names} == {"AES256"}
    assert ("cold: presign_ttl", "600", "[s3_attachment:cold]") in config.shown(found)
    with pytest.raises(ValueError, match="is not the name"):
        found.key_of("ab/../x")


def test_key_that_is_replaced_is_that_of_every_bucket(folder):
    text = "[s3_attachment]\nbucket = abc\naccess_key = one\nsecret_key = {}\n[s3_attachment:cold]\nbucket = deep\n"
    write(folder, "s3_attachment.conf", text.format("first"))
    found = load(folder)
    write(folder, "s3_attachment.conf", text.format("second-and-longer"))
    assert [target.key for target in found.targets] == [("one", "second-and-longer")] * 2


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("[s3_attachment:Cold]", "the route of the section s3_attachment:Cold must be 1 to 12 of a-z and 0-9"),
        ("[s3_attachment:]", "the route of the section"),
        ("[s3_attachment:cold]\nregion = r", "region is not a setting of s3_attachment:cold; there are: storage_class, sse, kms_key_id, bucket, prefix"),
        ("[s3_attachment:cold]\nbucket = UP", "bucket (from s3_attachment:cold) is 'UP', but must be 3 to 63"),
        ("[s3_attachment:cold]\nprefix = x", "prefix (from s3_attachment:cold) is 'x', but must be names"),
        ("[s3_attachment:cold]\nprefix = ab/", "prefix ab/ looks like a directory of the contents with the prefix (none)"),
        ("[s3_attachment:cold]\nprefix = x/\n[s3_attachment:b]\nprefix = x/0f/y/", "prefix x/0f/y/ looks like a directory of the contents with the prefix x/"),
        ("[s3_attachment:cold]\nserve_mode = nginx", "serve_mode (from s3_attachment:cold) is 'nginx', but must be redirect or x_accel or proxy"),
        ("[s3_attachment:cold]\npresign_ttl = 5", "presign_ttl (from s3_attachment:cold) is '5', but must be a whole number from 60 to 900"),
        ("[s3_attachment:cold]\nstorage_class = GLACIER", "storage_class (from s3_attachment:cold) is 'GLACIER'"),
        ("[s3_attachment:cold]\nkms_key_id = k", "kms_key_id is set (from s3_attachment:cold)"),
    ],
)
def test_wrong_route(folder, section, says):
    write(folder, "s3_attachment.conf", f"[s3_attachment]\nbucket = abc\n{section}\n")
    with pytest.raises(ConfigError) as raised:
        load(folder)
    assert says in str(raised.value)


def test_unknown_setting(folder):
    write(folder, "s3_attachment.conf", "[s3_attachment]\nbuckets = abc\n")
    with pytest.raises(ConfigError, match=r"buckets \(from .*s3_attachment\.conf\) is not a setting"):
        load(folder)


def test_broken_file_does_not_give_its_secret_away(folder):
    write(folder, "s3_attachment.conf", f"[s3_attachment]\nbucket = abc\n{SECRET.replace('=', '')}\n")
    with pytest.raises(ConfigError, match=r"not a configuration file .*line 3") as raised:
        load(folder)
    assert SECRET[:6] not in str(raised.value)


def test_unreadable_file_is_not_an_absent_one(folder):
    (folder / "s3_attachment.conf").mkdir()
    with pytest.raises(ConfigError, match="is there but cannot be read"):
        load(folder)
    (folder / "s3_attachment.conf").rmdir()
    (folder / "s3_attachment.conf").write_bytes(b"[s3_attachment]\nbucket = \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(folder)


def replace(folder, text):
    write(folder, "new", text)
    os.replace(folder / "new", folder / "s3_attachment.conf")


def settings_with(key):
    return f"[s3_attachment]\nbucket = one\naccess_key = {key}\nsecret_key = {SECRET}\n"


def test_a_replaced_file_is_read_again(folder):
    replace(folder, settings_with("AK1"))
    watch = sources.Watch(str(folder / "odoo.conf"), {})
    first = watch.current()
    assert watch.current() is first
    assert first.key == ("AK1", SECRET)
    replace(folder, settings_with("AK2"))
    assert watch.current().access_key == "AK2"
    # Who has had the settings since before has the new key as well.
    assert (first.access_key, first.key) == ("AK1", ("AK2", SECRET))
    write(folder, "odoo.conf", "[s3_attachment]\naccess_key = AK3\n")
    assert first.key[0] == "AK3"


def test_settings_may_come_later(folder):
    watch = sources.Watch(str(folder / "odoo.conf"), {})
    assert watch.current() is None
    replace(folder, settings_with("AK1"))
    assert watch.current().access_key == "AK1"


@pytest.mark.parametrize("wrong", ["[s3_attachment]\nbucket = One\n", "bucket\n", "[s3_attachment]\naccess_key = AK2\n", ""])
def test_what_cannot_be_read_leaves_the_settings_of_before(folder, caplog, wrong):
    replace(folder, settings_with("AK1"))
    watch = sources.Watch(str(folder / "odoo.conf"), {})
    first = watch.current()
    replace(folder, wrong)
    assert watch.current() is first
    assert watch.current() is first
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "those of before stay in force" in caplog.text and SECRET not in caplog.text
    replace(folder, settings_with("AK2"))
    assert watch.current().access_key == "AK2"


def test_settings_that_are_gone_stay_in_force(folder, caplog):
    replace(folder, settings_with("AK1"))
    watch = sources.Watch(str(folder / "odoo.conf"), {})
    os.unlink(folder / "s3_attachment.conf")
    assert watch.current().access_key == "AK1"
    assert "they are gone" in caplog.text


def test_a_key_of_another_store_is_not_taken(folder):
    replace(folder, settings_with("AK1"))
    first = load(folder)
    replace(folder, settings_with("AK2").replace("one", "two"))
    assert first.key == ("AK1", SECRET)


@pytest.mark.parametrize("own", ["", "failover_access_key = {0}-2\nfailover_secret_key = s\n"])
def test_key_of_the_second_one_as_the_files_say_now(folder, own):
    """It has one of its own, or that of the first one."""

    def text(key, other):
        return f"{settings_with(key)}endpoint_url = http://a:9000\nfailover_endpoint_url = {other}\n{own.format(key)}"

    replace(folder, text("AK1", "http://b:9000"))
    first = load(folder)
    second = first.failover
    replace(folder, text("AK2", "http://b:9000"))
    assert (first.key[0], second.key[0]) == ("AK2", "AK2-2" if own else "AK2")
    # A key of another store is none for this one.
    replace(folder, text("AK3", "http://c:9000"))
    assert (first.key[0], second.key[0]) == ("AK3", "AK1-2" if own else "AK1")


def test_settings_are_tried_before_they_are_in_force(folder):
    replace(folder, settings_with("AK1"))
    write(folder, "odoo.conf", "[s3_attachment]\nregion = r1\n")
    tried = sources.Watch(str(folder / "odoo.conf"), {}, settings_with("AK2")).current()
    assert (tried.key, tried.region) == (("AK2", SECRET), "r1")


STORE = {"bucket": "mine", "endpoint_url": "http://a:9000", "access_key": "AK", "secret_key": SECRET}


def watch(folder, **environ):
    return sources.Watch(str(folder / "odoo.conf"), {f"ODOO_S3_{name.upper()}": value for name, value in environ.items()})


def test_database_comes_last_and_only_if_the_host_says_so(folder):
    write(folder, "s3_attachment.conf", "[s3_attachment]\nbucket = one\nserve_mode = proxy\n")
    values = {
        "serve_mode": "x_accel",
        "presign_ttl": "900",
        "bucket": "mine",
        "endpoint_url": "http://elsewhere",
        "gc_unversioned": "allow",
        "migration_hosts": "app1",
    }
    alone = watch(folder)
    assert alone.database_settings == "none" and alone.with_database(values) == alone.current()
    for word in ("safe", "all"):
        asked = watch(folder, database_settings=word)
        found = asked.with_database(values)
        # A store that the host names is not led elsewhere by the database.
        assert (asked.database_settings, found.bucket, found.serve_mode, found.presign_ttl, found.gc_unversioned) == (word, "one", "proxy", 900, "refuse")
        assert found.endpoint_url == ""
        assert (found.origins["presign_ttl"], found.origins["serve_mode"]) == ("the database", str(folder / "s3_attachment.conf"))
        assert asked.with_database(dict(values)) is found, "each asking would make new connections"
        assert asked.with_database({}).presign_ttl == 300


def test_whole_store_from_the_database(folder):
    safe, whole = watch(folder, database_settings="safe"), watch(folder, database_settings="all", presign_ttl="600")
    assert safe.current() is None and safe.with_database(STORE) is None
    found = whole.with_database({**STORE, "presign_ttl": "60", "instance_id": "copied-too", "spool_dir": "/tmp"})
    assert (found.bucket, found.key, found.presign_ttl, found.instance_id, found.spool_dir) == ("mine", ("AK", SECRET), 600, "", "")
    assert SECRET not in str(config.shown(found)) and ("secret_key", "********", "the database") in config.shown(found)


def test_store_that_is_not_complete_yet(folder):
    asked = watch(folder, database_settings="all")
    assert asked.current() is None and asked.database_settings == "all"
    assert asked.with_database({"endpoint_url": "http://a:9000", "presign_ttl": "60"}) is None
    with pytest.raises(ConfigError, match=r"access_key is set \(from the database\) without secret_key"):
        asked.with_database({"bucket": "mine", "access_key": "AK"})


def test_what_is_wrong_in_the_database_is_left_out(folder, caplog):
    write(folder, "s3_attachment.conf", "[s3_attachment]\nbucket = one\ndatabase_settings = safe\n")
    asked = watch(folder)
    for _time in range(2):
        assert asked.with_database({"presign_ttl": "5", "serve_mode": "proxy"}) is asked.current()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "presign_ttl (from the database) is '5'" in caplog.text


def test_opting_in_needs_no_restart(folder):
    asked = watch(folder)
    assert asked.with_database(STORE) is None
    replace(folder, "[s3_attachment]\ndatabase_settings = all\n")
    assert asked.database_settings == "all" and asked.with_database(STORE).bucket == "mine"
    replace(folder, "[s3_attachment]\nbucket = one\n")
    assert asked.database_settings == "none" and asked.with_database(STORE).bucket == "one"


def test_wrong_word(folder):
    with pytest.raises(ConfigError, match=r"database_settings \(from the environment\) is 'true', but must be none or safe or all"):
        watch(folder, database_settings="true")


@pytest.mark.parametrize(("name", "value"), [("presign_ttl", "5"), ("read_timeout", "601"), ("serve_mode", "x"), ("bucket", "X"), ("endpoint_url", "a")])
def test_one_setting_by_itself(name, value):
    with pytest.raises(ConfigError, match=rf"{name} \(from the database\) is"):
        config.check(name, value)


def test_right_settings_by_themselves():
    for name, value in {**STORE, "read_timeout": "200", "op_budget": "2", "connect_timeout": "60", "serve_mode": "proxy"}.items():
        config.check(name, value)
    assert all(name in config.Config.__dataclass_fields__ for name in (*config.SAFE, *config.STORE))
