"""What runs now, on standard error: in place on a terminal, as lines in a pipe."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TextIO

from gm_analytics.cli import interruption
from gm_analytics.rpm.changes import size_text
from gm_analytics.updates.model import Record, StepRecord
from gm_analytics.updates.progress import (
    PATIENCE,
    Event,
    Now,
    OutputLine,
    PackagesDone,
    StepEnded,
    StepStarted,
    Telling,
    UpdateEnded,
)
from gm_analytics.wording import counted

if TYPE_CHECKING:
    from gm_analytics.engine.client import Store

FOLLOW_PAUSE = 0.2
_CLEAR = "\r\x1b[K"


class Screen:
    """Shows an update's events."""

    pause = 0.0

    def __init__(self, out: TextIO | None = None, *, prefix: str = "") -> None:
        """Take where to write, by default standard error, and what each line begins with."""
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        self._prefix = prefix
        self._now = Now()
        self._silent = False
        self._writing = threading.RLock()

    def hear(self, events: Sequence[Event]) -> None:
        """Show them."""
        with self._writing:
            if not self._silent:
                self._show(events)

    def silence(self) -> None:
        """Show no more; what is half shown is waited for, though not for long."""
        got = self._writing.acquire(timeout=PATIENCE / 10)
        self._silent = True
        if got:
            self._writing.release()

    def _show(self, events: Sequence[Event]) -> None:
        for event in events:
            self._now = self._now.after(event)
            if line := self._line(event):
                self._write(line + "\n")
        if self._terminal:
            self._write(self._status())
        self._out.flush()

    def _line(self, event: Event) -> str:
        """Give what stays to be read of an event."""
        match event:
            case StepEnded(name, seconds, error):
                return f"{name}: failed" if error else f"{name}: {seconds:.2f} s"
            case StepStarted(name) if not self._terminal:
                return f"{name} …"
            case OutputLine(text) if not self._terminal:
                return f"  {text}"
        return ""

    def _status(self) -> str:
        """Give what runs now, on one line of the terminal."""
        now = self._now
        if not now.step:
            return ""
        count = f" {now.done:,} of {counted(now.total, 'package')}" if now.total else ""
        if now.size:
            count += f", {size_text(now.came)} of {size_text(now.size)}"
        said = f": {now.lines[-1]}" if now.lines else ""
        width = shutil.get_terminal_size().columns - 1
        return f"{self._prefix}{now.step} …{count}{said}"[:width]

    def _write(self, text: str) -> None:
        if self._terminal:
            self._out.write(_CLEAR + (self._prefix if text.endswith("\n") else "") + text)
        else:
            self._out.write(self._prefix + text)


@contextmanager
def shown() -> Iterator[Telling]:
    """Show what a command does while the block runs."""
    screen = Screen()
    with interruption.silencing(partial(_hush, screen)), Telling((screen,), PATIENCE) as telling:
        yield telling


def _hush(*screens: Screen) -> None:
    """Leave the terminal to whoever says that the command stops."""
    for screen in screens:
        screen.silence()
    logging.disable()


def follow(store: Store, update_id: str) -> None:
    """Show an update that another process performs, until it has ended on each mirror."""
    screens: dict[str, Screen] = {}
    with interruption.silencing(lambda: _hush(*screens.values())):
        _follow(store, update_id, screens)


def _follow(store: Store, update_id: str, screens: dict[str, Screen]) -> None:
    followed: dict[str, _Followed] = {}
    while True:
        records = store.get(update_id)
        for record in records:
            name = record.update.id
            if name not in followed:
                prefix = f"{record.update.mirror}: " if len(records) > 1 else ""
                screens[name] = Screen(prefix=prefix)
                followed[name] = _Followed(screens[name])
            followed[name].show(record, store.now(name))
        if all(record.ended for record in records):
            return
        time.sleep(FOLLOW_PAUSE)


class _Followed:
    """Makes events of what the store has, as far as it is new."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._steps = 0
        self._now = Now()

    def show(self, record: Record, now: Now | None) -> None:
        fresh = record.steps[self._steps :]
        self._steps = len(record.steps)
        if now and any(_is_of(step, now) for step in record.steps):
            now = now.after(_ended(record.steps[-1]))  # the store is a moment late
        events = [*map(_ended, fresh), *_between(self._now, now or Now())]
        self._now = now or Now()
        if record.ended:
            events.append(UpdateEnded(record.state, record.message))
        if events:
            self._screen.hear(events)


def _between(before: Now, now: Now) -> list[Event]:
    """Give the events that led from one state to the next."""
    events: list[Event] = []
    if now.step and (now.step, now.since) != (before.step, before.since):
        events.append(StepStarted(now.step, now.since))
    new = now.said - before.said if now.said >= before.said else now.said
    events += [OutputLine(line) for line in now.lines[max(0, len(now.lines) - new) :]]
    if now.total:
        events.append(PackagesDone(now.done, now.total, now.came, now.size))
    return events


def _ended(step: StepRecord) -> StepEnded:
    return StepEnded(step.name, step.completed_at - step.started_at, step.error)


def _is_of(step: StepRecord, now: Now) -> bool:
    return step.name == now.step and step.completed_at >= now.since
