# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""Odoo's own tests, made to run at the end.

Odoo runs the tests of ``base`` as soon as ``base`` is loaded, when there is no other module yet that could break them.
"""

from __future__ import annotations

from odoo.addons.base.tests import test_ir_attachment
from odoo.addons.test_http import tests as test_http
from odoo.tests import BaseCase, tagged


def modules():
    yield test_ir_attachment
    for name in sorted(vars(test_http)):
        if name.startswith("test_"):
            yield getattr(test_http, name)


for module in modules():
    for name, case in list(vars(module).items()):
        if isinstance(case, type) and issubclass(case, BaseCase) and case.__module__ == module.__name__:
            members = {"__module__": __name__, "allow_inherited_tests_method": True}
            globals()[name] = tagged("post_install", "-at_install")(type(name, (case,), members))
# Else the last of them would be there twice.
del case
