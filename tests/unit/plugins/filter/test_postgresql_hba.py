# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.odooops.stack.plugins.filter.postgresql_hba import FilterModule, postgresql_hba


def test_the_logins_of_a_database_and_nobody_else() -> None:
    assert postgresql_hba([{"name": "shop"}]) == [
        'host "shop","postgres" "shop_a","shop_b" 127.0.0.1/32 scram-sha-256',
        'host "shop","postgres" "shop_a","shop_b" ::1/128 scram-sha-256',
    ]


def test_over_a_network_it_takes_tls() -> None:
    database = {"name": "shop", "client_addresses": ["10.0.0.5", "fd00::/64"]}
    assert postgresql_hba([database]) == [
        'hostssl "shop","postgres" "shop_a","shop_b" 10.0.0.5/32 scram-sha-256',
        'hostssl "shop","postgres" "shop_a","shop_b" fd00::/64 scram-sha-256',
    ]
    assert postgresql_hba([database], require_tls=False)[0].startswith("host ")


def test_rules_come_first_and_are_quoted() -> None:
    rules = [
        {"type": "hostssl", "databases": ["all"], "users": ["exporter", "+readers"], "address": "samenet", "method": "cert", "options": {"map": "m"}},
        {"type": "local", "databases": ["replication"], "users": ["all"], "method": "peer"},
        {"type": "host", "databases": ["shop"], "users": ["all"], "address": "10.0.0.9", "method": "reject"},
        {"type": "host", "databases": ["shop"], "users": ["report"], "address": "bi.example.com"},
    ]
    assert postgresql_hba([{"name": "shop"}], rules=rules)[:4] == [
        'hostssl all "exporter",+"readers" samenet cert map="m"',
        "local replication all peer",
        'host "shop" all 10.0.0.9/32 reject',
        'host "shop" "report" bi.example.com scram-sha-256',
    ]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"type": "host", "users": ["x"], "address": "10.0.0.1", "method": "trust"}, "trust"),
        ({"type": "local", "users": ["x"], "address": "10.0.0.1"}, "a local rule has none"),
        ({"type": "hostssl", "users": ["x"]}, "has no address"),
        ({"type": "host", "users": ["x"], "address": "10.0.0.1", "method": "peer"}, "local rules only"),
        ({"type": "host", "users": ["all"], "address": "10.0.0.1"}, "would admit all"),
        ({"type": "host", "users": ["shop_owner"], "address": "10.0.0.1"}, "would admit shop_owner"),
        ({"type": "host", "users": ["+shop_owner"], "address": "10.0.0.1"}, "would admit +shop_owner"),
        ({"type": "host", "users": ["x"], "address": "10.0.0.1/24"}, "has host bits set"),
        ({"type": "host", "users": ["x"], "address": "10.0.0.300"}, "10.0.0.300"),
        ({"type": "host", "users": ["x\nhost all all all trust"], "address": "10.0.0.1"}, "more than one line"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict, says: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        postgresql_hba([{"name": "shop"}], rules=[{"databases": ["all"], **rule}])
    assert says in str(error.value)


@pytest.mark.parametrize("address", ["10.0.0.1/24", "somewhere", "10.0.0.0/33", ""])
def test_a_wrong_client_is_refused(address: str) -> None:
    with pytest.raises(AnsibleFilterError, match="client_addresses of shop"):
        postgresql_hba([{"name": "shop", "client_addresses": [address]}])


@pytest.mark.parametrize("listen", [["localhost"], ["127.0.0.1", "::1"]])
def test_a_client_that_cannot_reach_the_server_is_refused(listen: list[str]) -> None:
    databases = [{"name": "shop", "client_addresses": ["127.0.0.1", "10.0.0.5"]}]
    with pytest.raises(AnsibleFilterError, match="can never reach postgresql_listen_addresses"):
        postgresql_hba(databases, listen=listen)


@pytest.mark.parametrize("listen", [None, ["*"], ["0.0.0.0"], ["localhost", "10.0.0.1"], ["db.example.com"]])
def test_a_client_that_can_reach_the_server_is_admitted(listen: list[str] | None) -> None:
    assert len(postgresql_hba([{"name": "shop", "client_addresses": ["10.0.0.5"]}], listen=listen)) == 1


def test_it_is_a_filter() -> None:
    assert FilterModule().filters()["postgresql_hba"] is postgresql_hba
