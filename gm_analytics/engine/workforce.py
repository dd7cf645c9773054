"""Who works, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine import in_flight, index, leases, records
from gm_analytics.engine.schema import WAITS, WORKFLOWS


@dataclass(frozen=True)
class Workforce:
    """The workers that live, and the updates that have not ended."""

    workers: tuple[leases.Worker, ...]
    open: int
    """Updates that wait or run, or would run if their worker lived."""
    since: float | None
    """When the oldest of them was stored, in seconds since the epoch."""


def look(connection: sa.Connection) -> Workforce:
    """See who works and what there is to do."""
    waits = (
        sa.select(WORKFLOWS.c.created_at)
        .where(WORKFLOWS.c.workflow_uuid.in_(sa.select(WAITS.c.workflow_id)))
        .where(WORKFLOWS.c.name == index.WORKFLOW)
        .where(WORKFLOWS.c.status.in_(list(records.RETRIABLE)))
    )
    created = in_flight.of_name(index.WORKFLOW, WORKFLOWS.c.created_at, more=[waits])
    at = created.subquery().c.created_at
    count, since = connection.execute(sa.select(sa.func.count(at), sa.func.min(at))).one()
    oldest = None if since is None else records.moment_of_dbos(since)
    return Workforce(tuple(leases.living(connection)), count, oldest)
