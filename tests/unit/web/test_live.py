"""What open pages are told: at once what there is, then what changes, looked at once for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping

import pytest

from gm_analytics.errors import StoreUnavailable
from gm_analytics.web import live
from gm_analytics.web.live import Known, Live, Output, Part, Shown


def shown(html: str, said: int = 0, *lines: str, ended: bool = False) -> Shown:
    return Shown((Part("head-0", html, html),), (Output(0, said, lines),), ended)


class Store:
    """What is looked at; counts the looks."""

    def __init__(self, **now: Shown) -> None:
        self.now = now
        self.looks: list[dict[str, Hashable]] = []
        self.away = False

    def look(self, known: Known) -> Mapping[str, tuple[Hashable, Shown]]:
        self.looks.append(dict(known))
        if self.away:
            raise StoreUnavailable("looking at updates", "locked")
        return {
            name: (now, now)
            for name in known
            if (now := self.now[name]) != known[name]
        }  # fmt: skip


async def told(stream: AsyncIterator[bytes]) -> list[tuple[str, dict[str, object]]]:
    """Give the events of the next message that has any."""
    async for message in stream:
        if message.startswith(b"event"):
            found = [one.split("\n") for one in message.decode().split("\n\n") if one]
            return [(name[7:], json.loads(data[6:])) for name, data in found]
    return []


def running(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_page_is_told_what_there_is_and_then_what_changes() -> None:
    async def test() -> None:
        store = Store(one=shown("waiting"))
        stream = Live(store.look, 0.01).stream("one")
        assert await told(stream) == [
            ("part", {"id": "head-0", "html": "waiting", "digest": "waiting"})
        ]
        store.now["one"] = shown("waiting", 2, "a", "b")
        assert await told(stream) == [("lines", {"index": 0, "first": 0, "lines": ["a", "b"]})]
        store.now["one"] = shown("running", 5, "d", "e")
        first, lines = await told(stream)
        assert first[1]["html"] == "running"
        assert lines == ("lines", {"index": 0, "first": 3, "lines": ["d", "e"]})
        store.now["one"] = shown("published", 5, "d", "e", ended=True)
        assert [name for name, _ in await told(stream)] == ["part", "end"]
        await stream.aclose()  # type: ignore[attr-defined]

    running(test)


def test_all_pages_of_an_update_cost_one_look_and_none_when_they_are_closed() -> None:
    async def test() -> None:
        store = Store(one=shown("running", 1, "a"))
        hub = Live(store.look, 0.01)
        streams = [hub.stream("one") for _ in range(50)]
        for one in await asyncio.gather(*map(told, streams)):
            assert [name for name, _ in one] == ["part", "lines"]
        late = hub.stream("one")
        assert [name for name, _ in await told(late)] == ["part", "lines"]
        assert all(set(known) == {"one"} for known in store.looks)
        for stream in (*streams, late):
            await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.05)
        looks = len(store.looks)
        await asyncio.sleep(0.05)
        assert len(store.looks) == looks

    running(test)


def test_lists_are_asked_for_again_only_when_they_changed() -> None:
    """Also if that was between the page and its stream: a page knows what it is of."""

    async def test() -> None:
        store = Store(**{"": Shown(changed="a")})
        stream = Live(store.look, 0.01).stream("", lasts=0.3)
        assert await told(stream) == [("changed", {"digest": "a"})]
        store.now[""] = Shown(changed="b")
        assert await told(stream) == [("changed", {"digest": "b"})]
        assert await told(stream) == [], "it ends in time, and nothing else changed"

    running(test)


def test_a_store_that_is_away_for_a_while_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        store = Store(one=shown("running"))
        store.away = True
        stream = Live(store.look, 0.01).stream("one")
        await anext(stream)
        waiting = asyncio.create_task(told(stream))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        store.away = False
        assert [name for name, _ in await waiting] == ["part"]
        await stream.aclose()  # type: ignore[attr-defined]

    running(test)
    assert "open pages are not told" in caplog.text


def test_a_page_that_does_not_read_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_BEHIND", 2)

    async def test() -> None:
        store = Store(one=shown("0"))
        hub = Live(store.look, 0.001)
        slow, quick = hub.stream("one"), hub.stream("one")
        await anext(slow)
        await told(quick)
        for number in range(1, 5):
            store.now["one"] = shown(str(number))
            await told(quick)
        assert [message async for message in slow] == []
        await quick.aclose()  # type: ignore[attr-defined]

    running(test)


def test_only_so_many_pages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STREAMS", 2)

    async def test() -> None:
        hub = Live(Store(one=shown("0")).look, 0.01)
        streams = [hub.stream("one"), hub.stream("one")]
        await anext(streams[0])
        assert not hub.is_full
        await anext(streams[1])
        assert hub.is_full
        await streams[0].aclose()  # type: ignore[attr-defined]
        assert not hub.is_full
        await streams[1].aclose()  # type: ignore[attr-defined]

    running(test)
