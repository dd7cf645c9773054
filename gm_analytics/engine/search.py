"""The search over updates: by state, mirror, pull request, author and text, a page at a time.

A page begins behind a key, the time and the id of the last update of the page before, so that it
costs the same however far one goes. Each way has an index; DBOS's status stays the truth of what
runs, so what the index does not know to have ended is looked at besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

import sqlalchemy as sa

from gm_analytics.engine import in_flight, records
from gm_analytics.engine.index import WORKFLOW
from gm_analytics.engine.queries import SUMMARY
from gm_analytics.engine.schema import UPDATES, WORKFLOWS
from gm_analytics.updates import states
from gm_analytics.updates.model import MAX_NUMBER, Record
from gm_analytics.updates.states import State
from gm_analytics.wording import clean

MOST = 200
"""Updates of one page."""
MOST_WORDS = 8
LONGEST = 200
"""Characters of what is searched for."""
_BATCH = 100
_KEY = (UPDATES.c.accepted_at, UPDATES.c.workflow_id)
Summary = Callable[[sa.Connection, records.Row], Record]


@dataclass(frozen=True)
class Wanted:
    """What is looked for; all of it."""

    state: State | None = None
    mirror: str = ""
    pull_request: str = ""
    """`owner/name#number`, or `owner/name` for all of a repository."""
    author: str = ""
    text: str = ""
    """Words; each is somewhere in the pull request, author, commit, mirror, id or message, or in
    the names of packages that were added."""


@dataclass(frozen=True)
class Found:
    """One page, the newest first."""

    updates: tuple[Record, ...]
    following: str = ""
    """The key of the next page, empty after the last one."""


def find(
    connection: sa.Connection,
    summary: Summary,
    wanted: Wanted,
    limit: int,
    after: str = "",
) -> Found:
    """Give a page of what is found; `after` is what the page before names as following."""
    if connection.dialect.name == "postgresql":
        # It takes a scan of all rows for cheaper than one of an index a third as large.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    conditions = list(_conditions(wanted))
    streams = [_stream(connection, [*conditions, *one], after) for one in _states(wanted.state)]
    rows = merge(*streams, key=lambda row: (row.accepted_at, row.workflow_id), reverse=True)
    found = (summary(connection, row) for row in _each_once(rows))
    meant = (one for one in found if wanted.state in {None, one.state})
    page = list(islice(meant, limit + 1))
    following = _key_of(page[limit - 1]) if len(page) > limit else ""
    return Found(tuple(page[:limit]), following)


def _states(state: State | None) -> list[list[sa.ColumnElement[bool]]]:
    """Give the ways in which rows of a state are found: as the index has it, and what is open."""
    if state is None:
        return [[]]
    still = UPDATES.c.ended_at.is_(None)
    open_ones = in_flight.of_name(WORKFLOW, WORKFLOWS.c.workflow_uuid)
    again = UPDATES.c.workflow_id.in_(open_ones) & ~still
    if states.ended(state):
        return [[UPDATES.c.state == state, ~still], [still]]
    return [[still], [again]]


def _stream(
    connection: sa.Connection, conditions: list[sa.ColumnElement[bool]], after: str
) -> Iterator[records.Row]:
    """Give rows in the order of their keys, no more at a time than are likely to be wanted.

    The keys are found first, in one index, and what belongs to them then.
    """
    key, newest = _read_key(after), [column.desc() for column in _KEY]
    query = sa.select(*_KEY).where(*conditions).order_by(*newest).limit(_BATCH)
    while True:
        at = [sa.tuple_(*_KEY) < sa.tuple_(*map(sa.literal, key))] if key else []
        keys = connection.execute(query.where(*at)).all()
        these = UPDATES.c.workflow_id.in_([row.workflow_id for row in keys])
        yield from connection.execute(SUMMARY.where(these).order_by(*newest)) if keys else ()
        if len(keys) < _BATCH:
            return
        key = (keys[-1].accepted_at, keys[-1].workflow_id)


def _each_once(rows: Iterator[records.Row]) -> Iterator[records.Row]:
    before = None
    for row in rows:
        if row.workflow_id != before:
            yield row
        before = row.workflow_id


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.mirror:
        yield UPDATES.c.mirror == clean(wanted.mirror)
    if wanted.author:
        yield UPDATES.c.author == clean(wanted.author.lower())
    if wanted.pull_request:
        yield from _of(clean(wanted.pull_request))
    for word in clean(wanted.text[:LONGEST].lower()).split()[:MOST_WORDS]:
        in_either = (UPDATES.c.subject, UPDATES.c.said)
        yield sa.or_(*(column.contains(word, autoescape=True) for column in in_either))


def _of(pull_request: str) -> Iterator[sa.ColumnElement[bool]]:
    repository, _, number = pull_request.rpartition("#")
    if not repository:
        yield UPDATES.c.repository == pull_request
    elif number.isascii() and number.isdigit() and int(number[:20]) <= MAX_NUMBER:
        yield UPDATES.c.repository == repository
        yield UPDATES.c.number == int(number)
    else:
        yield sa.false()


def _key_of(record: Record) -> str:
    return f"{record.accepted_at!r} {record.update.id}"


def _read_key(text: str) -> tuple[float, str] | None:
    """Read a key that `Found.following` gave; anything else begins at the newest."""
    at, _, workflow_id = text.partition(" ")
    try:
        return (float(at), clean(workflow_id)) if text else None
    except ValueError:
        return None
