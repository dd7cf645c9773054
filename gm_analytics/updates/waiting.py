"""Waiting is not failing: what an update waits for, until when, and when it is tried again.

No I/O. What time may cure ends an update's attempt, not the update: see `engine.waiting`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.errors import (
    CommandTimedOut,
    GitHubUnavailable,
    GmError,
    WaitsFor,
)
from gm_analytics.wording import when

MAX_PAUSE = 600.0
"""Seconds between two tries, unless the other side asked for more."""
WORTH_TELLING = 10.0
"""Seconds; a pull request is not told of shorter pauses."""
_HERE = frozenset[WaitsFor | None]({"mirror", "lock", "store"})
"""What is tried again within the attempt, too: anything else would hold the mirror meanwhile."""
_WHAT: dict[WaitsFor, str] = {
    "mirror": "mirror {}",
    "lock": "the lock of mirror {}",
    "upstream": "the upstream of mirror {}",
    "github": "GitHub",
    "store": "the service's database",
    "web server": "the web server of mirror {}",
}


def known(word: object) -> WaitsFor | None:
    """Give what a stored word means; None for another version's."""
    return next((what for what in _WHAT if what == word), None)


@dataclass(frozen=True)
class Retry:
    """How long is waited.

    Within an attempt there are `attempts`, after pauses that begin with `seconds` and double.
    Between attempts the pauses go on growing, for so many `hours` in all.
    """

    attempts: int = 6
    seconds: float = 2.0
    hours: float = 24.0


@dataclass(frozen=True)
class Wait:
    """What an update waits for; times in seconds since the epoch."""

    waits_for: WaitsFor
    reason: str
    since: float
    next_try: float
    """When it is tried again; 0 for as soon as can be."""
    tries: int
    not_before: float = 0.0
    """Until when the other side asked not to be called."""
    woken: int = 0
    """How many attempts began after a wait."""
    told: bool = False
    """Whether the pull request was told."""

    def says(self, mirror: str, reason: str) -> str:
        """Word it, with what may be read of the reason."""
        what = self.what(mirror)
        at = f"next try {when(self.next_try)}" if self.next_try else "trying again now"
        return f"waiting for {what}, {at}: {reason}"

    def what(self, mirror: str) -> str:
        """Name what is waited for."""
        return _WHAT[self.waits_for].format(mirror)


def after(failure: GmError, before: Wait | None, now: float, retry: Retry) -> Wait | None:
    """Give the wait that begins, or goes on, with what an attempt met; None if it ends there."""
    if failure.waits_for is None:
        return None
    same = before is not None and before.waits_for == failure.waits_for
    made = 1 if before or not _is_tried_here(failure) else retry.attempts
    tries = before.tries + 1 if before and same else made
    if isinstance(failure, CommandTimedOut) and tries > retry.attempts:
        return None  # it is not away: it is too slow
    since = before.since if before else now
    ends = since + retry.hours * 3600
    asked = _asked(failure)
    not_before = now + asked if asked else 0.0
    pause = retry.seconds * 2.0 ** min(tries - 1, 30)
    next_try = max(not_before, min(now + min(pause, MAX_PAUSE), ends))
    if now >= ends or next_try > ends:
        return None
    return Wait(
        failure.waits_for,
        str(failure),
        since,
        next_try,
        tries,
        not_before,
        before.woken if before else 0,
        before.told if before else False,
    )


def is_worth_telling(wait: Wait, now: float) -> bool:
    """Tell whether the pull request is told of it: not of moments.

    While GitHub is away once is enough, since it is told when GitHub is back.
    """
    long = wait.next_try - now >= WORTH_TELLING
    return long and not (wait.told and wait.waits_for == "github")


def _is_tried_here(failure: GmError) -> bool:
    return failure.waits_for in _HERE and not isinstance(failure, CommandTimedOut)


def _asked(failure: GmError) -> float:
    return (isinstance(failure, GitHubUnavailable) and failure.retry_after) or 0.0


# --- within an attempt ----------------------------------------------------------------------


class Briefly:
    """Tries a step a few times within the attempt, where the mirror or the store is away."""

    def __init__(self, attempts: int, seconds: float) -> None:
        self._attempts, self._seconds = attempts, seconds

    def pause(self, failure: GmError, attempt: int, slept: float) -> float | None:  # noqa: ARG002
        """Give the seconds until the next attempt; None to leave it to the wait."""
        if attempt >= self._attempts or not _is_tried_here(failure):
            return None
        return self._seconds * 2.0 ** (attempt - 1)


class Patiently:
    """Tries a step for hours: feedback holds nothing but its pull request's turn."""

    def __init__(self, seconds: float, hours: float) -> None:
        self._seconds, self._most = seconds, hours * 3600

    def pause(self, failure: GmError, attempt: int, slept: float) -> float | None:
        """Give the seconds until the next attempt; None once that was long enough."""
        backoff = min(self._seconds * 2.0 ** min(attempt - 1, 30), MAX_PAUSE)
        pause = max(backoff, _asked(failure))
        return pause if slept + pause <= self._most else None
