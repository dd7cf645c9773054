"""The text of a manifest as JSON values, or why it is none. No I/O."""

from __future__ import annotations

import codecs
import json
from typing import Any, NoReturn

from gm_analytics.errors import ManifestError, Problem
from gm_analytics.mistakes import not_json, place, shown

_EXPECTED = 'JSON in UTF-8, such as ["tree", "nmap"]'
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class Object(dict[str, Any]):
    """A JSON object that knows which of its keys it was given twice."""

    twice: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> Object:
        """Make it of its keys and values."""
        found = cls(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            seen: set[str] = set()
            again = [key for key in keys if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
            found.twice = tuple(dict.fromkeys(again))
        return found


def load(text: bytes) -> Any:
    """Read a JSON document.

    Raises:
        ManifestError: it is none, with the place where it breaks off.

    """
    try:
        return json.loads(_decoded(text), object_pairs_hook=Object.of, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        found = f"no JSON ({not_json(error)})"
        raise ManifestError([Problem(place(error), found, _EXPECTED)]) from error
    except (ValueError, RecursionError) as error:
        found = f"no JSON ({not_json(error)})"
        raise ManifestError([Problem("file", found, _EXPECTED)]) from error


def repeated(value: Any, where: str) -> list[Problem]:
    """Say which keys of an object are there twice: of the values of one, all but one are lost."""
    keys = value.twice if isinstance(value, Object) else ()
    return [Problem(where or "/", f"the key {shown(key)} twice", "each key once") for key in keys]


def _no_constant(word: str) -> NoReturn:
    raise ManifestError([Problem("file", f"no JSON ({word} is none of its numbers)", _EXPECTED)])


def _decoded(text: bytes) -> str:
    """Decode it; other encodings are recognised by their mark, or by ASCII's null bytes."""
    wide = next((name for mark, name in _MARKS if text.startswith(mark)), "")
    if wide or b"\0" in text[:2]:
        raise ManifestError([Problem("file", f"{wide or 'UTF-16'} text", _EXPECTED)])
    return text.decode("utf-8-sig")
