"""Reads deliveries' bodies: within a time, a size and a memory, and only what we signed.

The signature is computed while the bytes arrive, so that no body waits for another and none is
kept that is not ours.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from gm_analytics.errors import (
    BadSignature,
    DeliveryIncomplete,
    DeliveryTooLarge,
    DeliveryTooSlow,
    TooManyDeliveries,
)
from gm_analytics.github.webhook import MAX_BODY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
RawHeaders = list[tuple[bytes, bytes]]
_SIGNATURE = re.compile(rb"sha256=[0-9a-f]{64}")
_LENGTH = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True)
class Limits:
    """Of what may be read; sizes in bytes."""

    size: int = MAX_BODY
    seconds: float = 10.0
    """For a whole body: GitHub waits no longer for its answer."""
    number: int = 128
    """Bodies that are read at once."""
    memory: int = 4 * MAX_BODY
    """Of all bodies that are read or being answered."""


def values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Give what a header says, once for each time that it is there."""
    return [value for found, value in headers if found.lower() == name]


def signature(headers: RawHeaders) -> bytes:
    """Give the signature of a delivery.

    Raises:
        BadSignature: it is missing, there are several, or it is not a SHA-256.

    """
    found = values(headers, b"x-hub-signature-256")
    if len(found) != 1 or not _SIGNATURE.fullmatch(found[0]):
        raise BadSignature
    return found[0].partition(b"=")[2]


def _announced(headers: RawHeaders) -> int:
    found = values(headers, b"content-length")
    return int(found[0]) if found and _LENGTH.fullmatch(found[0]) else 0


class _Place:
    """One body that is being read or answered."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.timeout = timeout
        self.size = 0
        self.read = False
        self.dropped = False


class Bodies:
    """All bodies that are being read."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._places: dict[_Place, None] = {}
        """The oldest first."""

    @asynccontextmanager
    async def taken(
        self, headers: RawHeaders, receive: Receive, secret: str
    ) -> AsyncIterator[bytes]:
        """Give the body of a delivery whose signature is right; it counts until the block ends.

        Raises:
            DeliveryError: why it was not taken; without a signature nothing is read.

        """
        expected = signature(headers)
        if _announced(headers) > self._limits.size:
            raise self._too_large()
        with self._place() as place:
            try:
                async with place.timeout:
                    body, digest = await self._receive(place, receive, secret)
            except TimeoutError as error:
                raise TooManyDeliveries if place.dropped else DeliveryTooSlow from error
            if not hmac.compare_digest(digest.encode(), expected):
                raise BadSignature
            place.read = True
            yield body

    @contextmanager
    def _place(self) -> Iterator[_Place]:
        self._drop_while(lambda reading: len(reading) >= self._limits.number)
        place = _Place(asyncio.timeout(self._limits.seconds))
        self._places[place] = None
        try:
            yield place
        finally:
            self._places.pop(place, None)

    async def _receive(self, place: _Place, receive: Receive, secret: str) -> tuple[bytes, str]:
        body, code = bytearray(), hmac.new(secret.encode(), digestmod="sha256")
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise DeliveryIncomplete
            chunk = message.get("body", b"")
            self._grow(place, len(chunk))
            body += chunk
            code.update(chunk)
            if not message.get("more_body", False):
                return bytes(body), code.hexdigest()

    def _grow(self, place: _Place, size: int) -> None:
        place.size += size
        if place.size > self._limits.size:
            raise self._too_large()
        self._drop_while(lambda _: self._memory > self._limits.memory, keep=place)

    @property
    def _memory(self) -> int:
        return sum(place.size for place in self._places)

    def _drop_while(
        self, full: Callable[[list[_Place]], bool], keep: _Place | None = None
    ) -> None:
        """Give the room of the oldest bodies away: a good one is short, and soon there.

        The slow are many, so turning away whoever comes last would turn GitHub away.
        """
        reading = [place for place in self._places if not place.read]
        while full(reading):
            oldest = next((place for place in reading if place is not keep), None)
            if oldest is None:
                raise TooManyDeliveries
            reading.remove(oldest)
            self._drop(oldest)

    def _drop(self, place: _Place) -> None:
        del self._places[place]
        place.dropped = True
        if not place.timeout.expired():
            place.timeout.reschedule(asyncio.get_running_loop().time())

    def _too_large(self) -> DeliveryTooLarge:
        return DeliveryTooLarge(f"body: more than {self._limits.size:,} bytes")
