"""What pages ask for: written by the web, carried out by workers, once, or not at all.

What a worker took and did not end, since it died, another takes; each of the three is safe to
repeat. What nobody took in time is carried out no more: nobody expects it then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa

from gm_analytics.engine import audit, records
from gm_analytics.engine.beside import Beside, Look
from gm_analytics.engine.clock import now
from gm_analytics.engine.view_tables import WISHES
from gm_analytics.errors import GmError
from gm_analytics.updates.audit import Action, Entry
from gm_analytics.updates.wishes import EXPIRES, OPEN, Fate, Wanted, Wish
from gm_analytics.wording import clean

LOOK = 0.5
"""Seconds between two looks at what is asked for."""
CLAIM = 60.0
"""Seconds after which another worker takes what one took and did not end."""
KEPT = 30 * 24 * 3600.0
"""Seconds for which one that has ended is kept."""
_GIVEN = ("id", "wanted", "mirror", "asked_by", "update_id", "publication", "expected", "reason")
_ASKED: dict[Wanted, Action] = {
    "retry": "asked to retry an update of",
    "cancel": "asked to cancel an update of",
    "rollback": "asked to roll back",
}

log = logging.getLogger(__name__)
Carry = Callable[[Wish], tuple[Fate, str]]
"""Carries one out, and says what came of it, `done` or `refused`; may raise `GmError`."""


def ask(connection: sa.Connection, wish: Wish) -> Wish:
    """Ask for something; what is asked for already is the same request, whoever asks again."""
    if known := _same(connection, wish):
        return known
    values = {name: getattr(wish, name) for name in _GIVEN}
    values |= {key: clean(text) for key, text in values.items() if isinstance(text, str)}
    moment = now(connection)
    times = {"asked_at": moment, "expires_at": moment + EXPIRES, "taken_until": 0.0}
    connection.execute(WISHES.insert().values(**values, **times, fate="waiting", said=""))
    audit.write(connection, _entry(wish, _ASKED[wish.wanted], wish.reason))
    found = read(connection, wish.id)
    assert found is not None  # noqa: S101  # it was written in this transaction
    return found


def read(connection: sa.Connection, wish_id: str) -> Wish | None:
    """Give a request by its id."""
    row = connection.execute(sa.select(WISHES).where(WISHES.c.id == wish_id)).one_or_none()
    return None if row is None else _wish(row)


def newest(connection: sa.Connection, limit: int, update_id: str | None = None) -> list[Wish]:
    """Give the newest requests first, of one update where that is given."""
    query = sa.select(WISHES).order_by(WISHES.c.asked_at.desc(), WISHES.c.id).limit(limit)
    if update_id:
        query = query.where(WISHES.c.update_id == update_id)
    return [_wish(row) for row in connection.execute(query)]


def _same(connection: sa.Connection, wish: Wish) -> Wish | None:
    if known := read(connection, wish.id):
        return known
    alike = [WISHES.c[name] == getattr(wish, name) for name in ("wanted", "mirror", "publication")]
    if wish.wanted != "rollback":  # of which it is what the request became
        alike.append(WISHES.c.update_id == wish.update_id)
    query = sa.select(WISHES).where(*alike, WISHES.c.ended_at.is_(None))
    row = connection.execute(query.where(WISHES.c.expires_at > now(connection))).first()
    return None if row is None else _wish(row)


def carrying(carry: Carry) -> Beside:
    """Give what a worker looks at to carry out what is asked for."""
    return lambda engine: Look("what pages ask for", Wishes(engine, carry).look, LOOK)


class Wishes:
    """Carries out what was asked for; several workers may."""

    def __init__(self, engine: sa.Engine, carry: Carry) -> None:
        self._engine, self._carry = engine, carry

    def look(self) -> int:
        """Carry out what is asked for; say how many."""
        with self._engine.connect() as connection:
            query = sa.select(WISHES).where(WISHES.c.ended_at.is_(None))
            rows = connection.execute(query.order_by(WISHES.c.asked_at).limit(20)).all()
        return sum(self._try(_wish(row)) for row in rows)

    def _try(self, wish: Wish) -> bool:
        taken = self._take(wish)
        if not taken:
            return False
        if taken.fate == "expired":
            said = "no worker came in time; ask again"
        else:
            taken, said = self._carried(taken)
        with self._engine.begin() as connection:
            _end(connection, taken, said)
        log.info("request %s to %s: %s: %s", wish.id, wish.wanted, taken.fate, said)
        return True

    def _carried(self, wish: Wish) -> tuple[Wish, str]:
        try:
            fate, said = self._carry(wish)
            return replace(wish, fate=fate), said
        except GmError as error:
            return replace(wish, fate="refused"), str(error)

    def _take(self, wish: Wish) -> Wish | None:
        """Take one that no other worker is at; None if one is, or was quicker."""
        this = (WISHES.c.id == wish.id, WISHES.c.ended_at.is_(None))
        with self._engine.begin() as connection:
            moment = now(connection)
            free = (*this, WISHES.c.taken_until <= moment)
            late = (*free, WISHES.c.fate == "waiting", WISHES.c.expires_at <= moment)
            values = {"fate": "taken", "taken_until": moment + CLAIM}
            if connection.scalar(sa.select(WISHES.c.id).where(*late)):
                values["fate"] = "expired"
            if not connection.execute(WISHES.update().where(*free).values(values)).rowcount:
                return None
            return read(connection, wish.id)


def _end(connection: sa.Connection, wish: Wish, said: str) -> None:
    values = {"fate": wish.fate, "said": records.kept(said), "ended_at": now(connection)}
    if wish.wanted == "rollback" and wish.fate == "done":
        values["update_id"] = update_of(wish)
    connection.execute(WISHES.update().where(WISHES.c.id == wish.id).values(values))
    if wish.fate in {"refused", "expired"}:
        audit.write(connection, _entry(wish, "was refused by", f"{wish.wanted}: {said}"))
    old = (WISHES.c.ended_at < now(connection) - KEPT,)
    connection.execute(WISHES.delete().where(*old))


def update_of(wish: Wish) -> str:
    """Give the id of the update that a rollback becomes."""
    return f"rollback-{wish.id}"


def _entry(wish: Wish, action: Action, reason: str) -> Entry:
    return Entry(
        "person",
        action,
        wish.mirror,
        wish.asked_by,
        wish.update_id,
        "",
        wish.publication,
        records.kept(reason),
    )


def _wish(row: records.Row) -> Wish:
    values = {name: getattr(row, name) for name in _GIVEN}
    fate: Fate = row.fate
    return Wish(
        **values,
        asked_at=records.moment(row.asked_at),
        expires_at=records.moment(row.expires_at),
        fate=fate,
        said=str(row.said),
        ended_at=None if row.ended_at is None or fate in OPEN else records.moment(row.ended_at),
    )
