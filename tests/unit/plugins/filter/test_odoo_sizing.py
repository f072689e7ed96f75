# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.odooops.stack.plugins.filter.odoo_sizing import FilterModule, odoo_sizing

MIB = 2**20


@pytest.mark.parametrize(
    ("memory", "cpus", "workers", "crons"),
    [
        (65536, 2, 5, 1),
        (65536, 4, 9, 1),
        (65536, 8, 17, 2),
        # Here it is the memory that says how many.
        (4096, 8, 9, 2),
        (2048, 2, 3, 1),
        (512, 1, 1, 1),
    ],
)
def test_workers_follow_processors_as_far_as_the_memory_goes(memory, cpus, workers, crons):
    options = odoo_sizing(memory, cpus)["options"]
    assert (options["workers"], options["max_cron_threads"]) == (workers, crons)


@pytest.mark.parametrize("memory", [1024, 2048, 4096, 8192, 65536])
@pytest.mark.parametrize("cpus", [1, 2, 4, 16])
def test_what_is_computed_is_never_refused(memory, cpus):
    options = odoo_sizing(memory, cpus)["options"]
    assert 512 * MIB <= options["limit_memory_soft"] < options["limit_memory_hard"]
    again = {name: options[name] for name in ("workers", "max_cron_threads", "limit_memory_soft", "limit_memory_hard")}
    assert odoo_sizing(memory, cpus, **again)["options"] == options


def test_limits_are_odoo_s_own_where_there_is_memory():
    options = odoo_sizing(16384, 4)["options"]
    assert (options["limit_memory_soft"], options["limit_memory_hard"]) == (2048 * MIB, 2560 * MIB)


def test_one_limit_gives_the_other():
    assert odoo_sizing(16384, 4, limit_memory_soft=1024 * MIB)["options"]["limit_memory_hard"] == 1280 * MIB
    assert odoo_sizing(16384, 4, limit_memory_hard=1280 * MIB)["options"]["limit_memory_soft"] == 1024 * MIB


def test_connections_are_the_most_that_can_be_open():
    # 5 workers, a cron and a command for maintenance with 8 each, and the process for websockets.
    assert odoo_sizing(16384, 2)["connections"] == 7 * 8 + 32
    assert odoo_sizing(16384, 2, options={"db_maxconn": 4, "db_maxconn_gevent": 10})["connections"] == 7 * 4 + 10
    assert odoo_sizing(16384, 2, options={"limit_time_real": 5})["connections"] == 7 * 8 + 32


def test_no_workers_is_one_process_with_threads():
    found = odoo_sizing(1024, 2, workers=0)
    assert found["options"]["workers"] == 0
    assert found["options"]["db_maxconn"] == 64
    assert "db_maxconn_gevent" not in found["options"]
    assert found["connections"] == 128


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"workers": 40}, "odoo_workers is 40, which needs at least 5504 MB of memory .* at most 29 are allowed"),
        ({"workers": -1}, "odoo_workers is -1; a whole number from 0 on"),
        ({"workers": True}, "odoo_workers is True"),
        ({"max_cron_threads": "x"}, "odoo_max_cron_threads is 'x'"),
        ({"limit_memory_hard": 8192 * MIB}, "odoo_limit_memory_hard is .* more than the 4096 MB"),
        ({"limit_memory_soft": 1024 * MIB, "limit_memory_hard": 1000 * MIB}, "odoo_limit_memory_soft is .* more than odoo_limit_memory_hard"),
        ({"limit_memory_soft": 2048}, "odoo_limit_memory_soft is 2048 bytes .* no worker starts"),
        ({"options": {"db_maxconn": 0}}, "odoo_options: db_maxconn is 0"),
    ],
)
def test_what_cannot_work_is_refused(arguments, sentence):
    with pytest.raises(AnsibleFilterError, match=sentence):
        odoo_sizing(4096, 2, **arguments)


def test_is_loaded_by_its_name():
    assert FilterModule().filters() == {"odoo_sizing": odoo_sizing}
