"""What merging open pull requests would change by now, noted at their previews' updates."""

from __future__ import annotations

import json
from dataclasses import asdict

import sqlalchemy as sa

from gm_analytics.engine import records
from gm_analytics.engine.schema import UPDATES
from gm_analytics.mirror.publication import Standing


def note(connection: sa.Connection, mirror: str, standing: Standing) -> records.Row | None:
    """Note at a pull request's preview what merging would change by now; give its row.

    None if its newest update on the mirror made no preview.
    """
    repository, _, number = standing.pull_request.rpartition("#")
    its = (UPDATES.c.repository == repository, UPDATES.c.number == int(number))
    newest = (UPDATES.c.changed_at.desc(), UPDATES.c.requested_at.desc())
    query = sa.select(UPDATES).where(*its, UPDATES.c.mirror == mirror).order_by(*newest).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None or row.state != "previewed":
        return None
    this = UPDATES.c.workflow_id == row.workflow_id
    values = {"standing": json.dumps(asdict(standing))}
    connection.execute(UPDATES.update().where(this).values(values))
    return row
