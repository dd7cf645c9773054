"""Bodies that operators send: a few kilobytes, read whole, once it is known who sends them."""

from __future__ import annotations

import asyncio

from gm_analytics.web.bodies import Message, RawHeaders, Receive, values

MOST = 16 * 1024
"""Bytes of a body."""
SECONDS = 10.0
"""Within which it is there."""
LIMITS = f"at most {MOST // 1024} kB, within {SECONDS:.0f} s"


def kind(headers: RawHeaders) -> bytes:
    """Give the content type without its parameters; nothing if there is not exactly one."""
    found = values(headers, b"content-type")
    return found[0].split(b";")[0].strip().lower() if len(found) == 1 else b""


async def read(receive: Receive) -> bytes | None:
    """Give a body; None of one that is not within `LIMITS`, or whose sender has gone."""
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(SECONDS):
            while more:
                message = await receive()
                body += message.get("body", b"")
                if message["type"] != "http.request" or len(body) > MOST:
                    return None
                more = message.get("more_body", False)
    except TimeoutError:
        return None
    return bytes(body)


def given(body: bytes) -> Receive:
    """Give a `receive` for a request whose body was read."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
