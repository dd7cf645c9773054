"""The lines of the log: an event is one line, whoever's words are in it.

structlog's chain (https://www.structlog.org/en/stable/standard-library.html) gets the records of
all loggers, libraries' among them: fields are added, secrets taken out, what a terminal obeys is
written out, and the event becomes a line for people or JSON.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from gm_analytics.hidden import redacted
from gm_analytics.log_context import FIELDS, about

Event = MutableMapping[str, Any]
Render = Callable[[Any, str, Event], str]
LONGEST = 8000
"""Characters of one event, and of one line of a trace."""
FIELD = 200
"""Characters of what an event is about."""
TRACE = 200
"""Lines of a trace: its first and its last half."""
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog's, by which `journalctl -p` finds them: https://man7.org/linux/man-pages/man3/sd-daemon.3.html"""


def formatter(render: Render) -> logging.Formatter:
    """Give what makes a line of a record."""
    chain = [_take_record, structlog.stdlib.ProcessorFormatter.remove_processors_meta, _clean]
    return structlog.stdlib.ProcessorFormatter(processors=[*chain, render])


def as_json(_: Any, __: str, event: Event) -> str:
    """Give an event as an object of JSON."""
    if trace := event.pop("trace", None):
        event["exception"] = "\n".join(trace)
    event["timestamp"] = f"{event['timestamp']:%Y-%m-%dT%H:%M:%S.%f}Z"
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    return str(render(None, "", event))


def as_text(*, colours: bool) -> Render:
    """Give what writes an event for people: one line, and those of a trace, which are indented."""

    def render(_: Any, __: str, event: Event) -> str:
        at = f"{event['timestamp']:%Y-%m-%d %H:%M:%S}.{event['timestamp'].microsecond // 1000:03}"
        colour = _COLOURS.get(event["level"], "") if colours else ""
        return f"{at} UTC {_said(event, colour)}"

    return render


def for_the_journal(_: Any, __: str, event: Event) -> str:
    """Give an event for systemd's journal, which has its time, and knows how grave it is."""
    priority = f"<{_PRIORITY.get(event['level'], 5)}>"
    return priority + _said(event, "").replace("\n", f"\n{priority}")


def _said(event: Event, colour: str) -> str:
    level, end = event["level"].upper(), "\x1b[0m" if colour else ""
    line = f"{colour}{level}{end} {event['logger']}: {event['event']}"
    # What the words name already is not said twice.
    more = (f" {name}={event[name]}" for name in FIELDS if not _names(line, event.get(name)))
    return "\n    ".join([line + "".join(more), *event.get("trace", ())])


def _names(line: str, value: str | None) -> bool:
    return value is None or bool(re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", line))


def _take_record(_: Any, __: str, event: Event) -> Event:
    """Say when, how grave, whose and about what."""
    record: logging.LogRecord = event["_record"]
    error = (event.get("exc_info") or (None, None))[1]
    return {
        **{name: event[name] for name in ("_record", "_from_structlog")},
        "timestamp": datetime.fromtimestamp(record.created, UTC),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event["event"],
        **{name: value[:FIELD] for name, value in about().items()},
        **({"trace": _trace(error)} if error else {}),
    }


def _clean(_: Any, __: str, event: Event) -> Event:
    """Take secrets out, and write out whatever would end the line or act on a terminal."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = plain(value)
        elif isinstance(value, list):
            event[name] = [plain(line) for line in value]
    return event


def plain(text: str) -> str:
    """Give a text on one line, without secrets and control characters, cut."""
    text = redacted(text)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST:,} characters more)"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _trace(error: BaseException) -> list[str]:
    """Give a traceback in lines; an exception's own words are one, whatever is in them."""
    lines: list[str] = []
    # A private key has many lines: it is known while it is whole.
    for part in traceback.TracebackException.from_exception(error).format():
        words = redacted(part.rstrip("\n"))
        lines += words.split("\n") if words.startswith("  File ") else [words]
    left_out = len(lines) - TRACE
    if left_out > 0:
        lines[TRACE // 2 : -TRACE // 2] = [f"… ({left_out:,} lines more)"]
    return lines
