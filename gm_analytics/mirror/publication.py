"""What a mirror holds, as values: a publication, a preview, a closure. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

# --- what a mirror holds --------------------------------------------------------------------
from gm_analytics.rpm.package import Package, Row


@dataclass(frozen=True)
class Publication:
    """One immutable set of metadata of a mirror, as its publication.json says it."""

    number: int
    """Its own, or the pull request's of a preview."""
    update_id: str
    repository: str
    commit: str
    manifest: str
    """Digest of the manifest and of the policies it was solved under."""
    specs: tuple[str, ...]
    entries: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of the manifest's entries, each with its specs."""
    kind: str = "add"
    """The update's kind; `rollback` of what a person made live again."""
    base: str = ""
    """The directory of the publication that was live when it was made."""
    mark: str = ""
    """Of the newest merge that it contains."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Specs that can be installed together: one group, or one a spec where they conflict."""
    restores: int = 0
    """The number of the publication that a `rollback` made live again."""
    warnings: tuple[str, ...] = ()
    """What a reviewer should know of the manifest's closure."""
    key: str = ""
    """Fingerprint of the key that signed its metadata, empty if none did."""
    service: str = ""
    """Which service made it; known, as is the time, once it is written."""
    published_at: str = ""
    """UTC, ISO 8601; known once it is written."""

    @classmethod
    def parse(cls, text: str) -> Publication | None:
        """Read a publication.json; None if there is none, as of a repository taken over."""
        if not text.strip():
            return None
        data = json.loads(text)
        entries = tuple((name, tuple(specs)) for name, specs in data.get("entries", ()))
        groups = tuple(map(tuple, data.get("groups", ())))
        return cls(
            **data
            | {"specs": tuple(data["specs"]), "entries": entries, "groups": groups}
            | {"warnings": tuple(data.get("warnings", ()))}
        )

    @property
    def exact(self) -> bool:
        """Whether nothing of what was live before stays."""
        return self.kind != "add"

    @staticmethod
    def directory(number: int) -> str:
        """Give a publication's directory, relative to the mirror's root."""
        return f".publications/{number:06d}"

    @staticmethod
    def number_of(directory: str) -> int:
        """Read the number back from `directory`."""
        return int(directory.rpartition("/")[2])


@dataclass(frozen=True)
class Preview:
    """What is served of a pull request beside the live set."""

    publication: Publication
    repomd: str
    """SHA-256 of its repomd.xml."""


@dataclass(frozen=True)
class Download:
    """A solved and downloaded closure."""

    groups: tuple[tuple[str, ...], ...]
    """Specs that were solved together: one group, or one a spec where they conflict."""
    rows: tuple[Row, ...]

    @property
    def specs(self) -> tuple[str, ...]:
        """All specs."""
        return tuple(spec for group in self.groups for spec in group)


Whereabouts = Literal["new", "pool", "live", "differs"]


@dataclass(frozen=True)
class Closure:
    """The packages of a download, by where they are already."""

    packages: tuple[Package, ...]
    states: tuple[Whereabouts, ...]
    warnings: tuple[str, ...] = ()
    """What a reviewer should know of it."""

    @classmethod
    def parse(cls, output: str, rows: Iterable[Row]) -> Closure:
        """Read the output of `commands.inspect`; the table says which repository each is from."""
        sources = {row.nevra: row.repository for row in rows}
        packages, states = [], []
        for line in output.splitlines():
            state, _, facts = line.partition("\t")
            package = Package.from_line(facts)
            packages.append(replace(package, source=sources.get(package.nevra, "")))
            states.append(state)
        return cls(tuple(packages), tuple(states))  # type: ignore[arg-type]  # the script's words

    @classmethod
    def of_pool(cls, packages: Iterable[Package]) -> Closure:
        """Give the closure of packages that the pool has."""
        known = tuple(packages)
        states: tuple[Whereabouts, ...] = tuple("pool" for _ in known)
        return cls(known, states)

    def sourced(self, known: Iterable[Package]) -> Closure:
        """Give the closure with the sources that are known of some of its files."""
        sources = {package.file: package.source for package in known}
        packages = (replace(p, source=sources.get(p.file, p.source)) for p in self.packages)
        return replace(self, packages=tuple(packages))

    def only(self, nevras: Iterable[str]) -> Closure:
        """Give the part of the closure that has these NEVRAs."""
        named = set(nevras)
        pairs = zip(self.packages, self.states, strict=True)
        kept = [(package, state) for package, state in pairs if package.nevra in named]
        packages, states = tuple(p for p, _ in kept), tuple(s for _, s in kept)
        return replace(self, packages=packages, states=states)

    def where(self, *states: Whereabouts) -> tuple[Package, ...]:
        """Give the packages in one of these states."""
        return tuple(p for p, s in zip(self.packages, self.states, strict=True) if s in states)
