"""Metadata beside packages: the groups, advisories and modules of repositories. No I/O.

A document is what a repomd.xml names, by its type and its checksum; no name of a file says what it
is. Those of upstream are what yum has cached of the repositories that it solves with.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from gm_analytics.errors import Malformed
from gm_analytics.mirror.survey import REFUSED, Target
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import grammar
from gm_analytics.rpm.compressed import opened
from gm_analytics.rpm.foreign import documents_of
from gm_analytics.rpm.grammar import DATA_TYPE, DOCUMENT, REPOSITORY_ID
from gm_analytics.rpm.repodata import GROUP, Data

MAX_DOCUMENTS = 200
MAX_BYTES = 24 * 1024 * 1024
"""Of a document as it is stored; RHEL 8's advisories are the largest, with 8 MB."""
MAX_ALL = 45 * 1024 * 1024
"""Of all documents together: in base64, what a command may print."""
MAX_REPOMD = 1_000_000
MAX_OPEN = {"group": 8 * 1024 * 1024, "updateinfo": 512 * 1024 * 1024, "modules": 64 * 1024 * 1024}
"""Bytes of a document's content."""
FRESH = 3600
"""Seconds for which metadata count as current where this update did not solve anything."""
_GROUPS = "group(_gz|_xz|_zst|_bz2)?|modules"
TYPES = f"{_GROUPS}|updateinfo"
OTHERS = "[A-Za-z].*"
_NOT_CARRIED = re.compile(r"(primary|filelists|other|prestodelta|deltainfo).*|.*_(db|zck)|.*:.*")
"""Types that createrepo writes itself, or that describe files which the pool does not have."""

Origin = Literal["served", "adopted", "reviewed", "upstream"]
"""Of the publication that is followed; what an adopted repository brought along; the reviewed
preview's; upstream's."""


def records(target: Target, served: str, update_id: str, *, upstream: bool = True) -> Argv:
    """Print what `Records.parse` reads: of a publication's directory, if it is named, too."""
    environment = {
        "TYPES": TYPES,
        # Advisories of what is served are made from upstream's each time.
        "OURS": _GROUPS if upstream else TYPES,
        "OTHERS": OTHERS,
        "DOCUMENT": DOCUMENT.ere,
        "LARGEST": str(MAX_BYTES),
        "ALL": str(MAX_ALL),
        "REFUSED": str(REFUSED),
    }
    directory = f"{target.root}/{served}" if served else ""
    seconds = str(max(target.max_age, FRESH))
    reposdir = target.reposdir if upstream else ""
    place = (directory, target.staging(update_id or "none"), seconds, reposdir)
    words = tuple(f"{key}={value}" for key, value in environment.items())
    return ("env", *words, *script("mirror", "records", *place, *target.caches))


def kind_of(name: str) -> str:
    """Give the kind of a type: the groups file has one for each compression."""
    return "group" if GROUP.fullmatch(name) else name


@dataclass(frozen=True)
class Document:
    """A document as a repository has it, compressed or not."""

    type: str
    name: str
    """Its file's."""
    content: bytes

    @property
    def kind(self) -> str:
        """`group`, `updateinfo`, `modules` or another type."""
        return kind_of(self.type)

    def pieces(self) -> Iterator[bytes]:
        """Give what is in it, in pieces.

        Raises:
            Malformed: it is damaged, or too large.

        """
        return opened(self.content, MAX_OPEN.get(self.kind, MAX_ALL))

    def text(self) -> bytes:
        """Give what is in it. Raises as `pieces`."""
        return b"".join(self.pieces())


@dataclass(frozen=True)
class Source:
    """A repository and those of its documents that are here."""

    origin: Origin
    repository: str = ""
    """Its id, of one of upstream's."""
    has_groups: bool = True
    """Whether its groups count, which a repository file may deny."""
    repomd: bytes = b""
    documents: tuple[Document, ...] = ()
    absent: tuple[str, ...] = ()
    """Kinds that its repomd.xml names and that are not here."""

    def find(self, kind: str) -> Document | None:
        """Give its document of a kind, if there is one; `group` as the package manager has it."""
        if kind == "group" and not self.has_groups:
            return None
        return next((one for one in self.documents if one.kind == kind), None)

    @property
    def digest(self) -> str:
        """The SHA-256 of its repomd.xml."""
        return hashlib.sha256(self.repomd).hexdigest()


@dataclass(frozen=True)
class Records:
    """What was read, of all repositories."""

    sources: tuple[Source, ...] = ()
    fresh: bool = False
    """Whether upstream's are current."""

    @property
    def upstream(self) -> tuple[Source, ...]:
        """Give upstream's repositories, in the order of their files."""
        return tuple(one for one in self.sources if one.origin == "upstream")

    def of(self, origin: Origin) -> Source:
        """Give the one source of an origin, without anything if there is none."""
        found = (one for one in self.sources if one.origin == origin)
        return next(found, Source(origin))

    def upstreams(self, kind: str) -> list[Document]:
        """Give upstream's documents of a kind, one a repository."""
        return [found for one in self.upstream if (found := one.find(kind))]

    def without(self, *origins: Origin) -> Records:
        """Give what is left without some origins: what is not to be believed."""
        kept = tuple(one for one in self.sources if one.origin not in origins)
        return replace(self, sources=kept)

    def only_groups(self, digest: str) -> Records:
        """Give upstream's and, of what is served, the groups whose content has this SHA-256."""
        served = self.of("served")
        kept = tuple(
            one
            for one in served.documents
            if one.kind == "group" and hashlib.sha256(one.text()).hexdigest() == digest
        )
        others = self.without("served", "adopted").sources
        return replace(self, sources=(*others, replace(served, documents=kept)))

    @classmethod
    def parse(cls, output: str) -> Records:
        """Read the output of `records`; each document is compared with its checksum.

        Raises:
            Malformed: it is anything else, or a document is too large.

        """
        reading = _Reading()
        for line in output.removesuffix("\n").split("\n"):
            word, _, rest = line.partition(" ")
            if line:
                reading.take(word, rest)
        sources = tuple(_source(found) for found in reading.found)
        if sum(len(one.documents) for one in sources) > MAX_DOCUMENTS:
            raise Malformed(f"at most {MAX_DOCUMENTS} documents", "more")
        return cls(sources, reading.fresh)


@dataclass
class _Found:
    origin: Origin
    repository: str = ""
    has_groups: bool = True
    repomd: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)


class _Reading:
    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.fresh = False

    def take(self, word: str, rest: str) -> None:
        if word == "fresh":
            self.fresh = True
        elif word == "source":
            self.found.append(_begun(rest))
        elif not self.found or word not in {"repomd", "document", "large"}:
            raise Malformed("a line about metadata documents", grammar.shown(f"{word} {rest}"))
        elif word == "repomd":
            self.found[-1].repomd = _decoded(rest)
        else:
            name, _, encoded = rest.partition(" ")
            if word == "large":
                raise Malformed(f"documents of at most {MAX_BYTES:,} bytes", grammar.shown(name))
            self.found[-1].files[DOCUMENT.check(name)] = _decoded(encoded)


_ORIGINS: dict[str, Origin] = {word: word for word in get_args(Origin)}


def _begun(rest: str) -> _Found:
    word, *more = rest.split(" ")
    if word not in _ORIGINS or len(more) != (2 if word == "upstream" else 0):
        raise Malformed("the source of documents", grammar.shown(rest))
    if not more:
        return _Found(_ORIGINS[word])
    return _Found("upstream", REPOSITORY_ID.check(more[0]), more[1] != "no")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("base64", grammar.shown(text)) from error


def _source(found: _Found) -> Source:
    source = Source(found.origin, found.repository, found.has_groups, found.repomd)
    if not found.repomd:
        return source
    documents: dict[str, Document] = {}
    absent: dict[str, None] = {}
    for data in _named(found.repomd, adopted=found.origin == "adopted"):
        name, kind = data.href.rpartition("/")[2], kind_of(data.type)
        content = found.files.get(name)
        if content is not None and _is(data, content):
            documents.setdefault(kind, Document(data.type, name, content))
        else:
            absent[kind] = None
    missing = tuple(kind for kind in absent if kind not in documents)
    return replace(source, documents=tuple(documents.values()), absent=missing)


def _named(repomd: bytes, *, adopted: bool) -> Iterable[Data]:
    """Give what a repomd.xml names of the types that are wanted."""
    for data in documents_of(repomd):
        if not DATA_TYPE.fits(data.type):
            continue
        if not _NOT_CARRIED.fullmatch(data.type) if adopted else re.fullmatch(TYPES, data.type):
            yield data


def _is(data: Data, content: bytes) -> bool:
    digest = data.digests.get("checksum")
    if digest is None:
        return False
    return (
        hashlib.new(digest.algorithm, content, usedforsecurity=False).hexdigest() == digest.value
    )
