"""Who works, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine import index, leases, records
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
    between = sa.exists().where(WAITS.c.workflow_id == WORKFLOWS.c.workflow_uuid)
    waits = sa.and_(WORKFLOWS.c.status.in_(list(records.RETRIABLE)), between)
    query = (
        sa.select(sa.func.count(), sa.func.min(WORKFLOWS.c.created_at))
        .where(WORKFLOWS.c.name == index.WORKFLOW)
        .where(sa.or_(WORKFLOWS.c.status.in_(list(records.UNDER_WAY)), waits))
    )
    count, since = connection.execute(query).one()
    oldest = None if since is None else records.moment_of_dbos(since)
    return Workforce(tuple(leases.living(connection)), count, oldest)
