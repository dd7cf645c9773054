"""Which version of itself something stored is. No I/O.

Whatever the service writes down may say `format`, a whole number; what says none is of format 1.
A field more, or one less, makes no new format: a reader ignores what it does not know, and what
is missing has a default. Only what an older reader would take for something else gets a higher
number, and is refused in words by who does not know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gm_analytics.errors import Malformed, NewerFormat
from gm_analytics.wording import cleaned

FIRST = 1
MAX_SHOWN = 80


@dataclass(frozen=True)
class _Marked:
    format: int = FIRST


_MARKED = TypeAdapter(_Marked)


def refuse_newer(what: str, text: str | bytes, known: int) -> None:
    """Refuse JSON text of a format that is not known yet; text that is none is not judged.

    Raises:
        NewerFormat: a newer gm-analytics wrote it.

    """
    try:
        found = _MARKED.validate_json(text)
    except (ValidationError, UnicodeEncodeError):
        return
    refuse_number(what, found.format, known)


def malformed(what: str, error: ValidationError) -> Malformed:
    """Say which field is first not what it should be."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))[:MAX_SHOWN]  # foreign text, as is a field's name
    return Malformed(what, f"at {where!a} {first['msg'][:MAX_SHOWN]!a}")


def refuse_unclean(what: str, values: Mapping[str, Any]) -> None:
    """Refuse texts that no database and no page takes.

    Raises:
        Malformed: a field has one.

    """
    for name, value in values.items():
        if cleaned(value) != value:
            raise Malformed(what, f"at {name!a} a lone surrogate or a NUL")


def mapping(what: str, values: Any) -> Mapping[str, Any]:
    """Give values that are an object of JSON.

    Raises:
        Malformed: they are something else.

    """
    if not isinstance(values, Mapping):
        raise Malformed(what, f"a {type(values).__name__}")
    return values


def refuse_values(what: str, values: Mapping[str, Any], known: int) -> None:
    """Refuse values of a format that is not known yet, as `refuse_newer`."""
    found = values.get("format", FIRST)
    if isinstance(found, int):
        refuse_number(what, found, known)


def refuse_number(what: str, found: int, known: int) -> None:
    """Refuse a format that is not known yet, as `refuse_newer`."""
    if found > known:
        raise NewerFormat(f"{known} at most", f"{what} of format {found}")
