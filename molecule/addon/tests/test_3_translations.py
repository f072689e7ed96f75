"""The template for translators holds every text that there is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from testinfra.host import Host

TEMPLATE = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "roles/s3_addon/files/s3_attachment/i18n/s3_attachment.pot")
EXPORT = "/opt/odoo/venv/bin/python /opt/odoo/src/odoo-bin i18n export -c /etc/odoo/odoo.conf -d odoo -o - s3_attachment"


def test_template(host: Host):
    found = host.check_output(f"runuser -u odoo -- env PYTHONDONTWRITEBYTECODE=1 {EXPORT} 2>/dev/null")
    found = re.sub(r'^"(?:POT-Creation|PO-Revision)-Date: .*\n', "", found, flags=re.MULTILINE).strip() + "\n"
    Path(os.environ["ARTIFACTS"], TEMPLATE.name).write_text(found)
    assert found == TEMPLATE.read_text(), "put artifacts/s3_attachment.pot there"
