"""The database's clock, which is one for all workers, whatever their machines say."""

from __future__ import annotations

import sqlalchemy as sa

_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}


def now(connection: sa.Connection) -> sa.ColumnElement[float]:
    """Give the time within a statement, in seconds since the epoch."""
    return sa.literal_column(_NOW[connection.dialect.name], sa.Double)
