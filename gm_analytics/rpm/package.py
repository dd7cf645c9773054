"""A package as a value: one RPM file, and one row of a package manager's table. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from gm_analytics import stored
from gm_analytics.errors import Malformed
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import SPEC, lines, optional, shown

FORMAT = 1
"""Of `packages.txt`, which says it from 2 on."""


# What a step gave is held to these again when it is read from the database.
Name = Annotated[str, grammar.NAME.field]
Arch = Annotated[str, grammar.ARCH.field]
Bytes = Annotated[int, Field(ge=0, lt=10**grammar.SIZE.longest)]


@dataclass(frozen=True, order=True)
class Package:
    """One RPM file of the pool."""

    file: Annotated[str, grammar.FILE.field]
    name: Name
    epoch: Annotated[int, Field(ge=0, lt=10**grammar.EPOCH.longest)]
    version: Annotated[str, grammar.VERSION.field]
    release: Annotated[str, grammar.RELEASE.field]
    arch: Arch
    size: Bytes
    """Bytes."""
    sha256: Annotated[str, grammar.SHA256.field]
    source: Annotated[str, optional(grammar.REPOSITORY_ID).field] = ""
    """The upstream repository it came from, empty if that is not known."""
    wanted: tuple[Annotated[str, SPEC.field], ...] = ()
    """The package specs that pulled it in."""

    @property
    def nevra(self) -> str:
        """Name, epoch (unless 0), version, release and architecture."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    @property
    def canonical(self) -> str:
        """The file name that says what it is; a repository that was taken over has others."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"

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
        """Read what `line` gives, or a script on the mirror prints.

        Raises:
            Malformed: it is not one, or a field is not what it should be.

        """
        return cls._of(line, _LINE)

    @classmethod
    def _of(cls, line: str, form: re.Pattern[str]) -> Package:
        if (found := form.fullmatch(line)) is None:
            raise _mistake(line)
        file, name, epoch, version, release, arch, size, sha256, source, wanted = found.groups("")
        evr = (int(epoch), version, release)
        return cls(file, name, *evr, arch, int(size), sha256, source, _specs(wanted))

    @classmethod
    def parse(cls, output: str) -> tuple[Package, ...]:
        """Read `packages.txt`.

        It begins with `#gm-packages FORMAT` where that is not 1. Columns after the tenth are a
        newer version's, and ignored.

        Raises:
            Malformed: a line is none of a package.
            NewerFormat: a newer gm-analytics wrote it.

        """
        rows = lines(output, "a line of packages.txt")
        if rows and (marked := _HEADER.fullmatch(rows[0])):
            stored.refuse_number("packages.txt", int(marked[1]), FORMAT)
            del rows[0]
        return tuple(cls._of(row, _ROW) for row in rows)


_FIELDS = (
    grammar.FILE,
    grammar.NAME,
    grammar.EPOCH,
    grammar.VERSION,
    grammar.RELEASE,
    grammar.ARCH,
    grammar.SIZE,
    grammar.SHA256,
    grammar.optional(grammar.REPOSITORY_ID),
)
"""Of a line of `packages.txt`, before the specs."""
_COLUMNS = [*(f"({one.python})" for one in _FIELDS), "([ -~]*)"]
_LINE = re.compile("\t".join(_COLUMNS))
_ROW = re.compile(
    "\t".join(_COLUMNS[:-2]) + rf"(?:\t{_COLUMNS[-2]}(?:\t{_COLUMNS[-1]}(?:\t[^\n]*)?)?)?"
)
"""Of a stored line: without the last two columns, or with more."""
_HEADER = re.compile("#gm-packages ([0-9]{1,9})(?:[ \t].*)?")


def _mistake(line: str) -> Malformed:
    """Say which field of a line is not what it should be."""
    found = line.split("\t")[: len(_FIELDS) + 1]
    wrong = (one for one, text in zip(_FIELDS, found, strict=False) if not one.fits(text))
    first = next(wrong, None) if len(found) == len(_FIELDS) + 1 else None
    text = found[_FIELDS.index(first)] if first else line
    return Malformed(first.what if first else "a line of packages.txt", shown(text))


@lru_cache(maxsize=1024)  # thousands of packages have the same ones
def _specs(text: str) -> tuple[str, ...]:
    return tuple(SPEC.check(spec) for spec in text.split(",")) if text else ()


@dataclass(frozen=True)
class Row:
    """One line of yum's transaction table."""

    name: Name
    arch: Arch
    evr: Annotated[str, grammar.EVR.field]
    repository: Annotated[str, grammar.REPOSITORY_ID.field]
    size: Bytes
    """Bytes, as exact as yum prints it."""

    @classmethod
    def of(cls, package: Package) -> Row:
        """Give the row of a package, of no repository."""
        return cls(package.name, package.arch, package.evr, "", package.size)

    @property
    def nevra(self) -> str:
        """As `Package.nevra`."""
        return f"{self.name}-{self.evr.removeprefix('0:')}.{self.arch}"

    @property
    def file(self) -> str:
        """As `Package.canonical`."""
        return f"{self.name}-{self.evr.rpartition(':')[2]}.{self.arch}.rpm"

    @property
    def source(self) -> str:
        """As `Package.source`."""
        return self.repository

    @property
    def wanted(self) -> tuple[str, ...]:
        """As `Package.wanted`; nothing is known of it before the files are there."""
        return ()
