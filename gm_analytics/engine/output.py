"""What mirrors' hosts said in each step of an update, kept for whoever asks later.

A row is written when a step ends, so what a worker that was killed had heard of its last step is
lost. It is bounded everywhere: a line by `remote.lines`, a step by its first and its last lines,
an update by its newest steps, all of them together by age and number (`sweep`).
"""

from __future__ import annotations

import time

import sqlalchemy as sa

from gm_analytics.engine import codec, records
from gm_analytics.engine.output_tables import OUTPUT
from gm_analytics.updates.progress import HEAD, TAIL, Said

PARTS = 40
"""Steps of one update: one that waited for hours made the first of them again and again."""
DAYS = 30
MOST = 20_000
"""Steps, of all updates; of a small one 200 bytes are kept, of the largest 10 kB."""
BATCH = 500


def write(connection: sa.Connection, workflow_id: str, said: Said) -> None:
    """Keep what was said in a step, and no more steps than `PARTS`."""
    its = OUTPUT.c.workflow_id == workflow_id
    last = connection.scalar(sa.select(sa.func.max(OUTPUT.c.part)).where(its)) or 0
    values = {
        "workflow_id": workflow_id,
        "part": last + 1,
        "step": said.step,
        "ended_at": said.ended_at,
        "said": said.said,
        "lines": codec.serialize(said.lines),
    }
    connection.execute(OUTPUT.insert().values(values))
    if last >= PARTS:
        connection.execute(OUTPUT.delete().where(its, OUTPUT.c.part <= last + 1 - PARTS))


def read(connection: sa.Connection, workflow_id: str) -> tuple[Said, ...]:
    """Give what was said in the steps of an update, the first one first."""
    query = sa.select(*OUTPUT.c).where(OUTPUT.c.workflow_id == workflow_id)
    rows = connection.execute(query.order_by(OUTPUT.c.part))
    return tuple(
        Said(row.step, records.moment(row.ended_at), row.said, _lines(row.lines)) for row in rows
    )


def sweep(connection: sa.Connection) -> int:
    """Remove some of what is too old, or too much; say how much it was."""
    newest = sa.select(OUTPUT.c.ended_at).order_by(OUTPUT.c.ended_at.desc())
    too_many = connection.scalar(newest.offset(MOST).limit(1)) or 0.0
    before = max(time.time() - DAYS * 24 * 3600, too_many)
    old = sa.select(OUTPUT.c.workflow_id, OUTPUT.c.part).where(OUTPUT.c.ended_at <= before)
    rows = connection.execute(old.order_by(OUTPUT.c.ended_at).limit(BATCH)).all()
    for row in rows:
        this = (OUTPUT.c.workflow_id == row.workflow_id, OUTPUT.c.part == row.part)
        connection.execute(OUTPUT.delete().where(*this))
    return len(rows)


def _lines(text: str) -> tuple[str, ...]:
    """Read what was kept; lines that cannot be read are nobody's loss."""
    try:
        found = codec.deserialize(text)
    except (TypeError, ValueError, RecursionError):
        return ()
    return tuple(map(str, found))[: HEAD + TAIL] if isinstance(found, list) else ()
