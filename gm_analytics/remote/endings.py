"""What it means that a command ended so, where that is not the command's own doing. No I/O."""

from __future__ import annotations

from gm_analytics.errors import CommandStopped, CommandTimedOut, GmError, LoginUnusable
from gm_analytics.remote.commands import NOT_SENT
from gm_analytics.remote.lines import clean

_TIMED_OUT = {124, 137}
"""Exit codes of timeout(1) when the time was over: its own, and that of a command it killed."""
_SIGNALS = {129: "SIGHUP", 130: "SIGINT", 137: "SIGKILL", 143: "SIGTERM"}
"""Exit codes of a command that somebody else ended."""


def in_time(mirror: str, doing: str, exited: int, seconds: float, took: float) -> GmError | None:
    """Give the error of a command that was stopped since its time was over."""
    if exited in _TIMED_OUT and took >= seconds:
        return CommandTimedOut(mirror, doing, seconds)
    return None


def by_signal(mirror: str, doing: str, exited: int) -> GmError | None:
    """Give the error of a command that somebody else ended."""
    return CommandStopped(mirror, doing, _SIGNALS[exited]) if exited in _SIGNALS else None


def of_login(mirror: str, doing: str, exited: int | None, printed: str) -> GmError:
    """Give the error of a login that ended, or printed too much, before the command began."""
    reasons = {None: "it prints without an end", NOT_SENT: "its start files read what was sent"}
    reason = reasons.get(exited, f"exit code {exited}")
    return LoginUnusable(mirror, doing, reason, printed)


def line(printed: bytes) -> str:
    """Give what a login printed as a line."""
    return clean(printed.replace(b"\n", b" "))
