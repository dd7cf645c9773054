"""Updates that DBOS begins no more, since worker after worker ended before they did.

That decision is DBOS's, after a hundred: no attempt runs that could note it. A thread in each
worker notes it, and has the pull request told before, so that a crash leaves nobody untold;
twice is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import sqlalchemy as sa

from gm_analytics import measures
from gm_analytics.engine import cancelling, index, records, waiting
from gm_analytics.engine.schema import UPDATES, WORKFLOWS
from gm_analytics.errors import TakenTooOften
from gm_analytics.updates.model import Outcome, Update

LOOK = 5.0
"""Seconds between two looks."""
_BATCH = 50

log = logging.getLogger(__name__)
Tell = Callable[[Update, "Outcome | None"], None]


class GivenUp:
    """Notes what was given up; several workers may."""

    def __init__(self, engine: sa.Engine, tell: Tell) -> None:
        self._engine, self._tell = engine, tell

    def look(self) -> int:
        """Have those told that are not noted yet, and note them; say how many."""
        found = self._found()
        for row in found:
            values = records.values_of(row.update_values)
            if values:
                self._tell(records.update_of(values, row.workflow_id, row.mirror), None)
            self._note(row.workflow_id, row.mirror)
        return len(found)

    def _found(self) -> list[records.Row]:
        query = (
            sa.select(UPDATES.c.workflow_id, UPDATES.c.mirror, UPDATES.c.update_values)
            .join(WORKFLOWS, WORKFLOWS.c.workflow_uuid == UPDATES.c.workflow_id)
            .where(UPDATES.c.ended_at.is_(None), WORKFLOWS.c.status == records.GIVEN_UP)
            .limit(_BATCH)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).all())

    def _note(self, workflow_id: str, mirror: str) -> None:
        error = TakenTooOften()
        with self._engine.begin() as connection:
            waiting.forget(connection, workflow_id)
            cancelling.forget(connection, workflow_id)
            index.end(connection, workflow_id, "failed", str(error))
        measures.UPDATES.add(mirror=mirror, state="failed", fault=error.fault)
        log.error("update %s: failed: %s; hint: %s", workflow_id, error, error.hint)
