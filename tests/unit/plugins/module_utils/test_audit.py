"""Each finding of an audit, and that what is declared is none."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.odooops.stack.plugins.module_utils._audit.page import page
from ansible_collections.odooops.stack.plugins.module_utils._audit.review import review

NOW = 1_800_000_000  # 2027-01-15 08:00 UTC
DAY = 86400
BOUNDS = {"now": NOW, "key_days": 365, "certificate_days": 14, "unit_exposure": 5.0, "require_encryption": False}
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::shop/*"]}]}
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]}
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["admin:*"]}]}
PUBLIC = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::shop/*"]}]}


def role(name: str, **more: t.Any) -> dict[str, t.Any]:
    nothing = dict.fromkeys(("superuser", "createrole", "createdb", "replication", "bypassrls"), False)
    return {"name": name, **nothing, "login": True, "password": "scram-sha-256", "groups": [], **more}


def line(kind: str, databases: list[str], users: list[str], network: str, method: str) -> dict[str, t.Any]:
    """A row of pg_hba_file_rules; ``network`` is an address with a netmask, a keyword, or nothing."""
    address, _slash, netmask = network.partition("/")
    found = {"line_number": 9, "type": kind, "database": databases, "user_name": users, "address": address or None, "netmask": netmask or None}
    return {**found, "auth_method": method, "options": None, "error": None}


def key(name: str, **more: t.Any) -> dict[str, t.Any]:
    return {"key": name, "user": "odoo", "enabled": True, "description": "", "expiration": "never", "policy": {}, **more}


def socket(address: str, name: str = "") -> str:
    users = f' users:(("{name}",pid=9,fd=3))' if name else ""
    return f"LISTEN 0      128          {address}         0.0.0.0:*   {users}"


def clean() -> dict[str, t.Any]:
    """What a site shows on which all is as declared."""
    store = {
        "root": "root",
        "users": [{"name": "odoo", "enabled": True, "policies": ["odoo"]}],
        "groups": [],
        "policies": [{"name": "odoo", "policy": READ}, {"name": "consoleAdmin", "policy": ADMIN}],
        "access_keys": [key("key1")],
        "buckets": [{"name": "shop", "versioning": "enabled", "encryption": {"algorithm": "none"}, "policy": {}}],
        "records": [{"key": "key1", "written": NOW - 10 * DAY}],
    }
    store_declared = {
        "users": [{"name": "odoo", "policies": ["odoo"]}],
        "groups": [],
        "policies": [{"name": "odoo", "policy": READ}],
        "access_keys": [{"key": "key1", "user": "odoo"}],
        "former": "",
        "buckets": [{"name": "shop", "versioning": "enabled"}],
    }
    database = {
        "roles": [
            role("postgres", superuser=True, createrole=True, createdb=True, replication=True, bypassrls=True, password=""),
            role("odoo_owner", createdb=True, groups=["pg_read_all_stats"], password=""),
            role("odoo_a", groups=["odoo_owner", "pg_read_all_stats"]),
            role("odoo_b", groups=["odoo_owner", "pg_read_all_stats"]),
        ],
        "hba": [
            line("local", ["all"], ["postgres"], "", "peer"),
            line("hostssl", ["odoo", "postgres"], ["odoo_a", "odoo_b"], "10.0.0.3/255.255.255.255", "scram-sha-256"),
        ],
    }
    hba = ["local all postgres peer", 'hostssl "odoo","postgres" "odoo_a","odoo_b" 10.0.0.3/32 scram-sha-256']
    return {
        "db1": {"database": {"seen": database, "declared": {"superuser": "postgres", "databases": ["odoo"], "hba": hba}}},
        "s3a": {"store": {"seen": store, "declared": store_declared}},
        "app1": {
            "odoo": {"seen": {"access_key": "key1", "counts": {"referenced": {"files": 9}}}, "declared": {"access_keys": ["key1"], "root": "root"}},
            "files": {
                "seen": {"files": [{"path": "/etc/odoo/odoo.conf", "mode": "0640", "pw_name": "root", "gr_name": "odoo"}]},
                "declared": {"files": [{"path": "/etc/odoo/odoo.conf", "mode": "0640", "owner": "root", "group": "odoo"}]},
            },
            "listeners": {
                "seen": {
                    "lines": [socket("10.0.0.3:8069"), socket("127.0.0.1:25"), socket("[::1]:631"), socket("127.0.0.53%lo:53"), socket("[::]:22", "sshd")]
                },
                "declared": {"ports": [{"port": 8069, "addresses": ["10.0.0.3"]}, {"port": 22, "addresses": ["*"]}]},
            },
            "certificates": {
                "seen": {"certificates": [{"name": "shop.test", "where": "127.0.0.1:443", "ends": "Mar 15 08:00:00 2027 GMT", "issuer": "CN=us"}]},
                "declared": {},
            },
            "units": {"seen": {"units": [{"name": "odoo.service", "exposure": "1.6"}]}, "declared": {}},
            "site": {"seen": {"host": "app1", "lines": ["TASK [nginx : Reload] ****", "changed: [app10]", "changed: [db1 -> app1]"]}, "declared": {}},
        },
    }


def report(told: dict[str, t.Any], accepted: t.Sequence[str] = (), fail_on: str = "high", **bounds: t.Any) -> dict[str, t.Any]:
    return review(told, {**BOUNDS, **bounds}, accepted, fail_on)


def found(told: dict[str, t.Any], **more: t.Any) -> list[tuple[str, str, str]]:
    return [(each["severity"], each["check"], each["subject"]) for each in report(told, **more)["findings"]]


def test_a_clean_site_has_no_finding():
    result = report(clean())
    assert result["findings"] == [] and not result["failed"]
    assert result["counts"] == {"critical": 0, "high": 0, "medium": 0, "low": 0}
    assert result["seen"]["s3a"]["store"]["users"][0]["may"] == ["Allow s3:GetObject on arn:aws:s3:::shop/*"]
    assert result["seen"]["s3a"]["store"]["access keys"][0]["written"] == "2027-01-05 08:00 UTC"


# What is done to which list of what was seen, and the finding that comes of it.
MISCHIEF: dict[str, tuple[tuple[str, str, str], t.Any, tuple[str, str, str]]] = {
    "an administrator": (("s3a", "store", "users"), {"name": "eve", "enabled": True, "policies": ["consoleAdmin"]}, ("critical", "user_unknown", "eve")),
    "a user": (("s3a", "store", "users"), {"name": "eve", "enabled": True, "policies": ["odoo"]}, ("high", "user_unknown", "eve")),
    "a user who may nothing": (("s3a", "store", "users"), {"name": "eve", "enabled": True, "policies": []}, ("medium", "user_unknown", "eve")),
    "a disabled user": (("s3a", "store", "users"), {"name": "eve", "enabled": False, "policies": ["consoleAdmin"]}, ("low", "user_unknown", "eve")),
    "a group": (
        ("s3a", "store", "groups"),
        {"name": "staff", "enabled": True, "members": [], "policies": ["odoo"]},
        ("high", "group_unknown", "staff"),
    ),
    "a group of administrators": (
        ("s3a", "store", "groups"),
        {"name": "staff", "enabled": True, "members": ["odoo"], "policies": ["consoleAdmin"]},
        ("critical", "group_unknown", "staff"),
    ),
    "a key": (("s3a", "store", "access_keys"), key("old"), ("high", "key_unknown", "old")),
    "a disabled key": (("s3a", "store", "access_keys"), key("old", enabled=False), ("low", "key_unknown", "old")),
    "a key of root": (("s3a", "store", "access_keys"), key("old", user="root"), ("high", "key_of_root", "old")),
    "a policy": (("s3a", "store", "policies"), {"name": "more", "policy": READ}, ("low", "policy_unknown", "more")),
    "a bucket": (("s3a", "store", "buckets"), {"name": "else", "versioning": "enabled", "policy": {}}, ("medium", "bucket_unknown", "else")),
    "a superuser": (("db1", "database", "roles"), role("eve", superuser=True), ("critical", "role_unknown", "eve")),
    "a superuser by another": (("db1", "database", "roles"), role("eve", groups=["postgres"]), ("critical", "role_unknown", "eve")),
    "a role that reaches files": (("db1", "database", "roles"), role("eve", groups=["pg_execute_server_program"]), ("critical", "role_unknown", "eve")),
    "a role": (("db1", "database", "roles"), role("eve"), ("high", "role_unknown", "eve")),
    "trust": (
        ("db1", "database", "hba"),
        line("host", ["all"], ["all"], "0.0.0.0/0.0.0.0", "trust"),
        ("critical", "hba_trust", "host all all 0.0.0.0/0 trust"),
    ),
    "trust on the host": (("db1", "database", "hba"), line("local", ["all"], ["all"], "", "trust"), ("high", "hba_trust", "local all all trust")),
    "md5": (
        ("db1", "database", "hba"),
        line("host", ["odoo"], ["odoo_a"], "10.0.0.0/255.255.255.0", "md5"),
        ("high", "hba_md5", "host odoo odoo_a 10.0.0.0/24 md5"),
    ),
    "another network": (
        ("db1", "database", "hba"),
        line("hostssl", ["odoo", "postgres"], ["odoo_a", "odoo_b"], "10.0.0.0/255.255.255.0", "scram-sha-256"),
        ("high", "hba_unknown", "hostssl odoo,postgres odoo_a,odoo_b 10.0.0.0/24 scram-sha-256"),
    ),
    "a copy of a secret": (
        ("app1", "files", "files"),
        {"path": "/etc/odoo/odoo.conf.bak", "mode": "0644", "pw_name": "root", "gr_name": "odoo"},
        ("high", "file_open", "/etc/odoo/odoo.conf.bak"),
    ),
    "a secret of another": (
        ("app1", "files", "files"),
        {"path": "/etc/odoo/odoo.conf~", "mode": "0640", "pw_name": "eve", "gr_name": "odoo"},
        ("medium", "file_owner", "/etc/odoo/odoo.conf~"),
    ),
    "a secret for a group": (
        ("app1", "files", "files"),
        {"path": "/etc/odoo/odoo.conf~", "mode": "0640", "pw_name": "root", "gr_name": "users"},
        ("medium", "file_owner", "/etc/odoo/odoo.conf~"),
    ),
    "a listener": (("app1", "listeners", "lines"), socket("0.0.0.0:4444", "nc"), ("high", "port_unknown", "0.0.0.0 port 4444")),
    "a wider listener": (("app1", "listeners", "lines"), socket("*:8069"), ("medium", "port_wider", "* port 8069")),
    "an ended certificate": (
        ("app1", "certificates", "certificates"),
        {"name": "old.test", "where": "x", "ends": "Jan 14 08:00:00 2027 GMT", "issuer": ""},
        ("critical", "certificate_ends", "old.test"),
    ),
    "a certificate at its end": (
        ("app1", "certificates", "certificates"),
        {"name": "old.test", "where": "x", "ends": "Jan 28 08:00:00 2027 GMT", "issuer": ""},
        ("high", "certificate_ends", "old.test"),
    ),
    "no certificate": (
        ("app1", "certificates", "certificates"),
        {"name": "old.test", "where": "x", "ends": "", "issuer": ""},
        ("high", "certificate_none", "old.test"),
    ),
    "a change": (("app1", "site", "lines"), "changed: [app1]", ("medium", "site_differs", "nginx : Reload")),
    "a change for another host": (("app1", "site", "lines"), "changed: [app1 -> web1] => (item=web1)", ("medium", "site_differs", "nginx : Reload")),
    "a unit": (("app1", "units", "units"), {"name": "nginx.service", "exposure": "9.2"}, ("medium", "unit_exposed", "nginx.service")),
}


@pytest.mark.parametrize("case", MISCHIEF)
def test_mischief_is_found_by_its_own_sentence(case: str):
    (host, area, things), thing, finding = MISCHIEF[case]
    told = clean()
    told[host][area]["seen"][things].append(thing)
    assert found(told) == [finding]
    one = report(told)["findings"][0]
    assert one["host"] == host and finding[2].split()[0] in one["what"]
    assert all(one[sentence].endswith((".", ").")) for sentence in ("what", "why", "todo"))


# What is changed of the first thing of a list, and what comes of it.
CHANGED: dict[str, tuple[tuple[str, str, str, int], dict[str, t.Any], list[tuple[str, str, str]]]] = {
    "more policies": (("s3a", "store", "users", 0), {"policies": ["odoo", "consoleAdmin"]}, [("high", "user_policies", "odoo")]),
    "a wider policy": (("s3a", "store", "policies", 0), {"policy": ALL}, [("high", "policy_wider", "odoo")]),
    "a key of another": (("s3a", "store", "access_keys", 0), {"user": "eve"}, [("high", "key_owner", "key1")]),
    "a key that ends": (("s3a", "store", "access_keys", 0), {"expiration": "2027-01-16T08:00:00Z"}, [("high", "key_ends", "key1")]),
    "an old key": (("s3a", "store", "records", 0), {"written": NOW - 400 * DAY}, [("medium", "key_old", "key1")]),
    "a public bucket": (("s3a", "store", "buckets", 0), {"policy": PUBLIC}, [("critical", "bucket_public", "shop")]),
    "no versions": (("s3a", "store", "buckets", 0), {"versioning": "suspended"}, [("high", "bucket_unversioned", "shop")]),
    "a declared superuser": (("db1", "database", "roles", 2), {"superuser": True}, [("critical", "role_powers", "odoo_a")]),
    "a login that makes databases": (("db1", "database", "roles", 2), {"createdb": True}, [("medium", "role_powers", "odoo_a")]),
    "an MD5 password": (("db1", "database", "roles", 2), {"password": "md5"}, [("medium", "role_md5", "odoo_a")]),
    "a broken line": (
        ("db1", "database", "hba", 0),
        {"error": "no such thing"},
        [("medium", "hba_error", "line 9"), ("low", "hba_missing", "local all postgres peer")],
    ),
    "an open secret": (("app1", "files", "files", 0), {"mode": "0644"}, [("high", "file_open", "/etc/odoo/odoo.conf")]),
    "a secret that the group writes": (("app1", "files", "files", 0), {"mode": "0660"}, [("medium", "file_owner", "/etc/odoo/odoo.conf")]),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_change_is_found(case: str):
    (host, area, things, number), change, findings = CHANGED[case]
    told = clean()
    told[host][area]["seen"][things][number].update(change)
    assert found(told) == findings


@pytest.mark.parametrize(
    ("things", "finding"),
    [
        ("users", ("medium", "user_missing", "odoo")),
        ("policies", ("medium", "policy_missing", "odoo")),
        ("access_keys", ("medium", "key_missing", "key1")),
        ("buckets", ("high", "bucket_missing", "shop")),
    ],
)
def test_what_lacks_is_found(things: str, finding: tuple[str, str, str]):
    told = clean()
    del told["s3a"]["store"]["seen"][things][0]
    assert found(told) == [finding]


def test_a_rotation_that_has_not_ended():
    told = clean()
    told["s3a"]["store"]["declared"]["former"] = "key1"
    assert found(told) == [("medium", "key_former", "key1")]


def test_encryption_is_asked_for_where_it_is_wanted():
    told = clean()
    assert found(told, require_encryption=True) == [("high", "bucket_unencrypted", "shop")]
    told["s3a"]["store"]["declared"]["buckets"][0]["encryption"] = {"algorithm": "AES256"}
    assert found(told) == [("high", "bucket_unencrypted", "shop")]
    told["s3a"]["store"]["seen"]["buckets"][0]["encryption"] = {"algorithm": "AES256"}
    assert found(told, require_encryption=True) == []


def test_more_members_of_a_declared_group():
    told = clean()
    told["s3a"]["store"]["declared"]["groups"] = [{"name": "staff", "members": ["odoo"], "policies": ["odoo"]}]
    told["s3a"]["store"]["seen"]["groups"] = [{"name": "staff", "enabled": True, "members": ["eve", "odoo"], "policies": ["consoleAdmin", "odoo"]}]
    assert found(told) == [("high", "group_policies", "staff"), ("high", "group_members", "staff")]


@pytest.mark.parametrize(("access_key", "finding"), [("root", ("critical", "odoo_root", "root")), ("old", ("high", "odoo_key", "old"))])
def test_odoo_has_its_own_key(access_key: str, finding: tuple[str, str, str]):
    told = clean()
    told["app1"]["odoo"]["seen"]["access_key"] = access_key
    assert found(told) == [finding]


@pytest.mark.parametrize(
    ("count", "severity"), [("missing", "critical"), ("differing", "critical"), ("corrupt", "high"), ("unreadable", "high"), ("failed", "medium")]
)
def test_damaged_attachments(count: str, severity: str):
    told = clean()
    told["app1"]["odoo"]["seen"]["counts"][count] = {"files": 3, "bytes": 9}
    assert found(told) == [(severity, f"filestore_{count}", "filestore")]
    assert report(told)["findings"][0]["what"].startswith("3 attachments ")


def test_what_was_not_seen_is_no_clean_site():
    told = clean()
    told["s3a"] = {"store": {"failed": "nobody answered."}}
    told["app2"] = {}
    result = report(told)
    assert [(each["host"], each["check"], each["what"]) for each in result["findings"]] == [
        ("s3a", "unseen", "The audit could not look at this (store): nobody answered."),
        ("app2", "unseen", "The audit could not look at this (host): it was not reached."),
    ]
    assert result["failed"]


def test_severity_decides():
    told = clean()
    told["s3a"]["store"]["seen"]["records"][0]["written"] = 0
    verdicts = {level: report(told, fail_on=level)["failed"] for level in ("critical", "high", "medium", "low", "never")}
    assert verdicts == {"critical": False, "high": False, "medium": True, "low": True, "never": False}


def test_the_worst_come_first():
    told = clean()
    told["app1"]["files"]["seen"]["files"][0]["mode"] = "0644"
    told["s3a"]["store"]["seen"]["buckets"][0]["policy"] = PUBLIC
    told["db1"]["database"]["seen"]["roles"][2]["createdb"] = True
    assert [each[0] for each in found(told)] == ["critical", "high", "medium"]


def test_what_is_accepted_is_no_finding():
    told = clean()
    told["s3a"]["store"]["seen"]["users"].append({"name": "backup", "enabled": True, "policies": ["odoo"]})
    result = report(told, accepted=["user_unknown backup", "user_unknown gone"])
    assert result["findings"] == [] and not result["failed"]
    assert [each["subject"] for each in result["accepted"]] == ["backup"]
    assert result["accepted_in_vain"] == ["user_unknown gone"]


def test_lines_of_pg_hba_are_the_same_however_they_are_spelled():
    told = copy.deepcopy(clean())
    told["db1"]["database"]["declared"]["hba"] += ['host "a b",all +"staff" 10.0.0.0/24 ldap ldapserver="x y"', "host all all samenet scram-sha-256"]
    told["db1"]["database"]["seen"]["hba"] += [
        {**line("host", ["all", "a b"], ["+staff"], "10.0.0.0/255.255.255.0", "ldap"), "options": ["ldapserver=x y"]},
        line("host", ["all"], ["all"], "samenet", "scram-sha-256"),
    ]
    assert found(told) == []


def test_the_page_escapes_what_comes_from_hosts():
    told = clean()
    told["s3a"]["store"]["seen"]["users"].append({"name": "<script>x</script>", "enabled": True, "policies": ["odoo"]})
    text = page({**report(told), "instance": "shop"})
    assert "<script>" not in text and "&lt;script&gt;x&lt;/script&gt;" in text
    assert "1 high; the audit failed (it fails from high on)" in text
