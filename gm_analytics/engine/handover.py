"""From a dead worker to those that live, and from one version of the service to another.

DBOS recovers what an executor of the same id and version left when one starts. Here whoever
lives takes over what has no lease, with the condition and the change in one transaction. DBOS's
`owner_xid` goes with it: what a worker that was only stopped would still record is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine import leases
from gm_analytics.engine.clock import now
from gm_analytics.engine.index import WORKFLOW
from gm_analytics.engine.lease_tables import LEASES
from gm_analytics.engine.schema import PROGRESS, STEPS, WORKFLOWS

FEEDBACK = "feedback"
"""The queue, and the workflow, of what is said on pull requests."""
NOTICE = "notice"
"""What such a workflow has in place of an update: a pull request that causes none."""
QUEUES = {WORKFLOW: "updates", FEEDBACK: FEEDBACK}
"""Of a workflow by its name; one that was resumed by hand has lost its own."""
_OURS = WORKFLOWS.c.name.in_(list(QUEUES))


@dataclass(frozen=True)
class Taken:
    """A workflow that another worker had."""

    workflow_id: str
    executor: str


def take_over(
    connection: sa.Connection, dead: list[leases.Worker], patience: float
) -> list[Taken]:
    """Put what the dead had back into its queue.

    What an executor without a lease runs is an older version's, which has none: that is dead if
    it was not heard for `patience` seconds.
    """
    names = [worker.executor for worker in dead]
    has_lease = sa.exists().where(LEASES.c.executor == WORKFLOWS.c.executor_id)
    heard = sa.exists().where(
        PROGRESS.c.workflow_id == WORKFLOWS.c.workflow_uuid,
        PROGRESS.c.written_at > now(connection) - patience,
    )
    began = sa.func.coalesce(WORKFLOWS.c.started_at_epoch_ms, 0) / 1000.0
    silent = sa.and_(~has_lease, ~heard, began <= now(connection) - patience)
    return _put_back(connection, sa.or_(WORKFLOWS.c.executor_id.in_(names), silent))


def give_back(connection: sa.Connection, executor: str) -> list[Taken]:
    """End a worker's lease, and put what it had back into its queue."""
    leases.give_back(connection, executor)
    return _put_back(connection, WORKFLOWS.c.executor_id == executor)


def _put_back(connection: sa.Connection, whose: sa.ColumnElement[bool]) -> list[Taken]:
    which = sa.and_(_OURS, WORKFLOWS.c.status == "PENDING", whose)
    if not connection.scalar(sa.select(sa.func.count()).where(which)):
        return []
    values = {
        "status": "ENQUEUED",
        "owner_xid": None,
        "started_at_epoch_ms": None,
        "updated_at": sa.cast(now(connection) * 1000, sa.BigInteger),
        "queue_name": sa.func.coalesce(WORKFLOWS.c.queue_name, _queue()),
    }
    returned = WORKFLOWS.c.workflow_uuid, WORKFLOWS.c.executor_id
    rows = connection.execute(
        WORKFLOWS.update().where(which).values(values).returning(*returned)
    ).all()
    return [Taken(str(row.workflow_uuid), str(row.executor_id)) for row in rows]


def _queue() -> sa.Case[str]:
    return sa.case(*((WORKFLOWS.c.name == name, queue) for name, queue in QUEUES.items()))


def adopt_versions(connection: sa.Connection, own: str) -> list[str]:
    """Take over what waits for a version of the service that no living worker has.

    It begins again, since another version's steps may be others; each is safe to repeat. What
    has a format that this one does not know is refused in words when it is read.
    """
    known = {own, *(worker.application_version for worker in leases.living(connection))}
    version = sa.func.coalesce(WORKFLOWS.c.application_version, "")
    waits = WORKFLOWS.c.status.in_(["ENQUEUED", "DELAYED"])
    which = sa.and_(_OURS, waits, version.not_in(known))
    found = [
        str(one) for one in connection.scalars(sa.select(WORKFLOWS.c.workflow_uuid).where(which))
    ]
    if found:
        connection.execute(STEPS.delete().where(STEPS.c.workflow_uuid.in_(found)))
        mine = WORKFLOWS.update().where(WORKFLOWS.c.workflow_uuid.in_(found), which)
        connection.execute(mine.values(application_version=own))
    return found
