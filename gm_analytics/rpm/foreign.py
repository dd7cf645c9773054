"""The primary.xml of a repository that another program made: which RPM files it names. No I/O.

Read tolerantly, since whatever wrote it decides what else is in it.
"""

from __future__ import annotations

import posixpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from gm_analytics.rpm.compressed import pieces
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.repodata import Digest
from gm_analytics.rpm.strict import Malformed

_COMMON = "{http://linux.duke.edu/metadata/common}"
_MAX_HREF = 1024
_ALGORITHMS = {"sha": "sha1", "sha1": "sha1", "md5": "md5"} | {
    name: name for name in ("sha224", "sha256", "sha384", "sha512")
}


@dataclass(frozen=True)
class Named:
    """An RPM file as a primary.xml names it."""

    path: str
    """Below the repository's root, without `.` and `..`."""
    digest: Digest
    name: str
    evr: tuple[str, str, str]
    arch: str
    size: str

    @property
    def package(self) -> Package:
        """Give it as a file of the pool; of one with no SHA-256 that is all zeros.

        Raises:
            errors.Malformed: a field is not what it should be.

        """
        digest = self.digest.value if self.digest.algorithm == "sha256" else "0" * 64
        fields = (self.file, self.name, *self.evr, self.arch, self.size, digest, "", "")
        return Package.from_line("\t".join(fields))

    @property
    def file(self) -> str:
        """The file's own name, which it has in the pool."""
        return posixpath.basename(self.path)


def named(name: str, content: bytes) -> tuple[Named, ...]:
    """Give the files that a primary.xml names; its own name says how it is compressed.

    Raises:
        Malformed: it is none, or names something outside the repository.

    """
    try:
        return tuple(_packages(pieces(name, content)))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Malformed(str(error), "a primary.xml") from error


def _packages(stream: Iterable[bytes]) -> Iterator[Named]:
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(["end"])
    for piece in stream:
        parser.feed(piece)
        yield from _ended(parser)
    parser.close()
    yield from _ended(parser)


def _ended(parser: ET.XMLPullParser[ET.Element]) -> Iterator[Named]:
    for event in parser.read_events():
        element = event[-1]
        if isinstance(element, ET.Element) and element.tag == f"{_COMMON}package":
            yield _named(element)
            element.clear()


def _named(element: ET.Element) -> Named:
    location, checksum = element.find(f"{_COMMON}location"), element.find(f"{_COMMON}checksum")
    if location is None or checksum is None:
        raise Malformed("a package without location or checksum", "both")
    href = location.get("href", "")
    path = posixpath.normpath(unquote(href))
    outside = path.startswith(("/", "..")) or "://" in href or location.keys() != ["href"]
    if outside or not href or len(href) > _MAX_HREF or not path.isprintable():
        raise Malformed(f"location {href[:200]!r}", "a file below the repository's root")
    version, size = element.find(f"{_COMMON}version"), element.find(f"{_COMMON}size")
    if version is None or size is None:
        raise Malformed("a package without version or size", "both")
    algorithm = _ALGORITHMS.get(checksum.get("type", ""))
    if algorithm is None:
        raise Malformed(f"checksum of type {checksum.get('type', '')[:80]!r}", "one that is known")
    digest = (checksum.text or "").strip().lower()
    if not re.fullmatch("[0-9a-f]{32,128}", digest):
        raise Malformed(f"checksum {digest[:200]!r}", "hexadecimal digits")
    evr = (version.get("epoch", "0"), version.get("ver", ""), version.get("rel", ""))
    name, arch = (element.findtext(f"{_COMMON}{part}", "") for part in ("name", "arch"))
    return Named(path, Digest(algorithm, digest), name, evr, arch, size.get("package", ""))
