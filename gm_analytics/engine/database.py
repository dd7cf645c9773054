"""The database itself: connections, its files, and locks of this machine that belong to it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics.engine import lock_files
from gm_analytics.errors import StoreUnavailable

NAME = "gm_analytics"
POSTGRESQL_SCHEMA = NAME
"""Holds the engine's own tables; DBOS's are in `dbos`. SQLite has no schemas."""
_SQLITE = "sqlite:///"
_BUSY = 30_000
"""Milliseconds that SQLite waits for another writer."""


def connect(url: str) -> sa.Engine:
    """Give connections on which DBOS may work too; tables say `gm` or `dbos` for their schema."""
    if is_sqlite(url):
        engine = sa.create_engine(url, pool_size=5, max_overflow=0)
        sa.event.listen(engine, "connect", _as_dbos_sets_it)
        schemas: dict[str, str | None] = {"gm": None, "dbos": None}
    else:
        driver = sa.make_url(url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(
            driver, pool_size=5, max_overflow=0, pool_pre_ping=True, **engine_options(url)
        )
        sa.event.listen(engine, "connect", _bound_idle_transactions)
        schemas = {"gm": POSTGRESQL_SCHEMA}
    return engine.execution_options(schema_translate_map=schemas)


def engine_options(url: str) -> dict[str, Any]:
    """Give what connections are made with, DBOS's too.

    Where the network to PostgreSQL is cut, a connection ends before a lease does; TCP alone would
    wait for a quarter of an hour to be told what it sent, and for ever for an answer.
    Source: https://www.postgresql.org/docs/current/libpq-connect.html
    """
    if is_sqlite(url):
        return {}
    bounds = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3}
    timeouts = {"connect_timeout": 10, "tcp_user_timeout": 15_000}
    return {"connect_args": {"application_name": NAME, **bounds, **timeouts}}


def is_sqlite(url: str) -> bool:
    """Tell whether the database is a file."""
    return url.startswith(_SQLITE)


def is_new(url: str) -> bool:
    """Tell whether the database is a file that nobody has made yet."""
    return is_sqlite(url) and not _file(url).exists()


def _as_dbos_sets_it(connection: Any, _: object) -> None:
    """Take the write lock at the first write, so that no transaction is refused in its middle."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={_BUSY}")
    connection.execute("PRAGMA foreign_keys=ON")


def _bound_idle_transactions(connection: Any, _: object) -> None:
    """Let no process that hangs hold locks for ever; DBOS does the same with its connections."""
    connection.execute("SET idle_in_transaction_session_timeout = '60s'")
    connection.commit()  # the pool's rollback would undo it


def prepare(url: str) -> None:
    """Make SQLite's file with its mode, and a write-ahead log.

    With the log a commit is one fsync, and readers do not wait. The mode of the log stays with
    the file. DBOS leaves it at the default, a rollback journal.
    """
    if is_sqlite(url):
        _share(_file(url))
        with closing(sqlite3.connect(_file(url), timeout=_BUSY / 1000)) as database:
            database.execute("PRAGMA journal_mode=WAL")


@contextmanager
def guarded(doing: str) -> Iterator[None]:
    """Say what was being done when the database failed.

    Raises:
        StoreUnavailable: it did.

    """
    try:
        yield
    except Exception as failure:
        if not (isinstance(failure, _FAILURES) or _is_of_dbos(failure)):
            raise
        raise StoreUnavailable(doing, str(failure).partition("\n")[0]) from failure


_FAILURES = (SQLAlchemyError, sqlite3.Error, OSError)


def _is_of_dbos(failure: Exception) -> bool:
    """Tell whether DBOS raised it, without importing what raises nothing until it is."""
    return any(one.__module__ == "dbos._error" for one in type(failure).__mro__)


def is_away(failure: BaseException) -> bool:
    """Tell whether no value is to blame, but the database, which may come back."""
    if isinstance(failure, StoreUnavailable):
        return failure.__cause__ is None or is_away(failure.__cause__)
    away = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
    return isinstance(failure, (*away, sqlite3.OperationalError, OSError))


@contextmanager
def locked(url: str, name: str, *, block: bool) -> Iterator[bool]:
    """Hold a lock file of this machine that belongs to the database; tell whether it was had."""
    with _lock_file(url, name) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def _file(url: str) -> Path:
    file = Path(url.removeprefix(_SQLITE))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return file


def _share(database: Path) -> None:
    """Make SQLite's file with the mode that its directory asks for; -wal and -shm take it over.

    A file that is there is not opened: closing it would drop the locks that SQLite holds on it
    elsewhere in this process.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with suppress(FileExistsError):
        os.close(os.open(database, flags, lock_files.mode_of(database)))
    for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        with suppress(FileNotFoundError):
            if path.stat().st_uid == os.geteuid():
                path.chmod(lock_files.mode_of(path))


def _lock_file(url: str, name: str) -> IO[str]:
    if is_sqlite(url):
        database = _file(url)
        return lock_files.opened(database.with_name(f"{database.name}.{name}.lock"))
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return lock_files.opened(lock_files.made_directory() / f"{digest}.{name}.lock")
