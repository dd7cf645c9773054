"""One workflow that a worker performs: whether it may go on, and how it is stopped.

A worker that lost its lease does nothing more and records nothing: another goes on with the
update, from the step that was recorded last. One that is to be cancelled ends as cancelled,
unless clients see it already.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics.engine.clock import now
from gm_analytics.engine.lease_tables import LEASES, REQUESTS
from gm_analytics.engine.schema import WORKFLOWS
from gm_analytics.errors import Cancelled, Overtaken

NO_WAY_BACK = frozenset({"switch", "remember", "drop preview"})
"""Steps after which clients, or later updates, may have seen what an update did."""
CLEANS_UP = frozenset({"sweep"})
"""Steps that one which is being cancelled still takes."""

log = logging.getLogger(__name__)
Stop = Callable[[str], object]
"""Is told why what runs is to stop."""


class LeaseLost(BaseException):
    """Its worker performs a workflow no longer. Not an error: DBOS must not record it."""


class Lease:
    """A lease as its worker knows it: until when, by a clock that goes on while it is stopped."""

    def __init__(self, executor: str, until: float, clock: Callable[[], float]) -> None:
        self.executor = executor
        self.until = until
        self.lost = ""
        """Why it is lost; for good."""
        self._clock = clock

    @property
    def is_over(self) -> bool:
        """Whether nothing may be done any more."""
        return bool(self.lost) or self._clock() >= self.until


class Watch(Protocol):
    """Says of what runs whether it may go on."""

    def when_stopped(self, stop: Stop) -> None:
        """Have what runs told to stop, once it may not."""
        ...

    def before(self, step: str) -> None:
        """See whether a step may begin."""
        ...

    def after(self, step: str, failure: Exception | None = None) -> None:
        """See whether what a step came to may be recorded."""
        ...


class Unwatched:
    """Lets everything go on."""

    def when_stopped(self, stop: Stop) -> None:
        """Never stop it."""

    def before(self, step: str) -> None:
        """Let it begin."""

    def after(self, step: str, failure: Exception | None = None) -> None:
        """Let it be recorded."""


class Run:
    """One workflow that runs. Steps ask it before they begin, and before they are recorded."""

    def __init__(self, engine: sa.Engine, lease: Lease, workflow_id: str) -> None:
        self.id = workflow_id
        self._engine, self._lease = engine, lease
        self._lock = threading.Lock()
        self._stops: list[Stop] = []
        self._cancelled_by: str | None = None
        self._said = self._past = False

    def when_stopped(self, stop: Stop) -> None:
        """Have what runs told to stop, once this run is."""
        with self._lock:
            self._stops.append(stop)

    def before(self, step: str) -> None:
        """See whether a step may begin.

        Raises:
            Cancelled: somebody asked for that in time.
            LeaseLost: another worker has the update, or may have it.

        """
        self._see_that_it_is_mine()
        with self._lock:
            self._refuse(step)
            self._past = self._past or step in NO_WAY_BACK

    def after(self, step: str, failure: Exception | None = None) -> None:
        """See whether what a step came to may be recorded; what was stopped in it has failed.

        Raises:
            Cancelled: it failed because it was stopped for that.
            LeaseLost: another worker has the update, or may have it.

        """
        if failure is None:
            self._see_that_the_lease_lasts()
            return
        self._see_that_it_is_mine()
        with self._lock:
            if step in NO_WAY_BACK and isinstance(failure, Overtaken):
                self._past = False  # it is certain that nothing was switched
            self._refuse(step)

    def cancel(self, asked_by: str) -> None:
        """Have it end as cancelled, and stop what it runs, unless clients may see it already."""
        with self._lock:
            if self._past or self._cancelled_by is not None:
                return
            self._cancelled_by = asked_by
        self.stop(f"cancelled by {asked_by}")

    def stop(self, reason: str) -> None:
        """Stop what runs, whatever comes of it then."""
        with self._lock:
            stops = list(self._stops)
        for stop in stops:
            try:
                stop(reason)
            except Exception:
                log.exception("update %s: stopping it", self.id)

    def _refuse(self, step: str) -> None:
        if self._cancelled_by is None or self._past:
            return
        if not (self._said and step in CLEANS_UP):
            self._said = True
            raise Cancelled(self._cancelled_by)

    def _see_that_the_lease_lasts(self) -> None:
        if self._lease.is_over:
            raise LeaseLost(self._lease.lost or "no database was reached for too long")

    def _see_that_it_is_mine(self) -> None:
        """Ask the database; while it does not answer, DBOS waits before it records anything."""
        self._see_that_the_lease_lasts()
        with suppress(SQLAlchemyError), self._engine.connect() as connection:
            mine = (
                sa.select(REQUESTS.c.asked_by)
                .select_from(WORKFLOWS)
                .join(LEASES, LEASES.c.executor == WORKFLOWS.c.executor_id)
                .outerjoin(REQUESTS, REQUESTS.c.workflow_id == WORKFLOWS.c.workflow_uuid)
                .where(WORKFLOWS.c.workflow_uuid == self.id, WORKFLOWS.c.status == "PENDING")
                .where(LEASES.c.executor == self._lease.executor)
                .where(LEASES.c.ends_at > now(connection))
            )
            found = connection.execute(mine).one_or_none()
            if found is None:
                raise LeaseLost("another worker has it, or may have it")
            if found.asked_by is not None:
                with self._lock:
                    self._cancelled_by = found.asked_by
        self._see_that_the_lease_lasts()
