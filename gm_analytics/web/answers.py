"""Answers that are pages."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeAlias
from urllib.parse import quote

import connexion
from connexion.lifecycle import ConnexionResponse as Answer
from starlette.responses import Response, StreamingResponse

from gm_analytics.errors import (
    ConfigError,
    GmError,
    StoreUnavailable,
    UnknownPublication,
    UnknownUpdate,
)
from gm_analytics.web import rendering
from gm_analytics.web.access import MAY_WRITE, PERSON
from gm_analytics.web.live import Live

HTML = "text/html; charset=utf-8"
Stream: TypeAlias = Response
"""An answer that has no end yet; Connexion's own is whole."""
__all__ = [
    "MISSING", "Answer", "Stream", "may_write", "page", "paged", "person", "see_other", "state_of",
    "streamed", "wants_page",
]  # fmt: skip
MISSING = (UnknownUpdate, UnknownPublication, ConfigError)
"""Errors that say that what was asked for is not there."""


def wants_page() -> bool:
    """Tell whether who asks is a browser."""
    return "text/html" in connexion.request.headers.get("accept", "")


def person() -> str:
    """Say who asks, as far as the listener knows."""
    return str(_known().get(PERSON) or "an operator")


def may_write() -> bool:
    """Tell whether who asks may ask for changes."""
    return bool(_known().get(MAY_WRITE))


def _known() -> dict[str, Any]:
    return connexion.request.scope.get("extensions") or {}


def state_of(lists: Hashable) -> str:
    """Name how lists are, for a page that asks again when they are otherwise."""
    return rendering.digest(repr(lists))


def streamed(live: Live, subject: str) -> Stream:
    """Tell a page what changes, for as long as it is open."""
    if live.is_full:
        return Response("so many pages are told already", 503, {"retry-after": "30"})
    return StreamingResponse(live.stream(subject), media_type="text/event-stream")


def page(template: str, here: str = "", /, *, status: int = 200, **values: Any) -> Answer:
    """Give a page; `here` is its place in the menu."""
    body = rendering.page(template, here, status=status, **values)
    headers = {"content-security-policy": rendering.POLICY, "vary": "Accept"}
    return Answer(status, content_type=HTML, body=body, headers=headers)


def see_other(*place: str) -> Answer:
    """Lead to another page, once what a form asked for is written down."""
    where = "".join(f"/{quote(part)}" for part in place)
    return Answer(303, content_type=HTML, body="", headers={"location": where})


def problem(error: GmError) -> Answer:
    """Give a page that says why there is none."""
    status = 404 if isinstance(error, MISSING) else 503
    return page("problem.html", status=status, words=str(error), hint=error.hint)


def paged(make: Callable[..., Answer]) -> Callable[..., Answer]:
    """Have a page that cannot be made say why."""

    @wraps(make)
    def answer(*args: Any, **asked: Any) -> Answer:
        try:
            return make(*args, **asked)
        except (*MISSING, StoreUnavailable) as error:
            return problem(error)

    return answer
