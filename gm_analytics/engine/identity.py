"""Which service this is: an id that its database gets once and keeps."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from gm_analytics.engine.database import guarded
from gm_analytics.engine.schema import IDENTITY, prefix


def of(engine: sa.Engine) -> str:
    """Give the id of the service whose database this is, made by whoever asks first.

    Raises:
        StoreUnavailable: the database did not answer.

    """
    query = sa.select(IDENTITY.c.service)
    with guarded("reading which service this is"), engine.begin() as connection:
        found = connection.scalar(query)
        if found is None:
            _make(connection)
            found = connection.scalars(query).one()
        return str(found)


def _make(connection: sa.Connection) -> None:
    """Store a new id, unless another process was faster."""
    table, fresh = f"{prefix(connection)}gm_identity", uuid.uuid4().hex
    statement = f"INSERT INTO {table} VALUES (1, '{fresh}') ON CONFLICT DO NOTHING"  # noqa: S608
    connection.exec_driver_sql(statement)
