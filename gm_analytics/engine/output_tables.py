"""The table of what mirrors' hosts said, beside those in `schema`, which makes it."""

from __future__ import annotations

import sqlalchemy as sa

OUTPUT = sa.Table(
    "gm_output",
    sa.MetaData(schema="gm"),
    sa.Column("workflow_id", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Text),
    sa.Column("ended_at", sa.Double),
    sa.Column("said", sa.Integer),
    sa.Column("lines", sa.Text),
)
"""One row a step of an update in which something was said: see `engine.output`."""


def statements(at: str) -> tuple[str, ...]:
    """Give the migration that makes it; `at` stands before a table's name."""
    return (
        f"""CREATE TABLE {at}gm_output (
            workflow_id TEXT NOT NULL,
            part INTEGER NOT NULL,
            step TEXT NOT NULL,
            ended_at DOUBLE PRECISION NOT NULL,
            said INTEGER NOT NULL,
            lines TEXT NOT NULL,
            PRIMARY KEY (workflow_id, part))""",
        f"CREATE INDEX gm_output_by_time ON {at}gm_output (ended_at)",
    )
