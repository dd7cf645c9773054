"""`gm-analytics cancel`: end updates that wait or run, before clients see what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from gm_analytics.updates.model import Record, Update

if TYPE_CHECKING:
    from gm_analytics.engine.cancelling import Answer

PATIENCE = 60.0
"""Seconds that a worker may take to stop what it runs."""
POLL = 0.5


class Store(Protocol):
    """Where updates are, and their workers look."""

    def get(self, update_id: str) -> list[Record]:
        """Give the update on each mirror."""
        ...

    def cancel(self, update_id: str, asked_by: str) -> Answer:
        """End one, or ask its worker to."""
        ...


def run(
    store: Store,
    records: list[Record],
    asked_by: str,
    tell: Callable[[Update], object],
    patience: float = PATIENCE,
) -> Iterator[tuple[Record, Answer]]:
    """Cancel an update on each mirror; give what became of it, `asked` if that is not over yet.

    Whoever performs it tells its pull request; of one that only waited it is told here. One that
    was asked for is asked for again: its attempt may have come to wait, or its worker have died.
    """
    asked = [(record, store.cancel(record.update.id, asked_by)) for record in records]
    deadline = time.monotonic() + patience
    for record, first in asked:
        answer = first
        while answer == "asked" and time.monotonic() < deadline:
            time.sleep(POLL)
            answer = store.cancel(record.update.id, asked_by)
        if answer == "cancelled":
            tell(record.update)
        now = store.get(record.update.id)[0]
        yield now, _answer(answer, now)


def _answer(answer: Answer, now: Record) -> Answer:
    if now.ended:
        return "cancelled" if now.state == "cancelled" else "ended"
    return answer
