"""What a worker does beside its updates: it looks, each time after a pause, in threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics.errors import GmError

PATIENCE = 5.0
"""Seconds that a worker which ends waits for each thread to give its connection back."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """Something that is done again and again; times in seconds."""

    doing: str
    look: Callable[[], object]
    every: float
    first: float = 0.0
    """The pause before the first time."""

    def until(self, stopped: threading.Event) -> None:
        """Look until it is stopped; nothing that goes wrong ends it."""
        pause = self.first
        while not stopped.wait(pause):
            pause = self.every
            try:
                self.look()
            except (SQLAlchemyError, GmError) as failure:
                log.warning("%s: %s", self.doing, str(failure).partition("\n")[0])
            except Exception:
                log.exception("%s: failed", self.doing)


Beside = Callable[[sa.Engine], Look]
"""Gives something that is looked at, with the worker's connections."""


@contextmanager
def looking(looks: Sequence[Look], stopped: threading.Event) -> Iterator[None]:
    """Look, each in a thread of its own, until the block ends, which sets `stopped`."""
    threads = [
        threading.Thread(target=look.until, args=(stopped,), name=look.doing, daemon=True)
        for look in looks
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(PATIENCE)
