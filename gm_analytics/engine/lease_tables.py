"""The tables of workers and of wishes to cancel, beside those in `schema`, which makes them."""

from __future__ import annotations

import sqlalchemy as sa

_metadata = sa.MetaData(schema="gm")
LEASES = sa.Table(
    "gm_leases",
    _metadata,
    sa.Column("executor", sa.Text, primary_key=True),
    sa.Column("host", sa.Text),
    sa.Column("pid", sa.Integer),
    sa.Column("place", sa.Text),
    sa.Column("began", sa.Text),
    sa.Column("application_version", sa.Text),
    sa.Column("program", sa.Text),
    sa.Column("started_at", sa.Double),
    sa.Column("beat_at", sa.Double),
    sa.Column("ends_at", sa.Double),
)
"""One row a worker that lives, by the database's clock: see `engine.leases`."""

REQUESTS = sa.Table(
    "gm_requests",
    _metadata,
    sa.Column("workflow_id", sa.Text, primary_key=True),
    sa.Column("asked_by", sa.Text),
    sa.Column("asked_at", sa.Double),
)
"""One row an update that runs and is to be cancelled: see `engine.cancelling`."""


def statements(at: str) -> tuple[str, ...]:
    """Give the migration that makes them; `at` stands before a table's name."""
    return (
        f"""CREATE TABLE {at}gm_leases (
            executor TEXT NOT NULL PRIMARY KEY,
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            place TEXT NOT NULL,
            began TEXT NOT NULL,
            application_version TEXT NOT NULL,
            program TEXT NOT NULL,
            started_at DOUBLE PRECISION NOT NULL,
            beat_at DOUBLE PRECISION NOT NULL,
            ends_at DOUBLE PRECISION NOT NULL)""",
        f"""CREATE TABLE {at}gm_requests (
            workflow_id TEXT NOT NULL PRIMARY KEY,
            asked_by TEXT NOT NULL,
            asked_at DOUBLE PRECISION NOT NULL)""",
    )
