"""Looking at what is at work: what runs, what it said, what waits, and who does it."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from gm_analytics.engine import figures, in_flight, index, output, progress, records, workforce
from gm_analytics.engine.database import guarded
from gm_analytics.engine.figures import Figure
from gm_analytics.engine.schema import PROGRESS, WAITS, WORKFLOWS
from gm_analytics.engine.workforce import Workforce
from gm_analytics.updates.progress import Now, Said


class AtWork:
    """What can be read of the work."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        """Take the connections, and the address that may be shown."""
        self._engine = engine
        self._name = name

    def now(self, workflow_id: str) -> Now | None:
        """Give what an update is at on its mirror: of one that runs, or failed lately.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        doing = f"reading what update {workflow_id} is at"
        with guarded(doing), self._engine.connect() as connection:
            return progress.read(connection, workflow_id)

    def output(self, workflow_id: str) -> tuple[Said, ...]:
        """Give what the mirror's host said in an update's steps, as far as it is kept.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        doing = f"reading what was said in update {workflow_id}"
        with guarded(doing), self._engine.connect() as connection:
            return output.read(connection, workflow_id)

    def under_way(self) -> dict[str, int]:
        """Say how many updates wait, and how many run.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        status = in_flight.of_name(index.WORKFLOW, WORKFLOWS.c.status).subquery().c.status
        query = sa.select(status, sa.func.count()).group_by(status)
        # A join would have SQLite go through all that has ended.
        between = WORKFLOWS.c.workflow_uuid.in_(sa.select(WAITS.c.workflow_id))
        these = (between, WORKFLOWS.c.status == records.WAITS)
        waits = sa.select(sa.func.count()).select_from(WORKFLOWS).where(*these)
        found = dict.fromkeys(records.UNDER_WAY.values(), 0)
        with guarded("counting updates"), self._engine.connect() as connection:
            for status, count in connection.execute(query):
                found[records.UNDER_WAY[status]] += count
            found["waiting"] += connection.scalars(waits).one()
        return {str(state): count for state, count in found.items()}

    def workforce(self) -> Workforce:
        """Say which workers live, and what there is for them to do.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        with guarded("asking which workers live"), self._engine.connect() as connection:
            return workforce.look(connection)

    def heard_at(self) -> float | None:
        """Say when a worker last said what it does, in seconds since the epoch.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        query = sa.select(sa.func.max(PROGRESS.c.written_at))
        found = self._scalar("asking when a worker was heard", query)
        return None if found is None else records.moment(found)

    def figures(self) -> list[Figure]:
        """Give what metrics say of the work, now.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        with guarded("reading figures"), self._engine.connect() as connection:
            return list(figures.read(connection, time.time()))

    def _scalar(self, doing: str, query: sa.Select[Any]) -> Any:
        with guarded(doing), self._engine.connect() as connection:
            return connection.scalar(query)
