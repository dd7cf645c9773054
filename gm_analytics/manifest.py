"""The manifest: `packages.json` at one commit. Text in, a value or all its problems out.

`docs/manifest.md` describes the format for its users; `swagger/packages.schema.json` is
generated from the models here (`python -m gm_analytics.manifest`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gm_analytics.errors import ManifestError, Problem
from gm_analytics.rpm.grammar import SPEC

MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 1_000
MAX_SPECS = 2_000
MAX_SPEC_LENGTH = SPEC.longest
MAX_SPECS_LENGTH = 64 * 1024
"""Characters of all specs together: they are one command, and Linux caps that at 128 KiB."""
MAX_PROBLEMS = 100
"""Reported at once; a megabyte of mistakes would make a report of a hundred."""

ACCEPTED = (
    "a package name (tree), name-version (nmap-7.92), name.arch, an absolute path below "
    "/usr or /etc, or a group (@development)"
)
_PREFIX = re.compile(
    r"(?:sudo[ \t]+)?(?:yum|dnf)[ \t]+(?:(?:-y|--assumeyes)[ \t]+)?install"
    r"(?:[ \t]+(?:-y|--assumeyes))?(?=[ \t]|$)"
)
_REASONS = (
    (re.compile(r"-.*", re.DOTALL), "an option"),
    (re.compile(r"[a-z][a-z0-9+.-]*://.*", re.DOTALL | re.IGNORECASE), "a URL"),
    (re.compile(r".*[^\x20-\x7e].*", re.DOTALL), "a character that is not printable ASCII"),
    (re.compile(r".*[*?\[\]].*"), "a glob"),
    (re.compile(r"[/.].*"), "a path outside /usr and /etc"),
    (re.compile(r"@[^:]+:.*"), "a module stream (modules cannot be mirrored package by package)"),
    (re.compile(r".*[^A-Za-z0-9._+~^:@/-].*"), "a shell character"),
)


class EntryModel(BaseModel):
    """One package as the team names it, and what yum is given for it."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Entry")

    package_name: Annotated[str, Field(min_length=1, max_length=MAX_SPEC_LENGTH)]
    installation_commands: Annotated[
        str | list[str],
        Field(
            description="Package specs separated by blanks or ';' "
            "(a leading 'sudo yum install -y' is dropped), or a list of such strings."
        ),
    ]


class PackagesModel(BaseModel):
    """The manifest as an object."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Packages")

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
    def parse(cls, text: bytes) -> Manifest:
        """Read the bytes of a manifest.

        Raises:
            ManifestError: it cannot be used; carries all problems with their places.

        """
        items, at = _items(_load(text))
        if len(items) > MAX_ENTRIES:
            found = f"{len(items)} entries"
            raise ManifestError([Problem(at or "/", found, f"at most {MAX_ENTRIES}")])
        problems: list[Problem] = []
        entries = tuple(
            entry
            for index, item in enumerate(items)
            if (entry := _entry(item, f"{at}/{index}", problems))
        )
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
            raise ManifestError(problems)
        return cls(entries)


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
    try:
        return json.loads(text.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ManifestError([Problem(where, f"no JSON ({error.msg})", "JSON")]) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, a number of 5,000 digits, too deep
        raise ManifestError([Problem("file", f"no JSON ({error})", "JSON in UTF-8")]) from error


def _items(data: Any) -> tuple[list[Any], str]:
    """Give the list of entries and the JSON pointer to it."""
    if isinstance(data, list):
        return data, ""
    if (
        isinstance(data, dict)
        and list(data) == ["packages"]
        and isinstance(data["packages"], list)
    ):
        return data["packages"], "/packages"
    found = f"an object with {sorted(data)}" if isinstance(data, dict) else _show(data)
    raise ManifestError([Problem("/", found, 'an array, or an object {"packages": [...]}')])


def _entry(item: Any, where: str, problems: list[Problem]) -> Entry | None:
    if isinstance(item, str):
        return Entry(item, tuple(_specs(item, where, problems)), where)
    try:
        model = EntryModel.model_validate(item)
    except ValidationError as error:
        problems += _model_problems(error, where)
        return None
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


def _model_problems(error: ValidationError, where: str) -> Iterator[Problem]:
    places: dict[str, Problem] = {}
    for detail in error.errors():
        # A union reports each of its members; their names follow the field's in `loc`.
        place = "/".join([where, *map(str, detail["loc"][:1])])
        expected = {
            "extra_forbidden": "package_name and installation_commands only",
            "missing": "the field",
            "model_type": "a string, or an object with package_name and installation_commands",
        }.get(detail["type"])
        found = "nothing" if detail["type"] == "missing" else _show(detail["input"])
        if place.endswith("/installation_commands") and not expected:
            expected = "a string or an array of strings"
        places.setdefault(place, Problem(place, found, expected or detail["msg"]))
    yield from places.values()


def _specs(text: str, where: str, problems: list[Problem]) -> Iterator[str]:
    """Split one string into its specs; what is not a spec goes to `problems`."""
    if "\n" in text or "\r" in text:
        problems.append(Problem(where, _show(text), "one line"))
        return
    words = [
        word
        for command in text.split(";")
        for word in re.split(r"[ \t]+", _PREFIX.sub("", command.strip(" \t"), count=1))
        if word
    ]
    if not words:
        problems.append(Problem(where, _show(text), ACCEPTED))
    for word in words:
        if SPEC.fits(word) and not word.endswith(".rpm"):
            yield word
        elif len(problems) > MAX_PROBLEMS:
            return
        else:
            problems.append(Problem(where, _why_not(word), ACCEPTED))


def _why_not(word: str) -> str:
    if len(word) > MAX_SPEC_LENGTH:
        return f"{_show(word)}, {len(word):,} characters long"
    if word.endswith(".rpm"):
        return f"{_show(word)}, a file name"
    reason = next((why for pattern, why in _REASONS if pattern.fullmatch(word)), "no package spec")
    return f"{_show(word)}, {reason}"


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004  # fits a line


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))  # noqa: T201  # this is its output
