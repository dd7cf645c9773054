"""Which service this is: an id that its database makes once and keeps."""

from __future__ import annotations

import uuid
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics.errors import StoreUnavailable

_SCHEMA = "gm_analytics"
"""PostgreSQL's; SQLite has none."""
_LOCK = 0x676D_0016
"""PostgreSQL's advisory lock while the table is made."""


def of(url: str) -> str:
    """Give the id of the service whose database this is, made by whoever asks first.

    Raises:
        StoreUnavailable: the database did not answer.

    """
    is_sqlite = url.startswith("sqlite:///")
    try:
        if is_sqlite:
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        address = (
            make_url(url) if is_sqlite else make_url(url).set(drivername="postgresql+psycopg")
        )
        engine = create_engine(address)
        try:
            with engine.begin() as connection:
                return _identity(connection, "" if is_sqlite else f"{_SCHEMA}.")
        finally:
            engine.dispose()
    except (SQLAlchemyError, OSError) as failure:
        said = str(failure).partition("\n")[0]
        raise StoreUnavailable("reading which service this is", said) from failure


def _identity(connection: Connection, prefix: str) -> str:
    if prefix:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"))
    table = f"{prefix}gm_identity"
    columns = "one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), service TEXT NOT NULL"
    for statement in (
        f"CREATE TABLE IF NOT EXISTS {table} ({columns})",
        f"INSERT INTO {table} VALUES (1, '{uuid.uuid4().hex}') ON CONFLICT DO NOTHING",  # noqa: S608
    ):
        connection.execute(text(statement))
    return str(connection.execute(text(f"SELECT service FROM {table}")).scalar_one())  # noqa: S608
