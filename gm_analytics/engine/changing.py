"""Whether something changed: asked every second for all that anybody looks at, in one query."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine.database import guarded
from gm_analytics.engine.schema import PROGRESS, UPDATES, WAITS, WORKFLOWS
from gm_analytics.engine.view_tables import MIRRORS, WISHES

MOST = 200
"""Open updates that tell whether a list changed."""
_CHANGING = (
    UPDATES.c.update_id,
    UPDATES.c.workflow_id,
    UPDATES.c.ended_at,
    UPDATES.c.standing,
    WORKFLOWS.c.status,
    WORKFLOWS.c.completed_at,
    WAITS.c.tries,
    WAITS.c.next_try,
    sa.select(sa.func.max(WISHES.c.asked_at))
    .where(WISHES.c.update_id == UPDATES.c.workflow_id)
    .scalar_subquery()
    .label("asked_at"),
    sa.select(sa.func.count(WISHES.c.ended_at))
    .where(WISHES.c.update_id == UPDATES.c.workflow_id)
    .scalar_subquery()
    .label("carried"),
)
_WRITTEN = PROGRESS.c.written_at
_SEEN = (MIRRORS.c.mirror, MIRRORS.c.seen_at, MIRRORS.c.contact_at, MIRRORS.c.failed)
_ASKED = sa.select(sa.func.max(WISHES.c.asked_at), sa.func.max(WISHES.c.ended_at))
_BESIDE = (
    sa.outerjoin(UPDATES, WORKFLOWS, WORKFLOWS.c.workflow_uuid == UPDATES.c.workflow_id)
    .outerjoin(PROGRESS, PROGRESS.c.workflow_id == UPDATES.c.workflow_id)
    .outerjoin(WAITS, WAITS.c.workflow_id == UPDATES.c.workflow_id)
)


@dataclass(frozen=True)
class State:
    """What differs when an update does."""

    itself: tuple[object, ...]
    progress: tuple[object, ...]
    """What differs if it only goes on with its step, or with the next one."""


class Changing:
    """What can be asked of a store every second."""

    def __init__(self, engine: sa.Engine) -> None:
        """Take the connections."""
        self._engine = engine

    def of(self, ids: Sequence[str]) -> dict[str, State]:
        """Give, of each of these updates that is there, what differs when anything of it does.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        these = UPDATES.c.update_id.in_(ids) | UPDATES.c.workflow_id.in_(ids)
        query = sa.select(*_CHANGING, _WRITTEN).select_from(_BESIDE).where(these)
        with guarded("looking at updates"), self._engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        found = {one: [row for row in rows if one in row[:2]] for one in ids}
        return {
            one: State(tuple(row[:-1] for row in its), tuple(row[-1] for row in its))
            for one, its in found.items()
            if its
        }

    def lists(self) -> Hashable:
        """Give what differs when a list of updates does: the newest, and those that are open.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        query = sa.select(*_CHANGING, _WRITTEN).select_from(_BESIDE)
        query = query.where(UPDATES.c.ended_at.is_(None))
        with guarded("looking at updates"), self._engine.connect() as connection:
            newest = connection.scalar(sa.select(sa.func.max(UPDATES.c.accepted_at)))
            rows = connection.execute(query.order_by(UPDATES.c.workflow_id).limit(MOST)).all()
            seen = connection.execute(sa.select(*_SEEN).order_by(MIRRORS.c.mirror)).all()
            asked = connection.execute(_ASKED).one()
        return newest, *(tuple(row) for row in (*rows, *seen, asked))
