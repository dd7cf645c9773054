"""The engine's own tables beside DBOS's, with numbered migrations, and what it reads of DBOS's.

Names begin with `gm_`. In SQLite they are in the same file, in PostgreSQL in a schema of their
own. A migration never changes once it has landed; the next one is appended to `MIGRATIONS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from gm_analytics.engine import (
    event_tables,
    lease_tables,
    output_tables,
    searched,
    update_tables,
    view_tables,
    waiting_tables,
)
from gm_analytics.engine.database import POSTGRESQL_SCHEMA
from gm_analytics.errors import StoreUnavailable

_LOCK = 0x676D_0001
"""PostgreSQL's advisory lock while migrations run: `gm`, and a number."""

_metadata = sa.MetaData(schema="gm")
VERSION = sa.Table(
    "gm_schema_version",
    _metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("applied_at", sa.Double),
)
UPDATES = sa.Table(
    "gm_updates",
    _metadata,
    sa.Column("workflow_id", sa.Text, primary_key=True),
    sa.Column("update_id", sa.Text),
    sa.Column("mirror", sa.Text),
    sa.Column("repository", sa.Text),
    sa.Column("number", sa.Integer),
    sa.Column("kind", sa.Text),
    sa.Column("commit_sha", sa.Text),
    sa.Column("changed_at", sa.Text),
    sa.Column("requested_at", sa.Double),
    sa.Column("state", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("accepted_at", sa.Double),
    sa.Column("started_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("update_values", sa.Text),
    *(sa.Column(name, sa.Text) for name in ("standing", "author", "subject", "said")),
)
"""One row an update and mirror. DBOS's status is the truth of what waits, runs or has ended; the
index says how it ended (`ended_at` is null until it does), and finds it: by `author`, and by what
`subject` and `said` have of it in lower case (`searched`)."""

PROGRESS = sa.Table(
    "gm_progress",
    _metadata,
    sa.Column("workflow_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Text),
    sa.Column("since", sa.Double),
    sa.Column("done", sa.Integer),
    sa.Column("total", sa.Integer),
    sa.Column("lines", sa.Text),
    sa.Column("said", sa.Integer),
    *(sa.Column(name, sa.BigInteger) for name in ("came", "size")),
    sa.Column("written_at", sa.Double),
)
"""What an update is at, and the last lines of output, as JSON: see `engine.progress`."""

IDENTITY = sa.Table(
    "gm_identity",
    _metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("service", sa.Text),
)
"""One row: which service this is."""

WAITS = sa.Table(
    "gm_waits",
    _metadata,
    sa.Column("workflow_id", sa.Text, primary_key=True),
    sa.Column("mirror", sa.Text),
    sa.Column("waits_for", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("since", sa.Double),
    sa.Column("next_try", sa.Double),
    sa.Column("not_before", sa.Double),
    sa.Column("tries", sa.Integer),
    sa.Column("woken", sa.Integer),
    sa.Column("told", sa.Integer),
)
"""What an update waits for between two attempts, or waited for before the one that runs: see
`engine.waiting`."""

LOOKS = sa.Table(
    "gm_looks",
    _metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("began_at", sa.Double),
    sa.Column("busy_until", sa.Double),
    sa.Column("holder", sa.Text),
    sa.Column("since", sa.Text),
    sa.Column("head", sa.Text),
    sa.Column("counts_from", sa.Text),
)
"""Who looks at a repository of the forge (its name in lower case), by the database's clock, and
what the last look saw: see `engine.looks`."""


UNSEEN = sa.Table(
    "gm_unseen",
    _metadata,
    sa.Column("workflow_id", sa.Text, primary_key=True),
    sa.Column("mirror", sa.Text),
    sa.Column("repomd", sa.Text),
    sa.Column("preview", sa.Integer),
    sa.Column("since", sa.Double),
    sa.Column("next_look", sa.Double),
    sa.Column("looks", sa.Integer),
)
"""What was published and not seen yet: see `engine.unseen`."""

_dbos = sa.MetaData(schema="dbos")


def _of_dbos(name: str, *columns: str) -> sa.Table:
    return sa.Table(name, _dbos, *(sa.Column(column) for column in columns))


WORKFLOWS = _of_dbos(
    "workflow_status", "workflow_uuid", "name", "status", "created_at", "started_at_epoch_ms",
    "completed_at", "queue_partition_key", "serialization", "inputs", "output", "error",
    "executor_id", "owner_xid", "queue_name", "application_version", "updated_at",
)  # fmt: skip
INPUTS = _of_dbos("workflow_input", "workflow_uuid", "inputs")
OUTPUTS = _of_dbos("workflow_output", "workflow_uuid", "output", "error", "retention_timestamp")
STEPS = _of_dbos(
    "operation_outputs", "workflow_uuid", "function_id", "function_name", "error",
    "started_at_epoch_ms", "completed_at_epoch_ms", "serialization",
)  # fmt: skip
"""DBOS's tables, as far as they are read. Writing to them is DBOS's, but for what its interface
cannot do under a condition, in one transaction with tables of the engine: `handover` and
`cancelling`."""


def _index_of_updates(connection: sa.Connection) -> None:
    _run(connection, *update_tables.updates(prefix(connection)))


def _identity(connection: sa.Connection) -> None:
    # A service of the time before this migration made it by itself.
    columns = "one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), service TEXT NOT NULL"
    _run(connection, f"CREATE TABLE IF NOT EXISTS {prefix(connection)}gm_identity ({columns})")


def _progress(connection: sa.Connection) -> None:
    _run(connection, update_tables.progress(prefix(connection)))


def _waits(connection: sa.Connection) -> None:
    _run(connection, waiting_tables.waits(prefix(connection)))


def _looks(connection: sa.Connection) -> None:
    _run(connection, update_tables.looks(prefix(connection)))


def _unseen(connection: sa.Connection) -> None:
    _run(connection, waiting_tables.unseen(prefix(connection)))


def _standing(connection: sa.Connection) -> None:
    table = f"{prefix(connection)}gm_updates"
    _run(connection, f"ALTER TABLE {table} ADD COLUMN standing TEXT NOT NULL DEFAULT ''")


def _made_by(statements: Callable[[str], tuple[str, ...]]) -> Callable[[sa.Connection], None]:
    """Give the migration whose statements another module has."""
    return lambda connection: _run(connection, *statements(prefix(connection)))


def _search(connection: sa.Connection) -> None:
    _run(connection, *view_tables.search(prefix(connection)))
    searched.fill(connection, f"{prefix(connection)}gm_updates")
    _run(connection, *view_tables.search_indexes(prefix(connection)))


def _views(connection: sa.Connection) -> None:
    at = prefix(connection)
    sqlite = connection.dialect.name == "sqlite"
    _run(connection, *view_tables.mirrors(at), *view_tables.wishes(at))
    _run(connection, *view_tables.audit(at, sqlite=sqlite))


_events = _made_by(event_tables.statements)

MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (
    _index_of_updates,
    _identity,
    _progress,
    _waits,
    _events,
    _looks,
    _unseen,
    _standing,
    _made_by(lease_tables.statements),
    _made_by(waiting_tables.came),
    _search,
    _views,
    _made_by(output_tables.statements),
    _made_by(view_tables.fewer_indexes),
)


def migrate(connection: sa.Connection) -> bool:
    """Bring the tables up to date, all or nothing; tell whether that changed anything.

    Raises:
        StoreUnavailable: a newer version of the service has been here.

    """
    if version(connection) == len(MIGRATIONS):
        return False
    connection.rollback()
    _take_lock(connection)
    present = version(connection)
    for number, migration in enumerate(MIGRATIONS[present:], present + 1):
        migration(connection)
        connection.execute(VERSION.insert().values(version=number, applied_at=time.time()))
    return present < len(MIGRATIONS)


def version(connection: sa.Connection) -> int:
    """Give how many migrations the tables have had; may raise `StoreUnavailable`."""
    if not sa.inspect(connection).has_table(VERSION.name, schema=_schema(connection)):
        return 0
    found = connection.execute(sa.select(sa.func.max(VERSION.c.version))).scalar() or 0
    if found > len(MIGRATIONS):
        raise StoreUnavailable(
            "opening the database",
            f"its tables have version {found}, and this gm-analytics knows {len(MIGRATIONS)}; "
            "install the newer gm-analytics that was here before",
        )
    return int(found)


def _take_lock(connection: sa.Connection) -> None:
    """Begin, alone: DDL by itself would begin nothing in SQLite."""
    if _schema(connection) is None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        _run(connection, f"CREATE SCHEMA IF NOT EXISTS {POSTGRESQL_SCHEMA}")
    _run(
        connection,
        f"CREATE TABLE IF NOT EXISTS {prefix(connection)}gm_schema_version "
        "(version INTEGER NOT NULL PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)",
    )


def _run(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _schema(connection: sa.Connection) -> str | None:
    return None if connection.dialect.name == "sqlite" else POSTGRESQL_SCHEMA


def prefix(connection: sa.Connection) -> str:
    """Give what stands before a table's name in a statement that is text."""
    return f"{schema}." if (schema := _schema(connection)) else ""
