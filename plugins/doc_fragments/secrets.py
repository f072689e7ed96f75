# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  path:
    description:
      - The file of variables, such as C(group_vars/all/secrets.yml) beside the inventory.
      - It may not lie inside an installed collection, which an upgrade replaces.
      - It may be encrypted with C(ansible-vault), as a whole or in single values. Then what is written is encrypted with the same password, which Ansible
        has to be given as for any other encrypted file.
      - One of this and O(command) is needed.
    type: path
  command:
    description:
      - A program with its options that keeps the variables instead of a file.
      - With C(read) as one more word it prints the variables as JSON or YAML, or nothing where there are none yet.
      - With C(write) as one more word it gets all of them as a JSON object on its standard input, which take the place of the former ones at once, and ends
        with 0 when they last.
    type: list
    elements: str
attributes:
  action:
    description: Is done by Ansible itself, on the controller, whatever the host of the task.
    support: full
"""
