"""By which words an update is found: texts in lower case, of a size that an index takes.

PostgreSQL's index holds 2,704 bytes a row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from gm_analytics.updates.model import Update
from gm_analytics.wording import clean

MOST = 600
"""Bytes of each of the two texts."""
_BATCH = 1000


def subject(update: Update) -> str:
    """Give what an update is: its pull request, author, commit, mirror, kind and id."""
    words = (update.thread, update.author, update.commit, update.mirror, update.aim.word)
    return said(" ".join((*words, update.base_ref, update.id)))


def said(text: str) -> str:
    """Give a text as it is searched."""
    return clean(text.lower()).encode()[:MOST].decode("utf-8", "ignore")


def fill(connection: sa.Connection, table: str) -> None:
    """Fill in what rows lack that an earlier version stored."""
    columns = "workflow_id, repository, number, mirror, kind, commit_sha, message"
    lacking = f"SELECT {columns} FROM {table} WHERE subject = '' LIMIT {_BATCH}"  # noqa: S608  # the table's own name
    put = f"UPDATE {table} SET subject = :subject, said = :said WHERE workflow_id = :id"  # noqa: S608
    while rows := connection.execute(sa.text(lacking)).all():
        connection.execute(sa.text(put), [_texts(row) for row in rows])


def _texts(row: Any) -> dict[str, str]:
    thread = f"{row.repository}#{row.number}"
    words = (thread, row.commit_sha, row.mirror, row.kind, row.workflow_id)
    found = said(" ".join(map(str, words)))
    return {"id": row.workflow_id, "subject": found, "said": said(str(row.message))}
