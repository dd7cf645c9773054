"""Forms of pages, once `access` knows who sent them, and that a page of this listener did."""

from __future__ import annotations

from typing import cast

from gm_analytics.web.bodies import RawHeaders, Receive
from gm_analytics.web.door import Application, Scope, Send, inner, reply
from gm_analytics.web.small_bodies import LIMITS, given, kind, read

KIND = b"application/x-www-form-urlencoded"


async def take(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Have a form answered."""
    is_form = kind(cast("RawHeaders", scope["headers"])) == KIND
    if not is_form or (body := await read(receive)) is None:
        await reply(send, 400, {"reason": f"expected a form of {LIMITS}"})
    else:
        await app(inner(scope, body), given(body), send)
