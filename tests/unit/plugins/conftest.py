# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.odooops.stack.tests.unit.plugins.modules.running import forget_aws
from hypothesis import HealthCheck, settings

# A machine that has much to do is slow, which is no fault of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch, tmp_path):
    forget_aws(monkeypatch, tmp_path)
