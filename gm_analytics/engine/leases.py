"""Which workers live: a row each, by the database's clock.

A worker says every few seconds that it lives. One that did not for as long as its lease lasts is
dead, for good: whoever sees that first removes its row, in the transaction that takes over what
it had. A worker that was only stopped, or cut off, finds no row when it is back.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine.clock import now
from gm_analytics.engine.lease_tables import LEASES
from gm_analytics.engine.processes import Process


@dataclass(frozen=True)
class Timing:
    """How long a lease lasts, in seconds.

    A mirror's lock goes sooner: its holder there gives up what has lost its worker before the
    work is another's. All together is less than a minute; a test holds them to that.
    """

    lasts: float = 45.0
    """After the last sign of life."""
    beat: float = 5.0
    """Between two signs of life, each with a look for what is left behind."""
    early: float = 10.0
    """Before the end by its own clock, a worker that reaches no database stops what it runs."""
    look: float = 1.0
    """Between two looks for what is to be cancelled."""
    patience: float = 5.0
    """That a worker which ends waits for what it runs to stop."""


@dataclass(frozen=True)
class Worker:
    """A worker with its lease; times in seconds since the epoch."""

    executor: str
    host: str
    pid: int
    application_version: str
    program: str
    started_at: float
    beat_at: float

    @property
    def text(self) -> str:
        """Say who it is."""
        return f"{self.executor} (process {self.pid} on {self.host}, gm-analytics {self.program})"


_WORKER = tuple(LEASES.c[name] for name in Worker.__dataclass_fields__)


def take(connection: sa.Connection, worker: Worker, process: Process, lasts: float) -> None:
    """Give a worker a lease. Its id is unique, or this fails."""
    moment = now(connection)
    values = {
        **vars(worker), "place": process.place, "began": process.began, "started_at": moment,
        "beat_at": moment, "ends_at": moment + lasts,
    }  # fmt: skip
    connection.execute(LEASES.insert().values(values))


def beat(connection: sa.Connection, executor: str, lasts: float) -> bool:
    """Say that a worker lives; tell whether it still had its lease."""
    moment = now(connection)
    mine = LEASES.update().where(LEASES.c.executor == executor, LEASES.c.ends_at > moment)
    beaten = mine.values(beat_at=moment, ends_at=moment + lasts)
    return connection.execute(beaten).rowcount > 0


def bury(connection: sa.Connection) -> list[Worker]:
    """Remove the leases that have ended, and of this machine's processes that have; give them."""
    query = sa.select(*_WORKER, LEASES.c.place, LEASES.c.began)
    rows = connection.execute(query).all()
    gone = [row.executor for row in rows if Process(row.place, row.pid, row.began).is_gone]
    dead = sa.or_(LEASES.c.ends_at <= now(connection), LEASES.c.executor.in_(gone))
    if not connection.scalar(sa.select(sa.func.count()).where(dead)):
        return []  # SQLite would take the write lock for nothing
    removed = connection.execute(LEASES.delete().where(dead).returning(*_WORKER))
    return [Worker(**row._mapping) for row in removed]


def give_back(connection: sa.Connection, executor: str) -> None:
    """End a lease before its time."""
    connection.execute(LEASES.delete().where(LEASES.c.executor == executor))


def living(connection: sa.Connection) -> list[Worker]:
    """Give the workers that live, the oldest first."""
    query = sa.select(*_WORKER).where(LEASES.c.ends_at > now(connection))
    found = connection.execute(query.order_by(LEASES.c.started_at, LEASES.c.executor))
    return [Worker(**row._mapping) for row in found]
