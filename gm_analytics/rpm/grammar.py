"""The grammar of every name that comes from outside: upstream, the mirror host, a stored file.

Nothing of that becomes an argument, a path or a line of a file before it matched. A `Grammar` is
both a check in Python and a POSIX extended regular expression, with which a script on the mirror
refuses a name before another program sees it. Its pattern is in the part of the two languages
that means the same in both, and takes linear time on text of `longest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import Field

from gm_analytics.errors import Malformed

MAX_SHOWN = 80
"""Characters of a refused name that an error repeats."""
MAX_LINE = 1024 * 1024
"""Characters of a line that a mirror printed: a package may be requested by very many specs."""
MAX_FILE_NAME = 255
"""Bytes of a file name, on every file system that counts."""


@dataclass(frozen=True)
class Grammar:
    """What one kind of name looks like."""

    what: str
    """For errors: `expected {what}`."""
    ere: str
    longest: int
    """Characters."""

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.ere, re.ASCII)

    def fits(self, text: str) -> bool:
        """Tell whether the whole text is such a name."""
        return len(text) <= self.longest and self._compiled.fullmatch(text) is not None

    def check(self, text: str) -> str:
        """Give the text.

        Raises:
            Malformed: it is not such a name.

        """
        if not self.fits(text):
            raise Malformed(self.what, shown(text))
        return text

    @property
    def python(self) -> str:
        """Give the pattern with its length and without groups, for a part of a larger one."""
        pattern = re.sub(r"(?<!\\)\((?!\?)", "(?:", self.ere)
        return rf"(?=[^\t\n]{{0,{self.longest}}}(?:[\t\n]|\Z))(?:{pattern})"

    @property
    def field(self) -> Any:
        """Give the check for a field of a pydantic model."""
        return Field(pattern=f"^(?:{self.ere})$", max_length=self.longest)


def shown(text: str) -> str:
    """Give foreign text for an error: one line, escaped and cut."""
    cut = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    return ascii(cut).replace(r"\u2026", "…")


def printable(text: str) -> str:
    """Give foreign text with all that a terminal would obey escaped; line ends stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def lines(output: str, what: str) -> list[str]:
    """Split what a mirror printed at line feeds alone: a name may hold others' line ends.

    Raises:
        Malformed: a line is longer than `MAX_LINE`.

    """
    found = output.removesuffix("\n").split("\n") if output else []
    for line in found:
        if len(line) > MAX_LINE:
            raise Malformed(f"{what} of at most {MAX_LINE:,} characters", shown(line))
    return found


def number(grammar: Grammar, text: str) -> int:
    """Give the number that a text of this grammar says.

    Raises:
        Malformed: it says none.

    """
    return int(grammar.check(text))


def optional(grammar: Grammar) -> Grammar:
    """Give the grammar of a text that may be empty."""
    return Grammar(f"{grammar.what} or nothing", f"({grammar.ere})?", grammar.longest)


# --- numbers, digests ---------------------------------------------------------------------

EPOCH = Grammar("an epoch", "[0-9]+", 10)
SIZE = Grammar("a size in bytes", "[0-9]+", 15)
NUMBER = Grammar("a number", "[0-9]+", 12)
TIME = Grammar("seconds since the epoch", r"[0-9]+(\.[0-9]*)?", 40)
SHA256 = Grammar("a SHA-256", "[0-9a-f]{64}", 64)
FINGERPRINT = Grammar("a key's fingerprint", "[0-9A-Fa-f]{40,64}", 64)

# --- RPM ----------------------------------------------------------------------------------

# As rpmbuild allows them (build/parsePreamble.cc), without its % and braces: those are for macros.
_NAME, _WORD, _ARCH = "[A-Za-z0-9_][A-Za-z0-9._+-]*", "[A-Za-z0-9._+~^]+", "[A-Za-z0-9_]+"
_ANY = "[A-Za-z0-9_][A-Za-z0-9._+~^-]*"
NAME = Grammar("a package's name", _NAME, 200)
VERSION = Grammar("a version", _WORD, 200)
RELEASE = Grammar("a release", _WORD, 200)
ARCH = Grammar("an architecture", _ARCH, 32)
EVR = Grammar("a version and release", f"([0-9]+:)?{_WORD}-{_WORD}", 255)
NEVRA = Grammar("a NEVRA", rf"{_NAME}-([0-9]+:)?{_WORD}-{_WORD}\.{_ARCH}", 300)
FILE = Grammar("an RPM file name", rf"{_ANY}\.rpm", MAX_FILE_NAME)
CAPABILITY = Grammar("a capability", "[^\x00-\x1f\x7f]+", 16 * 1024)
SENSE = Grammar("a comparison", "(<|<=|=|>=|>)?", 2)
OFFERED_EVR = Grammar("a capability's version", "[^\x00-\x1f\x7f]*", 1024)
RPM_PATH = Grammar("a file's path", "/[^\x00-\x1f\x7f]*", 4096)

# --- repositories ----------------------------------------------------------------------------

REPOSITORY_ID = Grammar("a repository's id", "[A-Za-z0-9_.:@+][A-Za-z0-9_.:@+/-]*", 255)
GROUP = Grammar("a group's id", "[A-Za-z0-9][A-Za-z0-9._-]*", 200)
ADVISORY = Grammar("an advisory's id", "[A-Za-z0-9][A-Za-z0-9._:+-]*", 200)
WORDS = Grammar("a few words", "[A-Za-z0-9][A-Za-z0-9 ._:+-]*", 60)
MODULE = Grammar("a module's name", "[A-Za-z0-9][A-Za-z0-9._+-]*", 200)
STREAM = Grammar("a module's stream", "[A-Za-z0-9][A-Za-z0-9._+-]*", 200)
PROFILE = Grammar("a module's profile", "[A-Za-z0-9][A-Za-z0-9._+-]*", 200)
# A module's own, beside `@nodejs`, which may be a group's as well.
MODULE_SPEC = Grammar(
    "a module's stream or profile",
    f"@{MODULE.ere}(:{STREAM.ere}(/{PROFILE.ere})?|/{PROFILE.ere})",
    200,
)
_SEGMENT = "[A-Za-z0-9_+~^%@:,=][A-Za-z0-9._+~^%@:,=-]*"
HREF = Grammar("a relative path", f"{_SEGMENT}(/{_SEGMENT})*", 1024)
METADATA = Grammar("a metadata file", r"repodata/[A-Za-z0-9_][A-Za-z0-9._+-]*", 300)
DATA_TYPE = Grammar("a type of metadata", "[A-Za-z][A-Za-z0-9_.+-]*", 60)
DOCUMENT = Grammar("a metadata file's name", "[A-Za-z0-9_][A-Za-z0-9._+-]*", 255)

# What dnf takes behind `@`: the id of a group or, with `^` alone, of an environment; or its name,
# which may have blanks ("Development Tools"). One place for all that may stand there.
_NAMED = r"\.?[A-Za-z0-9][A-Za-z0-9._+&-]*"
GROUP_SPEC = Grammar("a group", rf"@\^?{_NAMED}( {_NAMED})*", 200)
# As packages provide them: `perl(JSON::XS)`, `libssl.so.3()(64bit)`; no glob, no comma, no blank.
PROVIDED = Grammar("a capability", rf"{_ANY}(\([A-Za-z0-9._+:/@=~^-]*\))+", 200)

# Names as rpm allows them in a name, version, release and architecture; no glob, no shell
# character, and a first character that can never begin an option.
SPEC = Grammar(
    "a package spec",
    f"([0-9]+:)?{_ANY}|{_ANY}-[0-9]+:{_ANY}"
    "|/(usr|etc)(/[A-Za-z0-9_+][A-Za-z0-9._+-]*)+"
    f"|{GROUP_SPEC.ere}|{MODULE_SPEC.ere}|{PROVIDED.ere}",
    200,
)

# --- a mirror's own -----------------------------------------------------------------------

WORD = Grammar("a word", "[A-Za-z0-9_][A-Za-z0-9._:+-]*", 100)
ABSOLUTE_PATH = Grammar("an absolute path", "/[A-Za-z0-9._+/-]+", 1024)
UPDATE_ID = Grammar("an update's id", "[A-Za-z0-9][A-Za-z0-9._@:+-]*", 220)
PUBLICATION = Grammar("a publication's directory", r"\.publications/[0-9]{6,12}", 40)
PREVIEW = Grammar("a preview's directory", rf"\.previews/[0-9]{{1,12}}-{UPDATE_ID.ere}", 250)
MARK = Grammar("a merge's mark", "[A-Za-z0-9:.+-]+( [A-Za-z0-9]+)?", 120)
TEXT = Grammar("one line of text", "[^\x00-\x1f\x7f]*", 4096)
