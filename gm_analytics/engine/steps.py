"""The steps of a workflow: recorded in DBOS, and tried again where time may help."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any, Protocol, get_type_hints

from dbos import DBOS
from pydantic import TypeAdapter, ValidationError

from gm_analytics import stored
from gm_analytics.engine.run import Unwatched, Watch
from gm_analytics.errors import GmError, NotVisible, TransientError
from gm_analytics.updates.ports import P, R
from gm_analytics.updates.progress import Telling

log = logging.getLogger(__name__)


class Pauses(Protocol):
    """Says whether and when a step is tried again."""

    def pause(self, failure: GmError, attempt: int, slept: float) -> float | None:
        """Give the seconds until the next attempt, having `slept` before; None for no more."""
        ...


class DurableStep:
    """Runs a function as a DBOS step and tries transient errors again, with growing pauses.

    Each attempt is a step of its own and each pause is durable, so a restart neither repeats
    nor forgets one; what is decided depends on nothing that a restart changes. Values are stored
    as JSON and come back as the function's annotation says.
    """

    def __init__(
        self,
        subject: str,
        pauses: Pauses,
        telling: Telling | None = None,
        run: Watch | None = None,
    ) -> None:
        """Name what the steps are of, for the log; `run` says whether they may go on."""
        self.telling = telling or Telling()
        self.run = run or Unwatched()
        self._subject = subject
        self._pauses = pauses
        self._gave_up = False

    def __call__(
        self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Give what the function returned, now or in an earlier life of the workflow."""
        adapter = _adapter(getattr(function, "__func__", function))

        def once() -> Any:
            # What is raised for a lost lease is nothing that DBOS records.
            self.run.before(name)
            try:
                with self.telling.step(name):
                    value = adapter.dump_python(function(*args, **kwargs), mode="json")
            except Exception as failure:
                self.run.after(name, failure)
                raise
            self.run.after(name)
            return value

        slept = 0.0
        for attempt in count(1):
            try:
                value = DBOS.run_step({"name": name}, once)
            except TransientError as failure:
                pause = self._pause(failure, attempt, slept)
                if pause is None:
                    raise
                log.warning(
                    "%s: %s: %s; trying again in %g s",
                    self._subject,
                    name,
                    failure,
                    pause,
                )
                DBOS.sleep(pause)
                slept += pause
            else:
                found: R = _read(name, adapter, value)
                return found
        raise AssertionError("unreachable")

    def _pause(self, failure: GmError, attempt: int, slept: float) -> float | None:
        """Give the pause; after a step that was given up, what still runs only cleans up."""
        pause = None if self._gave_up else self._pauses.pause(failure, attempt, slept)
        self._gave_up = pause is None and not isinstance(failure, NotVisible)
        return pause


def _read(name: str, adapter: TypeAdapter[R], value: Any) -> R:
    """Give what a step gave; a stored value may be of another process, or anybody's."""
    try:
        found: R = adapter.validate_python(value)
    except ValidationError as error:
        raise stored.malformed(f"what the step {name!r} gave", error) from error
    return found


@lru_cache
def _adapter(function: Callable[..., Any]) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(function)["return"])
