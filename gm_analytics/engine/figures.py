"""What the store says of the work, as figures: one look, however many updates there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from gm_analytics import measures
from gm_analytics.engine import index, leases, records, sights
from gm_analytics.engine.handover import FEEDBACK
from gm_analytics.engine.schema import UNSEEN, WAITS, WORKFLOWS
from gm_analytics.engine.sights import MirrorSeen
from gm_analytics.measures import Measure


@dataclass(frozen=True)
class Figure:
    """One number of a measure."""

    of: Measure
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def read(connection: sa.Connection, now: float) -> Iterator[Figure]:
    """Give the figures; ages are those of `now`, in seconds since the epoch."""
    yield Figure(measures.WORKERS, len(leases.living(connection)))
    yield from _under_way(connection, now)
    yield from _waiting(connection, now)
    yield from _unseen(connection)
    for seen in sights.read(connection):
        yield from _seen(seen, now)


def _under_way(connection: sa.Connection, now: float) -> Iterator[Figure]:
    """Count what DBOS has to do: updates by mirror, and what is to be said."""
    kind, mirror, status = (
        WORKFLOWS.c.name,
        WORKFLOWS.c.queue_partition_key,
        WORKFLOWS.c.status,
    )
    query = (
        sa.select(kind, mirror, status, sa.func.count(), sa.func.min(WORKFLOWS.c.created_at))
        .where(kind == index.WORKFLOW, status.in_(list(records.UNDER_WAY)))
        .group_by(kind, mirror, status)
    )
    for _, name, found, count, since in connection.execute(query):
        about = {"mirror": str(name)}
        if records.UNDER_WAY[found] == "running":
            yield Figure(measures.RUNNING, count, about)
        else:
            yield Figure(measures.QUEUE, count, about)
            yield Figure(measures.QUEUE_AGE, _age(records.moment_of_dbos(since), now), about)
    said = sa.select(sa.func.count(), sa.func.min(WORKFLOWS.c.created_at)).where(
        kind == FEEDBACK, status.in_(list(records.UNDER_WAY))
    )
    count, since = connection.execute(said).one()
    yield Figure(measures.FEEDBACK, count)
    yield Figure(measures.FEEDBACK_AGE, _age(records.moment_of_dbos(since), now) if count else 0)


def _waiting(connection: sa.Connection, now: float) -> Iterator[Figure]:
    query = (
        sa.select(WAITS.c.mirror, WAITS.c.waits_for, sa.func.count(), sa.func.min(WAITS.c.since))
        .join(WORKFLOWS, WORKFLOWS.c.workflow_uuid == WAITS.c.workflow_id)
        .where(WORKFLOWS.c.status == records.WAITS)
        .group_by(WAITS.c.mirror, WAITS.c.waits_for)
    )
    for mirror, what, count, since in connection.execute(query):
        about = {"mirror": mirror, "waits_for": what}
        yield Figure(measures.WAITING, count, about)
        yield Figure(measures.WAITING_AGE, _age(records.moment(since), now), about)


def _unseen(connection: sa.Connection) -> Iterator[Figure]:
    query = sa.select(UNSEEN.c.mirror, sa.func.count()).group_by(UNSEEN.c.mirror)
    for mirror, count in connection.execute(query):
        yield Figure(measures.UNSEEN, count, {"mirror": mirror})


def _seen(seen: MirrorSeen, now: float) -> Iterator[Figure]:
    """Give what is known of a mirror; what is not, is no figure."""
    about, sight = {"mirror": seen.mirror}, seen.sight
    yield Figure(measures.LOOK_FAILED, bool(seen.failed), about)
    if seen.contact_at is not None:
        yield Figure(measures.CONTACT, seen.contact_at, about)
    if sight is None or seen.seen_at is None:
        return
    yield Figure(measures.SEEN, seen.seen_at, about)
    if published := _moment(sight.published_at):
        yield Figure(measures.PUBLISHED, published, about)
    yield Figure(measures.PUBLICATION, sight.live, about)
    yield Figure(measures.PACKAGES, sight.packages, about)
    yield Figure(measures.SIZE, sight.size, about)
    if sight.disk:
        yield Figure(measures.FREE, sight.free, about)
        yield Figure(measures.DISK, sight.disk, about)
    if sight.in_step is not None:
        yield Figure(measures.IN_STEP, sight.in_step, about)
    yield Figure(measures.SIGNED, sight.signed, about)
    if sight.advisories is not None:
        yield Figure(measures.ADVISORIES, sight.open_count, about)
    if sight.upstream_read_at is not None:
        yield Figure(measures.UPSTREAM_AGE, _age(sight.upstream_read_at, now), about)
    yield Figure(measures.TROUBLES, len(sight.wrong), about)


def _moment(text: str) -> float | None:
    """Read a time in ISO 8601; a mirror's host wrote it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None


def _age(since: float, now: float) -> float:
    return max(0.0, now - since)
