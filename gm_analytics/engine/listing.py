"""Which updates are meant: those of a state or a mirror, or one by the beginning of its id."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from gm_analytics.engine.index import PARTITION_SEPARATOR
from gm_analytics.engine.schema import UPDATES, WORKFLOWS
from gm_analytics.errors import UnknownUpdate
from gm_analytics.updates.states import State
from gm_analytics.wording import clean

SHORTEST = 4
"""Characters of an id that may stand for all of it."""
NAMED = 5
"""Updates that are named where several are meant."""
BATCH = 500


def conditions(state: State | None, mirror: str | None) -> Iterator[sa.ColumnElement[bool]]:
    """Give what rows must be, and those besides of which only DBOS's record knows the state."""
    if mirror:
        yield UPDATES.c.mirror == mirror
    if state:
        unsure = UPDATES.c.ended_at.is_(None) | (WORKFLOWS.c.status != "SUCCESS")
        yield (UPDATES.c.state == state) | unsure


def meant(connection: sa.Connection, given: str) -> str:
    """Give the id of the update that is meant: its own, a delivery's, or how its own begins.

    It is for who may see all updates: addresses of pages have whole ids.

    Raises:
        UnknownUpdate: several are.

    """
    if _is_known(connection, given):
        return given
    begun, at, mirror = given.partition(PARTITION_SEPARATOR)
    found = _beginning_with(connection, begun) if len(begun) >= SHORTEST else []
    if len(found) > 1:
        raise UnknownUpdate(given, found[:NAMED])
    return f"{found[0]}{at}{mirror}" if found else given


def _beginning_with(connection: sa.Connection, begun: str) -> list[str]:
    """Give the ids of some updates that begin so, the newest first."""
    query = (
        sa.select(UPDATES.c.update_id, sa.func.max(UPDATES.c.accepted_at).label("at"))
        .where(UPDATES.c.update_id.startswith(clean(begun), autoescape=True))
        .group_by(UPDATES.c.update_id)
        .order_by(sa.desc("at"))
        .limit(NAMED + 1)
    )
    return [str(row.update_id) for row in connection.execute(query)]


def _is_known(connection: sa.Connection, given: str) -> bool:
    update_id = clean(given)
    this = (UPDATES.c.update_id == update_id) | (UPDATES.c.workflow_id == update_id)
    return connection.scalar(sa.select(UPDATES.c.workflow_id).where(this).limit(1)) is not None
