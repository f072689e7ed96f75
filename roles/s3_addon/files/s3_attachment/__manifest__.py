# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

{  # noqa: B018
    "name": "Attachments in an object store",
    "summary": "Keeps the contents of attachments in a bucket of any S3 store, under the names that they have in the filestore",
    "version": "0.1.0",
    "category": "Technical",
    "author": "the odooops.stack authors",
    "website": "https://github.com/odooops/stack",
    "license": "LGPL-3",
    "depends": ["base", "base_setup", "web"],
    "external_dependencies": {"python": ["boto3"]},
    "data": [
        "security/ir.model.access.csv",
        "security/ir_rule.xml",
        "views/s3_gc_mark_views.xml",
        "views/s3_outbox_views.xml",
        "views/s3_audit_views.xml",
        "views/s3_route_views.xml",
        "data/ir_cron.xml",
        "views/ir_attachment_views.xml",
        "views/res_config_settings_views.xml",
    ],
    "post_load": "warn_of_backups",
    "installable": True,
}
