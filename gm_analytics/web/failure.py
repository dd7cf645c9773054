"""An error as a page shows it: whose it is, each thing once, and what to do. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gm_analytics.errors import (
    Fault,
    GmError,
    ManifestError,
    Obsoleted,
    UnknownPackages,
    Unresolvable,
    entry_at,
)

_TITLES: dict[Fault, str] = {
    "author": "The manifest cannot be had as it stands",
    "operator": "Something here has to be put right",
    "upstream": "Upstream has to put this right",
    "github": "GitHub did not do what was asked",
    "ourselves": "A defect of gm_analytics",
}


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong in a manifest."""

    words: str
    place: str = ""
    """A JSON pointer into packages.json."""
    entry: str = ""
    near: tuple[str, ...] = ()
    """What may have been meant."""


@dataclass(frozen=True)
class Failure:
    """Why an update failed."""

    title: str
    words: str
    hint: str
    problems: tuple[Wrong, ...] = ()
    """Instead of the words, where an error names several things."""


def of(error: GmError) -> Failure:
    """Give what a page shows of an error."""
    return Failure(_TITLES[error.fault], str(error), error.hint, tuple(_problems(error)))


def _problems(error: GmError) -> Iterator[Wrong]:
    match error:
        case ManifestError():
            for one in error.problems:
                number, name = entry_at(one.where, error.names)
                entry = (name or f"entry {number}") if number else ""
                yield Wrong(f"found {one.found}; expected {one.expected}", one.where, entry)
        case UnknownPackages():
            for spec in error.specs:
                words = error.why_hidden(spec) or "upstream has no package of this name"
                near = tuple(error.near.get(spec, ()))
                yield Wrong(words, error.places.get(spec, ""), spec, near)
        case Obsoleted():
            for spec, by in error.by.items():
                yield Wrong(f"is obsoleted by {by}", error.places.get(spec, ""), spec)
        case Unresolvable() if len(error.specs) == 1:
            yield Wrong(error.words, error.places.get(error.specs[0], ""), error.specs[0])
