"""What workers saw of the mirrors, and whose turn a look at one is: a row a mirror.

A look is one worker's at a time, as in `looks`, and waits while an update runs on that mirror: the
update's end has one follow. It takes no lock on the mirror.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from gm_analytics.engine import catalogue, records
from gm_analytics.engine.clock import now
from gm_analytics.engine.in_flight import RUNS
from gm_analytics.engine.schema import WORKFLOWS, prefix
from gm_analytics.engine.view_tables import MIRRORS
from gm_analytics.mirror.sight import Known, Seen, Sight
from gm_analytics.updates.audit import made_by
from gm_analytics.updates.model import Outcome, Update

LONGEST = 180.0
"""Seconds that a look may take; after that another worker may begin one."""
PATIENCE = 12
"""How many pauses a look waits for updates that run one behind the other."""


@dataclass(frozen=True)
class MirrorSeen:
    """A mirror as workers last saw it; times in seconds since the epoch."""

    mirror: str
    sight: Sight | None = None
    """None until a worker has looked."""
    seen_at: float | None = None
    """When the last look that ended well began."""
    contact_at: float | None = None
    """When the mirror last answered, a look or an update."""
    failed: str = ""
    """Why the last look did not end well."""


@dataclass(frozen=True)
class Turn:
    """A look that is this worker's."""

    mirror: str
    holder: str
    known: Known


# --- whose turn it is -----------------------------------------------------------------------


def begin(connection: sa.Connection, mirror: str, pause: float) -> Turn | None:
    """Begin a look that is due, if none is under way."""
    this, moment = MIRRORS.c.mirror == mirror, now(connection)
    if connection.scalar(sa.select(MIRRORS.c.mirror).where(this)) is None:
        _add(connection, mirror)
    busy = sa.exists().where(WORKFLOWS.c.queue_partition_key == mirror, WORKFLOWS.c.status == RUNS)
    due = sa.or_(MIRRORS.c.due_at <= moment, MIRRORS.c.began_at <= moment - pause)
    may = sa.or_(~busy, MIRRORS.c.began_at <= moment - PATIENCE * pause)
    mine = MIRRORS.update().where(this, MIRRORS.c.busy_until <= moment, due, may)
    holder = uuid.uuid4().hex
    values = {"began_at": moment, "busy_until": moment + LONGEST, "holder": holder}
    never = sa.literal(1e18)
    if not connection.execute(mine.values(**values, due_at=never)).rowcount:
        return None
    text = connection.scalar(sa.select(MIRRORS.c.sight).where(this))
    known = Known(Sight.read(str(text)), catalogue.listed(connection, mirror))
    return Turn(mirror, holder, known)


def due(connection: sa.Connection, mirrors: Sequence[str], pause: float) -> list[str]:
    """Give the mirrors whose turn a look may be, the longest unseen first; it writes nothing."""
    moment = now(connection)
    query = sa.select(MIRRORS.c.mirror, MIRRORS.c.began_at).where(MIRRORS.c.mirror.in_(mirrors))
    is_due = sa.or_(MIRRORS.c.due_at <= moment, MIRRORS.c.began_at <= moment - pause)
    rows = connection.execute(query.add_columns(is_due.label("due"))).all()
    known = {row.mirror for row in rows}
    since = sorted((row.began_at, row.mirror) for row in rows if row.due)
    return [*(name for name in mirrors if name not in known), *(name for _, name in since)]


def _add(connection: sa.Connection, mirror: str) -> None:
    statement = sa.text(
        f"INSERT INTO {prefix(connection)}gm_mirrors "  # noqa: S608  # the table's own name
        "(mirror, began_at, busy_until, holder, due_at, sight, failed) "
        "VALUES (:mirror, 0, 0, '', 0, '', '') ON CONFLICT (mirror) DO NOTHING"
    )
    connection.execute(statement, {"mirror": mirror})


def end(connection: sa.Connection, turn: Turn, found: Seen | str) -> bool:
    """End a look with what it found, or why it failed; tell whether it was this worker's still."""
    this = (MIRRORS.c.mirror == turn.mirror, MIRRORS.c.holder == turn.holder)
    values: dict[str, object] = {"busy_until": 0.0, "holder": ""}
    if isinstance(found, str):
        values["failed"] = records.kept(found)
    else:
        values |= {"failed": "", "sight": json.dumps(found.sight.to_json())}
        values |= {"seen_at": MIRRORS.c.began_at, "contact_at": now(connection)}
        if found.behind:
            values["due_at"] = now(connection)
    if not connection.execute(MIRRORS.update().where(*this).values(values)).rowcount:
        return False
    if isinstance(found, Seen):
        catalogue.store(connection, turn.mirror, found.publications)
    return True


# --- what updates tell -----------------------------------------------------------------------


def after(connection: sa.Connection, update: Update, outcome: Outcome) -> None:
    """Note what an update that ended well tells of its mirror, and have a look follow."""
    _add(connection, update.mirror)
    row = connection.execute(_this(update.mirror)).one()
    values: dict[str, object] = {"contact_at": now(connection)}
    if outcome.state in {"published", "previewed", "closed"}:
        values["due_at"] = now(connection)
    if outcome.state == "published" and made_by(outcome):
        sight = Sight.read(row.sight) or Sight()
        sight = replace(
            sight,
            live=made_by(outcome),
            published_at=datetime.now(UTC).isoformat(timespec="seconds"),
            what=" ".join(filter(None, (update.origin, update.id))),
            in_step=outcome.unseen is None,
            served=outcome.unseen.reason if outcome.unseen else "",
        )
        values["sight"] = json.dumps(sight.to_json())
    changed = MIRRORS.update().where(MIRRORS.c.mirror == update.mirror)
    connection.execute(changed.values(values))


def wake(connection: sa.Connection, mirror: str) -> None:
    """Have a look at a mirror follow, since a person did something there."""
    _add(connection, mirror)
    this = MIRRORS.update().where(MIRRORS.c.mirror == mirror)
    connection.execute(this.values(due_at=now(connection)))


def _this(mirror: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(*MIRRORS.c).where(MIRRORS.c.mirror == mirror)


# --- reading ---------------------------------------------------------------------------------


def read(connection: sa.Connection) -> list[MirrorSeen]:
    """Give all mirrors that are known, by name."""
    rows = connection.execute(sa.select(MIRRORS).order_by(MIRRORS.c.mirror))
    return [
        MirrorSeen(
            row.mirror,
            Sight.read(row.sight) if row.sight else None,
            _maybe(row.seen_at),
            _maybe(row.contact_at),
            row.failed,
        )
        for row in rows
    ]


def _maybe(value: object) -> float | None:
    return None if value is None else records.moment(value)
