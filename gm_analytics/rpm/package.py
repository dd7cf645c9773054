"""A package as a value: one RPM file, and one row of a package manager's table. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Package:
    """One RPM file of the pool."""

    file: str
    name: str
    epoch: int
    version: str
    release: str
    arch: str
    size: int
    """Bytes."""
    sha256: str
    source: str = ""
    """The upstream repository it came from, empty if that is not known."""
    wanted: tuple[str, ...] = ()
    """The package specs that pulled it in."""

    @property
    def nevra(self) -> str:
        """Name, epoch (unless 0), version, release and architecture."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    @property
    def evr(self) -> str:
        """Epoch, version and release."""
        return f"{self.epoch}:{self.version}-{self.release}"

    def line(self) -> str:
        """Give the package as a line of `packages.txt`."""
        fields = (self.file, self.name, self.epoch, self.version, self.release, self.arch)
        wanted = ",".join(self.wanted)
        return "\t".join(map(str, (*fields, self.size, self.sha256, self.source, wanted)))

    @classmethod
    def from_line(cls, line: str) -> Package:
        """Read a line of `packages.txt`."""
        file, name, epoch, version, release, arch, size, sha256, source, wanted = line.split("\t")
        specs = tuple(wanted.split(",")) if wanted else ()
        return cls(
            file, name, int(epoch), version, release, arch, int(size), sha256, source, specs
        )


@dataclass(frozen=True)
class Row:
    """One line of yum's transaction table."""

    name: str
    arch: str
    evr: str
    repository: str
    size: int
    """Bytes, as exact as yum prints it."""

    @property
    def nevra(self) -> str:
        """As `Package.nevra`."""
        return f"{self.name}-{self.evr.removeprefix('0:')}.{self.arch}"

    @property
    def source(self) -> str:
        """As `Package.source`."""
        return self.repository

    @property
    def wanted(self) -> tuple[str, ...]:
        """As `Package.wanted`; nothing is known of it before the files are there."""
        return ()
