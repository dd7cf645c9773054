"""What a look at an installation or a mirror finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gm_analytics.errors import GmError

Severity = Literal["ok", "warn", "fail", "unknown"]
"""`unknown` is what could not be looked at or compared."""


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, the fact, and what to do about it if it is not good."""

    subject: str
    severity: Severity
    said: str
    hint: str = ""

    @property
    def good(self) -> bool:
        """Whether it can stay as it is."""
        return self.severity in {"ok", "warn"}

    @property
    def text(self) -> str:
        """Give one line."""
        line = f"{self.subject}: {self.said}"
        return f"{line.rstrip('.')}. {self.hint}" if self.hint else line


def look(subject: str, at: Callable[[], str]) -> Finding:
    """Look at something that gives a fact, or fails."""
    try:
        return Finding(subject, "ok", at())
    except GmError as error:
        return wrong(subject, error)


def wrong(subject: str, error: GmError, severity: Severity = "fail") -> Finding:
    """Tell of an error; the mirror's name is said once."""
    mirror = f"mirror {getattr(error, 'mirror', '')}"
    named = subject == mirror or subject.startswith(f"{mirror} ")
    said = str(error).removeprefix(f"{mirror}: ") if named else str(error)
    return Finding(subject, severity, said, error.hint)
