"""Run by test_crash: a worker that kills itself with SIGKILL before or after one step.

    python -m tests.integration.killed STEP before|after

The step function is wrapped where DBOS runs it: `before` it does anything, or `after` it did it
all and before DBOS could record that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from dbos import DBOS

from gm_analytics.service import Service

STEP, MOMENT = sys.argv[1:]
run_step = DBOS.run_step


def killing(options: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
    def step() -> Any:
        if MOMENT == "after":
            function()
        os.kill(os.getpid(), signal.SIGKILL)

    if options["name"] == STEP:
        return run_step(options, step)
    return run_step(options, function, *args, **kwargs)


DBOS.run_step = killing  # type: ignore[method-assign,assignment]
with Service.from_file().worker():
    threading.Event().wait()
