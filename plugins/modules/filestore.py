#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: filestore
short_description: Move the filestore of an Odoo database to S3 and back
version_added: 0.1.0
description:
  - Uploads the stored files of an Odoo database to a bucket, verifies them there, removes local copies, and brings everything back.
  - Works with any Odoo on the host, whoever deployed it. The database is only read, and no name of a file is changed.
  - Each run finds out anew what there is to do, from the database, the disk and the bucket. One that was interrupted or killed is
    continued by the next one, and what is in the bucket already is not sent again.
  - A file that is not what its name (the SHA-1 of its content) says is reported and never stored.
  - Users may work meanwhile. What they add after a directory was looked at is moved by the next run.
author:
  - the odooops.stack authors (@odooops)
extends_documentation_fragment:
  - odooops.stack.attributes
  - odooops.stack.s3.connection
attributes:
  check_mode:
    description: Counts exactly, files and bytes, what would be done; writes nothing, and no report either.
    support: full
  diff_mode:
    description: Shows the counts before and after.
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - With V(uploaded), all that rows of the database refer to is in the bucket.
      - With V(verified), that is checked as O(level) says and remembered on this host.
      - With V(proved), the Odoo of this host has shown that it reads from the bucket, by the download of a small public attachment
        whose local copy is hidden for that moment. That is noted in the bucket.
      - With V(cleaned), local copies are removed. It is refused unless the addon C(s3_attachment) is installed in the database, each
        of O(app_hosts) is V(proved), the upload is complete, its verification is fresh, the bucket keeps former versions and
        O(retention_days) have passed. Each object is looked up and its content proved right before the file is removed.
      - With V(local), all is on this disk again. The bucket stays as it is.
      - With V(audited), database, disk and bucket are compared, and nothing is changed. What is missing or damaged is told, and whether
        a right copy is on this host or among the former versions in the bucket.
    type: str
    choices: [uploaded, verified, proved, cleaned, local, audited]
    required: true
  database:
    description: The name of the database.
    type: str
    required: true
  config_file:
    description:
      - The odoo.conf of the Odoo, from which the connection to the database, the path of the files and, with the addon's
        C(s3_attachment.conf) beside it, the bucket are taken where no option says otherwise.
      - Where these files say that settings of the store may come from the database (C(database_settings)), it is asked for them.
    type: path
  path:
    description:
      - The directory of the database's files.
      - Without it, C(filestore/) and the name of the database below the C(data_dir) of O(config_file).
    type: path
  login_host:
    description: The server of the database, or the directory of its socket.
    type: str
  login_port:
    description: Its port.
    type: int
  login_user:
    description: The role to connect with. It only has to read C(ir_attachment), C(ir_module_module) and C(ir_config_parameter).
    type: str
  login_password:
    description: Its password.
    type: str
  login_sslmode:
    description: Whether the connection is encrypted and the server's certificate checked.
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
  login_ca_file:
    description: The path of the certificates to trust for the server of the database.
    type: path
  system_user:
    description:
      - The user that runs Odoo, as whom a module that runs as root does all its work.
      - PostgreSQL wants that where Odoo connects by a socket without a password.
    type: str
  bucket:
    description:
      - The bucket. It is given together with the connection's options; without it, both come from O(config_file).
      - Routes of the addon to other buckets or prefixes are known from O(config_file) only. Where files went by them, a run without it is refused.
    type: str
  prefix:
    description: What the keys of the objects begin with, before Odoo's own names.
    type: str
    default: ""
  instance_id:
    description:
      - The name of this installation, which is noted with each object. Give the one that the addon has, where there is the addon;
        only the database that owns the objects may upload, and it is known by this name as well.
    type: str
  addressing_style:
    description:
      - Whether the bucket's name stands in the path of the URL (V(path)) or before the host's name (V(virtual)).
      - V(auto) is V(path) where O(endpoint_url) is set, and what AWS wants where it is not.
    type: str
    choices: [auto, path, virtual]
    default: auto
  shard:
    description: Only this part of the filestore, such as V(2/4), so that several hosts or processes share the work.
    type: str
    default: 1/1
  concurrency:
    description: How many files travel at once.
    type: int
    default: 16
  bandwidth:
    description: How many bytes a second may travel, V(0) for as many as there are.
    type: int
    default: 0
  deadline:
    description: After how many seconds nothing new is begun, V(0) for never. The result then says that it is not complete.
    type: int
    default: 0
  orphans:
    description: Whether files that no row refers to are uploaded, and their local copies removed, as well. They are always reported.
    type: bool
    default: false
  without:
    description:
      - What is not used although the server seems to have it, for one that says more than is true, or a proxy in between that does not bear it.
      - V(checksum) is that the server itself checks the SHA-1 of what it is sent. Without it MD5 is relied on, or the object is read back.
      - V(unsigned) are bodies that are not signed. Without it each file is read twice.
      - V(conditional) is that an object is not stored where somebody else has stored it meanwhile.
      - V(pipeline) are small files that are sent before the server has answered for those before them. Without it their number a second is lower.
    type: list
    elements: str
    choices: [checksum, unsigned, conditional, pipeline]
    default: []
  level:
    description:
      - What V(verified) and V(audited) look at, and V(local) for what is on this disk already.
      - V(size) compares sizes. V(checksum) compares the local file's SHA-1 and MD5 with its name and the object's ETag, or asks the
        server for the SHA-1, and reads the object back where neither tells. V(content) reads every object back.
      - With V(local), all but V(size) read the files on this disk, and what is damaged there is fetched.
    type: str
    choices: [size, checksum, content]
    default: checksum
  retention_days:
    description: How many days a local copy stays after the first verification, and after its object was stored.
    type: float
    default: 14
  max_age_hours:
    description: How old the verification and what the hosts have shown may be when local copies are removed.
    type: float
    default: 24
  app_hosts:
    description: The names, as of O(host), of all hosts that run an Odoo of this database.
    type: list
    elements: str
    default: []
  unversioned:
    description: Whether local copies may be removed although the bucket keeps no former versions.
    type: bool
    default: false
  host:
    description: The name under which O(state=proved) is noted. Required then.
    type: str
  odoo_url:
    description: Where the Odoo of this host listens, for O(state=proved).
    type: str
    default: http://127.0.0.1:8069
  report_directory:
    description:
      - Where the report is written, as JSON, CSV and a page of HTML, and C(progress.log), which can be followed with C(tail -f).
      - Without it, C(reports/) and the name of the database below O(state_directory).
    type: path
  state_directory:
    description: Where this host remembers what was uploaded and verified, and which local copies were removed.
    type: path
    default: /var/lib/odooops-filestore
requirements:
  - psycopg2 (Odoo's own environment has it, so its interpreter is a good C(ansible_python_interpreter))
  - boto3, only where no O(access_key) is given
"""

EXAMPLES = r"""
- name: Count what an upload would move
  odooops.stack.filestore:
    state: uploaded
    database: odoo
    config_file: /etc/odoo/odoo.conf
  check_mode: true

- name: Upload in the background, for up to a day
  odooops.stack.filestore:
    state: uploaded
    database: odoo
    config_file: /etc/odoo/odoo.conf
    system_user: odoo
    bandwidth: 20000000
  async: 86400
  poll: 30

- name: Upload the filestore of an Odoo that somebody else deployed
  odooops.stack.filestore:
    state: uploaded
    database: shop
    path: /srv/odoo/filestore/shop
    login_host: db.example.com
    login_user: readonly
    login_password: "{{ vault_db_password }}"
    endpoint_url: https://s3.example.com
    access_key: "{{ vault_access_key }}"
    secret_key: "{{ vault_secret_key }}"
    bucket: shop-filestore

- name: Remove local copies
  odooops.stack.filestore:
    state: cleaned
    database: odoo
    config_file: /etc/odoo/odoo.conf
    app_hosts: [app1, app2]
    retention_days: 30
"""

RETURN = r"""
counts:
  description:
    - For each thing that was found or done, how many files and bytes.
    - C(missing), C(corrupt), C(differing), C(unreadable) and C(failed) are what somebody has to look into.
  returned: success, but for O(state=proved)
  type: dict
  sample: {"referenced": {"files": 5000, "bytes": 700000000}, "uploaded": {"files": 12, "bytes": 30000}}
complete:
  description: Whether everything was looked at; false after a O(deadline).
  returned: success, but for O(state=proved)
  type: bool
problems:
  description: How many files somebody has to look into.
  returned: success, but for O(state=proved)
  type: int
seconds:
  description: How long it took.
  returned: success, but for O(state=proved)
  type: float
files_per_second:
  description: How many files were moved in a second.
  returned: success, but for O(state=proved)
  type: float
bytes_per_second:
  description: How many bytes were moved in a second.
  returned: success, but for O(state=proved)
  type: int
report:
  description: The path of the report as JSON; the same with C(.csv) has every finding, with C(.html) it is for people.
  returned: success, except in check mode and for O(state=proved)
  type: str
  sample: /var/lib/odooops-filestore/reports/odoo/upload-1-of-1.json
"""

import contextlib
import dataclasses
import os
import pwd
import typing as t

from ansible_collections.odooops.stack.plugins.module_utils._s3 import CONNECTION, StackModule
from ansible_collections.odooops.stack.plugins.module_utils.filestore import config, database, proof, runs, sources
from ansible_collections.odooops.stack.plugins.module_utils.filestore.client import Features
from ansible_collections.odooops.stack.plugins.module_utils.filestore.errors import ConfigError, StoreError, of_this_host

PHASES = {"uploaded": "upload", "verified": "verify", "cleaned": "clean", "local": "back", "audited": "audit"}
# What each phase moves: as it is counted when done, when only foreseen, and what was so before.
MOVED = {"upload": ("uploaded", "to_upload", "in_bucket"), "clean": ("cleaned", "to_clean", "only_bucket"), "back": ("downloaded", "to_download", "local")}


@contextlib.contextmanager
def acting_as(module: StackModule) -> t.Iterator[None]:
    """Do something as the system user, with a directory that is theirs to remember it in."""
    user = module.params["system_user"]
    if not user or os.geteuid():
        yield
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"system_user is {user}, which is no user of this host: give the one that runs Odoo") from None
    if not module.check_mode:
        for name in ("state_directory", "report_directory"):
            path = module.params[name]
            if path and not os.path.isdir(path):
                os.makedirs(path, 0o750)
                os.chown(path, entry.pw_uid, entry.pw_gid)
    groups, home = os.getgroups(), os.environ.get("HOME", "/")
    # There libpq looks for certificates, and stops at a directory that it may not enter.
    os.environ["HOME"] = entry.pw_dir
    # What is effective only, so that root can tidy up in the end.
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.environ["HOME"] = home


def store_of(module: StackModule, parameters: dict[str, t.Any]) -> config.Config:
    """The bucket, of the options or of Odoo's configuration.

    :param parameters: how to connect to the database, which may have settings too.
    """
    params, connection = module.params, module.connection
    if not params["bucket"]:
        found = database.settings_for(sources.Watch(params["config_file"], {}), params["database"], parameters)
        if found is None:
            raise ConfigError(f"there are no settings for the object store beside {params['config_file']}: give bucket and the connection's options")
        return found
    given = {name: params[name] for name in ("bucket", "prefix", "instance_id") if params[name]}
    given |= {name: getattr(connection, name) for name in ("endpoint_url", "region", "access_key", "secret_key", "ca_bundle") if getattr(connection, name)}
    if connection.addressing_style != "auto":
        given["addressing_style"] = connection.addressing_style
    found = config.parse(given, dict.fromkeys(given, "the module's options"))
    times = {"connect_timeout": max(1, round(connection.connect_timeout)), "read_timeout": max(1, round(connection.read_timeout))}
    return dataclasses.replace(found, max_attempts=max(1, connection.retries), **times)


def run_of(module: StackModule) -> runs.Run:
    """The settings of the run."""
    params = module.params
    parameters: dict[str, t.Any] = database.parameters_of(params["config_file"]) if params["config_file"] else {}
    names = {"login_host": "host", "login_port": "port", "login_user": "user", "login_password": "password"}
    names |= {"login_sslmode": "sslmode", "login_ca_file": "sslrootcert"}
    parameters |= {theirs: params[ours] for ours, theirs in names.items() if params[ours] is not None}
    store = store_of(module, parameters)
    for secret in (parameters.get("password"), store.secret_key):
        if secret:
            module.no_log_values.add(secret)
    if not params["path"] and not params["config_file"]:
        raise ConfigError("give path, the directory of the database's files, or config_file, which says where it is")
    same = ("shard", "concurrency", "bandwidth", "deadline", "orphans", "level", "retention_days", "max_age_hours", "unversioned")
    return runs.Run(
        store=store,
        database=params["database"],
        filestore=params["path"] or database.filestore_of(params["config_file"], params["database"]),
        connection=parameters,
        state_directory=params["state_directory"],
        report_directory=None if module.check_mode else params["report_directory"] or os.path.join(params["state_directory"], "reports", params["database"]),
        dry=module.check_mode,
        app_hosts=tuple(params["app_hosts"]),
        without=tuple(params["without"]),
        verify_tls=module.connection.validate_certs,
        token=(module.connection.session_token or "") if params["bucket"] else "",
        **{name: params[name] for name in same},
    )


def prove(module: StackModule, run: runs.Run) -> dict[str, t.Any]:
    """Let Odoo show that it reads from the bucket, unless it has done so lately."""
    params = module.params
    transfer = run.transfer()
    try:
        proof.check(transfer, [params["host"]], run.database, run.max_age_hours * 3600 / 2)
        return {"changed": False}
    except proof.Refused:
        if module.check_mode:
            return {"changed": True}
    with database.open_catalogue(run.database, run.connection) as catalogue:
        proof.prove(catalogue, transfer, run.filestore, database=run.database, host=params["host"], url=params["odoo_url"])
    return {"changed": True}


def migrate(module: StackModule, run: runs.Run) -> dict[str, t.Any]:
    """Run the phase."""
    phase = PHASES[module.params["state"]]
    result = runs.execute(phase, run)
    counts = result["counts"]
    result["changed"] = False
    if phase in MOVED:
        done, foreseen, before = MOVED[phase]
        moved = counts.get(foreseen if module.check_mode else done, {"files": 0, "bytes": 0})
        there = counts.get(before, {"files": 0, "bytes": 0})
        result["changed"] = moved["files"] > 0
        result["diff"] = {"before": {before: there}, "after": {before: {name: there[name] + moved[name] for name in there}}}
    else:
        result["diff"] = {"before": {}, "after": {}}
    found = {name: counts[name]["files"] for name in runs.PROBLEMS if name in counts}
    if found:
        where = f": see {result['report']}" if "report" in result else ""
        sentence = f"There are files to look into ({', '.join(f'{count} {name}' for name, count in found.items())}){where}"
        if "failed" in found:
            module.fail_json(msg=f"{sentence}. What failed is tried again by the next run.", **result)
        module.warn(sentence)
    return result


def main() -> None:
    module = StackModule(
        argument_spec={
            "state": {"type": "str", "required": True, "choices": ["uploaded", "verified", "proved", "cleaned", "local", "audited"]},
            "database": {"type": "str", "required": True},
            "config_file": {"type": "path"},
            "path": {"type": "path"},
            "login_host": {"type": "str"},
            "login_port": {"type": "int"},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "login_sslmode": {"type": "str", "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]},
            "login_ca_file": {"type": "path"},
            "system_user": {"type": "str"},
            "bucket": {"type": "str"},
            "prefix": {"type": "str", "default": ""},
            "instance_id": {"type": "str"},
            "addressing_style": {"type": "str", "choices": ["auto", "path", "virtual"], "default": "auto"},
            "shard": {"type": "str", "default": "1/1"},
            "concurrency": {"type": "int", "default": 16},
            "bandwidth": {"type": "int", "default": 0},
            "deadline": {"type": "int", "default": 0},
            "orphans": {"type": "bool", "default": False},
            "without": {"type": "list", "elements": "str", "choices": [*Features._fields], "default": []},
            "level": {"type": "str", "choices": ["size", "checksum", "content"], "default": "checksum"},
            "retention_days": {"type": "float", "default": 14},
            "max_age_hours": {"type": "float", "default": 24},
            "app_hosts": {"type": "list", "elements": "str", "default": []},
            "unversioned": {"type": "bool", "default": False},
            "host": {"type": "str"},
            "odoo_url": {"type": "str", "default": "http://127.0.0.1:8069"},
            "report_directory": {"type": "path"},
            "state_directory": {"type": "path", "default": "/var/lib/odooops-filestore"},
        },
        connection=CONNECTION,
        required_one_of=[("config_file", "bucket")],
        required_if=[("state", "proved", ["host"])],
    )
    try:
        with acting_as(module):
            run = run_of(module)
            result = prove(module, run) if module.params["state"] == "proved" else migrate(module, run)
    except StoreError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=of_this_host(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
