"""The events port: what happens in an update while it runs, told to whoever listens.

Both ways of running the story feed it, `operations.by_hand.DirectStep` and
`engine.steps.DurableStep`, and so do the commands on the mirror while they run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeAlias

from gm_analytics.errors import GmError
from gm_analytics.log_context import carried, concerning
from gm_analytics.measures import STEP_SECONDS
from gm_analytics.mirror import coming
from gm_analytics.updates.model import Outcome
from gm_analytics.updates.states import State

KEPT = 50
"""Lines of output that `Now` keeps."""
WAITING = 1000
"""Events that wait for a slow listener; then lines are left out, and at twice as many all."""
PATIENCE = 2.0
"""Seconds that a person's command waits at its end for what it shows."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepStarted:
    """A step begins, or begins again. Times are seconds since the epoch."""

    step: str
    at: float


@dataclass(frozen=True)
class OutputLine:
    """The mirror's host said something: one line, cut, without control characters."""

    text: str


@dataclass(frozen=True)
class PackagesDone:
    """So many packages of a download are there."""

    done: int
    total: int
    came: int = 0
    size: int = 0
    """Bytes, and of how many; 0 if that is not told."""


@dataclass(frozen=True)
class StepEnded:
    """A step has ended, with an error if it failed."""

    step: str
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class UpdateEnded:
    """The update has ended."""

    state: State
    message: str


Event: TypeAlias = StepStarted | OutputLine | PackagesDone | StepEnded | UpdateEnded


class Listener(Protocol):
    """Is told of one update, in a thread of its own."""

    @property
    def pause(self) -> float:
        """Seconds in which events gather before they are told; 0 to be told at once."""
        ...

    def hear(self, events: Sequence[Event]) -> None:
        """Take what happened since the last time, in its order. May fail, and be slow."""
        ...


@dataclass(frozen=True)
class Now:
    """What runs now."""

    step: str = ""
    """Empty between two steps."""
    since: float = 0.0
    """When the step began, in seconds since the epoch."""
    done: int = 0
    total: int = 0
    """Packages of the step's download; 0 if it has none, or has not said."""
    lines: tuple[str, ...] = ()
    """The newest that the mirror's host said, the last one last."""
    said: int = 0
    """How many it said in all."""
    came: int = 0
    size: int = 0
    """Bytes of the step's download that are there, and in all; 0 if that is not told."""

    def after(self, event: Event) -> Now:
        """Give what runs after an event."""
        match event:
            case StepStarted(step, at):
                return replace(_without(self), step=step, since=at)
            case OutputLine(text):
                return replace(self, lines=(*self.lines, text)[-KEPT:], said=self.said + 1)
            case PackagesDone(done, total, came, size):
                return replace(self, done=done, total=total, came=came, size=size)
            case StepEnded() | UpdateEnded():
                return replace(_without(self), step="", since=0.0)


def _without(now: Now) -> Now:
    """Give the same without a download."""
    return replace(now, done=0, total=0, came=0, size=0)


HEAD, TAIL = 50, 150
"""Lines of a step that are kept once it has ended: how it began, and how it ended."""


@dataclass(frozen=True)
class Said:
    """What a mirror's host said in a step that has ended."""

    step: str
    ended_at: float
    """In seconds since the epoch."""
    said: int
    """How many lines in all."""
    lines: tuple[str, ...]
    """The first `HEAD` and the last `TAIL` of them, in their order."""

    @property
    def left_out(self) -> int:
        """How many are left out, behind the first `HEAD`."""
        return max(0, self.said - len(self.lines))


class Saying:
    """Collects what is said in one step."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=TAIL)
        self._said = 0

    def hear(self, line: str) -> None:
        """Take a line."""
        self._said += 1
        (self._first if self._said <= HEAD else self._last).append(line)

    def ended(self, at: float) -> Said | None:
        """Give what is kept; None if nothing was said."""
        lines = (*self._first, *self._last)
        return Said(self._step, at, self._said, lines) if lines else None


class Telling:
    """Tells listeners of one update. None of them fails it or makes it wait.

    At the end of its block, it waits for at most `patience` seconds until all is told.
    """

    def __init__(self, listeners: Sequence[Listener] = (), patience: float = 0.0) -> None:
        self._ears = [_Ear(listener) for listener in listeners]
        self._patience = patience
        self._came = self._of = 0
        """Bytes of the step's download."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for ear in self._ears:
            ear.end()
        deadline = time.monotonic() + self._patience
        for ear in self._ears:
            ear.await_end(deadline - time.monotonic())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell that a step begins and how it ends; the block is the step."""
        self._came = self._of = 0
        self._tell(StepStarted(name, time.time()))
        began = time.monotonic()
        try:
            with concerning(step=name):
                yield
        except Exception as failure:
            self._ended(name, time.monotonic() - began, str(GmError.wrap(failure)))
            raise
        self._ended(name, time.monotonic() - began)

    def _ended(self, name: str, seconds: float, error: str | None = None) -> None:
        STEP_SECONDS.add(seconds, step=name, result="failed" if error else "ok")
        self._tell(StepEnded(name, seconds, error))

    def line(self, text: str) -> None:
        """Tell what the mirror's host said."""
        self._tell(OutputLine(text))
        self._of = coming.to_come(text) or self._of
        if found := coming.came(text):
            self._came += found.size
            size = max(self._came, self._of) if self._of else 0
            self._tell(PackagesDone(found.done, found.total, self._came if size else 0, size))

    def of(self, perform: Callable[[], Outcome]) -> Outcome:
        """Give what an update comes to, and tell it."""
        try:
            outcome = perform()
        except Exception as failure:
            self._tell(UpdateEnded("failed", str(GmError.wrap(failure))))
            raise
        self._tell(UpdateEnded(outcome.state, outcome.message))
        return outcome

    def _tell(self, event: Event) -> None:
        for ear in self._ears:
            ear.tell(event)


class _Ear:
    """One listener, with a thread in which it is told."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._changed = threading.Condition()
        self._waiting: list[Event] = []
        self._ended = False
        self._thread = threading.Thread(target=carried(self._run), name="listener", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        with self._changed:
            most = WAITING if isinstance(event, OutputLine) else 2 * WAITING
            if len(self._waiting) < most:
                self._waiting.append(event)
                self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def await_end(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        while events := self._take():
            try:
                self._listener.hear(events)
            except Exception as failure:  # whatever it is, the update goes on
                name = type(self._listener).__name__
                log.warning("%s: %s: %s", name, type(failure).__name__, failure)

    def _take(self) -> list[Event]:
        """Wait for events, let more gather for a while, and take them; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._changed.wait_for(lambda: self._ended, self._listener.pause)
            taken, self._waiting = self._waiting, []
            return taken
