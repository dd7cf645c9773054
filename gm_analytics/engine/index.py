"""The index of updates: written when one is stored, starts and ends; filled from DBOS's records.

It is written in the transaction that stores an update, and just before DBOS records an end.
What a crash, or a version of the service without an index, left out is filled in by `repair`.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from gm_analytics.engine import records, schema, searched
from gm_analytics.engine.schema import INPUTS, OUTPUTS, UPDATES, WAITS, WORKFLOWS
from gm_analytics.updates.model import Update
from gm_analytics.updates.states import State

WORKFLOW = "update"
"""What DBOS calls an update's workflow."""
PARTITION_SEPARATOR = "@"
"""Stands between a delivery's id and a mirror in the id of a workflow, where there are several."""
_BATCH = 200

log = logging.getLogger(__name__)


def store(connection: sa.Connection, update: Update) -> None:
    """Index an update that is being stored."""
    _put(connection, {**_row(update), "accepted_at": update.requested_at or time.time()})


def start(connection: sa.Connection, update: Update) -> None:
    """Note that an update runs, and forget how it ended before it was retried."""
    began = {"message": "", "said": "", "started_at": time.time(), "ended_at": None}
    values = {"state": "running", **began}
    if not _set(connection, update.id, values):
        # An older version of the service stored it, while this one took over.
        store(connection, update)
        _set(connection, update.id, values)


def end(
    connection: sa.Connection, workflow_id: str, state: State, message: str, more: str = ""
) -> None:
    """Note how an update ended; it is found by its message, and by what `more` has."""
    kept = records.kept(message)
    said = searched.said(f"{kept} {more}")
    _set(
        connection,
        workflow_id,
        {"state": state, "message": kept, "said": said, "ended_at": time.time()},
    )


def wait(connection: sa.Connection, workflow_id: str) -> None:
    """Note that an update waits to be run again."""
    values = {"state": "waiting", "message": "", "said": "", "ended_at": None}
    _set(connection, workflow_id, values)


def name(connection: sa.Connection, update_id: str, number: int) -> None:
    """Note of which pull request an update is that was stored without one."""
    this = (UPDATES.c.update_id == update_id, UPDATES.c.number == 0)
    columns = (UPDATES.c.workflow_id, UPDATES.c.mirror, UPDATES.c.update_values)
    query = sa.select(*columns).where(*this)
    for row in connection.execute(query).all():
        values = records.values_of(row.update_values)
        told = json.dumps({**values, "number": number}) if isinstance(values, dict) else "{}"
        subject = searched.subject(records.update_of(values, row.workflow_id, row.mirror))
        named = {"number": number, "update_values": told, "subject": f"#{number} {subject}"}
        _set(connection, row.workflow_id, named)


def payload(connection: sa.Connection, workflow_id: str) -> records.Row:
    """Read how one workflow ended, from DBOS's own record."""
    return connection.execute(
        sa.select(
            WORKFLOWS.c.status,
            sa.func.coalesce(OUTPUTS.c.output, WORKFLOWS.c.output).label("output"),
            sa.func.coalesce(OUTPUTS.c.error, WORKFLOWS.c.error).label("error"),
            WORKFLOWS.c.serialization,
        )
        .select_from(_beside(OUTPUTS))
        .where(WORKFLOWS.c.workflow_uuid == workflow_id)
    ).one()


def partition(connection: sa.Connection, workflow_id: str) -> str | None:
    """Give the mirror in whose partition of the queue an update is, where DBOS tells it."""
    query = sa.select(WORKFLOWS.c.queue_partition_key)
    return connection.scalar(query.where(WORKFLOWS.c.workflow_uuid == workflow_id))


def repair(engine: sa.Engine) -> None:
    """Index what is not, and note the ends that were not; batch by batch."""
    for fill in (adopt, settle):
        more = True
        while more:
            with engine.begin() as connection:
                more = fill(connection) > 0
    with engine.begin() as connection:
        searched.fill(connection, f"{schema.prefix(connection)}gm_updates")


def adopt(connection: sa.Connection) -> int:
    """Index some updates that DBOS has and the index has not; say how many."""
    return _each(connection, _missing(connection), _adopt_one, _adopt_bare)


def settle(connection: sa.Connection) -> int:
    """Note the end of some updates that the index takes for under way; say how many.

    What was given up is left to `given_up`, which has it told first.
    """
    under_way = [*records.UNDER_WAY, records.GIVEN_UP]
    ids = list(
        connection.scalars(
            sa.select(UPDATES.c.workflow_id)
            .join(WORKFLOWS, WORKFLOWS.c.workflow_uuid == UPDATES.c.workflow_id)
            .where(UPDATES.c.ended_at.is_(None))
            .where(WORKFLOWS.c.status.not_in(under_way))
            .where(~sa.exists().where(WAITS.c.workflow_id == UPDATES.c.workflow_id))
            .limit(_BATCH)
        )
    )
    return _each(connection, ids, _settle_one, _settle_bare)


def _each(
    connection: sa.Connection,
    ids: Sequence[str],
    fill: Callable[[sa.Connection, str], None],
    bare: Callable[[sa.Connection, str, str], None],
) -> int:
    """Index each update apart from the others; of one that is damaged, what DBOS's status says."""
    if ids:
        # SQLite begins at the first write: else each savepoint would be a transaction.
        connection.execute(UPDATES.delete().where(sa.false()))
    for workflow_id in ids:
        try:
            with connection.begin_nested():
                fill(connection, workflow_id)
        except Exception as error:
            if _is_of_the_database(error):
                raise
            damage = records.kept(f"what is stored of it is damaged: {_first_line(error)}")
            log.exception("index of updates: %a: %s", workflow_id, damage)
            with connection.begin_nested():
                bare(connection, workflow_id, damage)
    return len(ids)


def _first_line(error: Exception) -> str:
    """Say what an error is, even one that has no words itself, without its SQL."""
    return traceback.format_exception_only(error)[0].partition("\n")[0]


def _is_of_the_database(error: Exception) -> bool:
    """Tell whether no row is to blame; SQLite says the same of text that is not UTF-8."""
    return isinstance(error, OperationalError) and "decode to UTF-8" not in str(error)


def _adopt_one(connection: sa.Connection, workflow_id: str) -> None:
    _put(connection, _row_of_dbos(connection, workflow_id))


def _adopt_bare(connection: sa.Connection, workflow_id: str, damage: str) -> None:
    columns = (WORKFLOWS.c.status, WORKFLOWS.c.created_at, WORKFLOWS.c.completed_at)
    query = sa.select(*columns).where(WORKFLOWS.c.workflow_uuid == workflow_id)
    row = connection.execute(query).one()
    under_way = row.status in records.UNDER_WAY
    values = {
        **_row(records.update_of(None, str(workflow_id), "")),
        "workflow_id": workflow_id,
        "accepted_at": records.moment_of_dbos(row.created_at),
        "state": records.state_of(row.status),
        "message": "" if under_way else damage,
        "ended_at": None if under_way else records.moment_of_dbos(row.completed_at),
    }
    _put(connection, values)


def _settle_one(connection: sa.Connection, workflow_id: str) -> None:
    found = records.ending(payload(connection, workflow_id))
    end(connection, workflow_id, found.state, found.message)


def _settle_bare(connection: sa.Connection, workflow_id: str, damage: str) -> None:
    query = sa.select(WORKFLOWS.c.status).where(WORKFLOWS.c.workflow_uuid == workflow_id)
    end(connection, workflow_id, records.state_of(connection.scalar(query)), damage)


def _missing(connection: sa.Connection) -> list[str]:
    indexed = sa.exists().where(UPDATES.c.workflow_id == WORKFLOWS.c.workflow_uuid)
    query = sa.select(WORKFLOWS.c.workflow_uuid).where(WORKFLOWS.c.name == WORKFLOW, ~indexed)
    return list(connection.scalars(query.limit(_BATCH)))


def _row_of_dbos(connection: sa.Connection, workflow_id: str) -> dict[str, Any]:
    row = connection.execute(
        sa.select(
            WORKFLOWS.c.status,
            WORKFLOWS.c.created_at,
            WORKFLOWS.c.started_at_epoch_ms,
            WORKFLOWS.c.completed_at,
            WORKFLOWS.c.queue_partition_key,
            WORKFLOWS.c.serialization,
            sa.func.coalesce(INPUTS.c.inputs, WORKFLOWS.c.inputs).label("inputs"),
        )
        .select_from(_beside(INPUTS))
        .where(WORKFLOWS.c.workflow_uuid == workflow_id)
    ).one()
    values = records.first_argument(row)
    update = records.update_of(values, workflow_id, _mirror(row.queue_partition_key, values))
    return {
        **_row(update),
        "workflow_id": workflow_id,
        "accepted_at": update.requested_at or records.moment_of_dbos(row.created_at),
        "started_at": row.started_at_epoch_ms and records.moment_of_dbos(row.started_at_epoch_ms),
        **_end_of(connection, workflow_id, row),
    }


def _end_of(connection: sa.Connection, workflow_id: str, row: records.Row) -> dict[str, Any]:
    if row.status in records.UNDER_WAY:
        return {"state": records.UNDER_WAY[row.status]}
    found = records.ending(payload(connection, workflow_id))
    return {
        "state": found.state,
        "message": records.kept(found.message),
        "ended_at": records.moment_of_dbos(row.completed_at or row.created_at),
    }


def _mirror(partition: str | None, values: Any) -> str:
    """Give the mirror that DBOS says; one that was resumed by hand has no partition any more."""
    if partition is None and isinstance(values, dict):
        return str(values.get("mirror", ""))
    return partition or ""


def _row(update: Update) -> dict[str, Any]:
    return {
        "workflow_id": update.id,
        "update_id": update.id.partition(PARTITION_SEPARATOR)[0],
        "mirror": update.mirror,
        "repository": update.repository,
        "number": update.number,
        "kind": update.aim.word,
        "commit_sha": update.commit,
        "changed_at": update.updated_at,
        "requested_at": update.requested_at,
        "state": "waiting",
        "message": "",
        "started_at": None,
        "ended_at": None,
        "update_values": json.dumps(update.to_json()),
        "standing": "",
        "author": searched.said(update.author),
        "subject": searched.subject(update),
    }


def _put(connection: sa.Connection, row: dict[str, Any]) -> None:
    said = {"said": searched.said(row["message"])}
    connection.execute(_upsert(schema.prefix(connection)), row | said)


@lru_cache
def _upsert(prefix: str) -> sa.TextClause:
    """Give the statement as text: it is on the way of each delivery, and built once."""
    columns = UPDATES.c.keys()
    new = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return sa.text(
        f"INSERT INTO {prefix}gm_updates ({', '.join(columns)}) "  # noqa: S608  # the table's own names
        f"VALUES ({', '.join(f':{name}' for name in columns)}) "
        f"ON CONFLICT (workflow_id) DO UPDATE SET {new}"
    )


def _set(connection: sa.Connection, workflow_id: str, values: dict[str, Any]) -> bool:
    table = UPDATES.update().where(UPDATES.c.workflow_id == workflow_id)
    return connection.execute(table.values(values)).rowcount > 0


def _beside(table: sa.Table) -> sa.Join:
    same = table.c.workflow_uuid == WORKFLOWS.c.workflow_uuid
    return sa.outerjoin(WORKFLOWS, table, same)
