"""What a person asks of workers through a page or the API, as a value. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wanted = Literal["retry", "cancel", "rollback"]
Fate = Literal["waiting", "taken", "done", "refused", "expired"]
"""`taken`: a worker is at it; `done`: it did what was asked for, which of a rollback is that the
update waits for its turn; `refused`: it could not be done; `expired`: no worker came in time."""
EXPIRES = 900.0
"""Seconds after which what nobody carried out is carried out no more."""
OPEN: frozenset[Fate] = frozenset({"waiting", "taken"})


@dataclass(frozen=True)
class Wish:
    """A request; times in seconds since the epoch, by the database's clock."""

    id: str
    """The same id is the same request, however often it is sent."""
    wanted: Wanted
    mirror: str
    asked_by: str
    update_id: str = ""
    """Of retry and cancel: the update of one mirror. Of a rollback: the update that it became."""
    publication: int = 0
    """Of a rollback: the one to go back to."""
    expected: int = 0
    """Of a rollback: the one that the person saw as live; if another one is, it is refused."""
    reason: str = ""
    asked_at: float = 0.0
    expires_at: float = 0.0
    fate: Fate = "waiting"
    said: str = ""
    """What came of it."""
    ended_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be carried out."""
        return self.fate in OPEN
