"""What a person did with a mirror, listed with the updates, and in the audit."""

from __future__ import annotations

import sqlalchemy as sa

from gm_analytics.engine import audit, index, sights
from gm_analytics.updates.audit import made_by, of_end
from gm_analytics.updates.model import Record


def note(connection: sa.Connection, record: Record) -> None:
    """List an update that was performed elsewhere; a look at its mirror follows."""
    update = record.update
    index.store(connection, update)
    index.start(connection, update)
    index.end(connection, update.id, record.state, record.message)
    end = of_end(update, record.state, record.message, made_by(record.outcome))
    audit.write(connection, end)
    sights.wake(connection, update.mirror)
