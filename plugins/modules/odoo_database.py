#!/usr/bin/python
# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_database
short_description: Initialise a database of Odoo, and install and update modules in it
version_added: 0.1.0
author:
  - the odooops.stack authors (@odooops)
description:
  - Initialises an empty database of Odoo without a browser, sets its language, its country and its administrator, and installs and updates modules.
  - The database has to be there already, such as the role C(odooops.stack.postgresql) makes it. Odoo connects to it as its odoo.conf says.
  - What was interrupted, by a crash or a reboot, is continued by the next run.
  - Whether demonstration data is loaded, odoo.conf decides.
  - No password is on a command line, in the environment or in a log. The module runs as root and drops to O(system_user) for all that Odoo does.
options:
  database:
    description: Name of the database.
    type: str
    required: true
  config_file:
    description: The odoo.conf, which O(system_user) can read.
    type: path
    default: /etc/odoo/odoo.conf
  python:
    description: The interpreter of Odoo's environment.
    type: path
    default: /opt/odoo/venv/bin/python
  odoo_bin:
    description: The program that starts Odoo.
    type: path
    default: /opt/odoo/src/odoo-bin
  source:
    description: Directory that holds the Python package C(odoo), if the interpreter does not find it by itself.
    type: path
  system_user:
    description: The user that Odoo runs as.
    type: str
    default: odoo
  modules:
    description:
      - Modules that are installed if they are not.
      - Others are left alone.
    type: list
    elements: str
    default: []
  versions:
    description:
      - Names of modules, and the version that each has to be installed in, as its manifest has it, with or without the one of Odoo before.
      - One that is installed in another version is updated (C(odoo-bin --update)), so that its tables and views become those of the version that
        lies on addons_path. One that is not installed is left alone.
      - An Odoo that runs meanwhile goes on with the code that it has loaded, so restart it afterwards.
    type: dict
    default: {}
  language:
    description:
      - Language such as V(de_DE), which is installed if it is not.
      - The administrator gets it when the database is initialised.
    type: str
  country:
    description: Country of the first company, such as V(DE). It is set when the database is initialised, or while the company has none.
    type: str
  admin_login:
    description: Login of the administrator, set when the database is initialised.
    type: str
    default: admin
  admin_password:
    description:
      - Password of the administrator, which a database that is not initialised yet needs.
      - Without it the administrator is left alone.
    type: str
  update_password:
    description:
      - With V(on_create), the password is set while the administrator still has the one of every new database. One that a person has chosen is left alone.
      - With V(always), it is also set when the present one is another.
    type: str
    choices: [on_create, always]
    default: on_create
  ca_file:
    description: Certificates of the authority that signed the certificate of the PostgreSQL server; for C(db_sslmode) C(verify-ca) and C(verify-full).
    type: path
  minimum_server_version:
    description: Oldest major version of PostgreSQL that this release of Odoo works with.
    type: int
attributes:
  check_mode:
    description: Can predict the change without making it, also where Odoo or the database are not there yet.
    support: full
  diff_mode:
    description: Shows modules, languages, country and login, never a password.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Initialise the database
  odooops.stack.odoo_database:
    database: odoo
    language: de_DE
    country: DE
    modules: [web, contacts]
    admin_login: admin@example.com
    admin_password: "{{ vault_odoo_admin_password }}"

- name: Give the administrator of a packaged Odoo another password
  odooops.stack.odoo_database:
    database: odoo
    python: /usr/bin/python3
    odoo_bin: /usr/bin/odoo
    admin_password: "{{ vault_odoo_admin_password }}"
    update_password: always

- name: Update a module whose files have been replaced
  odooops.stack.odoo_database:
    database: odoo
    versions:
      our_reports: 1.2.0
"""

RETURN = r"""
actions:
  description: What was done, or would be, in words and in its order.
  returned: success
  type: list
  elements: str
  sample: [initialise the database, install contacts]
database:
  description: Name of the database.
  returned: success
  type: str
  sample: odoo
"""

import fcntl
import importlib.util
import json
import os
import re
import time
from typing import IO, Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.odooops.stack.plugins.module_utils import _odoo_inside
from ansible_collections.odooops.stack.plugins.module_utils._odoo_database import Plan, Wanted, plan

# What the interpreter is told on its command line; all else goes through standard input.
BOOT = 'import json,sys;job=json.load(sys.stdin);space={"__name__":"inside"};exec(compile(job.pop("program"),"odoo_database","exec"),space);space["main"](job)'
LOCK_SECONDS = 300


class Failure(Exception):
    """The sentence that the module ends with."""


def last_lines(text: str, count: int = 12) -> str:
    return "\n".join(line for line in text.strip().splitlines()[-count:])


class Odoo:
    """Odoo's interpreter on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.lock: IO[str] | None = None

    def hold_lock(self) -> None:
        """Wait for another run on the same database. Its processes inherit the lock, so that it holds as long as they live."""
        # Open for as long as the module runs.
        self.lock = open(f"/run/odooops-odoo-database-{self.params['database']}.lock", "w", encoding="utf-8")  # noqa: SIM115
        os.set_inheritable(self.lock.fileno(), True)
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                if time.monotonic() > until:
                    raise Failure(f"Another run has been at work on the database {self.params['database']} for {LOCK_SECONDS} seconds: let it end.") from None
                time.sleep(1)

    def run(self, command: list[str], data: str = "") -> tuple[int, str, str]:
        """Run a command as Odoo's user, with an environment of its own."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
        if self.params["source"]:
            environment["PYTHONPATH"] = self.params["source"]
        if self.params["ca_file"]:
            environment["PGSSLROOTCERT"] = self.params["ca_file"]
        full = ["runuser", "-u", self.params["system_user"], "--", "env", "-i", *(f"{key}={value}" for key, value in environment.items()), *command]
        return self.module.run_command(full, data=data, binary_data=True, cwd="/", umask=0o027, pass_fds=[self.lock.fileno()] if self.lock else None)

    def inside(self, do: str, **job: Any) -> dict[str, Any]:
        """Let the interpreter do a job of _odoo_inside."""
        spec = importlib.util.find_spec(_odoo_inside.__name__)
        # Ansible's own loader of collections gives bytes where Python's gives text.
        program = to_text(spec.loader.get_source(_odoo_inside.__name__))  # type: ignore[union-attr]
        job |= {"do": do, "program": program}
        job |= {name: self.params[name] for name in ("config_file", "database")}
        status, output, errors = self.run([self.params["python"], "-c", BOOT], json.dumps(job))
        answers = [line for line in output.splitlines() if line.startswith(_odoo_inside.ANSWER)]
        if status or not answers:
            raise Failure(f"Odoo's interpreter {self.params['python']} failed (exit status {status}):\n{last_lines(errors or output)}")
        answer = json.loads(answers[-1][len(_odoo_inside.ANSWER) :])
        if "refused" in answer:
            raise Failure(answer["refused"])
        return answer

    def load(self, *options: str) -> str:
        """Start Odoo to install or update modules, and let it end; returns its log."""
        command = [self.params["python"], self.params["odoo_bin"], "-c", self.params["config_file"], "-d", self.params["database"]]
        # Only what is for the initialisation; what the release calls its options for demonstration data is in odoo.conf.
        command += ["--no-http", "--workers=0", "--max-cron-threads=0", "--stop-after-init", "--logfile=", *options]
        status, output, errors = self.run(command)
        if status:
            raise Failure(f"Odoo ended with exit status {status} at {' '.join(options)}:\n{last_lines(errors or output, 20)}")
        return errors or output


def read(odoo: Odoo) -> dict[str, Any]:
    """The state of the database; {} for one that cannot be reached, which only a check may find."""
    module = odoo.module
    missing = [name for name in ("config_file", "python", "odoo_bin") if not os.path.exists(module.params[name])]
    if missing:
        if module.check_mode:
            return {}
        raise Failure(f"{' and '.join(f'{name} ({module.params[name]})' for name in missing)} is not there: install Odoo first.")
    state = odoo.inside("inspect")
    if "unreachable" in state:
        if module.check_mode:
            module.warn(f"The database {module.params['database']} cannot be reached yet: {state['unreachable']}")
            return {}
        raise Failure(
            f"The database {module.params['database']} cannot be reached with what {module.params['config_file']} says: {state['unreachable']}. "
            "It has to be made before, and its server has to admit this host."
        )
    minimum = module.params["minimum_server_version"]
    if minimum and state["server_version"] // 10000 < minimum:
        raise Failure(f"The server runs PostgreSQL {state['server_version'] // 10000}; this release of Odoo needs {minimum} or later.")
    return state


def apply(odoo: Odoo, steps: Plan) -> None:
    """Take the steps, each of which can be interrupted and is then found again by the next plan."""
    if steps.initialise:
        odoo.load("--init=base")
    if steps.settle:
        odoo.inside("settle", **steps.settle)
    begun = [name for name in steps.resume if name not in steps.install]
    if steps.install or steps.update or begun:
        states = odoo.inside("inspect")["modules"]
        # A fresh base has brought some along; what is to be removed is so by any update.
        install = [name for name in steps.install + begun if states.get(name) not in ("installed", "to upgrade", "to remove")]
        update = steps.update + [name for name in begun if states.get(name) == "to upgrade"]
        if "to remove" in states.values() and not install and not update:
            update = ["base"]
        options = [f"--{option}={','.join(names)}" for option, names in (("init", install), ("update", update)) if names]
        if options:
            odoo.load(*options)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "config_file": {"type": "path", "default": "/etc/odoo/odoo.conf"},
            "python": {"type": "path", "default": "/opt/odoo/venv/bin/python"},
            "odoo_bin": {"type": "path", "default": "/opt/odoo/src/odoo-bin"},
            "source": {"type": "path"},
            "system_user": {"type": "str", "default": "odoo"},
            "modules": {"type": "list", "elements": "str", "default": []},
            "versions": {"type": "dict", "default": {}},
            "language": {"type": "str"},
            "country": {"type": "str"},
            "admin_login": {"type": "str", "default": "admin"},
            "admin_password": {"type": "str", "no_log": True},
            "update_password": {"type": "str", "choices": ["on_create", "always"], "default": "on_create", "no_log": False},
            "ca_file": {"type": "path"},
            "minimum_server_version": {"type": "int"},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted = Wanted(
        modules=params["modules"],
        versions=params["versions"],
        language=params["language"],
        country=params["country"],
        login=params["admin_login"],
        password=params["admin_password"],
        always_password=params["update_password"] == "always",  # noqa: S105
    )
    odoo = Odoo(module)
    try:
        if wanted.password in ("", "admin"):
            raise Failure("admin_password is empty, or the one of every new database: choose another.")
        unclear = [name for name, version in wanted.versions.items() if not re.fullmatch(r"[0-9]+(\.[0-9]+)+", version if isinstance(version, str) else "")]
        if unclear:
            raise Failure(f"versions of {', '.join(unclear)}: give text such as '1.2.0' or '1.10', in quotes.")
        if not module.check_mode:
            odoo.hold_lock()
        steps = plan(read(odoo), wanted)
        if steps.before["database"] == "absent" and wanted.password is None and not module.check_mode:
            raise Failure(f"The database {params['database']} has not been initialised by Odoo yet: do that first, or give admin_password.")
        if steps.changed and not module.check_mode:
            apply(odoo, steps)
            left = plan(read(odoo), wanted)
            if left.changed:
                raise Failure(
                    f"Odoo did not {' and '.join(left.actions)}: a module has to lie in a directory on addons_path of {params['config_file']}, "
                    "and its dependencies as well; a version has to be the one of the manifest there."
                )
    except Failure as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(changed=steps.changed, database=params["database"], actions=steps.actions, diff={"before": steps.before, "after": steps.after})


if __name__ == "__main__":
    main()
