# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

{  # noqa: B018
    "name": "Odoo's own tests of attachments",
    "summary": "Lets them run when all modules are loaded, the addon under test among them",
    "author": "the odooops.stack authors",
    "license": "LGPL-3",
    "depends": ["test_http"],
}
