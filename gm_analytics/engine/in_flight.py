"""Which workflows have not ended by DBOS's status: found by its partial indexes, whatever ended.

An index of those alone is used only where the status is no parameter of the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gm_analytics.engine.schema import WORKFLOWS

RUNS: sa.ColumnClause[str] = sa.literal_column("'PENDING'")
_WAITS: sa.ColumnClause[str] = sa.literal_column("'ENQUEUED'")
_DELAYED: sa.ColumnClause[str] = sa.literal_column("'DELAYED'")


def of_name(
    name: str, *columns: sa.ColumnElement[Any], more: Sequence[sa.Select[Any]] = ()
) -> sa.CompoundSelect[Any]:
    """Give columns of what waits or runs, of workflows of a name, and what `more` gives."""
    its = sa.select(*columns).where(WORKFLOWS.c.name == name)
    return sa.union_all(
        its.where(WORKFLOWS.c.status.in_([_WAITS, RUNS])),
        its.where(WORKFLOWS.c.status == _DELAYED),
        *more,
    )
