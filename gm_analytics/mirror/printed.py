"""What yum and dnf print, read. No I/O.

Much of it is upstream's to choose. So lines are cut before anything is looked for in them, and
what is looked for are words one behind the other: each is searched once, from where the last one
ended, so that no line takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import EVR, NAME, REPOSITORY_ID
from gm_analytics.rpm.package import Row

MAX_WORDS = 2000
"""Characters of yum's output that an error repeats."""
MAX_LINE = 2000
"""Characters of a line that are looked at."""


def _lines(output: str) -> Iterator[str]:
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
    for line in _lines(output):
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
    for line in _lines(output):
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
    for line in filter(None, _lines(output)):
        kind, _, name = line.partition(" ")
        note = f", {_KINDS[kind]}" if kind in _KINDS else ""
        said.append(f"found {grammar.shown(name)}{note}; expected {expected.what}")
    return said or [f"found nothing; expected {expected.what}"]


# --- words --------------------------------------------------------------------------------

_UNKNOWN = (
    re.compile(r"No match for argument: (?P<spec>\S+)"),
    # Only the mirror's own pool has it, where that one is damaged.
    re.compile(r"All matches were filtered out by exclude filtering for argument: (?P<spec>\S+)"),
    re.compile(r"No package (?P<spec>\S+) available\."),
    re.compile(r"(?:Error: )?Module or Group '(?P<spec>[^\s']+)' (?:is not|does not)"),
    re.compile(r"(?:Warning: )?[Gg]roup (?P<spec>\S+) does not exist\."),
)


def unknown_specs(output: str, specs: Iterable[str]) -> tuple[str, ...]:
    """Give the specs that yum said it has no package for, in the order they were asked for."""
    named = {
        match["spec"]
        for line in _lines(output)
        for pattern in _UNKNOWN
        if (match := pattern.match(line))
    }
    return tuple(spec for spec in specs if spec in named or spec.lstrip("@") in named)


Sign = tuple[re.Pattern[str], ...]
"""Patterns, none of which repeats anything without end, that stand in a line in this order."""


def _sign(*patterns: str, ignoring_case: bool = True) -> Sign:
    flags = re.IGNORECASE if ignoring_case else re.NOFLAG
    return tuple(re.compile(pattern, flags) for pattern in patterns)


def _has(line: str, sign: Sign) -> bool:
    end = 0
    for pattern in sign:
        found = pattern.search(line, end)
        if found is None:
            return False
        end = found.end()
    return True


def _has_any(line: str, signs: Iterable[Sign]) -> bool:
    return any(_has(line, sign) for sign in signs)


_BEGINNINGS = re.compile(r"(?:Error|Problem|(?:Transaction )?[Ff]ailed)\b|\[(?:MIRROR|FAILED)\]")
_FIRST_WORDS = (
    _sign("checksum", ignoring_case=False),
    _sign(r"not signed\Z", ignoring_case=False),
    _sign(r"[Pp]ublic keys?\b", " not ", ignoring_case=False),
    _sign("header ", r"\bBAD\b", ignoring_case=False),
)
_WITHOUT_KEY = re.compile(r"Problem repository: \[[^\]]+\]")


def words(output: str, limit: int = MAX_WORDS) -> str:
    """Give what is worth repeating of yum's output: from its first error on, bounded.

    What a terminal would obey is escaped.
    """
    lines = [line.rstrip() for line in output.split("\n") if line.strip()]
    # What follows is all of the repository's options.
    if found := next((line for line in lines if _WITHOUT_KEY.fullmatch(line[:MAX_LINE])), None):
        return grammar.printable(f"{found}: gpgcheck=1, and no gpgkey in its file")
    start = next((i for i, line in enumerate(lines) if _is_first(line)), None)
    text = "\n".join(lines[start:] if start is not None else lines[-8:])
    return grammar.printable(text if len(text) <= limit else "…" + text[-limit:])


def _is_first(line: str) -> bool:
    cut = line[:MAX_LINE]
    return bool(_BEGINNINGS.match(cut.lstrip())) or _has_any(cut, _FIRST_WORDS)


Failure = Literal[
    "unknown", "locked", "space", "moved", "signature", "network", "unsolvable", "other"
]
"""`moved`: upstream has other files than the metadata say that were read."""
_YUM_LOCK = 200
_STOPPED_AT_THE_QUESTION = re.compile(r"Operation aborted|Exiting on user command", re.IGNORECASE)
_FAILURES: tuple[tuple[Failure, tuple[Sign, ...]], ...] = (
    (
        "space",
        (
            _sign("No space left on device|Disk quota exceeded|Disk Requirements"),
            _sign("needs ", "space on the"),
        ),
    ),
    (
        "moved",
        (
            _sign(r"\.rpm", r"Status code: 4(?:04|10)\b|HTTP Error 4(?:04|10)\b"),
            _sign(r"Status code: 4(?:04|10)\b", r"\.rpm"),
            _sign(
                "checksum doesn't match|Inconsistent server data|does not match intended download"
            ),
        ),
    ),
    (
        "signature",
        (
            _sign(
                "GPG check FAILED|Signature verification failed|is not signed|not trusted|NOKEY|"
                "enabled checking of packages|have incorrect checksum"
            ),
            _sign("public keys? ", "installed"),
            _sign("digests? ", "NOT OK"),
            _sign(r"\bBAD\b", ignoring_case=False),
        ),
    ),
    (
        "network",
        (
            _sign(
                "Failed to download metadata|"
                "Cannot (?:download|prepare internal mirrorlist|retrieve)|"
                r"Curl error|Librepo error|Status code: 5\d\d|Could not resolve host|"
                "Connection timed out"
            ),
        ),
    ),
    (
        "unsolvable",
        (
            _sign(r"\A *(?:Problem|Error: Package:)", ignoring_case=False),
            _sign(r"\A *Error: ", " conflicts", ignoring_case=False),
            _sign(
                "nothing provides|conflicts (?:with file|between attempted installs)",
                ignoring_case=False,
            ),
        ),
    ),
)


def was_solved(output: str) -> bool:
    """Tell whether a run with --assumeno got as far as its question."""
    return _STOPPED_AT_THE_QUESTION.search(output) is not None


def failure(exit_code: int, output: str, specs: Iterable[str]) -> Failure:
    """Give what a failed run means."""
    if unknown_specs(output, specs):
        return "unknown"
    if exit_code == _YUM_LOCK:
        return "locked"
    lines = [line for line in _lines(output) if line.strip()]
    return next(
        (kind for kind, signs in _FAILURES if any(_has_any(line, signs) for line in lines)),
        "other",
    )
