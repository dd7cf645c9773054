"""Answers of Flask's threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from gm_analytics.web.threads import Threads

PARTS = [b"%d," % number for number in range(100)]
SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
}


def test_parts_come_whole_and_in_order_though_their_thread_has_gone_on() -> None:
    gone_on = threading.Event()

    def application(_: object, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield from PARTS
        gone_on.set()

    async def answer() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            if not sent:  # the loop stands still; who waited for it would stand still too
                assert gone_on.wait(20)
            sent.append(message)

        await Threads(application)(SCOPE, asyncio.Queue[Any]().get, send)
        return sent

    start, *parts = asyncio.run(answer())
    assert start["status"] == 200
    assert b"".join(part["body"] for part in parts) == b"".join(PARTS)


def test_what_the_application_raises_reaches_the_caller() -> None:
    def application(_: object, __: object) -> Iterable[bytes]:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        asyncio.run(Threads(application)(SCOPE, asyncio.Queue[Any]().get, _nobody))


async def _nobody(_: object) -> None:
    """Send nothing."""
