"""The events that are known, with their deliveries; they outlive the updates that they caused.

Which event is which is `timeline`'s to say. All functions work in the caller's transaction, which
`hold` begins: two tellings of one event at once would each be the first.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gm_analytics.engine import records
from gm_analytics.engine.event_tables import DELIVERIES, EVENTS, FORGOTTEN, REPOSITORIES
from gm_analytics.engine.schema import UPDATES
from gm_analytics.engine.timeline import Known
from gm_analytics.errors import AnotherRepository, DeliveryReused
from gm_analytics.events import Delivery, Identity

MAX_ALIASES = 16
"""Deliveries of one event that are kept: their ids are not signed, so anybody can make more."""
_DIGITS = 20
"""Of an update's id, in hexadecimal."""
_BATCH = 200


def hold(connection: sa.Connection, event: Identity) -> None:
    """Have no other process place an event in this thread until the transaction ends."""
    if connection.dialect.name == "sqlite":  # which has one writer
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    digest = hashlib.sha256(f"{event.repository.lower()} {event.thread}".encode()).digest()
    key = sa.func.pg_advisory_xact_lock(int.from_bytes(digest[:8], signed=True))
    connection.execute(sa.select(key))


# --- what is known around an event -----------------------------------------------------------


@dataclass(frozen=True)
class Around:
    """What is known of an event's repository, and of the delivery that tells it."""

    repository_id: int
    """0 if the name was never told with one."""
    called: str
    """How it is called now."""
    horizon: str
    """The time of the newest event that was forgotten."""
    digest: str | None
    """Of what the delivery's id stands for already."""
    update_id: str | None
    taken: bool
    """Whether the delivery's id is an update's, as an earlier version had it."""


def around(connection: sa.Connection, event: Identity, delivery: Delivery | None) -> Around:
    """Look all of it up at once: it is on the way of each delivery."""
    given = {"name": event.repository.lower(), "delivery": delivery.id if delivery else ""}
    row = connection.execute(_AROUND, given).one()
    return Around(
        repository_id=row.number or 0,
        called=row.called or "",
        horizon=row.horizon or "",
        digest=row.digest,
        update_id=row.update_id,
        taken=bool(row.taken),
    )


_DELIVERY = DELIVERIES.c.delivery_id == sa.bindparam("delivery")
_LISTED = REPOSITORIES.c.listed == sa.bindparam("name")
_AN_UPDATE = UPDATES.c.update_id == sa.bindparam("delivery")
_AROUND = sa.select(
    sa.select(REPOSITORIES.c.repository_id).where(_LISTED).scalar_subquery().label("number"),
    sa.select(REPOSITORIES.c.name).where(_LISTED).scalar_subquery().label("called"),
    sa.select(sa.func.max(FORGOTTEN.c.happened_at)).scalar_subquery().label("horizon"),
    sa.select(DELIVERIES.c.digest).where(_DELIVERY).scalar_subquery().label("digest"),
    sa.select(DELIVERIES.c.update_id).where(_DELIVERY).scalar_subquery().label("update_id"),
    sa.select(sa.func.count()).where(_AN_UPDATE).scalar_subquery().label("taken"),
)


def repository(connection: sa.Connection, event: Identity, known: Around) -> str:
    """Give what stands for the event's repository: its id, once it was told, else its name.

    Raises:
        AnotherRepository: the name is known as that of another id.

    """
    if not event.repository_id:
        return str(known.repository_id or event.repository.lower())
    if known.repository_id not in (0, event.repository_id):
        ids = (str(known.repository_id), str(event.repository_id))
        raise AnotherRepository(event.repository, *ids)
    if known.called != event.called:
        _learn(connection, event)
    return str(event.repository_id)


def _learn(connection: sa.Connection, event: Identity) -> None:
    """Keep the id of a repository under the name that is configured now, and how it is called."""
    this = REPOSITORIES.c.repository_id == event.repository_id
    names = {"listed": event.repository.lower(), "name": event.called}
    if connection.execute(REPOSITORIES.update().where(this).values(names)).rowcount:
        return
    row = {"repository_id": event.repository_id, "learned_at": time.time(), **names}
    connection.execute(REPOSITORIES.insert().values(row))
    by_name = EVENTS.update().where(EVENTS.c.repository == names["listed"])
    connection.execute(by_name.values(repository=str(event.repository_id)))


# --- events ----------------------------------------------------------------------------------


def thread(connection: sa.Connection, key: str, event: Identity) -> list[Known]:
    """Give what is known of an event's thread, in order."""
    # Of merges that an earlier version stored, the branch is not known.
    other = "" if event.kind == "merge" else event.thread
    given = {"key": key, "thread": event.thread, "other": other}
    return [_known(row) for row in connection.execute(_THREAD, given)]


_THREAD = (
    sa.select(EVENTS)
    .where(EVENTS.c.repository == sa.bindparam("key"))
    .where(EVENTS.c.thread.in_([sa.bindparam("thread"), sa.bindparam("other")]))
    .order_by(EVENTS.c.happened_at, EVENTS.c.received_at)
)


def _known(row: Any) -> Known:
    return Known(
        update_id=row.update_id,
        kind=row.kind,
        commit=row.commit_sha,
        base=row.base,
        at=row.happened_at,
        happened=row.happened,
        order=row.told_as,
        number=row.number,
        mirrors=frozenset(row.mirrors.split()),
    )


def id_for(secret: str, key: str, event: Identity) -> str:
    """Give the id of the update that a new event causes, which follows from what it aims at.

    The secret is the service's, so that who knows a repository does not know the pages.
    """
    stem = {"queue": "queue"}.get(event.kind, f"pr{event.number}" if event.number else "push")
    aim = (key, event.thread, event.kind, event.commit, event.base, event.at, event.happened)
    digest = hmac.new(secret.encode(), "\n".join(aim).encode(), hashlib.sha256).hexdigest()
    return f"{stem}-{digest[:_DIGITS]}"


def note(
    connection: sa.Connection, key: str, event: Identity, update_id: str, mirrors: Iterable[str]
) -> None:
    """Keep a new event."""
    row = {
        "update_id": update_id,
        "repository": key,
        "thread": event.thread,
        "kind": event.kind,
        "commit_sha": event.commit,
        "base": event.base,
        "happened_at": event.at,
        "happened": event.happened,
        "told_as": event.order,
        "number": event.number,
        "mirrors": " ".join(mirrors),
        "received_at": time.time(),
    }
    connection.execute(EVENTS.insert(), row)


def told_again(
    connection: sa.Connection, known: Known, event: Identity, mirrors: Iterable[str]
) -> None:
    """Keep what another telling of a known event adds: where, of which number, since when."""
    values: dict[str, Any] = {}
    if added := set(mirrors) - known.mirrors:
        values["mirrors"] = " ".join(sorted(known.mirrors | added))
    if event.number and not known.number:
        values["number"] = event.number
    if event.at and event.at < known.at:
        values |= {"happened_at": event.at, "happened": event.happened, "told_as": event.order}
    if values:
        this = EVENTS.c.update_id == known.update_id
        connection.execute(EVENTS.update().where(this).values(values))


def forget(connection: sa.Connection, before: float) -> int:
    """Drop events that came before a time, in seconds since the epoch; say how many.

    What happened no later than one of them is refused from then on: it may be one of them.
    """
    old = EVENTS.c.received_at < before
    newest = connection.scalar(sa.select(sa.func.max(EVENTS.c.happened_at)).where(old))
    if newest is None:
        return 0
    ids = sa.select(EVENTS.c.update_id).where(old)
    connection.execute(DELIVERIES.delete().where(DELIVERIES.c.update_id.in_(ids)))
    gone = connection.execute(EVENTS.delete().where(old)).rowcount
    past = connection.scalar(sa.select(sa.func.max(FORGOTTEN.c.happened_at))) or ""
    connection.execute(FORGOTTEN.delete())
    connection.execute(FORGOTTEN.insert().values(one=1, happened_at=max(newest, past)))
    return gone


# --- deliveries ------------------------------------------------------------------------------


def stands_for(
    known: Around, delivery: Delivery, events: Iterable[Known], event: Identity
) -> Known | None:
    """Give the event that a delivery's id stands for already, of those of its thread.

    Raises:
        DeliveryReused: the id stands for another payload.

    """
    by_id = {one.update_id: one for one in events}
    if known.digest is not None:
        if known.digest != delivery.digest:
            raise _reused(delivery)
        return by_id.get(str(known.update_id))
    its_own = by_id.get(delivery.id)  # as an earlier version had it, without a digest
    if known.taken and not (its_own and its_own.aims_at(event)):
        raise _reused(delivery)
    return its_own


def _reused(delivery: Delivery) -> DeliveryReused:
    return DeliveryReused(f"X-GitHub-Delivery: {delivery.id} came with another payload before")


def alias(connection: sa.Connection, delivery: Delivery, update_id: str) -> None:
    """Have an update found by the id of one more delivery."""
    this = DELIVERIES.c.update_id == update_id
    found = connection.scalar(sa.select(sa.func.count()).where(this))
    if delivery.id != update_id and (found or 0) < MAX_ALIASES:
        find_by(connection, delivery, update_id)


def find_by(connection: sa.Connection, delivery: Delivery, update_id: str) -> None:
    """Have an update found by the id of a delivery; a new one has no other yet."""
    row = {"delivery_id": delivery.id, "digest": delivery.digest, "update_id": update_id}
    connection.execute(DELIVERIES.insert(), {**row, "received_at": time.time()})


# --- what an earlier version stored ----------------------------------------------------------


def adopt(connection: sa.Connection) -> int:
    """Make events of some updates that an earlier version stored; say of how many."""
    known = sa.exists().where(EVENTS.c.update_id == UPDATES.c.update_id)
    query = sa.select(UPDATES.c.update_id).distinct().where(UPDATES.c.number > 0, ~known)
    ids = connection.scalars(query.limit(_BATCH)).all()
    for update_id in ids:
        this = UPDATES.c.update_id == update_id
        rows = connection.execute(sa.select(UPDATES).where(this)).all()
        connection.execute(EVENTS.insert(), _adopted(connection, rows))
    return len(ids)


def _adopted(connection: sa.Connection, rows: Any) -> dict[str, Any]:
    row = rows[0]
    merge = row.kind == "merge"
    number = connection.scalar(_ID, {"name": row.repository.lower()})
    return {
        "update_id": row.update_id,
        "repository": str(number or row.repository.lower()),
        "thread": "" if merge else f"#{row.number}",
        "kind": row.kind,
        "commit_sha": row.commit_sha,
        "base": "",
        "happened_at": _moment_of(row),
        "happened": "",
        "told_as": "once" if merge else "turn",
        "number": row.number,
        "mirrors": " ".join(sorted(one.mirror for one in rows)),
        "received_at": row.accepted_at,
    }


_ID = sa.select(REPOSITORIES.c.repository_id).where(_LISTED)


def _moment_of(row: Any) -> str:
    """Give when GitHub says it happened, as an event of it says now."""
    update = records.update_of(records.values_of(row.update_values), row.workflow_id, row.mirror)
    return update.merged_at or row.changed_at
