"""What was published and clients did not see at the last look: looked at again until they do.

The web server was down, or a cache in front of it served something old. The update has ended as
published, with a finding (`Outcome.unseen`); `gm_unseen` has a row while that is true. Once
clients see it the row goes, the finding with it, and the pull request is told once more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from gm_analytics.engine import records
from gm_analytics.engine.schema import UNSEEN, UPDATES
from gm_analytics.errors import GmError
from gm_analytics.updates.model import MAX_TIME, Outcome, Record, Unseen, Update
from gm_analytics.updates.waiting import MAX_PAUSE, Retry

LOOK = 0.5
"""Seconds between two looks at what is due."""
CLAIM = 120.0
"""Seconds after which another worker takes what one claimed."""
_LIVE = -1
"""In place of a pull request's number."""

log = logging.getLogger(__name__)
See = Callable[[str, str, "int | None"], object]
"""Raises unless clients of a mirror see the repomd.xml of a SHA-256, live or of a preview."""
Tell = Callable[[Update, "Outcome | None"], None]


def store(connection: sa.Connection, update: Update, unseen: Unseen, at: float) -> None:
    """Note that clients have not seen yet what an update published."""
    values = {
        "workflow_id": update.id,
        "mirror": update.mirror,
        "repomd": unseen.repomd,
        "preview": _LIVE if unseen.preview is None else unseen.preview,
        "since": at,
        "next_look": at,
        "looks": 0,
    }
    forget(connection, update.id)
    connection.execute(UNSEEN.insert().values(values))


def forget(connection: sa.Connection, workflow_id: str) -> None:
    """Look no more for what an update published."""
    connection.execute(UNSEEN.delete().where(UNSEEN.c.workflow_id == workflow_id))


def replaced(connection: sa.Connection, update: Update, at: float) -> None:
    """Note that what others published is served no longer, whoever saw it: there is newer."""
    theirs = UNSEEN.c.preview == (update.number if update.aim.target == "preview" else _LIVE)
    if update.aim.cause == "merge":
        theirs |= UNSEEN.c.preview == update.number
    which = (UNSEEN.c.mirror == update.mirror, UNSEEN.c.workflow_id != update.id, theirs)
    connection.execute(UNSEEN.update().where(*which).values(repomd="", next_look=at))


def as_seen(connection: sa.Connection, record: Record) -> Record:
    """Leave a finding out that is true no longer."""
    if record.outcome is None or record.outcome.unseen is None:
        return record
    query = sa.select(UNSEEN.c.repomd).where(UNSEEN.c.workflow_id == record.update.id)
    if connection.scalar(query):
        return record
    return replace(record, outcome=record.outcome.seen())


@dataclass(frozen=True)
class _Due:
    """What is to be looked for."""

    workflow_id: str
    mirror: str
    repomd: str
    preview: int | None
    since: float
    next_look: float
    looks: int


class Watch:
    """Looks again for what clients did not see; several workers may."""

    def __init__(
        self, engine: sa.Engine, see: See, tell: Tell, retry: Retry, clock: Callable[[], float]
    ) -> None:
        self._engine, self._see, self._tell = engine, see, tell
        self._retry, self._clock = retry, clock

    def look(self) -> int:
        """Look at what is due; say how much of it clients see."""
        return sum(self._is_over(due) for due in self._due() if self._claim(due))

    def _due(self) -> list[_Due]:
        query = sa.select(*UNSEEN.c).where(UNSEEN.c.next_look <= self._clock())
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(UNSEEN.c.next_look).limit(20)).all()
        return [
            _Due(
                row.workflow_id, row.mirror, row.repomd,
                None if row.preview == _LIVE else row.preview, row.since, row.next_look, row.looks,
            )
            for row in rows
        ]  # fmt: skip

    def _claim(self, due: _Due) -> bool:
        """Take one, and say when it is looked for again if it is not seen."""
        now = self._clock()
        pause = min(self._retry.seconds * 2.0 ** min(due.looks, 30), MAX_PAUSE)
        ends = due.since + self._retry.hours * 3600
        later = now + pause if now + pause <= ends else MAX_TIME  # the finding stays
        which = (UNSEEN.c.workflow_id == due.workflow_id, UNSEEN.c.next_look == due.next_look)
        with self._engine.begin() as connection:
            values = {"next_look": later, "looks": due.looks + 1}
            claim = UNSEEN.update().where(*which).values(values)
            return connection.execute(claim).rowcount > 0

    def _is_over(self, due: _Due) -> bool:
        """Tell whether clients see it, or something newer; then its finding goes."""
        try:
            if due.repomd:
                self._see(due.mirror, due.repomd, due.preview)
        except GmError as failure:
            log.warning("update %s: published, and not seen yet: %s", due.workflow_id, failure)
            return False
        log.info("update %s: clients see what it published, or newer", due.workflow_id)
        self._end(due)
        return True

    def _end(self, due: _Due) -> None:
        """Have the finding gone, and then told; the row goes last, so that it is told."""
        gone = UNSEEN.update().where(UNSEEN.c.workflow_id == due.workflow_id).values(repomd="")
        query = sa.select(UPDATES.c.update_values)
        with self._engine.begin() as connection:
            connection.execute(gone)
            text = connection.scalar(query.where(UPDATES.c.workflow_id == due.workflow_id))
        values = records.values_of(text)
        if values:
            self._tell(records.update_of(values, due.workflow_id, due.mirror), None)
        with self._engine.begin() as connection:
            forget(connection, due.workflow_id)
