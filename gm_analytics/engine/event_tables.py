"""The tables of events and their deliveries, beside those in `schema`, which makes them."""

from __future__ import annotations

import sqlalchemy as sa

_metadata = sa.MetaData(schema="gm")
EVENTS = sa.Table(
    "gm_events",
    _metadata,
    sa.Column("update_id", sa.Text, primary_key=True),
    sa.Column("repository", sa.Text),
    sa.Column("thread", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("commit_sha", sa.Text),
    sa.Column("base", sa.Text),
    sa.Column("happened_at", sa.Text),
    sa.Column("happened", sa.Text),
    sa.Column("told_as", sa.Text),
    sa.Column("number", sa.Integer),
    sa.Column("mirrors", sa.Text),
    sa.Column("received_at", sa.Double),
)
"""One row an event, see `events.Identity`. `repository` is its id as text, or its name in lower
case while no id was told; `mirrors` is empty if it caused no update and was only noted."""

DELIVERIES = sa.Table(
    "gm_deliveries",
    _metadata,
    sa.Column("delivery_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text),
    sa.Column("update_id", sa.Text),
    sa.Column("received_at", sa.Double),
)
"""Which update a delivery caused, and the SHA-256 of what it said."""

REPOSITORIES = sa.Table(
    "gm_repositories",
    _metadata,
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("listed", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("learned_at", sa.Double),
)
"""Which repository a configured name stands for (`listed`, in lower case), and how it is called
now."""

FORGOTTEN = sa.Table(
    "gm_forgotten",
    _metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("happened_at", sa.Text),
)
"""One row, once events were dropped: when the newest of them happened."""


def statements(at: str) -> tuple[str, ...]:
    """Give the migration that makes them; `at` stands before a table's name."""
    return (
        f"""CREATE TABLE {at}gm_events (
            update_id TEXT NOT NULL PRIMARY KEY,
            repository TEXT NOT NULL,
            thread TEXT NOT NULL,
            kind TEXT NOT NULL,
            commit_sha TEXT NOT NULL,
            base TEXT NOT NULL,
            happened_at TEXT NOT NULL,
            happened TEXT NOT NULL,
            told_as TEXT NOT NULL,
            number INTEGER NOT NULL,
            mirrors TEXT NOT NULL,
            received_at DOUBLE PRECISION NOT NULL)""",
        f"CREATE INDEX gm_events_by_thread ON {at}gm_events (repository, thread)",
        f"CREATE INDEX gm_events_by_time ON {at}gm_events (received_at)",
        f"""CREATE TABLE {at}gm_deliveries (
            delivery_id TEXT NOT NULL PRIMARY KEY,
            digest TEXT NOT NULL,
            update_id TEXT NOT NULL,
            received_at DOUBLE PRECISION NOT NULL)""",
        f"CREATE INDEX gm_deliveries_by_update ON {at}gm_deliveries (update_id)",
        f"""CREATE TABLE {at}gm_repositories (
            repository_id BIGINT NOT NULL PRIMARY KEY,
            listed TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            learned_at DOUBLE PRECISION NOT NULL)""",
        f"""CREATE TABLE {at}gm_forgotten (
            one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
            happened_at TEXT NOT NULL)""",
    )
