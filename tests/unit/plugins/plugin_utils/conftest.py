# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret


@pytest.fixture
def vault() -> VaultLib:
    """It knows two passwords, of which the second one has a label."""
    return VaultLib([("default", VaultSecret(b"first password")), ("site", VaultSecret(b"second password"))])
