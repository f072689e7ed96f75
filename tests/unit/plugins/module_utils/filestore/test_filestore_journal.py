# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.plugins.module_utils.filestore import journal


def test_two_runs_of_one_process(tmp_path):
    """Such as two scheduled actions in the threads of an Odoo without workers."""
    states = [journal.State(str(tmp_path), {"database": "shop"}) for _number in range(2)]
    states[0].make()
    with states[0].hold(["10", "11"]):
        with pytest.raises(journal.Busy, match="another run works on the directory 11"), states[1].hold(["0f", "11"]):
            pass
        # What was refused, and has closed the file, has let go of nothing.
        with pytest.raises(journal.Busy), states[1].hold(["10"]):
            pass
        with states[1].hold(["0f"]):
            pass
    with states[1].hold(["10", "11"]):
        pass
