"""What a mirror keeps of its past: listed, called back, and removed. Commands as data; no I/O.

`retention` decides what is removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from gm_analytics.errors import Malformed
from gm_analytics.mirror.publication import AGAIN, Publication, Veto
from gm_analytics.mirror.repository import createrepo_of
from gm_analytics.mirror.survey import Target, Tools
from gm_analytics.mirror.yum import repo_file
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import FILE, MAX_LINE, NUMBER, PUBLICATION, SHA256, SIZE, TIME, lines

_HELD = f"({grammar.PUBLICATION.ere}|{grammar.PREVIEW.ere})"
HELD = grammar.Grammar("a directory of the mirror's", _HELD, grammar.PREVIEW.longest)
_FACT = re.compile(
    r"(made|left|count|served|described) ([0-9.]{1,40}) "
    rf"(?:\.\./)?{_HELD}(?:/packages\.txt|/publication\.json)?"
)
_LINE = re.compile(rf"{_HELD}/(publication\.json|manifests\.txt):(.*)", re.DOTALL)
MAX_DESCRIPTION = 4 * 1024 * 1024
"""Bytes of a publication.json."""


def history(target: Target) -> Argv:
    """Print what `History.parse` reads: every publication and every preview that is there."""
    return ("env", f"LARGEST={MAX_DESCRIPTION}", *script("mirror", "history", target.root))


@dataclass(frozen=True)
class Held:
    """A publication or a preview that a mirror holds; times in seconds since the epoch."""

    directory: Annotated[str, Field(pattern=f"^{_HELD}$", max_length=grammar.PREVIEW.longest)]
    """Relative to the mirror's root."""
    number: int
    """Its own, or the pull request's of a preview."""
    served: bool
    """Whether it is live or, of a preview, linked."""
    packages: int
    made_at: float
    left_at: float
    """When it ceased to be served; the switch and the drop of a preview touch the directory."""
    publication: Publication | None = None
    """None of a repository that was taken over."""
    manifests: tuple[str, ...] = ()
    """Digests of the manifests that it satisfies."""
    unreadable: str = ""
    """What is wrong with what describes it; no reader stops for that."""
    vetoes: tuple[Veto, ...] = ()
    """Of one that is to be made live again: what must then not be published by an event."""

    @property
    def is_preview(self) -> bool:
        """Whether it is a preview's."""
        return self.directory.startswith(".previews/")

    @property
    def when(self) -> str:
        """UTC, ISO 8601."""
        if self.publication and self.publication.published_at:
            return self.publication.published_at
        return datetime.fromtimestamp(self.made_at, UTC).isoformat(timespec="seconds")

    @property
    def what(self) -> str:
        """Say what made it: a pull request and its update, a rollback, a person."""
        made = self.publication
        if self.unreadable:
            return f"cannot be read: {self.unreadable}"
        if made is None:
            return "as it was found"
        if made.kind == "rollback":
            return f"rollback to {made.restores}"
        if made.kind in AGAIN:
            return f"{made.kind} {made.update_id}"
        return " ".join(filter(None, (made.repository, made.update_id)))


@dataclass(frozen=True)
class History:
    """What a mirror holds, oldest first; `now` is the mirror's own clock."""

    now: float
    publications: tuple[Held, ...] = ()
    """Up to the live one: a candidate that was never switched to is not a publication."""
    previews: tuple[Held, ...] = ()

    @classmethod
    def parse(cls, output: str) -> History:
        """Read the output of `history`. Directories with other names do not count.

        Raises:
            Malformed: a time or the live directory is none.

        """
        facts: dict[str, dict[str, list[str]]] = {}
        now, live = "0", ""
        for line in output.removesuffix("\n").split("\n"):
            if len(line) > MAX_LINE:  # of a damaged file, which must not hide the others
                line = line[:MAX_LINE]  # noqa: PLW2901
            if match := _FACT.fullmatch(line):
                key, value, path = match.groups()
                facts.setdefault(path, {})[key] = [value]
            elif match := _LINE.fullmatch(line):
                path, file, text = match.groups()
                facts.setdefault(path, {}).setdefault(file, []).append(text)
            elif line.startswith("now "):
                now = TIME.check(line.removeprefix("now "))
            elif line.startswith("live "):
                live = PUBLICATION.check(line.removeprefix("live ").removesuffix("/repodata"))
        if live:
            facts.setdefault(live, {})["served"] = []
        held = [_held(path, known) for path, known in facts.items()]
        held.sort(key=lambda one: (one.number, one.made_at))
        newest = Publication.number_of(live) if live else 0
        return cls(
            float(now),
            tuple(one for one in held if not one.is_preview and one.number <= newest),
            tuple(one for one in held if one.is_preview),
        )

    @property
    def live(self) -> Held | None:
        """The live publication."""
        return next((one for one in self.publications if one.served), None)

    def before_live(self) -> Held | None:
        """Give the newest before the live one that is kept, and that can be read."""
        older = [one for one in self.publications if not (one.served or one.unreadable)]
        return older[-1] if older else None

    @property
    def unreadable(self) -> tuple[Held, ...]:
        """What cannot be read, of publications and previews."""
        return tuple(one for one in (*self.publications, *self.previews) if one.unreadable)

    def find(self, number: int) -> Held | None:
        """Give a publication by its number."""
        return next((one for one in self.publications if one.number == number), None)


def _held(directory: str, facts: dict[str, list[str]]) -> Held:
    def fact(key: str, one: grammar.Grammar) -> str:
        return one.check(facts.get(key, ["0"])[0])

    text = "\n".join(facts.get("publication.json", []))
    publication, unreadable = Publication.read(text, there="described" in facts)
    if (size := float(facts.get("described", ["0"])[0])) >= MAX_DESCRIPTION:
        unreadable = f"found a publication.json of {size:,.0f} bytes"
    manifests = facts.get("manifests.txt", [])
    if wrong := [line for line in manifests if not SHA256.fits(line)]:
        unreadable = unreadable or f"found {grammar.shown(wrong[0])} in its manifests.txt"
    return Held(
        directory=directory,
        number=int(directory.partition("/")[2].partition("-")[0]),
        served="served" in facts,
        packages=int(fact("count", NUMBER)),
        made_at=float(fact("made", TIME)),
        left_at=float(fact("left", TIME)),
        publication=publication,
        manifests=() if unreadable else tuple(manifests),
        unreadable=unreadable,
    )


def missing(target: Target, publication: str) -> Argv:
    """Print the files of a publication's packages that the pool lacks."""
    return script("mirror", "missing", target.root, publication)


# --- a lock file's RPMs --------------------------------------------------------------------

LOCKED = "locked.txt"
"""List in staging of a lock file's RPM files."""


def sums(target: Target, update_id: str) -> Argv:
    """Print the SHA-256 and the name of each file of staging's `locked.txt` that the pool has."""
    return script("mirror", "sums", target.root, target.staging(update_id))


def offer(target: Target, tools: Tools, update_id: str) -> Argv:
    """Offer the files of staging's `locked.txt` to yum: no publication may name them now."""
    staging = target.staging(update_id)
    text = repo_file(f"file://{staging}/locked/", "gm-locked")
    createrepo = (*createrepo_of(tools, target.root), "--location-prefix=../../..")
    return script("mirror", "offer", target.root, staging, text, *createrepo)


def read_sums(output: str) -> dict[str, str]:
    """Read the output of `sums`: the SHA-256 of each file.

    Raises:
        Malformed: a line is not as it should be.

    """
    pairs = [line.partition("  ./") for line in lines(output, "a file's SHA-256")]
    return {FILE.check(file): SHA256.check(digest) for digest, _, file in pairs}


# --- removal -------------------------------------------------------------------------------

KEPT, GONE, DROPPED, RPMS = "kept.txt", "gone.txt", "dropped.txt", "rpms.txt"
"""Lists in staging, since a command has a largest size: directories, numbers, RPM files."""


def unnamed(target: Target, update_id: str) -> Argv:
    """Print what `Pool.parse` reads: the RPMs that none of staging's `kept.txt` names."""
    inner = script("mirror", "unnamed", target.root, target.staging(update_id))
    return ("env", f"FILE={FILE.ere}", *inner)


_SIZES = ("size", "before", "after")


@dataclass(frozen=True)
class Pooled:
    """An RPM file of the pool."""

    file: str
    size: int
    """Bytes."""
    added_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Pool:
    """What the pool holds that nothing kept names, and sizes in bytes."""

    unnamed: tuple[Pooled, ...]
    size: int
    """Of all RPMs."""
    metadata_before: int
    metadata_after: int
    """Without those that go."""
    unlisted: tuple[str, ...] = ()
    """Kept directories of which it cannot be told what they name: then no RPM may go."""

    @classmethod
    def parse(cls, output: str) -> Pool:
        """Read the output of `unnamed`.

        Raises:
            Malformed: a line or a size is not as it should be.

        """
        rpms, sizes, unlisted = [], {}, []
        for line in lines(output, "a file of the pool"):
            match line.split("\t"):
                case [("size" | "before" | "after") as key, size]:
                    sizes[key] = grammar.number(SIZE, size)
                case ["unlisted", directory]:
                    unlisted.append(HELD.check(directory))
                case [file, size, added]:
                    at = float(TIME.check(added))
                    rpms.append(Pooled(FILE.check(file), grammar.number(SIZE, size), at))
                case _:
                    raise Malformed("a file of the pool", grammar.shown(line))
        if len(sizes) != len(_SIZES):
            raise Malformed(f"the sizes {', '.join(_SIZES)}", f"only {', '.join(sizes) or 'none'}")
        rpms.sort(key=lambda rpm: rpm.file)
        weights = (sizes["size"], sizes["before"], sizes["after"])
        return cls(() if unlisted else tuple(rpms), *weights, unlisted=tuple(unlisted))


def collect(target: Target, update_id: str) -> Argv:
    """Remove what staging lists: previews' links, then directories, then RPMs they named."""
    inner = script("mirror", "collect", target.root, target.staging(update_id))
    return ("env", f"PREVIEW={grammar.PREVIEW.ere}", *inner)
