"""The first tables of updates, of what they are at and of looks at a forge, as statements.

They are as they landed: what came later is added by later migrations.
"""

from __future__ import annotations


def updates(at: str) -> tuple[str, ...]:
    """Give the statements that make `gm_updates`; `at` stands before a table's name."""
    table = f"{at}gm_updates"
    return (
        f"""CREATE TABLE {table} (
            workflow_id TEXT NOT NULL PRIMARY KEY,
            update_id TEXT NOT NULL,
            mirror TEXT NOT NULL,
            repository TEXT NOT NULL,
            number INTEGER NOT NULL,
            kind TEXT NOT NULL,
            commit_sha TEXT NOT NULL,
            changed_at TEXT NOT NULL,
            requested_at DOUBLE PRECISION NOT NULL,
            state TEXT NOT NULL,
            message TEXT NOT NULL,
            accepted_at DOUBLE PRECISION NOT NULL,
            started_at DOUBLE PRECISION,
            ended_at DOUBLE PRECISION,
            update_values TEXT NOT NULL)""",
        f"CREATE INDEX gm_updates_by_update ON {table} (update_id)",
        f"CREATE INDEX gm_updates_by_time ON {table} (accepted_at, workflow_id)",
        f"CREATE INDEX gm_updates_by_pull_request ON {table} (repository, number, mirror)",
        f"CREATE INDEX gm_updates_open ON {table} (workflow_id) WHERE ended_at IS NULL",
    )


def progress(at: str) -> str:
    """Give the statement that makes `gm_progress`; see `engine.progress`."""
    return f"""CREATE TABLE {at}gm_progress (
            workflow_id TEXT NOT NULL PRIMARY KEY,
            step TEXT NOT NULL,
            since DOUBLE PRECISION NOT NULL,
            done INTEGER NOT NULL,
            total INTEGER NOT NULL,
            lines TEXT NOT NULL,
            said INTEGER NOT NULL,
            written_at DOUBLE PRECISION NOT NULL)"""


def looks(at: str) -> str:
    """Give the statement that makes `gm_looks`; see `engine.looks`."""
    return f"""CREATE TABLE {at}gm_looks (
            repository TEXT NOT NULL PRIMARY KEY,
            began_at DOUBLE PRECISION NOT NULL,
            busy_until DOUBLE PRECISION NOT NULL,
            holder TEXT NOT NULL,
            since TEXT NOT NULL,
            head TEXT NOT NULL,
            counts_from TEXT NOT NULL)"""
