"""What goes from the store after a time: updates that have ended, and what was said of them.

What stays: each pull request's newest update on each mirror, which its comment and later events
are compared with, and those that a publication names which a mirror may still keep. It runs
beside updates, a few rows at a time, and fails none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import sqlalchemy as sa
from dbos import DBOSClient

from gm_analytics.engine import output, records
from gm_analytics.engine.database import NAME
from gm_analytics.engine.handover import FEEDBACK
from gm_analytics.engine.lease_tables import REQUESTS
from gm_analytics.engine.output_tables import OUTPUT
from gm_analytics.engine.schema import PROGRESS, UNSEEN, UPDATES, WAITS, WORKFLOWS
from gm_analytics.engine.serializer import JSON
from gm_analytics.settings import Retention, Settings

DAY = 24 * 3600.0
FIRST, EVERY = 60.0, 3600.0
"""Seconds after a worker's start, and between two rounds."""
BATCH = 50
"""Workflows that go in one transaction; a webhook waits for no longer than that takes."""
PAUSE = 0.2
"""Seconds between two transactions."""
MOST = 60.0
"""Seconds that a round may take; the next one goes on."""
FEEDBACK_DAYS = 7

log = logging.getLogger(__name__)
Delete: TypeAlias = Callable[[list[str]], object]


@dataclass(frozen=True)
class Keep:
    """For how many days ended updates are kept, and what each mirror keeps of its past."""

    days: int = 90
    mirrors: Mapping[str, Retention] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Settings) -> Keep:
        """Give what a configuration says."""
        return cls(config.keep_updates_days, {one.name: one.retention for one in config.mirrors})


def once(engine: sa.Engine, keep: Keep, stopped: threading.Event | None = None) -> int:
    """Remove what is due, for at most `MOST` seconds; say how many updates went."""
    now, over = time.time(), _Over(stopped or threading.Event())
    client = _client(engine)
    before = now - keep.days * DAY
    heard = max(before, now - FEEDBACK_DAYS * DAY)

    def remove(ids: list[str]) -> None:
        _remove(engine, client, ids)

    updates = _each(engine, lambda at: _updates(at, before, keep), remove, over)
    told = _each(engine, lambda at: _feedback(at, heard), client.delete_workflows, over)
    said = 0
    while not over() and (swept := _swept(engine)):
        said += swept
    if said:
        log.info("housekeeping: what was said in %d steps removed", said)
    if updates or told:
        log.info("housekeeping: %d updates removed, and %d that told of some", updates, told)
    return updates


def _swept(engine: sa.Engine) -> int:
    with engine.begin() as connection:
        return output.sweep(connection)


class _Over:
    """Whether a round has to end."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._ends = time.monotonic() + MOST

    def __call__(self) -> bool:
        """Pause; tell whether it was long enough."""
        return self._stopped.wait(PAUSE) or time.monotonic() > self._ends


def _client(engine: sa.Engine) -> DBOSClient:
    return DBOSClient(
        system_database_engine=engine,
        serializer=JSON,
        retry_connection_errors=False,
        application_name=NAME,
    )


def _each(
    engine: sa.Engine,
    find: Callable[[sa.Connection], list[str]],
    remove: Delete,
    is_over: Callable[[], bool],
) -> int:
    count, ids = 0, [""]
    while ids and not is_over():
        with engine.connect() as connection:
            ids = find(connection)
        if ids:
            remove(ids)
        count += len(ids)
    return count


def _remove(engine: sa.Engine, client: DBOSClient, ids: list[str]) -> None:
    """Remove updates: DBOS's rows first, since the index would be filled again from those."""
    client.delete_workflows(ids)
    with engine.begin() as connection:
        for table in (UPDATES, PROGRESS, OUTPUT, REQUESTS, WAITS, UNSEEN):
            connection.execute(table.delete().where(table.c.workflow_id.in_(ids)))


def _feedback(connection: sa.Connection, before: float) -> list[str]:
    query = (
        sa.select(WORKFLOWS.c.workflow_uuid)
        .where(WORKFLOWS.c.name == FEEDBACK, WORKFLOWS.c.completed_at < before * 1000)
        .where(WORKFLOWS.c.status.not_in(list(records.UNDER_WAY)))
        .limit(BATCH)
    )
    return list(connection.scalars(query))


def _updates(connection: sa.Connection, before: float, keep: Keep) -> list[str]:
    """Find some that have ended before a time, and that nothing needs."""
    newer = UPDATES.alias("newer")
    order = sa.tuple_(UPDATES.c.changed_at, UPDATES.c.requested_at, UPDATES.c.workflow_id)
    after = sa.tuple_(newer.c.changed_at, newer.c.requested_at, newer.c.workflow_id)
    same = [newer.c[name] == UPDATES.c[name] for name in ("repository", "number", "mirror")]
    has_newer = sa.exists().where(*same, after > order)
    status = sa.select(WORKFLOWS.c.status).where(
        WORKFLOWS.c.workflow_uuid == UPDATES.c.workflow_id
    )
    ended = sa.func.coalesce(status.scalar_subquery(), "").not_in(list(records.UNDER_WAY))
    waits = sa.exists().where(WAITS.c.workflow_id == UPDATES.c.workflow_id)
    query = (
        sa.select(UPDATES.c.workflow_id)
        .where(UPDATES.c.accepted_at < before, UPDATES.c.ended_at < before)
        .where(has_newer, ended, ~waits)
        .where(UPDATES.c.workflow_id.not_in(_named(connection, keep)))
        .order_by(UPDATES.c.accepted_at)
        .limit(BATCH)
    )
    return list(connection.scalars(query))


def _named(connection: sa.Connection, keep: Keep) -> list[str]:
    """Give the updates whose publication a mirror may keep: the last ones, and those of days."""
    found: list[str] = []
    mirrors = connection.scalars(sa.select(UPDATES.c.mirror).distinct()).all()
    for mirror in mirrors:
        retention = keep.mirrors.get(mirror, Retention())
        published = (
            sa.select(UPDATES.c.workflow_id)
            .where(UPDATES.c.mirror == mirror, UPDATES.c.state == "published")
            .order_by(UPDATES.c.ended_at.desc())
        )
        since = time.time() - (retention.days + 1) * DAY
        found += connection.scalars(published.limit(retention.publications + 1))
        found += connection.scalars(published.where(UPDATES.c.ended_at > since))
        # A publication is kept for days from when the next one took its place.
        found += connection.scalars(published.where(UPDATES.c.ended_at <= since).limit(1))
    return found
