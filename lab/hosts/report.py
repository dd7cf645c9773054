"""The table: each step, what was seen, how long it took. A step that fails is a row too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.hosts.shell import LabError, say

_WIDE = 46


@dataclass
class Seen:
    """What a step saw; the last words win."""

    text: str = ""

    def __call__(self, text: object) -> None:
        """Say what was seen."""
        self.text = " ".join(str(text).split())


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    step: str
    seen: str
    seconds: float
    good: bool

    def __str__(self) -> str:
        mark = "ok  " if self.good else "FAIL"
        return f"{mark} {self.step:<{_WIDE}} {self.seconds:6.1f} s  {self.seen}"


@dataclass
class Report:
    """The steps so far."""

    rows: list[Row] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether there was a step and none failed."""
        return bool(self.rows) and all(row.good for row in self.rows)

    @contextmanager
    def step(self, name: str) -> Iterator[Seen]:
        """Time a step, and tell at once how it went.

        Raises:
            LabError: as the step did; its first line is the row's.

        """
        seen = Seen()
        began = time.monotonic()
        try:
            yield seen
        except (LabError, OSError) as error:
            lines = str(error).splitlines()
            said = " … ".join(dict.fromkeys([lines[0], lines[-1]]))
            self._add(Row(name, said, time.monotonic() - began, False))
            raise
        self._add(Row(name, seen.text, time.monotonic() - began, True))

    def fail(self) -> None:
        """Count a failure outside of any step, if none was counted."""
        if self.good:
            self._add(Row("the lab itself", "see above", 0.0, False))

    def table(self) -> str:
        """Give all rows, and the sum in a last line."""
        total = sum(row.seconds for row in self.rows)
        bad = sum(not row.good for row in self.rows)
        lines = [str(row) for row in self.rows]
        lines += [f"{total:.0f} s in all", f"{len(self.rows) - bad} passed, {bad} failed"]
        return "\n".join(lines)

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        say(str(row))


def expect(true: object, what: str) -> None:
    """Fail the step unless `true`; `what` says what was seen instead.

    Raises:
        LabError: it is not.

    """
    if not true:
        raise LabError(what)
