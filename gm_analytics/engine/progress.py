"""Who listens to updates in a worker: the log, and the store, for whoever looks from elsewhere.

What was said is kept beside that, a step at a time: see `engine.output`. `gm_progress` has a row
an update that runs, written once a second. It goes when the update ends well; of those that failed
the newest stay, with the last lines that the mirror's host said.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from gm_analytics.engine import output, records
from gm_analytics.engine.schema import PROGRESS, UPDATES
from gm_analytics.log_context import concerning
from gm_analytics.updates.progress import (
    Event,
    Now,
    OutputLine,
    Said,
    Saying,
    StepEnded,
    StepStarted,
    UpdateEnded,
)

PAUSE = 1.0
"""Seconds between two writes; an update that takes less writes nothing but its end."""
FAILED_KEPT = 100

log = logging.getLogger("gm_analytics.progress")


class Logged:
    """Writes a line a step; with the level DEBUG what the mirror's host says, too."""

    pause = 0.0

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._step = ""

    def hear(self, events: Sequence[Event]) -> None:
        """Write them."""
        for event in events:
            if isinstance(event, StepStarted):
                self._step = event.step
            with concerning(step=self._step):
                self._write(event)

    def _write(self, event: Event) -> None:
        if isinstance(event, StepEnded):
            how = "failed after" if event.error else "took"
            log.info("%s: %s: %s %.2f s", self._subject, event.step, how, event.seconds)
        elif isinstance(event, OutputLine):
            log.debug("%s: the mirror's host: %s", self._subject, event.text)


class Kept:
    """Keeps in the store what an update is at."""

    pause = PAUSE

    def __init__(self, engine: sa.Engine, workflow_id: str) -> None:
        self._engine = engine
        self._id = workflow_id
        self._now = Now()
        self._saying = Saying("")

    def hear(self, events: Sequence[Event]) -> None:
        """Write what runs after them."""
        ended = list(self._collect(events))
        last = events[-1]
        with self._engine.begin() as connection:
            for said in ended:
                output.write(connection, self._id, said)
            forget(connection, self._id)
            if not isinstance(last, UpdateEnded):
                _write(connection, self._id, self._now)
            elif last.state == "failed" and self._now.lines:
                _write(connection, self._id, self._now)
                _prune(connection)

    def _collect(self, events: Sequence[Event]) -> Iterator[Said]:
        """Take events; give what was said in each step that ended."""
        for event in events:
            self._now = self._now.after(event)
            if isinstance(event, OutputLine):
                self._saying.hear(event.text)
            elif isinstance(event, StepStarted | StepEnded | UpdateEnded):
                if said := self._saying.ended(time.time()):
                    yield said
                self._saying = Saying(self._now.step)


def read(connection: sa.Connection, workflow_id: str) -> Now | None:
    """Give what an update is at; None if nothing is known of it."""
    query = sa.select(*PROGRESS.c).where(PROGRESS.c.workflow_id == workflow_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Now(
        row.step,
        records.moment(row.since),
        row.done,
        row.total,
        _lines(row.lines),
        row.said,
        row.came,
        row.size,
    )


def forget(connection: sa.Connection, workflow_id: str) -> None:
    """Remove what is kept of an update."""
    connection.execute(PROGRESS.delete().where(PROGRESS.c.workflow_id == workflow_id))


def _write(connection: sa.Connection, workflow_id: str, now: Now) -> None:
    values = {
        "workflow_id": workflow_id,
        "step": now.step,
        "since": now.since,
        "done": now.done,
        "total": now.total,
        "lines": json.dumps(now.lines),
        "said": now.said,
        "came": now.came,
        "size": now.size,
        "written_at": time.time(),
    }
    connection.execute(PROGRESS.insert().values(values))


def _prune(connection: sa.Connection) -> None:
    """Remove the oldest rows of updates that have ended."""
    ended = (
        sa.select(PROGRESS.c.workflow_id)
        .join(UPDATES, UPDATES.c.workflow_id == PROGRESS.c.workflow_id)
        .where(UPDATES.c.ended_at.is_not(None))
        .order_by(PROGRESS.c.written_at.desc())
        .offset(FAILED_KEPT)
    )
    old = list(connection.scalars(ended))
    if old:
        connection.execute(PROGRESS.delete().where(PROGRESS.c.workflow_id.in_(old)))


def _lines(text: str) -> tuple[str, ...]:
    """Read what was kept; lines that cannot be read are nobody's loss."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()
