"""Whether a worker lives: the loop that keeps its lease turns, and DBOS's, which takes updates.

While no database answers, both wait for it: that is life, too, since starting again would not
bring it back. A loop that hangs for another reason is none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from gm_analytics.engine.client import QUEUE
from gm_analytics.supervisor import WORKER, Supervisor

STILL = 200.0
"""Seconds after which a loop that did not turn hangs: where several workers stand in each other's
way, DBOS makes pauses of up to two minutes."""
_TAKES = f"queue-worker-{QUEUE}"
"""What DBOS calls the thread that takes updates."""

log = logging.getLogger(__name__)
Clock = Callable[[], float]


class Pulse:
    """Has the supervisor told, while both loops turn."""

    def __init__(self, supervisor: Supervisor, clock: Clock = time.monotonic) -> None:
        self._supervisor, self._clock = supervisor, clock
        self._told = self._turned = clock()
        self._counts = self._hangs = False

    def listen(self, dbos: Any) -> None:
        """Hear of each turn of DBOS's loop: it reads its queue's row in each.

        A version of DBOS that no longer does so is never heard, and not waited for.
        """
        store = dbos._sys_db
        read = store.get_queue

        def get_queue(*args: Any, **options: Any) -> Any:
            if threading.current_thread().name == _TAKES:
                self._turned, self._counts = self._clock(), True
            return read(*args, **options)

        store.get_queue = get_queue

    def turn(self, runs: Sequence[str], *, away: bool) -> None:
        """Hear that the other loop turned; say so if it is time, with what runs."""
        now = self._clock()
        if away:
            self._turned = now
        hangs = self._counts and now - self._turned > STILL
        if hangs and not self._hangs:
            log.error("no update is taken any more: DBOS's loop hangs")
        self._hangs = hangs
        if hangs or now - self._told < self._supervisor.every:
            return
        self._told = now
        self.show(runs, away=away)

    def show(self, runs: Sequence[str], *, away: bool = False) -> None:
        """Say that the worker lives, and what it runs."""
        status = "; ".join(runs) or "waits for work"
        self._supervisor.lives(WORKER, f"the store is away; {status}" if away else status)
