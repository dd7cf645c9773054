"""The manifest: `packages.json` at one commit. Text in, a value or all its problems out.

`docs/manifest.md` describes the format for its users; `swagger/packages.schema.json` is
generated from the models here (`python -m gm_analytics.manifest`).
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gm_analytics import json_text
from gm_analytics.errors import ManifestError, Problem, entry_at
from gm_analytics.mistakes import (
    ACCEPTED,
    FIELDS,
    extra_field,
    instead_of,
    meant_by,
    other_shape,
    pointed,
    shown,
    why_not,
)
from gm_analytics.pasted import Wrong, wishes
from gm_analytics.rpm.grammar import SPEC
from gm_analytics.rpm.streams import conflicts

MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 1_000
MAX_SPECS = 2_000
MAX_SPEC_LENGTH = SPEC.longest
MAX_SPECS_LENGTH = 64 * 1024
"""Characters of all specs together: they are one command, and Linux caps that at 128 KiB."""
MAX_PROBLEMS = 100
"""Reported at once; a megabyte of mistakes would make a report of a hundred."""

MAX_NAME = 42
"""Characters of an entry's name that are repeated, with its quotes."""


class EntryModel(BaseModel):
    """One package as the team names it, and what yum is given for it."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Entry")

    package_name: Annotated[str, Field(min_length=1, max_length=MAX_SPEC_LENGTH)]
    installation_commands: Annotated[
        str | list[str],
        Field(
            description="Package specs separated by blanks or ';', a command of yum or dnf "
            "that installs them (sudo yum install -y tree), or a list of such strings."
        ),
    ]


class PackagesModel(BaseModel):
    """The manifest as an object."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Packages")

    schema_address: Annotated[
        str, Field(alias="$schema", description="The address of this schema, for editors.")
    ] = ""
    packages: Annotated[list[EntryModel | str], Field(max_length=MAX_ENTRIES)]


_FILE: TypeAdapter[Any] = TypeAdapter(
    Annotated[list[EntryModel | str], Field(max_length=MAX_ENTRIES)] | PackagesModel
)


@dataclass(frozen=True)
class Entry:
    """One wish of the manifest: a name and the package specs that fulfil it."""

    name: str
    specs: tuple[str, ...]
    where: str


def digest_of(specs: Iterable[str]) -> str:
    """SHA-256 of a set of specs."""
    return hashlib.sha256("\n".join(sorted(specs)).encode()).hexdigest()


@dataclass(frozen=True)
class Manifest:
    """A parsed manifest: not empty of problems unless it raised."""

    entries: tuple[Entry, ...]
    untouched: bool = False
    """Whether a pull request leaves it as it was where its branch began; then no entries count."""

    @property
    def specs(self) -> tuple[str, ...]:
        """Every package spec once, in the order of the file."""
        return tuple(dict.fromkeys(spec for entry in self.entries for spec in entry.specs))

    def places(self, specs: Iterable[str]) -> dict[str, str]:
        """Say where in the file each of these specs is first wanted."""
        first = {spec: entry.where for entry in reversed(self.entries) for spec in entry.specs}
        return {spec: first[spec] for spec in specs if spec in first}

    @property
    def digest(self) -> str:
        """SHA-256 of the set of specs: equal for manifests that mean the same."""
        return digest_of(self.specs)

    @classmethod
    def parse(cls, text: bytes, source: str = "packages.json") -> Manifest:
        """Read the bytes of a manifest; `source` is the file that they are from.

        Raises:
            ManifestError: it cannot be used; carries all problems with their places.

        """
        try:
            return cls._parse(text)
        except ManifestError as error:
            error.source = source
            raise

    @classmethod
    def _parse(cls, text: bytes) -> Manifest:
        data = _load(text)
        items, at = _items(data)
        if len(items) > MAX_ENTRIES:
            found = f"{len(items)} entries"
            raise ManifestError([Problem(at or "/", found, f"at most {MAX_ENTRIES}")])
        problems = json_text.repeated(data, "")
        entries = tuple(
            entry
            for index, item in enumerate(items)
            if (entry := _entry(item, f"{at}/{index}", problems))
        )
        problems += _two_streams(wish := cls(entries))
        count = sum(len(entry.specs) for entry in entries)
        if count > MAX_SPECS:
            problems.append(Problem(at or "/", f"{count} package specs", f"at most {MAX_SPECS}"))
        if len(problems) > MAX_PROBLEMS:
            found = f"more than {MAX_PROBLEMS} problems"
            problems[MAX_PROBLEMS:] = [Problem(at or "/", found, "fewer; these are the first")]
        length = sum(len(spec) + 1 for entry in entries for spec in entry.specs)
        if length > MAX_SPECS_LENGTH:
            found = f"package specs of {length:,} characters"
            problems.append(Problem(at or "/", found, f"at most {MAX_SPECS_LENGTH:,}"))
        if problems:
            raise ManifestError(problems, _names(items, at, problems))
        return wish


def schema() -> dict[str, Any]:
    """Give the JSON Schema of the file format."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "packages.json",
        **_FILE.json_schema(),
    }


def _load(text: bytes) -> Any:
    if len(text) > MAX_BYTES:
        problem = Problem("file", f"{len(text):,} bytes", f"at most {MAX_BYTES:,}")
        raise ManifestError([problem])
    return json_text.load(text)


def _names(items: list[Any], at: str, problems: list[Problem]) -> dict[str, str]:
    """Give the names of the entries that problems are about, by the entries' pointers."""
    numbers = {entry_at(problem.where, {})[0] - 1 for problem in problems}
    given = {f"{at}/{n}": _name(items[n]) for n in sorted(numbers) if 0 <= n < len(items)}
    return {pointer: name for pointer, name in given.items() if name}


def _name(item: Any) -> str:
    name = item.get("package_name") if isinstance(item, dict) else None
    return shown(name, MAX_NAME)[1:-1] if isinstance(name, str) else ""


def _items(data: Any) -> tuple[list[Any], str]:
    """Give the list of entries and the JSON pointer to it."""
    if isinstance(data, list):
        return data, ""
    if isinstance(data, dict) and {*data} - {"$schema"} == {"packages"}:
        if not isinstance(data.get("$schema", ""), str):
            raise ManifestError([Problem("/$schema", shown(data["$schema"]), "an address")])
        if isinstance(data["packages"], list):
            return data["packages"], "/packages"
        raise ManifestError([Problem("/packages", shown(data["packages"]), "an array")])
    expected = 'an array, or an object {"packages": [...]}'
    raise ManifestError([*json_text.repeated(data, ""), Problem("/", other_shape(data), expected)])


def _entry(item: Any, where: str, problems: list[Problem]) -> Entry | None:
    if isinstance(item, str):
        return Entry(item, tuple(_specs(item, where, problems)), where)
    problems += json_text.repeated(item, where)
    try:
        model = EntryModel.model_validate(item)
    except ValidationError as error:
        problems += _model_problems(error, where)
        return None
    if not _is_a_line(model.package_name):
        found = shown(model.package_name)
        problems.append(Problem(f"{where}/package_name", found, "one line of text"))
    commands, at = model.installation_commands, f"{where}/installation_commands"
    texts = (
        [(commands, at)]
        if isinstance(commands, str)
        else [(text, f"{at}/{index}") for index, text in enumerate(commands)]
    )
    specs = tuple(spec for text, place in texts for spec in _specs(text, place, problems))
    if not texts:
        problems.append(Problem(at, "an empty list", ACCEPTED))
    return Entry(model.package_name, specs, where)


_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, halves of characters, ends of lines and of paragraphs."""
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _is_a_line(name: str) -> bool:
    """Tell whether a label can be shown anywhere as it is."""
    return not any(unicodedata.category(c) in _UNSEEN or c in _DIRECTIONS for c in name)


def _two_streams(wish: Manifest) -> Iterator[Problem]:
    """Find specs that want two streams of one module: a client has one of them at a time."""
    for first, other in conflicts(wish.specs):
        at = wish.places((first, other))
        expected = f"one stream of a module: {first} is wanted at {at[first]}"
        yield Problem(at[other], shown(other), expected)


_WANTED = {
    "missing": "the field",
    "model_type": "a string, or an object with package_name and installation_commands",
    "string_type": "a string",
    "string_too_short": "a name",
    "string_too_long": f"at most {MAX_SPEC_LENGTH} characters",
    "string_unicode": "whole characters",
}


def _model_problems(error: ValidationError, where: str) -> Iterator[Problem]:
    places: dict[str, Problem] = {}
    details = error.errors()
    extra = {str(one["loc"][0]) for one in details if one["type"] == "extra_forbidden"}
    meant = {meant_by(key) for key in extra}
    for detail in details:
        # A union reports each of its members; their names follow the field's in `loc`.
        key, kind = "".join(map(str, detail["loc"][:1])), detail["type"]
        place = f"{where}/{pointed(key)}" if detail["loc"] else where
        if kind == "missing" and key in meant:  # said where it stands, under another name
            continue
        if kind == "extra_forbidden":
            expected = extra_field(key)
        elif key == FIELDS[1] and kind not in {"missing", "string_unicode"}:
            expected = "a string or an array of strings"
        else:
            expected = _WANTED.get(kind, "another value")
        found = "nothing" if kind == "missing" else shown(detail["input"])
        places.setdefault(place, Problem(place, found, expected))
    yield from places.values()


def _specs(text: str, where: str, problems: list[Problem]) -> Iterator[str]:
    """Give the specs that one string asks for; what is not a spec goes to `problems`."""
    if "\n" in text or "\r" in text:
        problems.append(Problem(where, shown(text), "one line"))
        return
    found = False
    for wish in wishes(text):
        found = True
        if isinstance(wish, str) and SPEC.fits(wish) and not wish.endswith(".rpm"):
            yield wish
        elif len(problems) > MAX_PROBLEMS:
            return
        else:
            problems.append(_problem(wish, where))
    if not found:
        problems.append(Problem(where, shown(text), ACCEPTED))


def _problem(wish: str | Wrong, where: str) -> Problem:
    if isinstance(wish, Wrong):
        return Problem(where, wish.found, wish.expected)
    return Problem(where, why_not(wish), instead_of(wish))


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))  # noqa: T201  # this is its output
