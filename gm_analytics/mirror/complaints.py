"""What yum and dnf complain of: their words, bounded, and what these mean. No I/O.

As in `printed`: lines are cut before anything is looked for in them, and no line takes more than
linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Literal

from gm_analytics.mirror.printed import MAX_LINE, lines_of
from gm_analytics.rpm import grammar
from gm_analytics.wording import masked

MAX_WORDS = 2000
"""Characters of yum's output that an error repeats."""
Hidden = Literal["exclude", "modular", "either"]
"""Why yum does not show a package: its configuration excludes it, modules hide it, or one of them.

A word of an error that is stored: see `errors.UnknownPackages`.
"""
_FILTERING: tuple[tuple[Hidden, str], ...] = (
    ("exclude", r"All matches were filtered out by exclude filtering for argument: (\S+)"),
    ("modular", r"All matches were filtered out by modular filtering for argument: (\S+)"),
    ("either", r"Argument '([^\s']+)' matches only excluded packages\."),
)
"""dnf 4's words and dnf 5's; yum 3 does not tell what is excluded from what is not there."""
_FILTERED = tuple((why, re.compile(pattern)) for why, pattern in _FILTERING)
_UNKNOWN = (
    re.compile(r"No match for argument: (.*\S)"),
    *(pattern for _, pattern in _FILTERED),
    re.compile(r"No package (\S+) available\."),
    re.compile(r"Argument '([^\s']+)' matches only source packages\."),
    re.compile(r"(?:Error: )?Module or Group '([^']+)' (?:is not|does not)"),
    re.compile(r"(?:Warning: )?[Gg]roup (.{1,200}?) does not exist\."),
)


def unknown_specs(output: str, specs: Iterable[str]) -> tuple[str, ...]:
    """Give the specs that yum said it has no package for, in the order they were asked for."""
    named = {
        match[1]
        for line in lines_of(output)
        for pattern in _UNKNOWN
        if (match := pattern.match(line))
    }
    named |= {f"@{one}" for line in lines_of(output) for one in _of_a_module(line)}
    return tuple(spec for spec in specs if spec in named or spec.lstrip("@^") in named)


_NO_PROFILE = re.compile(
    r"(?:No (?:default )?profiles for|Default profile \S+ not available in) module "
    r"([^\s:]+):([^\s:]+?)(?:\. Available profiles: .*)?\Z"
)
_NO_STREAM = re.compile(r"Argument '([^\s']+)' matches [0-9]{1,6} streams ")


def _of_a_module(line: str) -> tuple[str, ...]:
    """Give what of a module dnf does not choose by itself: a profile, or a stream."""
    if found := _NO_PROFILE.match(line):
        return found[1], f"{found[1]}:{found[2]}"
    return (found[1],) if (found := _NO_STREAM.match(line)) else ()


def hidden(output: str) -> dict[str, Hidden]:
    """Give the specs that yum said are filtered out, and by what."""
    return {
        match[1]: why
        for line in lines_of(output)
        for why, pattern in _FILTERED
        if (match := pattern.match(line))
    }


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


_BEGINNINGS = re.compile(r"(?:Errors?|Problem|(?:Transaction )?[Ff]ailed)\b|\[(?:MIRROR|FAILED)\]")
_COMPLAINT = re.compile(
    # Not in a name: of a package (perl-Error), of a file, of a host.
    r"(?<![\w.+~/-])(?:errors?|fail(?:ed|ure)|cannot|can't|couldn't|could not|unable|refused|"
    r"denied|timed out|timeout|not found|no such|expired|unreachable|forbidden|unauthorized|"
    r"status code|curl#\d+)(?![\w+~/-]|\.\w)",
    re.IGNORECASE,
)
"""In whatever words a package manager says what is wrong, one of these is among them."""
_ROW = re.compile(r" [^ ]")
"""A line of a table. dnf indents its reasons more, or not at all."""
_FIRST_WORDS = (
    _sign("checksum", ignoring_case=False),
    _sign(r"not signed\Z", ignoring_case=False),
    _sign(r"[Pp]ublic keys?\b", " not ", ignoring_case=False),
    _sign("header ", r"\bBAD\b", ignoring_case=False),
)
_ENDS = 4
"""Lines of the beginning, and of the end, of an output without a known complaint."""
_WITHOUT_KEY = re.compile(r"Problem repository: \[[^\]]+\]")


def words(output: str, limit: int = MAX_WORDS) -> str:
    """Give what is worth repeating of yum's output: from its first complaint on, bounded.

    What a terminal would obey is escaped, and no password of an address is shown.
    """
    lines = [line.rstrip() for line in masked(output).split("\n") if line.strip()]
    # What follows is all of the repository's options.
    if found := next((line for line in lines if _WITHOUT_KEY.fullmatch(line[:MAX_LINE])), None):
        return grammar.printable(f"{found}: gpgcheck=1, and no gpgkey in its file")
    start = next((i for i, line in enumerate(lines) if _is_first(line)), None)
    told = lines[start:] if start is not None else [*lines[:_ENDS], *lines[_ENDS:][-_ENDS:]]
    return grammar.printable(_bounded(told, limit))


def has_no_key(told: str) -> bool:
    """Tell whether a repository's file names no key, by what `words` gave."""
    return _WITHOUT_KEY.match(told) is not None


def _bounded(lines: list[str], limit: int) -> str:
    """Cut what is too long in its middle: the cause comes first, what came of it last."""
    text = "\n".join(line for line, _ in groupby(lines))
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def _is_first(line: str) -> bool:
    cut = line[:MAX_LINE]
    complains = not _ROW.match(cut) and _COMPLAINT.search(cut)
    return bool(_BEGINNINGS.match(cut.lstrip()) or complains or _has_any(cut, _FIRST_WORDS))


Failure = Literal[
    "unknown", "locked", "space", "moved", "signature", "network", "unsolvable", "other"
]
"""`moved`: upstream has other files than the metadata say that were read."""
YUM_LOCK = 200
_PASSED_OVER = re.compile(
    r"(?:Warning: )?failed loading '[^']{1,300}'|Bad id for repo: |"
    r"Repository '[^']{1,300}'[^:]{0,300}: Error parsing config: ",
    re.IGNORECASE,
)
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
            _sign('from local repository "', '" has incorrect checksum'),
            _sign("Loading repository '(?!gm-)", "' has failed"),
        ),
    ),
    # Of certificates too; and metadata that do not fit what names them.
    ("network", (_sign(r"curl#\d|Curl error \(\d|does not match (?:checksum|metalink)"),)),
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
                r"Connection timed out|No more mirrors to try|Cannot find a valid baseurl|curl#\d|"
                r"HTTPS? Error \d{3}"
            ),
        ),
    ),
    (
        "unsolvable",
        (
            _sign(r"\A *(?:Problem|Error: Package:)", ignoring_case=False),
            _sign(r"\A *Error: ", " conflicts", ignoring_case=False),
            _sign("Modular dependency problem|Unable to resolve argument| are not active"),
            _sign("Cannot enable (?:multiple|more) streams"),
            _sign(
                "nothing provides|conflicts (?:with file|between attempted installs)",
                ignoring_case=False,
            ),
        ),
    ),
)


def passed_over(output: str) -> str:
    """Give what yum said of a repository file that it cannot read, and goes on without."""
    said = (line for line in lines_of(output) if _PASSED_OVER.match(line))
    return grammar.printable(next(said, ""))[:MAX_LINE]


def lacks_platform(output: str) -> bool:
    """Tell whether dnf hid module streams since it knows of no platform that they are for."""
    return "Detection of Platform Module failed" in output and (
        "modular filtering" in output or " are not active" in output
    )


def was_solved(output: str) -> bool:
    """Tell whether a run with --assumeno got as far as its question."""
    return _STOPPED_AT_THE_QUESTION.search(output) is not None


def failure(exit_code: int, output: str, specs: Iterable[str]) -> Failure:
    """Give what a failed run means."""
    if unknown_specs(output, specs):
        return "unknown"
    if exit_code == YUM_LOCK:
        return "locked"
    lines = [line for line in lines_of(output) if line.strip()]
    return next(
        (kind for kind, signs in _FAILURES if any(_has_any(line, signs) for line in lines)),
        "other",
    )
