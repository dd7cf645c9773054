"""The log: on standard error, an event a line, for people or as JSON."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TextIO

from gm_analytics import hidden

if TYPE_CHECKING:
    from gm_analytics.settings import Settings

_NOISY = ("paramiko", "connexion", "dbos", "fabric", "urllib3")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
Format = Literal["console", "json"]
log = logging.getLogger(__name__)


def log_to_standard_error(level: str, form: Format = "console") -> None:
    """Log from this level on; libraries that say much from `warning` on, unless it is `debug`."""
    from gm_analytics.cli import log_lines  # noqa: PLC0415  # structlog; most commands log nothing

    hide_environment(os.environ)
    stream = sys.stderr
    render: log_lines.Render = log_lines.as_text(colours=_has_colours(stream, os.environ))
    if form == "json":
        render = log_lines.as_json
    elif _is_the_journal(stream, os.environ):
        render = log_lines.for_the_journal
    handler = Handler(stream)
    handler.setFormatter(log_lines.formatter(render))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # DBOS makes a handler that writes lines of another form, unless there is one already.
    its = logging.getLogger("dbos")
    its.handlers[:], its.propagate = [logging.NullHandler()], True
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else logging.WARNING)


def log_what_nobody_catches() -> None:
    """Have what ends a thread logged as everything else is: its words may hold a secret."""
    threading.excepthook = _thread_ended
    sys.unraisablehook = _not_raised


class Handler(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be made is told of without its words."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Say that a line is missing; Python would print the words that it could not write."""
        kind = sys.exc_info()[0]
        if kind is None or issubclass(kind, OSError):  # there is nowhere to write to
            return
        where = f"{record.pathname}:{record.lineno}"
        try:
            self.stream.write(f"a line of the log is missing: {where}: {kind.__name__}\n")
        except (OSError, ValueError):
            return


def hide_secrets_of(config: Settings) -> None:
    """Never show what the configuration keeps to itself: fields that it does not repeat."""
    _hide_fields(config)


def hide_environment(environ: Mapping[str, str]) -> None:
    """Never show the passwords that the environment has for proxies and PostgreSQL."""
    for name, value in environ.items():
        if name.lower() in _PROXIES or name == "PGPASSWORD":
            hidden.hide(value)


def _hide_fields(value: Any) -> None:
    if isinstance(value, list | tuple):
        for one in value:
            _hide_fields(one)
    for name, field in getattr(type(value), "model_fields", {}).items():
        found = getattr(value, name)
        if isinstance(found, str) and not field.repr:
            hidden.hide(found)
        else:
            _hide_fields(found)


def _has_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _is_the_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether systemd reads it.

    Source: https://www.freedesktop.org/software/systemd/man/systemd.exec.html#%24JOURNAL_STREAM
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _thread_ended(said: threading.ExceptHookArgs) -> None:
    if said.exc_type is SystemExit or said.exc_value is None:
        return
    name = said.thread.name if said.thread else "?"
    log.error("thread %s: ended", name, exc_info=said.exc_value)


def _not_raised(said: Any) -> None:
    log.error("%s", said.err_msg or "an error that nobody can catch", exc_info=said.exc_value)
