"""The tables of what waits and runs, and of what clients have not seen yet, as statements."""

from __future__ import annotations


def waits(prefix: str) -> str:
    """Give the statement that makes `gm_waits`; see `engine.waiting`."""
    return f"""CREATE TABLE {prefix}gm_waits (
        workflow_id TEXT NOT NULL PRIMARY KEY,
        mirror TEXT NOT NULL,
        waits_for TEXT NOT NULL,
        reason TEXT NOT NULL,
        since DOUBLE PRECISION NOT NULL,
        next_try DOUBLE PRECISION NOT NULL,
        not_before DOUBLE PRECISION NOT NULL,
        tries INTEGER NOT NULL,
        woken INTEGER NOT NULL,
        told INTEGER NOT NULL)"""


def unseen(prefix: str) -> str:
    """Give the statement that makes `gm_unseen`; see `engine.unseen`."""
    return f"""CREATE TABLE {prefix}gm_unseen (
        workflow_id TEXT NOT NULL PRIMARY KEY,
        mirror TEXT NOT NULL,
        repomd TEXT NOT NULL,
        preview INTEGER NOT NULL,
        since DOUBLE PRECISION NOT NULL,
        next_look DOUBLE PRECISION NOT NULL,
        looks INTEGER NOT NULL)"""


def came(prefix: str) -> tuple[str, ...]:
    """Give the statements by which `gm_progress` has a download's bytes; see `engine.progress`."""
    add = f"ALTER TABLE {prefix}gm_progress ADD COLUMN"
    return f"{add} came BIGINT NOT NULL DEFAULT 0", f"{add} size BIGINT NOT NULL DEFAULT 0"
