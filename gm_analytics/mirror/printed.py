"""What yum and dnf print, read. No I/O.

Much of it is upstream's to choose. So lines are cut before anything is looked for in them, and
what is looked for are words one behind the other: each is searched once, from where the last one
ended, so that no line takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import EVR, NAME, REPOSITORY_ID
from gm_analytics.rpm.package import Row

MAX_LINE = 2000
"""Characters of a line that are looked at."""


def lines_of(output: str) -> Iterator[str]:
    """Give the lines of an output, cut."""
    return (line[:MAX_LINE] for line in output.split("\n"))


# --- tables -------------------------------------------------------------------------------

_UNITS = {"B": 1, "K": 1024, "KIB": 1024, "M": 1024**2, "MIB": 1024**2, "G": 1024**3}
_UNITS["GIB"] = _UNITS["G"]
ROW_WORDS, LISTED_WORDS = 6, 3
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?) ?([kKMGB]i?B?)?")
_REPLACING = re.compile(r" {3,}replacing ")
_ARCH = re.compile(r"noarch|x86_64(_v[234])?|i[3-6]86|aarch64|ppc64(le)?|s390x|armv7hl|riscv64")


_HEADING = re.compile(r"[A-Z]")
_LEFT_OUT = ("Skipping packages", "Skipped (")


def transaction(output: str) -> tuple[Row, ...]:
    """Read the transaction table that yum 3, dnf 4 and dnf 5 print.

    Raises:
        Malformed: a row names what is not a package.

    """
    return tuple(row for row, is_left_out in _rows(output) if not is_left_out)


def left_out(output: str) -> tuple[Row, ...]:
    """Read which packages a run with --skip-broken left out, from the same table."""
    return tuple(row for row, is_left_out in _rows(output) if is_left_out)


def _rows(output: str) -> Iterator[tuple[Row, bool]]:
    """Give each row, and whether it stands among those that were left out.

    Long names are wrapped, so it is read by words, not by columns: a row is a name, an
    architecture, an EVR, a repository, and a size with its unit.
    """
    pending: list[str] = []
    is_left_out = False
    for line in lines_of(output):
        words = line.split()
        if not line.startswith(" ") or _REPLACING.match(line):
            pending = []
            if _HEADING.match(line):
                is_left_out = line.startswith(_LEFT_OUT)
            continue
        pending += words
        if (row := _row(pending)) is not None:
            yield row, is_left_out
        if row is not None or len(pending) >= ROW_WORDS:
            pending = []


def _row(words: list[str]) -> Row | None:
    if len(words) < ROW_WORDS - 1 or not _ARCH.fullmatch(words[1]):  # bytes come without a unit
        return None
    size = _SIZE.fullmatch(" ".join(words[4:ROW_WORDS]))
    if not size:
        return None
    unit = _UNITS.get((size[2] or "B").upper())
    if unit is None:
        return None
    name, arch, evr, repository = words[:4]
    checked = (NAME.check(name), arch, EVR.check(evr), REPOSITORY_ID.check(repository))
    return Row(*checked, int(float(size[1]) * unit))


def listing(output: str) -> tuple[Row, ...]:
    """Read what `yum.names` prints; sizes are not told. yum 3 wraps long names.

    It is for suggestions: what is not a package is left out.
    """
    rows: list[Row] = []
    pending: list[str] = []
    for line in lines_of(output):
        pending = [*(pending if line.startswith(" ") else ()), *line.split()]
        if len(pending) != LISTED_WORDS:
            pending = pending[:LISTED_WORDS]
            continue
        name, _, arch = pending[0].rpartition(".")
        fits = NAME.fits(name) and EVR.fits(pending[1]) and REPOSITORY_ID.fits(pending[2])
        if fits and _ARCH.fullmatch(arch):
            rows.append(Row(name, arch, pending[1], pending[2], 0))
    return tuple(rows)


# --- refusals -----------------------------------------------------------------------------

_KINDS = {"d": "a directory", "l": "a link", "p": "a pipe", "s": "a socket", "b": "a device"}
_KINDS |= {"c": "a device", "h": "a header's", "t": "of two packages"}


def refusals(output: str, expected: grammar.Grammar) -> list[str]:
    """Word the names that a script refused: each line is a file's type and its name."""
    said = []
    for line in filter(None, lines_of(output)):
        kind, _, name = line.partition(" ")
        note = f", {_KINDS[kind]}" if kind in _KINDS else ""
        said.append(f"found {grammar.shown(name)}{note}; expected {expected.what}")
    return said or [f"found nothing; expected {expected.what}"]
