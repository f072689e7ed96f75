# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""The engine: Odoo's filestore in an object store.

It is used by the Odoo addon ``s3_attachment`` (as its package ``engine``) and by the modules of this collection, so it
imports neither Ansible nor Odoo, only its own files and, guarded, boto3.
"""
