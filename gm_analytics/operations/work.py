"""Whether somebody performs what was accepted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gm_analytics import __version__
from gm_analytics.errors import GmError
from gm_analytics.operations.findings import Finding, wrong
from gm_analytics.updates.model import Record
from gm_analytics.wording import when

if TYPE_CHECKING:
    from gm_analytics.engine.workforce import Workforce

_SUBJECT = "workers"
_START = "Start `gm-analytics serve` or `gm-analytics worker`, and see the log of the last one."
_RESTART = "Restart it (`serve`, or `worker`): it goes by what it read when it began."


def workers(look: Callable[[], Workforce]) -> Finding:
    """Say who works; with work that nobody does something is wrong."""
    try:
        found = look()
    except GmError as error:
        return wrong(_SUBJECT, error)
    if found.workers:
        who = ", ".join(worker.text for worker in found.workers)
        return Finding(_SUBJECT, "ok", f"{who}; updates that wait or run: {found.open}")
    if found.since is None:
        return Finding(_SUBJECT, "warn", "none runs, and nothing waits for one", _START)
    oldest = when(found.since)
    said = f"none runs; updates that wait for one: {found.open}, the oldest since {oldest}"
    return Finding(_SUBJECT, "fail", said, _START)


def outdated(look: Callable[[], Workforce], config: Path) -> Iterator[Finding]:
    """Tell of this host's workers that began before what is there now: configuration, program."""
    try:
        written, found = config.stat().st_mtime, look()
    except (OSError, GmError):  # of which others tell
        return
    here = socket.gethostname()
    for worker in found.workers:
        if worker.host == here and worker.program != __version__:
            said = f"{worker.text} began before {__version__} was installed"
            yield Finding(_SUBJECT, "warn", said, _RESTART)
        if worker.host == here and worker.started_at < written:
            said = f"{worker.text} began before {config} was written, {when(written)}"
            yield Finding(_SUBJECT, "warn", said, _RESTART)


def idle(look: Callable[[], Workforce]) -> Iterator[Finding]:
    """Say only what is wrong: work that nobody does."""
    found = workers(look)
    if found.severity == "fail":
        yield found


def waiting(look: Callable[[str], Iterable[Record]], mirrors: Iterable[str]) -> Iterator[Finding]:
    """Say which updates wait on each mirror: for something that is away, or for their turn."""
    for mirror in mirrors:
        try:
            found = list(look(mirror))
        except GmError:  # of which others tell
            return
        yield from (_waits(mirror, record) for record in found)


def _waits(mirror: str, record: Record) -> Finding:
    update = record.update
    which = f"{update.id}, of {update.origin}" if update.origin else update.id
    if record.wait:
        hint = "It goes on by itself; `gm-analytics retry ID` has it try now."
        return Finding(f"mirror {mirror} update", "warn", f"{which}: {record.message}", hint)
    said = f"{which}: waits for its turn, since {when(record.accepted_at)}"
    return Finding(f"mirror {mirror} update", "ok", said)
