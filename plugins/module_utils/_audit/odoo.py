# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With which access key Odoo works, and whether its attachments are whole.

Seen: ``access_key``, as the engine's ``probe`` tells it; ``counts`` as the module filestore returns them for ``audited``, empty where that was not run.
Declared: ``access_keys`` (their names) and ``root`` (the root user of the object store, empty where the store is somebody else's).
"""

from __future__ import annotations

import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._audit.finding import Area, Facts, Finding, joined

# What the engine counts, how bad it is, and what to do.
DAMAGES = {
    "missing": ("critical", "are neither on this disk nor in the bucket", "Look on the other hosts of Odoo and in former versions of the bucket"),
    "differing": ("critical", "are in the bucket with another content than their name says", "Bring back the former version of the object"),
    "corrupt": ("high", "are damaged on this disk", "Bring them back from the bucket or a backup"),
    "unreadable": ("high", "could not be read on this disk", "Look at their owner and mode"),
    "failed": ("medium", "could not be looked at", "Run the audit again"),
}


def access_key(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """An access key that Odoo should not have."""
    key = seen["access_key"]
    if key and key == declared["root"]:
        yield Finding(
            "critical",
            "odoo_root",
            key,
            f"Odoo works with the root credentials of the object store ({key}).",
            "Whoever breaks into Odoo owns the object store, with every bucket and every version.",
            "Run the playbook site, which gives Odoo a key of a user of its own, then change the root password.",
        )
    elif key and key not in declared["access_keys"]:
        yield Finding(
            "high",
            "odoo_key",
            key,
            f"Odoo works with the access key {key}, where the inventory declares {joined(declared['access_keys'])}.",
            "Its rights are not those that were thought of, and no rotation changes it.",
            "Run the playbook site, and look for access_key in the section [s3_attachment] of odoo.conf.",
        )


def filestore(seen: Facts, declared: Facts, bounds: Facts) -> t.Iterator[Finding]:
    """Attachments that are damaged or lost."""
    for name, (severity, how, todo) in DAMAGES.items():
        count = seen["counts"].get(name, {}).get("files", 0)
        if count:
            yield Finding(
                severity,
                f"filestore_{name}",
                "filestore",
                f"{count} attachments {how}.",
                "Whoever opens one of them gets an error, or the wrong thing.",
                f"{todo}; the module filestore with state audited writes a report that names each.",
            )


AREA = Area((access_key, filestore))
