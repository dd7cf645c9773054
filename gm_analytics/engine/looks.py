"""Who looks at a forge for what no delivery told, and what the last look saw: a row a repository.

A look is one worker's at a time. A worker that died in the middle of one has it no longer after
`LONGEST`; one that was only stopped finds that its look is another's, and remembers nothing.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa

from gm_analytics.engine.clock import now
from gm_analytics.engine.database import connect, guarded
from gm_analytics.engine.schema import LOOKS, UPDATES, prefix
from gm_analytics.events import Look

LONGEST = 120.0
"""Seconds that a look may take."""


class Looks:
    """The looks of one worker."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def begin(self, repository: str, pause: float) -> Look | None:
        """Begin a look if none is under way, and the last one began `pause` seconds ago.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        name, holder = repository.lower(), uuid.uuid4().hex
        doing, this = f"beginning a look at {repository}", LOOKS.c.repository == name
        with guarded(doing), self._engine.begin() as connection:
            if connection.scalar(sa.select(LOOKS.c.repository).where(this)) is None:
                _add(connection, name)
            moment = now(connection)
            mine = LOOKS.update().where(
                this, LOOKS.c.busy_until <= moment, LOOKS.c.began_at <= moment - pause
            )
            values = {"began_at": moment, "busy_until": moment + LONGEST, "holder": holder}
            if not connection.execute(mine.values(values)).rowcount:
                return None
            row = connection.execute(sa.select(LOOKS).where(this)).one()
        return Look(holder, row.since, row.head, row.counts_from)

    def end(self, repository: str, look: Look) -> bool:
        """End a look, and remember what it saw; tell whether it was this worker's still.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        mine = LOOKS.update().where(
            LOOKS.c.repository == repository.lower(), LOOKS.c.holder == look.holder
        )
        saw = {"since": look.since, "head": look.head, "counts_from": look.counts_from}
        values = {"busy_until": 0.0, "holder": "", **saw}
        doing = f"ending a look at {repository}"
        with guarded(doing), self._engine.begin() as connection:
            return connection.execute(mine.values(values)).rowcount > 0


def _add(connection: sa.Connection, name: str) -> None:
    """Begin with what deliveries, or an earlier version, have told of the repository."""
    theirs = sa.func.lower(UPDATES.c.repository) == name
    since = connection.scalar(sa.select(sa.func.max(UPDATES.c.changed_at)).where(theirs))
    merges = sa.select(UPDATES.c.commit_sha).where(theirs, UPDATES.c.kind == "merge")
    newest = connection.scalar(merges.order_by(UPDATES.c.accepted_at.desc()).limit(1))
    statement = sa.text(
        f"INSERT INTO {prefix(connection)}gm_looks "  # noqa: S608  # the table's own name
        "(repository, began_at, busy_until, holder, since, head, counts_from) "
        "VALUES (:repository, 0, 0, '', :since, :head, :since) ON CONFLICT (repository) DO NOTHING"
    )
    # Whoever stored it may say what they like; a time to come would hide all until then.
    known = since if since and since <= f"{datetime.now(UTC):%FT%TZ}" else ""
    row = {"repository": name, "since": known, "head": newest or ""}
    connection.execute(statement, row)
