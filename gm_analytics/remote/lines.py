"""What a running command says, line by line while it runs: bounded, and clean of what acts.

The whole output is read and bounded by `channel`; this is for who watches.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from gm_analytics.hidden import redacted

Hear = Callable[[str], object]
"""Takes one line. It raises nothing and does not wait: it stands in the way of the command."""
LENGTH = 200
"""Characters of a line; the rest is cut."""
_KEPT = 4 * LENGTH
"""Bytes of a line that are looked at: UTF-8 has at most four a character."""
RATE = 20
"""Lines a second. Of those that are left out the newest comes when there is room again."""
BURST = 100
"""Lines at once after a silence."""
_ENDS = re.compile(rb"[\r\n]+")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]{0,20}[ -/]{0,5}[@-~]")
"""What a terminal obeys. Source: https://ecma-international.org/publications-and-standards/standards/ecma-48/"""


def ignore(line: str) -> None:
    """Hear nothing."""


def clean(raw: bytes) -> str:
    """Give a line as text without control characters and secrets, cut."""
    text = _SEQUENCE.sub("", raw[:_KEPT].decode(errors="replace")).replace("\t", " ")
    return "".join(filter(str.isprintable, redacted(text))).strip()[:LENGTH]


class Lines:
    """Takes output in pieces and gives whole lines to whoever hears."""

    def __init__(self, hear: Hear, clock: Callable[[], float] = time.monotonic) -> None:
        self._hear = hear
        self._clock = clock
        self._begun = b""
        self._room = float(BURST)
        self._at = clock()
        self._left_out = b""

    def feed(self, data: bytes) -> None:
        """Take a piece."""
        *whole, rest = _ENDS.split(data)
        if whole:
            whole[0] = self._begun + whole[0]
            self._begun = b""
            self._tell([line for line in whole if line])
        self._begun = (self._begun + rest)[:_KEPT]

    def end(self) -> None:
        """Tell what is left: a last line without an end, or one that there was no room for."""
        last = self._begun or self._left_out
        self._begun = self._left_out = b""
        self._say(last)

    def _tell(self, lines: list[bytes]) -> None:
        now = self._clock()
        self._room = min(BURST, self._room + (now - self._at) * RATE)
        self._at = now
        free = int(self._room)
        for line in lines[:free]:
            self._say(line)
        self._room -= min(free, len(lines))
        if lines:
            self._left_out = lines[-1][:_KEPT] if len(lines) > free else b""

    def _say(self, line: bytes) -> None:
        if text := clean(line):
            self._hear(text)
