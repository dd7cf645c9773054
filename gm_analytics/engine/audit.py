"""The audit: an entry a deed, appended where it happens, in the same transaction.

The database itself refuses to change or remove one (`view_tables.audit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import sqlalchemy as sa

from gm_analytics.engine import records
from gm_analytics.engine.clock import now
from gm_analytics.engine.view_tables import AUDIT
from gm_analytics.updates.audit import Entry
from gm_analytics.wording import clean

_GIVEN = ("actor", "action", "mirror", "who", "update_id", "origin", "publication", "reason")
_BATCH = 500


def write(connection: sa.Connection, entry: Entry | None) -> None:
    """Append an entry; what is the last one of its update already is not said twice.

    An end that is written again after a crash is the same entry.
    """
    if entry is None:
        return
    values = {name: asdict(entry)[name] for name in _GIVEN}
    values |= {key: clean(text) for key, text in values.items() if isinstance(text, str)}
    if not (entry.update_id and _is_last(connection, values)):
        connection.execute(AUDIT.insert().values(**values, at=now(connection)))


def _is_last(connection: sa.Connection, values: dict[str, object]) -> bool:
    its = (AUDIT.c.update_id == values["update_id"], AUDIT.c.mirror == values["mirror"])
    query = sa.select(*(AUDIT.c[name] for name in _GIVEN)).where(*its)
    row = connection.execute(query.order_by(AUDIT.c.number.desc()).limit(1)).one_or_none()
    return row is not None and row._asdict() == values


def newest(
    connection: sa.Connection,
    limit: int,
    *,
    before: int | None = None,
    mirror: str | None = None,
    update_id: str | None = None,
) -> list[Entry]:
    """Give the newest entries first, those before a number where one is given."""
    query = sa.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT.c.number < before)
    if mirror:
        query = query.where(AUDIT.c.mirror == mirror)
    if update_id:
        query = query.where(AUDIT.c.update_id == update_id)
    return [_entry(row) for row in connection.execute(query)]


def since(connection: sa.Connection, at: float, mirror: str | None = None) -> Iterator[Entry]:
    """Give all entries from a time on, the oldest first."""
    after = 0
    query = sa.select(AUDIT).where(AUDIT.c.at >= at).order_by(AUDIT.c.number).limit(_BATCH)
    query = query.where(AUDIT.c.mirror == mirror) if mirror else query
    while rows := connection.execute(query.where(AUDIT.c.number > after)).all():
        yield from map(_entry, rows)
        after = rows[-1].number


def _entry(row: records.Row) -> Entry:
    values = {name: getattr(row, name) for name in _GIVEN}
    return Entry(**values, at=records.moment(row.at), number=row.number)
