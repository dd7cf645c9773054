"""`python -m lab.troubleshooting`: put what each error says, and its cure, into the document.

The table of docs/troubleshooting.md is made of the errors themselves, so that it names all of them
in the words that a terminal shows. A test tells if it was forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from gm_analytics import errors
from gm_analytics.errors import Fault, GmError, TransientError
from lab.hosts.shell import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "troubleshooting.md"
HEADINGS: dict[Fault, str] = {
    "operator": "For whoever runs the service and its mirrors",
    "author": "For whoever wrote the pull request",
    "upstream": "For upstream",
    "github": "From GitHub",
    "ourselves": "Defects of the service, and its limits",
}
_SECTION = re.compile(
    r"(?P<begin><!-- from the errors[^\n]*\n).*?(?P<end><!-- end -->\n)", re.DOTALL
)
_FIELD = re.compile(r"\{(\w+)[^}]*\}")


def classes() -> list[type[GmError]]:
    """Give every error that somebody may meet, in the order of the module."""
    return [
        found
        for found in vars(errors).values()
        if isinstance(found, type)
        and issubclass(found, GmError)
        and found not in {GmError, TransientError}
    ]


def written(document: str) -> str:
    """Give the document with its section as the errors have it now."""
    section = "\n".join(_lines())
    return _SECTION.sub(lambda found: f"{found['begin']}{section}\n{found['end']}", document)


def _lines() -> Iterator[str]:
    for fault, heading in HEADINGS.items():
        yield f"\n## {heading}\n"
        yield "| it says | what to do | exit code |"
        yield "| --- | --- | --- |"
        yield from (_row(cls) for cls in classes() if cls.fault == fault)
    yield ""


def _row(cls: type[GmError]) -> str:
    says, cure = (_shown(text, cls) for text in (cls.text, cls.advice))
    again = " It is tried again by itself." if cls.transient else ""
    return f"| `{says}` | {cure}{again} | {cls.code.value} |"


def _shown(template: str, cls: type[GmError]) -> str:
    """Give a template as a person reads it: capitals stand for what differs each time."""
    names = {field.name for field in fields(cls)}

    def word(found: re.Match[str]) -> str:
        return found[1].upper().replace("_", " ") if found[1] in names else "…"

    return " ".join(_FIELD.sub(word, template).replace("|", r"\|").split())


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
