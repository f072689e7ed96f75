# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.odooops.stack.plugins.filter.postgresql_tuning import FilterModule, postgresql_tuning, size_in_mb


def mb(settings: dict[str, str], name: str) -> float:
    return size_in_mb(name, settings[name])


@pytest.mark.parametrize("memory_mb", [512, 1024, 2048, 16384, 65536, 524288])
@pytest.mark.parametrize("connections", [1, 40, 80, 400])
def test_what_is_computed_fits_the_memory(memory_mb: int, connections: int) -> None:
    try:
        settings = postgresql_tuning(memory_mb, 4, connections, 15)
    except AnsibleFilterError as error:
        # Refused only where each connection would get less than 1 MB.
        assert "postgresql_client_connections" in str(error)
        assert memory_mb * 0.75 / (3 * (connections + 20)) < 1
        return
    assert mb(settings, "shared_buffers") == memory_mb // 4
    assert mb(settings, "effective_cache_size") == memory_mb * 3 // 4
    assert int(settings["max_connections"]) == connections + 20
    assert mb(settings, "shared_buffers") + int(settings["max_connections"]) * mb(settings, "work_mem") <= memory_mb
    assert 1 <= mb(settings, "work_mem") <= 128
    assert 32 <= mb(settings, "maintenance_work_mem") <= 1024


def test_a_small_host() -> None:
    settings = postgresql_tuning(512, 1, 40, 15)
    assert settings["shared_buffers"] == "128MB"
    assert settings["effective_cache_size"] == "384MB"
    assert settings["work_mem"] == "2MB"
    assert settings["maintenance_work_mem"] == "32MB"
    assert settings["max_parallel_workers_per_gather"] == "0"
    assert settings["max_wal_size"] == "1GB"
    assert settings["autovacuum_max_workers"] == "3"


def test_a_large_host() -> None:
    settings = postgresql_tuning(65536, 32, 300, 17)
    assert settings["shared_buffers"] == "16384MB"
    assert settings["work_mem"] == "51MB"
    assert settings["maintenance_work_mem"] == "1024MB"
    assert settings["max_worker_processes"] == "32"
    assert settings["max_parallel_workers_per_gather"] == "4"
    assert settings["autovacuum_max_workers"] == "6"
    assert settings["max_wal_size"] == "4GB"


def test_the_disk_counts() -> None:
    ssd, hdd = postgresql_tuning(4096, 2, 40, 15), postgresql_tuning(4096, 2, 40, 15, disk="hdd")
    assert (ssd["random_page_cost"], hdd["random_page_cost"]) == ("1.1", "4")
    assert int(ssd["effective_io_concurrency"]) > int(hdd["effective_io_concurrency"])


def test_the_version_counts() -> None:
    # lz4 came with 15.
    assert postgresql_tuning(4096, 2, 40, 14)["wal_compression"] == "on"
    assert postgresql_tuning(4096, 2, 40, 15)["wal_compression"] == "lz4"


def test_passwords_are_never_md5() -> None:
    assert postgresql_tuning(4096, 2, 40, 15)["password_encryption"] == "scram-sha-256"


def test_settings_replace_extend_and_take_out() -> None:
    settings = postgresql_tuning(
        4096, 2, 40, 15, settings={"Work_Mem": "9MB", "log_min_duration_statement": 500, "jit": None, "shared_preload_libraries": ["a", "b"], "fsync": True}
    )
    assert settings["work_mem"] == "9MB"
    assert settings["log_min_duration_statement"] == "500"
    assert settings["shared_preload_libraries"] == "a,b"
    assert settings["fsync"] == "on"
    assert "jit" not in settings
    assert list(settings) == sorted(settings)


def test_an_extension_has_a_dot_in_its_settings() -> None:
    assert postgresql_tuning(4096, 2, 40, 15, settings={"pg_stat_statements.max": 5000})["pg_stat_statements.max"] == "5000"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": 5433}, "use postgresql_port"),
        ({"LISTEN_ADDRESSES": "*"}, "use postgresql_listen_addresses"),
        ({"data_directory": "/x"}, "data_directory cannot be set"),
        ({"password_encryption": "md5"}, "only scram-sha-256"),
        ({"work mem": "1MB"}, "no name of a setting"),
        ({"work_mem": "a lot"}, "work_mem is 'a lot', which is no size"),
        ({"work_mem": "64 mb"}, "64MB"),
        ({"work_mem": "1GB"}, "more than the 4096 MB"),
        ({"max_connections": 3000}, "max_connections x work_mem"),
        ({"max_connections": 42}, "less than the 43"),
        ({"max_connections": "many"}, "a whole number"),
        ({"shared_buffers": "3500MB"}, "three quarters"),
        ({"effective_cache_size": "8GB"}, "more than the 4096 MB"),
        ({"maintenance_work_mem": "3GB"}, "half of the 4096 MB"),
        ({"autovacuum_work_mem": "1GB"}, "for 3 workers"),
        ({"log_line_prefix": "a\nfsync = off"}, "more than one line"),
        ({"work_mem": {"a": 1}}, "no size"),
        ({"log_line_prefix": {"a": 1}}, "type dict"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict, says: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        postgresql_tuning(4096, 2, 40, 15, settings=settings)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((1024, 2, 1000, 15), "at most 236"),
        ((128, 2, 1, 15), "postgresql_memory_mb"),
        ((1024, 2, 0, 15), "postgresql_client_connections is 0"),
        ((1024, 2, 40, 13), "postgresql_version is 13"),
    ],
)
def test_a_wrong_host_is_refused(arguments: tuple, says: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        postgresql_tuning(*arguments)
    assert says in str(error.value)


def test_an_unknown_disk_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="postgresql_disk is 'tape'"):
        postgresql_tuning(1024, 2, 40, 15, disk="tape")


def test_the_most_connections_that_are_named_are_allowed() -> None:
    assert postgresql_tuning(1024, 2, 236, 15)["work_mem"] == "1MB"


@pytest.mark.parametrize(("value", "size"), [("16384", 128), ("128MB", 128), ("1GB", 1024), ("0.5GB", 512), ("2048 kB", 2)])
def test_sizes(value: str, size: float) -> None:
    assert size_in_mb("shared_buffers", value) == size


def test_minus_one_is_the_servers_own_choice() -> None:
    assert postgresql_tuning(4096, 2, 40, 15, settings={"autovacuum_work_mem": -1})["autovacuum_work_mem"] == "-1"


def test_it_is_a_filter() -> None:
    assert FilterModule().filters()["postgresql_tuning"] is postgresql_tuning
