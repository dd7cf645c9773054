"""Forms of pages, once `access` knows who sent them, and that a page of this listener did."""

from __future__ import annotations

from typing import cast

from gm_analytics.web.bodies import Message, RawHeaders, Receive, values
from gm_analytics.web.door import Application, Scope, Send, inner, reply

MOST = 16 * 1024
"""Bytes of a form."""
KIND = b"application/x-www-form-urlencoded"


async def take(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Have a form answered."""
    headers = cast("RawHeaders", scope["headers"])
    if (body := await _read(headers, receive)) is None:
        await reply(send, 400, {"reason": "expected a form of at most 16 kB"})
    else:
        await app(inner(scope, body), _given(body), send)


async def _read(headers: RawHeaders, receive: Receive) -> bytes | None:
    """Give the body of a form; None of what is none, or longer than `MOST`."""
    kinds = values(headers, b"content-type")
    if len(kinds) != 1 or kinds[0].split(b";")[0].strip().lower() != KIND:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > MOST:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _given(body: bytes) -> Receive:
    """Give a `receive` for a request whose body was taken."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
