"""What a mirror holds, as values: a publication, a preview, a closure. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from gm_analytics import stored
from gm_analytics.errors import Malformed
from gm_analytics.manifest import MAX_BYTES
from gm_analytics.mirror.public_keys import Signatures
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import lines, optional, shown
from gm_analytics.rpm.package import Package, Row

FORMAT = 1
"""Of publication.json; see `gm_analytics.stored`."""

AGAIN = frozenset({"repair", "remove", "accept"})
"""Kinds of publications that a person made of what was live, beside `rollback`."""

Spec = Annotated[str, grammar.SPEC.field]
Digest = Annotated[str, optional(grammar.SHA256).field]
Line = Annotated[str, grammar.TEXT.field]
EntryName = Annotated[str, Field(max_length=MAX_BYTES)]
"""As the manifest's author wrote it: shown, and never more."""

MAX_VETOES = 500
"""Of one publication; the newest are kept."""

# --- what a mirror holds --------------------------------------------------------------------


@dataclass(frozen=True)
class Veto:
    """A publication that a rollback took back.

    No event of its commit, and none whose manifest it satisfied, publishes that again.
    """

    number: Annotated[int, Field(ge=0, lt=10**12)]
    commit: Line = ""
    specs: Digest = ""
    """Digest of its manifest's specs, whatever policy they were solved under."""
    manifests: Annotated[tuple[Digest, ...], Field(max_length=1000)] = ()
    """Digests of the solve keys that it satisfied."""


@dataclass(frozen=True)
class Publication:
    """One immutable set of metadata of a mirror, as its publication.json says it."""

    number: Annotated[int, Field(ge=0, lt=10**12)]
    """Its own, or the pull request's of a preview."""
    update_id: Annotated[str, optional(grammar.UPDATE_ID).field] = ""
    repository: Line = ""
    commit: Line = ""
    manifest: Digest = ""
    """Digest of the manifest and of the policies it was solved under."""
    specs: tuple[Spec, ...] = ()
    entries: tuple[tuple[EntryName, tuple[Spec, ...]], ...] = ()
    """Names of the manifest's entries, each with its specs."""
    kind: Line = "add"
    """The update's kind; `rollback` of what a person made live again."""
    base: Annotated[str, optional(grammar.PUBLICATION).field] = ""
    """The directory of the publication that was live when it was made."""
    mark: Annotated[str, optional(grammar.MARK).field] = ""
    """Of the newest merge that it contains."""
    groups: tuple[tuple[Spec, ...], ...] = ()
    """Specs that can be installed together: one group, or one a spec where they conflict."""
    restores: int = 0
    """The number of the publication that a `rollback` made live again."""
    vetoed: Annotated[tuple[Veto, ...], Field(max_length=MAX_VETOES)] = ()
    """What was rolled back, and not published again since."""
    warnings: tuple[Line, ...] = ()
    """What a reviewer should know of the manifest's closure."""
    key: Annotated[str, optional(grammar.FINGERPRINT).field] = ""
    """Fingerprint of the key that signed its metadata, empty if none did."""
    signatures: Signatures | None = None
    """Who signed its packages; earlier versions did not say."""
    made_with: dict[Line, Line] = field(default_factory=dict)
    """The configuration that it was made with, by names; see `basis`."""
    service: Line = ""
    """Which service made it; known, as is the time, once it is written."""
    published_at: Line = ""
    """UTC, ISO 8601; known once it is written."""
    format: int = FORMAT

    @classmethod
    def parse(cls, text: str) -> Publication | None:
        """Read a publication.json; None if it is missing, as of a repository taken over.

        Raises:
            Malformed: it is none, or a field is not what it should be.
            NewerFormat: a newer gm-analytics wrote it.

        """
        if not text.strip():
            return None
        stored.refuse_newer("a publication.json", text, FORMAT)
        try:
            return _PUBLICATION.validate_json(text)
        except ValidationError as error:
            raise stored.malformed("a publication.json", error) from error
        except UnicodeEncodeError as error:
            raise Malformed("a publication.json", shown(str(error))) from error

    @classmethod
    def read(cls, text: str, *, there: bool) -> tuple[Publication | None, str]:
        """Read as `parse`, or say what is wrong; `there` tells an empty file from none."""
        if there and not text.strip():
            return None, "found an empty file; expected a publication.json"
        try:
            return cls.parse(text), ""
        except Malformed as error:
            return None, str(error)

    def text(self) -> str:
        """Give the text of its publication.json."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @property
    def exact(self) -> bool:
        """Whether it does not satisfy what the one before it did."""
        return self.kind not in {"add", "repair", "accept"}

    @staticmethod
    def directory(number: int) -> str:
        """Give a publication's directory, relative to the mirror's root."""
        return f".publications/{number:06d}"

    @staticmethod
    def number_of(directory: str) -> int:
        """Read the number back from `directory`."""
        return int(directory.rpartition("/")[2])


_PUBLICATION = TypeAdapter(Publication)


@dataclass(frozen=True)
class Preview:
    """What is served of a pull request beside the live set."""

    publication: Publication
    repomd: str
    """SHA-256 of its repomd.xml."""
    upstream: Digest = ""
    """What upstream looked like when it was solved; empty if an earlier version made it."""


@dataclass(frozen=True)
class Standing:
    """What merging an open pull request would change now that something else was published."""

    pull_request: Line
    """`owner/name#number`."""
    publication: int
    """The one that its preview was compared with."""
    summary: Line


@dataclass(frozen=True)
class Download:
    """A solved and downloaded closure."""

    groups: tuple[tuple[Spec, ...], ...]
    """Specs that were solved together: one group, or one a spec where they conflict."""
    rows: tuple[Row, ...]
    withdrawn: tuple[Annotated[str, grammar.NEVRA.field], ...] = ()
    """What is live and would have been taken, if upstream had not withdrawn it."""

    @property
    def specs(self) -> tuple[str, ...]:
        """All specs."""
        return tuple(spec for group in self.groups for spec in group)


@dataclass(frozen=True)
class Built:
    """What the service put beside the packages of a candidate."""

    groups: Digest = ""
    """SHA-256 of the groups file, empty without one."""
    documents: dict[Line, tuple[Annotated[str, grammar.SHA256.field], ...]] = field(
        default_factory=dict
    )
    """Of what else its repomd.xml names, by type: SHA-256 of the file or of what is in it."""
    adopted: Digest = ""
    """SHA-256 of the repomd.xml of the repository that was taken over, as far as it goes on."""
    signatures: Signatures | None = None
    """Who signed the candidate's packages, as its publication.json says; earlier versions did not
    look."""

    @classmethod
    def of(cls, made: Built | str | None) -> Built | None:
        """Give it; a version without documents noted the groups alone, or nothing."""
        return cls(made) if isinstance(made, str) else made

    @staticmethod
    def described(made: Built | str | None, publication: Publication) -> Publication:
        """Give the publication with what was found of it while its candidate was built."""
        found = made.signatures if isinstance(made, Built) else None
        return replace(publication, signatures=found) if found else publication


Whereabouts = Literal["new", "pool", "live", "differs"]


_STATES: dict[str, Whereabouts] = {word: word for word in get_args(Whereabouts)}


@dataclass(frozen=True)
class Closure:
    """The packages of a download, by where they are already."""

    packages: tuple[Package, ...]
    states: tuple[Whereabouts, ...]
    warnings: tuple[str, ...] = ()
    """What a reviewer should know of it."""
    stale: bool = False
    """Whether what is live says something else of its module streams than upstream does now."""

    @classmethod
    def parse(cls, output: str, rows: Iterable[Row]) -> Closure:
        """Read the output of `inspect`; the table says which repository each is from.

        Raises:
            Malformed: a line is not a state and a package, or a file not named by its header.

        """
        sources = {row.nevra: row.repository for row in rows}
        packages, states = [], []
        for line in lines(output, "a line of a closure"):
            state, _, facts = line.partition("\t")
            package = Package.from_line(facts)
            if package.file != package.canonical:
                raise Malformed(f"the file name {package.canonical}", shown(package.file))
            packages.append(replace(package, source=sources.get(package.nevra, "")))
            if state not in _STATES:
                raise Malformed(f"one of {', '.join(_STATES)}", shown(state))
            states.append(_STATES[state])
        return cls(tuple(packages), tuple(states))

    @classmethod
    def of_pool(cls, packages: Iterable[Package]) -> Closure:
        """Give the closure of packages that the pool has."""
        known = tuple(packages)
        states: tuple[Whereabouts, ...] = tuple("pool" for _ in known)
        return cls(known, states)

    def beside(self, packages: Iterable[Package], state: Whereabouts) -> Closure:
        """Give the closure with more packages, in the order of their files."""
        pairs = [*zip(self.packages, self.states, strict=True), *((p, state) for p in packages)]
        pairs.sort(key=lambda pair: pair[0].file)
        found, states = tuple(p for p, _ in pairs), tuple(s for _, s in pairs)
        return replace(self, packages=found, states=states)

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
