"""What a mirror's metadata says, compared with what the service knows. No I/O.

repomd.xml names every other file by its checksum. So whoever trusts the bytes of repomd.xml that
were compared here can trust everything that a client reads after it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from urllib.parse import unquote

from gm_analytics.errors import MetadataForged
from gm_analytics.mirror.addresses import PREFIXES
from gm_analytics.rpm.compressed import opened, pieces
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.repodata import (
    GROUP,
    LISTS,
    Data,
    Details,
    Digest,
    Listed,
    Primary,
    parse_repomd,
)
from gm_analytics.rpm.strict import Malformed

MAX_REPOMD = 256 * 1024
MAX_FILE = 256 * 1024 * 1024
MAX_OPEN = 4 * 1024 * 1024 * 1024
"""Bytes; AppStream of EL 9 has a filelists.xml of 0.3 GB, and 8 MB of it compressed."""
_SOURCE = {"src", "nosrc"}

Fetch = Callable[[str, int], bytes]
"""Reads a file, given its path below the metadata's directory, of at most so many bytes."""
Documents = Mapping[str, Collection[str]]
"""By the type: SHA-256, of which the file or what is in it must have one."""


def check(
    mirror: str,
    repomd: bytes,
    fetch: Fetch,
    packages: Iterable[Package],
    *,
    prefixes: Collection[str] = PREFIXES,
    groups: str | None = None,
    documents: Documents | None = None,
) -> dict[str, str]:
    """Compare repomd.xml and all that it names with a list of packages.

    Gives the SHA-256 of what else it names, by path.

    One of `prefixes` stands before each package's file name; `groups` is the SHA-256 of the groups
    file, empty if there must be none, None if it is not known; `documents` those of what else
    there must be, by type, None likewise.

    Raises:
        MetadataForged: anything is not as expected; it says what.

    """
    file, more = "repomd.xml", {}
    try:
        found = parse_repomd(repomd)
        known = tuple(packages)
        for data in found:
            file = data.href
            content = fetch(data.href, size_of(data))
            if _is_list(data):
                _read(data, content, known, prefixes, groups)
            else:
                more[data.href] = _document(data, content, documents)
        file = "repomd.xml"
        _want_all(found, groups, documents)
    except Malformed as error:
        raise MetadataForged(mirror, file, error.found, error.expected) from error
    return more


def _is_list(data: Data) -> bool:
    return data.type in LISTS or GROUP.fullmatch(data.type) is not None


def _want_all(found: tuple[Data, ...], groups: str | None, documents: Documents | None) -> None:
    there = {data.type for data in found}
    if groups and not any(map(GROUP.fullmatch, there)):
        raise Malformed("no groups file", "the one that the service wrote")
    if missing := [kind for kind in documents or () if kind not in there]:
        raise Malformed(f"no {', '.join(missing)}", "what the service wrote")


def _document(data: Data, content: bytes, documents: Documents | None) -> str:
    """Give the SHA-256 of a document beside the lists, if it is one that is to be there."""
    _same_size(data, content)
    digest = hashlib.sha256(content).hexdigest()
    if documents is None:
        return digest
    if (expected := documents.get(data.type)) is None:
        raise Malformed(f"data of type {data.type[:80]!r}", "primary, filelists, other and group")
    if digest not in expected and _inside(content) not in expected:
        raise Malformed(f"a {data.type} of SHA-256 {digest}", "the one that the service wrote")
    return digest


def _inside(content: bytes) -> str:
    """Give the SHA-256 of what is in a file, whatever its name says."""
    found = hashlib.sha256()
    for piece in opened(content, MAX_OPEN):
        found.update(piece)
    return found.hexdigest()


def size_of(data: Data) -> int:
    """Give the size that repomd.xml says a file has, if it is bearable. Raises `Malformed`."""
    size = data.sizes["size"]
    if size > MAX_FILE:
        raise Malformed(f"a size of {size:,} bytes", f"at most {MAX_FILE:,}")
    return size


def _read(
    data: Data,
    content: bytes,
    packages: tuple[Package, ...],
    prefixes: Collection[str],
    groups: str | None,
) -> None:
    _same_size(data, content)
    stream = _opened(data, content)
    if data.type == "primary":
        _primary(stream, packages, prefixes)
    elif GROUP.fullmatch(data.type):
        _groups(stream, groups)
    else:
        _details(data.type, stream, packages)


def _same_size(data: Data, content: bytes) -> None:
    if len(content) != data.sizes["size"]:
        raise Malformed(f"{len(content):,} bytes", f"{data.sizes['size']:,}, as in repomd.xml")
    _same_digest(data.digests["checksum"], hashlib.new, content)


def _same_digest(digest: Digest, new: Callable[[str, bytes], object], content: bytes) -> None:
    found = new(digest.algorithm, content).hexdigest()  # type: ignore[attr-defined]  # hashlib's
    if found != digest.value:
        raise Malformed(f"{digest.algorithm} {found}", f"{digest.value}, as in repomd.xml")


def _opened(data: Data, content: bytes) -> Iterator[bytes]:
    """Give a file's content, which must be of the size and the checksum that repomd.xml says."""
    digest = data.digests.get("open-checksum")
    hashed, size = hashlib.new(digest.algorithm) if digest else None, 0
    most = min(data.sizes.get("open-size", MAX_OPEN), MAX_OPEN)
    for piece in pieces(data.href, content):
        size += len(piece)
        if size > most:
            raise Malformed(f"more than {most:,} bytes in it", "no more")
        if hashed is not None:
            hashed.update(piece)
        yield piece
    if size != data.sizes.get("open-size", size):
        raise Malformed(f"{size:,} bytes in it", f"{data.sizes['open-size']:,}, as in repomd.xml")
    if digest and hashed is not None and hashed.hexdigest() != digest.value:
        said = f"{digest.algorithm} {hashed.hexdigest()} of what is in it"
        raise Malformed(said, f"{digest.value}, as in repomd.xml")


def _primary(
    stream: Iterator[bytes], packages: tuple[Package, ...], prefixes: Collection[str]
) -> None:
    expected = {package.file: package for package in packages}
    seen: set[str] = set()

    def compare(listed: Listed) -> None:
        prefix, file = _parts(listed.href, expected)
        seen.add(prefix)
        package = expected.pop(file, None)
        if package is None or prefix not in prefixes or len(seen) > 1:
            raise Malformed(f"package {listed.nevra[:300]}", "no such package, and none twice")
        _same_package(listed, package)

    reader = Primary(compare)
    for piece in stream:
        reader.feed(piece)
    reader.end()
    if expected:
        names = ", ".join(sorted(package.nevra for package in expected.values())[:3])
        raise Malformed(f"{len(expected):,} packages missing", f"{names} among the others")


def _parts(href: str, files: Collection[str]) -> tuple[str, str]:
    """Give what stands before a file's name, and the name, in the one form that a file has."""
    before, slash, file = href.rpartition("/")
    return f"{before}{slash}", file if file in files else unquote(file)


def _same_package(listed: Listed, package: Package) -> None:
    source = listed.arch in _SOURCE and package.file.endswith(f".{listed.arch}.rpm")
    arch = package.arch if source else listed.arch  # rpm says what a source package was built on
    found = (listed.name, listed.epoch, listed.version, listed.release, arch)
    facts = (package.name, str(package.epoch), package.version, package.release, package.arch)
    if found != facts:
        raise Malformed(f"package {listed.nevra[:300]}", f"{package.nevra} there")
    if listed.sha256 != package.sha256:
        raise Malformed(f"{package.nevra} with SHA-256 {listed.sha256[:80]}", package.sha256)
    if listed.size != package.size:
        raise Malformed(f"{package.nevra} of {listed.size:,} bytes", f"{package.size:,}")


def _details(kind: str, stream: Iterator[bytes], packages: tuple[Package, ...]) -> None:
    expected = Counter(package.sha256 for package in packages)

    def compare(pkgid: str) -> None:
        if not expected[pkgid]:
            raise Malformed(f"pkgid {pkgid[:80]}", "only those of primary.xml, and none twice")
        expected[pkgid] -= 1

    reader = Details(kind, compare)
    for piece in stream:
        reader.feed(piece)
    reader.end()
    if missing := expected.total():
        raise Malformed(f"{missing:,} packages missing", "those of primary.xml")


def _groups(stream: Iterator[bytes], groups: str | None) -> None:
    found = hashlib.sha256()
    for piece in stream:
        found.update(piece)
    if groups is not None and found.hexdigest() != groups:
        expected = f"{groups}, the one that the service wrote" if groups else "no groups file"
        raise Malformed(f"a groups file of SHA-256 {found.hexdigest()}", expected)


def below(directory: str, href: str) -> str:
    """Give the path of a file that repomd.xml names: always a file of its own directory."""
    return posixpath.join(directory, "repodata", posixpath.basename(href))
