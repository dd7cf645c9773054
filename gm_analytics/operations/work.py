"""Whether somebody performs what was accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gm_analytics.engine.workforce import Workforce
from gm_analytics.errors import GmError
from gm_analytics.operations.findings import Finding, wrong
from gm_analytics.wording import when

_SUBJECT = "workers"
_START = "Start `gm-analytics serve` or `gm-analytics worker`, and see the log of the last one."


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
    oldest = when(found.since, " UTC")
    said = f"none runs; updates that wait for one: {found.open}, the oldest since {oldest}"
    return Finding(_SUBJECT, "fail", said, _START)


def idle(look: Callable[[], Workforce]) -> Iterator[Finding]:
    """Say only what is wrong: work that nobody does."""
    found = workers(look)
    if found.severity == "fail":
        yield found
