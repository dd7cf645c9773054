"""The web of this host, by what it answers operators: a part of `check`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace

from gm_analytics import __version__, settings
from gm_analytics.operations.findings import Finding
from gm_analytics.places import Listen, is_loopback
from gm_analytics.remote import local
from gm_analytics.wording import clean, when

_SUBJECT = "web"
_START = (
    "Start `gm-analytics serve` or `gm-analytics web`, and see its log; if it runs on another "
    "host, run `check` there too."
)
_RESTART = "Restart it (`serve`, or `web`): it goes by what it read when it began."


def findings(config: settings.Settings) -> Iterator[Finding]:
    """Say whether a web answers here, and whether it goes by what is there now."""
    listen = _asked(config)
    if listen is None:  # it cannot be asked
        return
    body = local.read(f"http://{listen}/healthz")
    if body is None:
        if not config.polls:
            yield Finding(_SUBJECT, "warn", f"none answers operators on {listen}", _START)
        return
    told = _told(body)
    if told is None:
        said = f"what answers on {listen} is no web of gm-analytics"
        yield Finding(_SUBJECT, "warn", said, "Choose another operator_listen, or off.")
        return
    version, began = told
    yield from _outdated(config, f"the web on {listen}", version, began)
    said = f"it answers operators on {listen}, and is gm-analytics {version}"
    yield Finding(_SUBJECT, "ok", said)


def _asked(config: settings.Settings) -> Listen | None:
    """Give where a web answers whoever is on this host without credentials."""
    listen = config.operator_listen
    if listen is None or config.operators.local == "none":
        return None
    if listen.host in {"0.0.0.0", "::"}:  # noqa: S104  # it is compared
        return replace(listen, host="::1" if ":" in listen.host else "127.0.0.1")
    return listen if is_loopback(listen.host) else None


def _told(body: bytes) -> tuple[str, float] | None:
    """Give the version of a web, and when it began, which an earlier version does not tell."""
    try:
        found = json.loads(body)
        return clean(str(found["version"])), float(found.get("started_at", math.inf))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _outdated(
    config: settings.Settings, who: str, version: str, began: float
) -> Iterator[Finding]:
    if version != __version__:
        said = f"{who} runs gm-analytics {version}, and {__version__} is installed"
        yield Finding(_SUBJECT, "warn", said, _RESTART)
    try:
        written = config.files.config.stat().st_mtime if config.files else 0.0
    except OSError:  # of which others tell
        return
    if began < written:
        path = config.files.config if config.files else ""
        said = f"{who} began before {path} was written, {when(written)}"
        yield Finding(_SUBJECT, "warn", said, _RESTART)
