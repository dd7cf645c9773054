"""The lock file: what a publication holds, so exactly that it can be made again. No I/O."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from gm_analytics import misconfigured, stored
from gm_analytics.errors import LockMismatch, NewerFormat
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Digest, EntryName, Line, Spec
from gm_analytics.rpm import grammar
from gm_analytics.rpm.package import Package

FORMAT = 1


MAX_BYTES = 256 * 1024 * 1024
MAX_SIZE = 10**grammar.SIZE.longest


@dataclass(frozen=True)
class Locked:
    """One RPM of a lock file."""

    nevra: Annotated[str, grammar.NEVRA.field]
    file: Annotated[str, grammar.FILE.field]
    size: Annotated[int, Field(ge=0, lt=MAX_SIZE)]
    """Bytes."""
    sha256: Annotated[str, grammar.SHA256.field]
    source: Annotated[str, grammar.optional(grammar.REPOSITORY_ID).field] = ""
    """The upstream repository it came from."""
    wanted: tuple[Spec, ...] = ()
    """The package specs that pulled it in."""
    wanted_by: tuple[EntryName, ...] = ()
    """The manifest's entries that have those specs."""

    @classmethod
    def of(cls, package: Package, entries: Iterable[tuple[str, tuple[str, ...]]]) -> Locked:
        """Derive it from a package, and the manifest's entries with their specs."""
        p, by = package, [name for name, specs in entries if set(specs) & set(package.wanted)]
        return cls(p.nevra, p.file, p.size, p.sha256, p.source, p.wanted, tuple(by))

    @property
    def package(self) -> Package:
        """Give it as what a mirror holds."""
        rest, _, arch = self.nevra.rpartition(".")
        rest, _, release = rest.rpartition("-")
        name, _, version = rest.rpartition("-")
        epoch, _, version = version.rpartition(":")
        evr = (int(epoch or 0), version, release)
        return Package(
            self.file, name, *evr, arch, self.size, self.sha256, self.source, self.wanted
        )


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A manifest's specs, and the RPMs that they meant on one mirror at one time.

    Specs and packages are what it is for; the rest may be missing.
    """

    format: int = FORMAT
    mirror: Line = ""
    publication: int = 0
    published_at: Line = ""
    repository: Line = ""
    commit: Line = ""
    digest: Digest = ""
    """Of the manifest and the policies it was solved under, as publication.json has it."""
    specs: tuple[Spec, ...]
    entries: tuple[tuple[EntryName, tuple[Spec, ...]], ...] = ()
    groups: tuple[tuple[Spec, ...], ...] = ()
    """Specs that can be installed together."""
    packages: tuple[Locked, ...]

    @classmethod
    def of(cls, mirror: str, held: Held, packages: Iterable[Package]) -> Lock:
        """Derive it from what a mirror keeps of a publication."""
        made = held.publication
        entries = made.entries if made else ()
        return cls(
            mirror=mirror,
            publication=held.number,
            published_at=held.when,
            repository=made.repository if made else "",
            commit=made.commit if made else "",
            digest=made.manifest if made else "",
            specs=made.specs if made else (),
            entries=entries,
            groups=made.groups if made else (),
            packages=tuple(Locked.of(package, entries) for package in packages),
        )

    @classmethod
    def parse(cls, text: bytes) -> Lock:
        """Read a lock file.

        Raises:
            LockMismatch: it is not a lock file.

        """
        if len(text) > MAX_BYTES:
            raise LockMismatch([f"not a lock file: {len(text):,} bytes"])
        try:
            found = _LOCK.validate_json(text)
        except ValidationError as error:
            _refuse_newer(text)
            first = misconfigured.problems(error)[0]
            raise LockMismatch([f"not a lock file: {first}"]) from error
        _refuse_newer(text)
        return found

    def text(self) -> str:
        """Give the file's text."""
        return json.dumps(asdict(self), indent=1)

    def check(self, manifest: Manifest) -> None:
        """Compare the specs with a manifest's.

        Raises:
            LockMismatch: it was made for others; they are named.

        """
        ours, theirs = set(self.specs), set(manifest.specs)
        differing = [f"{spec} is in the manifest alone" for spec in sorted(theirs - ours)]
        differing += [f"{spec} is in the lock file alone" for spec in sorted(ours - theirs)]
        grouped = {spec for group in self.groups for spec in group}
        differing += [f"{spec} is in its groups alone" for spec in sorted(grouped - ours)]
        if differing:
            raise LockMismatch(differing)


_LOCK = TypeAdapter(Lock)


def _refuse_newer(text: bytes) -> None:
    try:
        stored.refuse_newer("a lock file", text, FORMAT)
    except NewerFormat as error:
        raise LockMismatch([str(error)]) from error


def broken(
    packages: Iterable[Package],
    pool: Mapping[str, str],
    fetched: Mapping[str, str],
    gone: Container[str],
) -> list[str]:
    """Say which packages cannot be had with their bytes, and why.

    `pool` and `fetched` have the SHA-256 of the files that are there and of the NEVRAs that were
    downloaded; `gone` are those that upstream does not have.
    """
    found = []
    for package in packages:
        where, there = "the pool", pool.get(package.file)
        if there is None:
            where, there = "upstream", fetched.get(package.nevra)
        if package.nevra in gone or (there is None and not gone):
            found.append(f"{package.nevra}: upstream no longer has it")
        elif there not in {None, package.sha256}:
            found.append(f"{package.nevra}: {where} has other bytes")
    return found
