"""Updates that wait for what time may cure, and who runs them again.

An attempt that met such a thing ends, so that it holds nothing, neither its mirror's turn nor its
lock: DBOS has it as an error, and `gm_waits` has a row that says what it waits for. A thread in
each worker runs again what is due; the row stays until the update has ended, so that `woken` tells
a first attempt from a later one, also after a crash.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import sqlalchemy as sa

from gm_analytics.engine import index, records
from gm_analytics.engine.schema import UPDATES, WAITS, WORKFLOWS
from gm_analytics.updates.model import Update
from gm_analytics.updates.waiting import Wait

LOOK = 0.5
"""Seconds between two looks at what is due."""
CLAIM = 60.0
"""Seconds after which another worker takes what one claimed and did not run."""
_BATCH = 50

log = logging.getLogger(__name__)
Clock = Callable[[], float]
Rewind = Callable[[str, str | None], bool]
"""Runs a workflow again that has ended, in a mirror's turn; tells whether that was to be done."""


def read(connection: sa.Connection, workflow_id: str) -> Wait | None:
    """Give what an update waits for, or waited for before the attempt that runs."""
    query = sa.select(*WAITS.c).where(WAITS.c.workflow_id == workflow_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else records.wait_of(row)


def park(connection: sa.Connection, update: Update, wait: Wait) -> None:
    """Note that an update waits: its attempt is about to end."""
    forget(connection, update.id)
    values = {
        "workflow_id": update.id,
        "mirror": update.mirror,
        "waits_for": wait.waits_for,
        "reason": records.kept(wait.reason),
        "since": wait.since,
        "next_try": wait.next_try,
        "not_before": wait.not_before,
        "tries": wait.tries,
        "woken": wait.woken,
        "told": int(wait.told),
    }
    connection.execute(WAITS.insert().values(values))
    index.wait(connection, update.id)


def forget(connection: sa.Connection, workflow_id: str) -> bool:
    """Let an update wait no longer, however it goes on; tell whether it did."""
    gone = WAITS.delete().where(WAITS.c.workflow_id == workflow_id)
    return connection.execute(gone).rowcount > 0


def wake_after(connection: sa.Connection, update: Update) -> None:
    """Wake who waits for what an update that ended well has found: its mirror, and GitHub.

    Nobody is woken before the time that the other side asked for.
    """
    on_it = (WAITS.c.mirror == update.mirror) & WAITS.c.waits_for.in_(["mirror", "lock"])
    _wake(connection, on_it | (WAITS.c.waits_for == "github"))


def wake_others(connection: sa.Connection, update: Update) -> None:
    """Wake the other updates of a pull request on a mirror: a newer one supersedes them."""
    if not update.pull_request:
        return
    theirs = sa.select(UPDATES.c.workflow_id).where(
        UPDATES.c.repository == update.repository,
        UPDATES.c.number == update.number,
        UPDATES.c.mirror == update.mirror,
        UPDATES.c.workflow_id != update.id,
    )
    _wake(connection, WAITS.c.workflow_id.in_(theirs))


def _wake(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    late = WAITS.c.next_try > WAITS.c.not_before
    values = {"next_try": WAITS.c.not_before}
    connection.execute(WAITS.update().where(which, late).values(values))


class Waits:
    """Runs again what waits, once that is due; several workers may."""

    def __init__(self, engine: sa.Engine, again: Rewind, clock: Clock = time.time) -> None:
        self._engine, self._again, self._clock = engine, again, clock

    def look(self) -> int:
        """Run again what is due; say how many."""
        return sum(self._wake(*row) for row in self._due())

    def _due(self) -> list[tuple[str, float, str | None]]:
        # One whose attempt has not ended yet cannot be run again.
        query = (
            sa.select(WAITS.c.workflow_id, WAITS.c.next_try, WORKFLOWS.c.queue_partition_key)
            .join(WORKFLOWS, WORKFLOWS.c.workflow_uuid == WAITS.c.workflow_id)
            .where(WAITS.c.next_try <= self._clock())
            .where(WORKFLOWS.c.status == records.WAITS)
            .order_by(WAITS.c.since, WAITS.c.workflow_id)
            .limit(_BATCH)
        )
        with self._engine.connect() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def _wake(self, workflow_id: str, seen: float, mirror: str | None) -> bool:
        """Run one again, unless another worker claimed it first."""
        claim = WAITS.update().where(WAITS.c.workflow_id == workflow_id, WAITS.c.next_try == seen)
        values = {"next_try": self._clock() + CLAIM, "woken": WAITS.c.woken + 1}
        with self._engine.begin() as connection:
            if not connection.execute(claim.values(values)).rowcount:
                return False
        if again := self._again(workflow_id, mirror):
            log.info("update %s: waited; trying again", workflow_id)
        return again
