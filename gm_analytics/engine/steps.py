"""The steps of a workflow: recorded in DBOS, and tried again where time may help."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_type_hints

from dbos import DBOS
from pydantic import TypeAdapter, ValidationError

from gm_analytics import stored
from gm_analytics.errors import GitHubUnavailable, TransientError
from gm_analytics.updates.ports import P, R
from gm_analytics.updates.progress import Telling

MAX_WAIT = 900.0
"""Seconds; a rate limit that lasts longer than this fails the update."""
MAX_FEEDBACK_WAIT = 4000.0
"""Seconds; GitHub's limits are an hour's."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """How often a transient error is tried again, and the first pause in seconds; it doubles."""

    attempts: int = 6
    seconds: float = 2.0


class DurableStep:
    """Runs a function as a DBOS step and tries transient errors again, with growing pauses.

    Each attempt is a step of its own and each pause is durable, so a restart neither repeats
    nor forgets one. Values are stored as JSON and come back as the function's annotation says.
    """

    def __init__(
        self,
        subject: str,
        retry: Retry,
        max_wait: float = MAX_WAIT,
        telling: Telling | None = None,
    ) -> None:
        """Name what the steps are of, for the log; `max_wait` in seconds bounds one pause."""
        self.telling = telling or Telling()
        self._subject = subject
        self._retry = retry
        self._max_wait = max_wait

    def __call__(
        self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Give what the function returned, now or in an earlier life of the workflow."""
        adapter = _adapter(getattr(function, "__func__", function))

        def once() -> Any:
            with self.telling.step(name):
                return adapter.dump_python(function(*args, **kwargs), mode="json")

        for attempt in range(1, self._retry.attempts + 1):
            try:
                value = DBOS.run_step({"name": name}, once)
            except TransientError as failure:
                pause = self._pause(failure, attempt)
                if attempt == self._retry.attempts or pause > self._max_wait:
                    raise
                log.warning(
                    "%s: %s: %s; trying again in %g s",
                    self._subject,
                    name,
                    failure,
                    pause,
                )
                DBOS.sleep(pause)
            else:
                found: R = _read(name, adapter, value)
                return found
        raise AssertionError("unreachable")

    def _pause(self, failure: TransientError, attempt: int) -> float:
        backoff: float = self._retry.seconds * 2 ** (attempt - 1)
        asked = failure.retry_after if isinstance(failure, GitHubUnavailable) else None
        return max(backoff, asked or 0)


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
