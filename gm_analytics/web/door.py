"""The outermost ASGI middleware: what comes from the Internet is bounded and checked here.

It sees a request before Connexion does. Only a signed delivery has its body read; whatever is
refused here costs no thread, no parser and one short line of the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from gm_analytics import measures
from gm_analytics.errors import ConfigError, DeliveryError
from gm_analytics.service import PAGE
from gm_analytics.web.bodies import Bodies, Limits, Message, RawHeaders, Receive
from gm_analytics.web.protection import protected
from gm_analytics.web.quiet import STRANGERS, clean

BODY = "gm_analytics.body"
"""Where the ASGI scope keeps the body of a delivery."""
RETRY_AFTER = 2
"""Seconds after which there may be room again."""
_SPECIFICATION = "/swagger.json"
_OURS = (PAGE, "/healthz", _SPECIFICATION)
"""How paths of the specification begin."""
_OF_A_CONNECTION = {b"host", b"content-length", b"transfer-encoding", b"expect"}
"""Headers that the application does not get: it has the body, and builds nothing from Host."""

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(STRANGERS)


class Door:
    """Wraps the application; `secret` gives the webhook's, `prefix` is as in `create_app`."""

    def __init__(
        self,
        app: Application,
        secret: Callable[[], str],
        limits: Limits | None = None,
        prefix: str = "",
    ) -> None:
        self._app = app
        self._secret = secret
        self._prefix = prefix
        self._bodies = Bodies(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = within(scope, self._prefix)
        if scope["method"] == "POST" and scope["path"] == PAGE:
            await self._deliver(scope, receive, protecting(send))
        elif not is_plain(scope["path"]):
            await reply(protecting(send), 404, {"reason": "no such page"})
        else:
            await self._app(inner(scope, b""), nothing_more(), protecting(send))

    async def _deliver(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = cast("RawHeaders", scope["headers"])
            async with self._bodies.taken(headers, receive, self._secret()) as body:
                await self._app(inner(scope, body), nothing_more(), send)
        except DeliveryError as error:
            note(scope, error)
            await reply(send, error.status, refusal(error))
        except ConfigError as error:
            measures.delivery_refused(error)
            log.error("a delivery cannot be checked: %s", clean(str(error)))
            await reply(send, 503, {"command_return": "unavailable", "reason": error.public})


def within(scope: Scope, prefix: str) -> Scope:
    """Give a request with its path as the specification has it.

    A prefix comes from the configuration alone: who asks may send any `X-Forwarded-Prefix`. The
    webhook's address may end with a slash, since GitHub follows no redirect with its body.
    """
    path = scope["path"]
    rest = path.removeprefix(prefix)
    if rest.startswith(_OURS):  # a proxy may have taken the prefix off, and ours may begin alike
        path = rest
    if scope["method"] == "POST" and path == f"{PAGE}/":
        path = PAGE
    root = {"root_path": prefix} if prefix and path == _SPECIFICATION else {}
    return {**scope, "path": path, **root}


def is_plain(path: str) -> bool:
    """Tell whether Connexion and the framework below it read a path alike.

    Starlette would redirect to what the Host header names for a slash too many. With a line
    feed or an empty segment Flask finds a route where Connexion found none.
    """
    empty = "//" in path or (len(path) > 1 and path.endswith("/"))
    return path.isprintable() and not empty


def refusal(error: DeliveryError) -> dict[str, str]:
    """Give the body of a reply to a delivery that is refused."""
    said = "unavailable" if error.transient else "refused"
    return {"command_return": said, "reason": error.public}


def note(scope: Scope, error: DeliveryError) -> None:
    """Write one line on what a stranger was refused, and count it."""
    measures.delivery_refused(error)
    client = scope.get("client") or ("?",)
    sent = f"{clean(scope['method'], 10)} {clean(scope['path'], 40)}"
    log.warning("%s from %s: %s %s", sent, clean(client[0], 40), error.status, clean(str(error)))


def inner(scope: Scope, body: bytes) -> Scope:
    """Give the scope that the application gets, with a body that was read."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in _OF_A_CONNECTION]
    extensions = {**scope.get("extensions", {}), BODY: body}
    return {**scope, "headers": headers, "extensions": extensions}


def nothing_more() -> Receive:
    """Give a `receive` for a request whose body was taken, or is not wanted."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never  # its caller is cancelled

    return receive


def until_gone(receive: Receive) -> Receive:
    """Give a `receive` as `nothing_more`, which tells when who asked hangs up."""
    nothing = nothing_more()
    asked = False

    async def receiving() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return await nothing()
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return receiving


def protecting(send: Send) -> Send:
    """Send with the headers that every answer has."""

    async def protect(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": protected(message.get("headers", []))}
        await send(message)

    return protect


async def reply(
    send: Send, status: int, values: dict[str, str], *more: tuple[bytes, bytes]
) -> None:
    """Answer with JSON."""
    body = json.dumps(values).encode()
    length = (b"content-length", b"%d" % len(body))
    headers = [(b"content-type", b"application/json"), length, *more]
    if status == 503:  # noqa: PLR2004
        headers.append((b"retry-after", b"%d" % RETRY_AFTER))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
