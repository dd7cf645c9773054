"""Markdown as GitHub reads it, of words that others wrote. No I/O.

Source: https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Sized
from dataclasses import dataclass

from gm_analytics.wording import counted

FOLD = 12
"""Longer lists are folded."""
SPAN = 240
"""Characters of others' words in one line."""
_PLAIN = re.compile(r"[A-Za-z0-9 ,.;:()'%+-]+")
"""Text in which Markdown and GitHub see nothing but text; see `words` for `www.`."""


@dataclass(frozen=True)
class Room:
    """How many lines a list may have, and how many characters a block."""

    lines: int
    characters: int

    def rest(self, items: Sized, line: str) -> list[str]:
        """Give a line that says how many items there is no room for, if there are any."""
        left = len(items) - self.lines
        return [line.format(f"… and {left:,} more")] if left > 0 else []


def shorten(text: str, limit: int) -> str:
    """Make one line of a text, cut at a word with an ellipsis where it is too long."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    whole, _, _ = cut.rpartition(" ")
    return (whole if len(whole) > limit // 2 else cut).rstrip(" ,;:") + "…"


def count(items: Sized, one: str, many: str = "") -> str:
    """Say how many there are."""
    return counted(len(items), one, many)


def fold(summary: str, items: int, lines: Sequence[str]) -> str:
    """Give lines, folded under a summary if they are of many items."""
    text = "\n".join(lines)
    if items <= FOLD:
        return text
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def words(text: str) -> str:
    """Give a line as text if nothing in it means anything to GitHub, else as code."""
    line = shorten(text, SPAN)
    plain = _PLAIN.fullmatch(line) and "www." not in line.lower()
    return line if plain else code(line)


def code(text: str, limit: int = SPAN) -> str:
    """Give one line as a code span: its fence is longer than any run of backticks in it."""
    line = shorten(_printable(text), limit) or "nothing"
    fence = "`" * (1 + _longest_run(line))
    pad = " " if "`" in line[:1] + line[-1:] else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def cell(text: str) -> str:
    """Give a code span for a table, where a bar would end the cell even in code."""
    return code(text.translate({ord("|"): "¦", ord("\\"): "/"}))


def block(text: str, room: Room, language: str = "") -> str:
    """Give lines as a block of code, fenced as `code` is."""
    kept = text[: room.characters]
    lines = [_printable(line) for line in kept.splitlines()]
    if len(text) > len(kept):
        lines.append(f"… and {len(text) - len(kept):,} more characters")
    fence = "`" * max(3, 1 + _longest_run(kept))
    return "\n".join([f"{fence}{language}", *lines, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _printable(text: str) -> str:
    """Replace what is not shown, or shown in another direction; blanks stay."""
    return "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in text)
