"""What an RPM's header says of where it comes from, and under which licence. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import Grammar

FORM = (
    r"WORD\t%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\t%{LICENSE}\t%|VENDOR?{%{VENDOR}}|"
    r"\t%|SOURCERPM?{%{SOURCERPM}}|\t%|URL?{%{URL}}|\t%{SUMMARY}\n"
)
_FIELDS = 6
_WORDS = Grammar("one line of text", r"[^\x00-\x1f\x7f]*", 2000)


@dataclass(frozen=True)
class Header:
    """As its packager wrote it; each may be empty."""

    license: str = ""
    vendor: str = ""
    source: str = ""
    """The file name of the source RPM."""
    url: str = ""
    summary: str = ""


NOTHING = Header()


def parse(output: str) -> dict[str, Header]:
    """Read what `FORM` prints, by the file names that headers give; what is malformed is left out.

    It is upstream's to say, and decides nothing.
    """
    found = {}
    for line in output.split("\n"):
        file, *fields = line.split("\t")
        if len(fields) == _FIELDS - 1 and grammar.FILE.fits(file) and all(map(_fits, fields)):
            found[file] = Header(*(field.strip() for field in fields))
    return found


def _fits(field: str) -> bool:
    return _WORDS.fits(field) and field.isprintable()
