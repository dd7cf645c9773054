"""The repomd.xml and the primary.xml of a repository that another program made. No I/O.

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
from gm_analytics.rpm.repodata import DIGESTS, HREF, REPO, Data, Digest
from gm_analytics.rpm.strict import Malformed, number

_COMMON = "{http://linux.duke.edu/metadata/common}"
_MAX_HREF = 1024
_ALGORITHMS = {"sha": "sha1", "sha1": "sha1", "md5": "md5"} | {
    name: name for name in ("sha224", "sha256", "sha384", "sha512")
}

_DIGITS = {"sha1": 40, "sha224": 56, **DIGESTS}
"""Of what createrepo ever wrote, but for MD5."""

# --- repomd.xml ------------------------------------------------------------------------------


def parse_repomd(content: bytes) -> tuple[Data, ...]:
    """Give the files that a repomd.xml names: of any type; a size may be missing.

    Raises:
        Malformed: it is no repomd.xml, or names a file in a way that cannot be compared.

    """
    return tuple(map(_data, _elements(content)))


def documents_of(content: bytes) -> tuple[Data, ...]:
    """Give the files that a repomd.xml names; of what cannot be compared the type alone.

    Raises:
        Malformed: it is no repomd.xml.

    """
    return tuple(map(_comparable, _elements(content)))


def _comparable(element: ET.Element) -> Data:
    try:
        return _data(element)
    except Malformed:
        return Data(element.get("type", ""))


def _elements(content: bytes) -> list[ET.Element]:
    try:
        found = ET.fromstring(content)  # noqa: S314  # expat bounds what entities become
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Malformed(str(error), "well-formed XML") from error
    if found.tag != f"{{{REPO}}}repomd":
        raise Malformed(f"a first element {found.tag[:80]!r}", "repomd")
    return found.findall(f"{{{REPO}}}data")


def _data(element: ET.Element) -> Data:
    parts = {name: element.find(f"{{{REPO}}}{name}") for name in ("location", "checksum", "size")}
    location, checksum, size = parts.values()
    if location is None or checksum is None:
        raise Malformed("a file without location or checksum", "both")
    data = Data(element.get("type", ""), location.get("href", ""))
    if not HREF.fullmatch(data.href):
        raise Malformed(f"location {data.href[:200]!r}", "a file of repodata/")
    kind, value = checksum.get("type", ""), (checksum.text or "").strip()
    algorithm = "sha1" if kind == "sha" else kind
    if algorithm not in _DIGITS:
        raise Malformed(f"checksum of type {kind[:80]!r}", ", ".join(_DIGITS))
    if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS[algorithm]}}}", value):
        raise Malformed(f"checksum {value[:200]!r}", f"{algorithm} in lower case")
    data.digests["checksum"] = Digest(algorithm, value)
    if size is not None:
        data.sizes["size"] = number((size.text or "").strip())
    return data


# --- primary.xml -----------------------------------------------------------------------------


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
