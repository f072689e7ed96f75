"""What the audit says of a site whose secrets were rotated, at night only: that it is what `site` would make, and what it is when somebody meddles."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

from conftest import EPHEMERAL, SCENARIO

APP = "rotation-app"
CONFIGURATION = "/etc/odoo/odoo.conf"
# Nothing of what the unit is kept from.
BARE = """[Service]
CapabilityBoundingSet=~
NoNewPrivileges=no
PrivateDevices=no
ProtectSystem=no
ProtectHome=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectControlGroups=no
RestrictNamespaces=no
RestrictAddressFamilies=
SystemCallFilter=
"""


def audit(**variables: t.Any) -> dict[tuple[str, str, str], str]:
    """The findings by host, kind and subject."""
    more = {"audit_fail_on": "never", "audit_site_check": True, "audit_site_playbook": str(SCENARIO / "converge.yml"), **variables}
    command = ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), f"--extra-vars={json.dumps(more)}", str(SCENARIO.parent / "site/audit.yml")]
    done = subprocess.run(command, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return {(each["host"], each["check"], each["subject"]): each["what"] for each in json.loads(Path(EPHEMERAL, "audit.json").read_text())["findings"]}


def test_it_is_what_site_would_make() -> None:
    assert audit() == {}


def test_what_somebody_has_changed(on: t.Any) -> None:
    app = on(APP)
    # With its time, as a file that is newer than Odoo has to be read by it.
    app.check_output("cp -p %s %s.kept", CONFIGURATION, CONFIGURATION)
    try:
        app.check_output("sed -i 's/^workers = .*/workers = 1/' %s", CONFIGURATION)
        app.check_output("mkdir -p /etc/systemd/system/odoo.service.d && printf %%s %s >/etc/systemd/system/odoo.service.d/zz.conf", BARE)
        app.check_output("systemctl daemon-reload")
        found = audit(audit_certificate_days=36500, audit_require_encryption=True)
    finally:
        app.check_output("mv %s.kept %s", CONFIGURATION, CONFIGURATION)
        app.run("rm /etc/systemd/system/odoo.service.d/zz.conf; systemctl daemon-reload")
    about = {(host, check) for host, check, _subject in found}
    certificates = {(host, check) for host, check in about if check == "certificate_ends"}
    assert about - certificates == {(APP, "site_differs"), (APP, "unit_exposed"), ("rotation-base", "bucket_unencrypted")}, found
    assert ("rotation-base", "certificate_ends") in certificates
    assert audit() == {}
