"""Bodies that operators send: read whole, and no longer, larger or slower than they may be."""

from __future__ import annotations

import asyncio

import pytest

from gm_analytics.web import small_bodies
from gm_analytics.web.bodies import Message, Receive


def sending(*messages: Message) -> Receive:
    """Give what receives these messages, and then waits for ever."""
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        return await asyncio.get_running_loop().create_future()

    return receive


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_is_put_together() -> None:
    assert asyncio.run(small_bodies.read(sending(part(b"a", more=True), part(b"b")))) == b"ab"


def test_a_body_of_the_size_is_taken_and_one_byte_more_is_not() -> None:
    most = b"x" * small_bodies.MOST
    assert asyncio.run(small_bodies.read(sending(part(most)))) == most
    assert asyncio.run(small_bodies.read(sending(part(most, more=True), part(b"x")))) is None


def test_who_has_gone_sends_none() -> None:
    gone = sending(part(b"a", more=True), {"type": "http.disconnect"})
    assert asyncio.run(small_bodies.read(gone)) is None


def test_what_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_bodies, "SECONDS", 0.01)
    assert asyncio.run(small_bodies.read(sending(part(b"a", more=True)))) is None


def test_a_body_that_was_read_comes_once() -> None:
    async def twice() -> list[Message]:
        receive = small_bodies.given(b"a")
        return [await receive(), await receive()]

    assert asyncio.run(twice()) == [part(b"a"), {"type": "http.disconnect"}]


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ([(b"Content-Type", b"Text/Plain; charset=x")], b"text/plain"),
        ([], b""),
        ([(b"content-type", b"a/b"), (b"content-type", b"a/b")], b""),
    ],
)
def test_the_kind_of_a_body(headers: list[tuple[bytes, bytes]], kind: bytes) -> None:
    assert small_bodies.kind(headers) == kind
