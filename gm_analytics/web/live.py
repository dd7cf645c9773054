"""What changes, told to pages that are open: looked at once for all, in server-sent events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from gm_analytics.errors import GmError

PAUSE = 1.0
"""Seconds between two looks; workers write as often what they are at."""
SHARE = 4
"""Times as long as a look took is waited after it: looking never takes more than a fifth."""
STREAMS = 224
"""Pages that are told at once."""
LASTS = 45.0
"""Seconds of one stream, less than a request may take; the browser asks again by itself."""
BEAT = 15.0
"""Seconds after which something is sent, though nothing changed."""
_BEHIND = 64
"""Messages that wait for a page that does not read; then it has to ask again."""
_AGAIN = b"retry: 1000\n\n"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of a page, by its id."""

    id: str
    html: str
    digest: str

    @property
    def event(self) -> bytes:
        """Give what puts it in place of what is there."""
        return event("part", {"id": self.id, "html": self.html, "digest": self.digest})


@dataclass(frozen=True)
class Output:
    """The last lines of `said` that a mirror's host said."""

    index: int
    said: int
    lines: tuple[str, ...]

    def after(self, before: int) -> Iterator[bytes]:
        """Give what appends those of them that came after `before` lines."""
        new = self.lines[-(self.said - before) :] if self.said > before else ()
        if new:
            first = self.said - len(new)
            yield event("lines", {"index": self.index, "first": first, "lines": new})


@dataclass(frozen=True)
class Shown:
    """All that changes of a page, as it is now."""

    parts: tuple[Part, ...] = ()
    output: tuple[Output, ...] = ()
    ended: bool = False
    """Whether it changes no more."""
    changed: str = ""
    """Of a page that is to be asked for again: what tells that it is another, which it has too."""

    def after(self, before: Shown) -> bytes:
        """Give the events that make it of what was there before."""
        return b"".join(self._events(before))

    def _events(self, before: Shown) -> Iterator[bytes]:
        known = {part.id: part.digest for part in before.parts}
        yield from (part.event for part in self.parts if known.get(part.id) != part.digest)
        said = {one.index: one.said for one in before.output}
        for one in self.output:
            yield from one.after(said.get(one.index, 0))
        if self.changed != before.changed:
            yield event("changed", {"digest": self.changed})
        if self.ended and not before.ended:
            yield event("end", {})


Known = Mapping[str, Hashable]
"""By subject, what told how it was at the last look; None if there was none."""
Look = Callable[[Known], Mapping[str, tuple[Hashable, Shown]]]
"""Gives what changed since, in a thread: by subject what tells how it is, and what is shown."""


def event(name: str, values: Mapping[str, object]) -> bytes:
    """Give an event; JSON has no line end in it."""
    return f"event: {name}\ndata: {json.dumps(values)}\n\n".encode()


@dataclass
class _Subject:
    """What some pages show."""

    pulse: Hashable = None
    shown: Shown | None = None
    pages: set[asyncio.Queue[bytes | None]] = field(default_factory=set)


class Live:
    """Tells pages what changes. It lives in one event loop."""

    def __init__(self, look: Look, pause: float = PAUSE) -> None:
        self._look = look
        self._pause = pause
        self._subjects: dict[str, _Subject] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more pages can be told."""
        return sum(len(one.pages) for one in self._subjects.values()) >= STREAMS

    async def stream(self, subject: str, lasts: float = LASTS) -> AsyncIterator[bytes]:
        """Give a page all that is shown of a subject, and what changes of it from then on."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_BEHIND)
        clock = asyncio.get_running_loop().time
        ends = clock() + lasts
        self._enter(subject, queue)
        try:
            yield _AGAIN
            while (left := ends - clock()) > 0:
                try:
                    message = await asyncio.wait_for(queue.get(), min(left, BEAT))
                except TimeoutError:
                    message = b":\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._leave(subject, queue)

    def _enter(self, name: str, queue: asyncio.Queue[bytes | None]) -> None:
        subject = self._subjects.setdefault(name, _Subject())
        subject.pages.add(queue)
        if subject.shown:
            _put(queue, subject.shown.after(Shown()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def _leave(self, name: str, queue: asyncio.Queue[bytes | None]) -> None:
        if subject := self._subjects.get(name):
            subject.pages.discard(queue)
            if not subject.pages:
                del self._subjects[name]

    async def _run(self) -> None:
        """Look as long as anybody does."""
        clock = asyncio.get_running_loop().time
        while self._subjects:
            began = clock()
            known = {name: subject.pulse for name, subject in self._subjects.items()}
            try:
                self._tell(await asyncio.to_thread(self._look, known))
            except GmError as error:
                log.warning("open pages are not told: %s", error)
            await asyncio.sleep(max(self._pause, SHARE * (clock() - began)))

    def _tell(self, found: Mapping[str, tuple[Hashable, Shown]]) -> None:
        for name, (pulse, shown) in found.items():
            if subject := self._subjects.get(name):
                before = subject.shown or Shown()
                subject.pulse, subject.shown = pulse, shown
                message = shown.after(before)
                for queue in subject.pages if message else ():
                    _put(queue, message)


def _put(queue: asyncio.Queue[bytes | None], message: bytes) -> None:
    """Hand a message over; a page that is far behind is sent away, and asks again."""
    try:
        queue.put_nowait(message)
    except asyncio.QueueFull:
        with contextlib.suppress(asyncio.QueueEmpty):
            while True:
                queue.get_nowait()
        queue.put_nowait(None)
