"""Ending an update before clients see what it does.

What waits ends at once. What runs is its worker's to stop, so that what it runs on the mirror
has ended before the mirror's next update begins: `gm_requests` has a row until that worker saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from gm_analytics.engine import audit, index, progress, records, waiting
from gm_analytics.engine.clock import now
from gm_analytics.engine.codec import serialize
from gm_analytics.engine.lease_tables import LEASES, REQUESTS
from gm_analytics.engine.schema import OUTPUTS, UPDATES, WAITS, WORKFLOWS
from gm_analytics.errors import Cancelled
from gm_analytics.updates.audit import of_cancel

Answer = Literal["cancelled", "asked", "ended"]
"""It is; its worker is asked to; or there was nothing to cancel."""


def asked(connection: sa.Connection, workflow_ids: Sequence[str]) -> dict[str, str]:
    """Say which of these are to be cancelled, and who asked."""
    query = sa.select(REQUESTS.c.workflow_id, REQUESTS.c.asked_by)
    rows = connection.execute(query.where(REQUESTS.c.workflow_id.in_(workflow_ids)))
    return {str(row.workflow_id): str(row.asked_by) for row in rows}


def forget(connection: sa.Connection, workflow_id: str) -> None:
    """Ask no longer: it has ended, or is to be run again."""
    connection.execute(REQUESTS.delete().where(REQUESTS.c.workflow_id == workflow_id))


def ask(connection: sa.Connection, workflow_id: str, asked_by: str) -> Answer:
    """Cancel what waits or has no worker that lives, and ask the worker of what runs."""
    forget(connection, workflow_id)
    values = {"workflow_id": workflow_id, "asked_by": asked_by, "asked_at": now(connection)}
    connection.execute(REQUESTS.insert().values(values))
    if _end(connection, workflow_id):
        # The wish stays: another worker may be about to begin what waited until now.
        _say(connection, workflow_id, Cancelled(asked_by))
        return "cancelled"
    query = sa.select(WORKFLOWS.c.status).where(WORKFLOWS.c.workflow_uuid == workflow_id)
    if connection.scalar(query) == "PENDING":
        return "asked"
    forget(connection, workflow_id)
    return "ended"


def _end(connection: sa.Connection, workflow_id: str) -> bool:
    """Have DBOS take it for cancelled, unless it runs or has ended."""
    moment = sa.cast(now(connection) * 1000, sa.BigInteger)
    held = sa.exists().where(
        LEASES.c.executor == WORKFLOWS.c.executor_id, LEASES.c.ends_at > now(connection)
    )
    between = sa.exists().where(WAITS.c.workflow_id == WORKFLOWS.c.workflow_uuid)
    waits = sa.or_(
        WORKFLOWS.c.status.in_(["ENQUEUED", "DELAYED"]),
        sa.and_(WORKFLOWS.c.status == "PENDING", ~held),
        sa.and_(WORKFLOWS.c.status.in_(list(records.RETRIABLE)), between),
    )
    values = {
        "status": "CANCELLED",
        "owner_xid": None,
        "queue_name": None,
        "started_at_epoch_ms": None,
        "updated_at": moment,
        "completed_at": moment,
    }
    which = WORKFLOWS.update().where(WORKFLOWS.c.workflow_uuid == workflow_id, waits)
    return connection.execute(which.values(values)).rowcount > 0


def _say(connection: sa.Connection, workflow_id: str, error: Cancelled) -> None:
    """Keep who asked, where DBOS and the index keep why an update failed."""
    connection.execute(OUTPUTS.delete().where(OUTPUTS.c.workflow_uuid == workflow_id))
    values = {
        "workflow_uuid": workflow_id,
        "error": serialize(error),
        "retention_timestamp": sa.cast(now(connection) * 1000, sa.BigInteger),
    }
    connection.execute(OUTPUTS.insert().values(values))
    index.end(connection, workflow_id, "cancelled", str(error))
    progress.forget(connection, workflow_id)
    waiting.forget(connection, workflow_id)
    this = sa.select(UPDATES).where(UPDATES.c.workflow_id == workflow_id)
    if row := connection.execute(this).one_or_none():
        audit.write(connection, of_cancel(records.indexed(row), error.asked_by))
