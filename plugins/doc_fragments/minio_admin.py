# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
requirements:
  - minio >= 7.2.20 (the Python library; Debian and Ubuntu do not package it, so give it a virtual environment
    and name its interpreter in C(ansible_python_interpreter))
notes:
  - Works with MinIO and with its fork Silo; O(access_key) needs the rights of an administrator.
  - O(endpoint_url) has to be set, by the option or by the environment.
"""
