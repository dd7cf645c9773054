"""The orderly end of a worker: it takes nothing new, and what runs has a time to come to its end.

What has not ended then is stopped and put back into its queue, as when a worker dies.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from gm_analytics.engine.client import QUEUE
from gm_analytics.supervisor import Supervisor

PARKING = 20.0
"""Seconds that stopping what runs, and giving the lease back, may take after that."""
_LOOK = 0.1
_TAKERS = "queue-worker-"
"""How DBOS's threads that take what is stored are called."""

log = logging.getLogger(__name__)


def drain(dbos: Any, seconds: float, supervisor: Supervisor) -> None:
    """Take no more updates, and wait so many seconds at most for those that run.

    Feedback is not waited for: it may be pausing for an hour, and is said by the next worker.
    """
    # As DBOS begins its own end; that would wait in whole seconds, and for feedback, too.
    for stop in dbos.background_thread_stop_events:
        stop.set()
    supervisor.ends("ends", seconds + PARKING)
    until, said = time.monotonic() + seconds, 0
    while (left := until - time.monotonic()) > 0:
        running = dbos._active_workflows_set.count_for_queue(QUEUE)
        if not running and not _takes():
            return
        if running and said != int(left):
            if not said:
                log.info("the worker ends: %d updates run, and have %g s", running, seconds)
            said = int(left)
            supervisor.ends(f"ends: {running} updates have {said} s more", left + PARKING)
        time.sleep(_LOOK)


def _takes() -> bool:
    """Tell whether something may be taken still: a thread is in the middle of its last look."""
    return any(thread.name.startswith(_TAKERS) for thread in threading.enumerate())
