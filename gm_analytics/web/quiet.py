"""Keeps what strangers cause from filling the log: short lines, escaped, and so many a minute."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

SHOWN = 80
"""Characters of one value from outside."""
LINE = 160
"""Characters of one line that a stranger causes, without its time and logger."""
LINES = 60
"""Lines a minute; the rest are counted."""
MINUTE = 60.0
STRANGERS = "gm_analytics.web.strangers"
"""The logger of what strangers cause."""
_LOGGERS = (STRANGERS, "uvicorn", "connexion", "flask", "werkzeug", "a2wsgi", "asyncio")
"""Loggers, with those below them, that a request without a signature can make write."""


def clean(text: str, limit: int = SHOWN) -> str:
    """Give a text from outside on one line, escaped and cut."""
    line = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return line if len(line) <= limit else line[: limit - 3] + "..."


class Quiet(logging.Filter):
    """Shortens and counts the records of `_LOGGERS`; all others pass as they are."""

    def __init__(self, lines: int = LINES, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._lines = lines
        self._clock = clock
        self._began = clock()
        self._seen = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written."""
        if record.name.startswith(_LOGGERS) and not getattr(record, "quiet", False):
            if not self._has_room(record):
                return False
            _shorten(record)
        return True

    def _has_room(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if now - self._began >= MINUTE:
            left = self._seen - self._lines
            self._began, self._seen = now, 0
            if left > 0:
                record.msg = f"{record.getMessage()[:LINE]} ({left:,} lines before were left out)"
                record.args = ()
        self._seen += 1
        return self._seen <= self._lines


def _shorten(record: logging.LogRecord) -> None:
    raised = _raised(record)
    record.exc_info = record.exc_text = record.stack_info = None
    if record.name == "uvicorn.access" and isinstance(record.args, tuple):
        # Its formatter wants the five values.
        record.args = tuple(
            clean(value) if isinstance(value, str) else value for value in record.args
        )
        return
    said = record.getMessage()
    if raised:
        said = f"{said.strip()[:SHOWN]}: {raised}"
    record.msg, record.args = clean(said, LINE), ()


def _raised(record: logging.LogRecord) -> str:
    """Give a record's exception without its traceback: the innermost place, and its words."""
    if not record.exc_info or (error := record.exc_info[1]) is None:
        return ""
    places = [
        f"{frame.f_code.co_name}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    words = "".join(traceback.format_exception_only(error)).strip()
    return " in ".join([words[:SHOWN], *places[-1:]])


def install() -> None:
    """Put one filter on the handlers that are there: our own, and uvicorn's under Connexion."""
    quiet = Quiet()
    for name in ("", "uvicorn", "uvicorn.access"):
        for handler in logging.getLogger(name or None).handlers:
            if not any(isinstance(found, Quiet) for found in handler.filters):
                handler.addFilter(quiet)
