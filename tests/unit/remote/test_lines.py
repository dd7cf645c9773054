"""Output becomes lines: whole, clean, cut, and so many a second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm_analytics.remote.lines import BURST, LENGTH, RATE, Lines, clean


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def heard(*pieces: bytes, end: bool = True) -> list[str]:
    found: list[str] = []
    lines = Lines(found.append, Clock())
    for piece in pieces:
        lines.feed(piece)
    if end:
        lines.end()
    return found


def test_a_line_is_told_when_it_is_whole() -> None:
    assert heard(b"one\ntw", end=False) == ["one"]
    assert heard(b"one\ntw", b"o\n", end=False) == ["one", "two"]
    assert heard(b"one\ntw") == ["one", "tw"]


def test_a_return_ends_a_line_as_progress_bars_have_it() -> None:
    assert heard(b"10 %\r20 %\r\n\n30 %\n") == ["10 %", "20 %", "30 %"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07x", "]0;titlex"),
        (b"a\x00b\x07c\td", "abc d"),
        ("left\u202eright\u200b".encode(), "leftright"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        ("nação".encode(), "nação"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(raw: bytes, text: str) -> None:
    assert clean(raw) == text


def test_a_line_is_cut() -> None:
    assert heard(b"x" * LENGTH + b"\n") == ["x" * LENGTH]
    assert heard(b"x" * (LENGTH + 1) + b"\n") == ["x" * LENGTH]
    assert heard(*[b"x" * 100_000] * 50, b"y\nz\n") == ["x" * LENGTH, "z"]


def test_so_many_lines_come_at_once_and_the_newest_of_the_others_when_there_is_room() -> None:
    found: list[str] = []
    clock = Clock()
    lines = Lines(found.append, clock)
    lines.feed(b"".join(b"%d\n" % number for number in range(BURST + 50)))
    assert found == [str(number) for number in range(BURST)]
    clock.now += 1
    lines.feed(b"".join(b"more %d\n" % number for number in range(RATE + 1)))
    assert len(found) == BURST + RATE
    lines.end()
    assert found[-1] == f"more {RATE}"


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_whatever_comes_a_line_is_short_and_printable(pieces: list[bytes]) -> None:
    for line in heard(*pieces):
        assert 0 < len(line) <= LENGTH
        assert line.isprintable()


@given(st.text("ab\r\n", max_size=60), st.integers(0, 60))
def test_where_the_pieces_part_does_not_matter(text: str, at: int) -> None:
    raw = text.encode()
    assert heard(raw[:at], raw[at:]) == heard(raw)
