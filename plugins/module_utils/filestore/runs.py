# Copyright: (c) 2026, the odooops.stack authors
# GNU Lesser General Public License v3.0+ (see https://www.gnu.org/licenses/lgpl-3.0.txt)
# SPDX-License-Identifier: LGPL-3.0-or-later

"""One run of one phase, from settings as people give them: what the command line and the Ansible module have in common."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, TextIO

from . import fence, proof
from .audit import LEVELS as AUDIT_LEVELS
from .audit import Aids, Audit
from .catalogue import Catalogue
from .config import Config
from .database import Queries, Transaction, open_catalogue, transactions
from .errors import ConfigError, Denied, NotFound
from .journal import State
from .migration import LEVELS, Conditions, Job, Migration
from .report import PROBLEMS, Report
from .transfer import Transfer

# PROBLEMS: the counts that somebody has to look into.
__all__ = ["PHASES", "PROBLEMS", "Run", "execute"]

PHASES = ("plan", "upload", "verify", "clean", "back", "audit")
_ATTEMPTS = 5


@dataclasses.dataclass
class Run:
    """The settings of a run; see :class:`migration.Job` and :class:`migration.Conditions` for what they mean.

    :param connection: parameters of ``psycopg2.connect``, except for the database's name.
    :param bandwidth: bytes a second, 0 for no limit.
    :param state_directory: where all migrations of this host remember what they have done.
    :param report_directory: None for no report.
    :param spool: see :class:`audit.Aids`.
    :param repair: whether an audit puts right what it can.
    """

    store: Config
    database: str
    filestore: str
    connection: dict[str, Any]
    state_directory: str = "/var/lib/odooops-filestore"
    report_directory: str | None = None
    shard: str = "1/1"
    concurrency: int = 16
    bandwidth: int = 0
    deadline: float = 0
    orphans: bool = False
    without: tuple[str, ...] = ()
    level: str = "checksum"
    dry: bool = False
    retention_days: float = 14
    max_age_hours: float = 24
    app_hosts: tuple[str, ...] = ()
    unversioned: bool = False
    spool: str = ""
    repair: bool = False
    verify_tls: bool = True
    token: str = ""
    progress: TextIO | None = None

    def state(self) -> State:
        """What this host remembers of this migration."""
        identity = {
            "database": self.database,
            "filestore": os.path.realpath(self.filestore),
            "endpoint": self.store.endpoint_url or self.store.region,
            "bucket": self.store.bucket,
            "prefix": self.store.prefix,
        }
        return State(self.state_directory, identity)

    def transfer(self) -> Transfer:
        """The way to the bucket."""
        # A server that is restarted meanwhile is waited for longer than a user of Odoo would wait.
        store = dataclasses.replace(self.store, max_attempts=max(self.store.max_attempts, _ATTEMPTS))
        return Transfer(store, verify=self.verify_tls, token=self.token, bandwidth=self.bandwidth)


class _Notes:
    """The note about the owner, by the way that the files take."""

    def __init__(self, transfer: Transfer) -> None:
        self.config = transfer.config
        self._transfer = transfer

    def at(self, target: Config) -> _Notes:
        return _Notes(self._transfer.at(target))

    def get_note(self, name: str) -> tuple[bytes, str] | None:
        try:
            return self._transfer.get_note(f".odoo-s3/{name}"), ""
        except NotFound:
            return None


def _refuse_copies(transfer: Transfer, transaction: Transaction) -> None:
    """See that the objects are not another database's. What is nobody's stays so: the addon claims it when it first writes."""
    with transaction() as cursor:
        found = fence.examine(_Notes(transfer), cursor)
    if found.state in (fence.FOREIGN, fence.BARRED):
        raise fence.NotOwner(found.reason)


def _refuse_moved(transfer: Transfer, transaction: Transaction) -> None:
    """See that contents are where the settings say, before they are taken for missing. The database is asked only if there is a doubt."""
    for sentence in fence.moved(_Notes(transfer), Queries(transaction)).values():
        raise Denied(sentence)


def execute(phase: str, run: Run) -> dict[str, Any]:
    """Run a phase; the result is the report's, see :meth:`report.Report.finish`.

    :raises StoreError: in one sentence, what is wrong and what to do.
    """
    levels = AUDIT_LEVELS if phase == "audit" else LEVELS
    if run.level not in levels:
        raise ConfigError(f"level is {run.level!r}: it must be one of {', '.join(levels)}")
    if not 1 <= run.concurrency <= 128:
        raise ConfigError(f"concurrency is {run.concurrency}: it must be from 1 to 128")
    if phase != "back" and not os.path.isdir(run.filestore):
        raise ConfigError(f"{run.filestore} is not a directory: give the filestore of the database {run.database} on this host")
    with open_catalogue(run.database, run.connection) as catalogue:
        transaction = transactions(run.database, run.connection)
        if phase == "audit":
            return audit_of(run, catalogue, transaction).audit()
        migration = migration_of(phase, run, catalogue, transaction)
        if phase == "clean":
            return migration.clean(conditions_of(run, migration.job.transfer))
        result: dict[str, Any] = (migration.upload if phase == "plan" else getattr(migration, phase))()
        return result


def migration_of(phase: str, run: Run, catalogue: Catalogue, transaction: Transaction) -> Migration:
    """A migration that is ready to run a phase, with these ways to the database."""
    return Migration(_job(phase, run, catalogue, transaction))


def conditions_of(run: Run, transfer: Transfer) -> Conditions:
    """When that run may remove local copies."""
    max_age = run.max_age_hours * 3600
    return Conditions(
        retention=run.retention_days * 86400,
        max_age=max_age,
        unversioned=run.unversioned,
        read_by_hosts=lambda: proof.check(transfer, run.app_hosts, run.database, max_age),
    )


def audit_of(run: Run, catalogue: Catalogue, transaction: Transaction) -> Audit:
    """An audit that is ready to run, with these ways to the database."""
    return Audit(_job("audit", run, catalogue, transaction), Aids(run.spool, transaction if run.repair and not run.dry else None))


def _job(phase: str, run: Run, catalogue: Catalogue, transaction: Transaction) -> Job:
    about = {"database": run.database, "filestore": run.filestore, "store": run.store.where}
    transfer = run.transfer()
    return Job(
        filestore=run.filestore,
        catalogue=catalogue,
        transfer=transfer,
        state=run.state(),
        report=Report(run.report_directory, phase, about, run.shard, run.progress),
        shard=run.shard,
        concurrency=run.concurrency,
        deadline=run.deadline,
        orphans=run.orphans,
        without=run.without,
        level=run.level,
        dry=run.dry or phase == "plan",
        may_write=lambda: _refuse_copies(transfer, transaction),
        in_place=lambda: _refuse_moved(transfer, transaction),
    )
