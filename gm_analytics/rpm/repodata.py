"""The metadata of an RPM repository: repomd.xml, and the lists that it names. No I/O.

What createrepo writes, and nothing else; `strict` says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from gm_analytics.rpm.grammar import DATA_TYPE
from gm_analytics.rpm.strict import Grammar, Malformed, Strict, number, only, root

# --- repomd.xml ------------------------------------------------------------------------------

GROUP = re.compile(r"group(_gz|_xz|_zst|_bz2)?")
"""Types of the groups file, as it was given and compressed."""
LISTS = ("primary", "filelists", "other")
HREF = re.compile(r"repodata/[A-Za-z0-9_][A-Za-z0-9._+-]{0,200}")
DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Algorithms, and their hexadecimal digits."""
REPO = "http://linux.duke.edu/metadata/repo"
_DATA = ("checksum", "open-checksum", "location", "timestamp", "size", "open-size")
_REPOMD: Grammar = {"repomd": {"revision": {}, "data": {name: {} for name in _DATA}}}


@dataclass(frozen=True)
class Digest:
    """A checksum and its algorithm, as hashlib names it."""

    algorithm: str
    value: str


@dataclass
class Data:
    """A file that a repomd.xml names; sizes in bytes."""

    type: str
    href: str = ""
    digests: dict[str, Digest] = field(default_factory=dict)
    """By the element: `checksum` of the file as it is, `open-checksum` of its content."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Likewise: `size`, `open-size`."""


def parse_repomd(content: bytes) -> tuple[Data, ...]:
    """Give the files that a repomd.xml names: each of `LISTS` once, and perhaps more.

    Raises:
        Malformed: it is anything else.

    """
    reading = _Repomd()
    parser = Strict(_REPOMD, {"repomd", "data", *_DATA}, reading.start, reading.text)
    parser.feed(content)
    parser.end()
    found = tuple(reading.found.values())
    for data in found:
        if not data.href or "checksum" not in data.digests or "size" not in data.sizes:
            raise Malformed(f"{data.type} without location, checksum or size", "each of them")
    if missing := [kind for kind in LISTS if kind not in reading.found]:
        raise Malformed(f"no {', '.join(missing)}", "each of primary, filelists and other")
    return found


class _Repomd:
    def __init__(self) -> None:
        self.found: dict[str, Data] = {}
        self._seen: set[str] = set()
        self._data = Data("")
        self._algorithm = ""

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "repomd":
            root(attributes, REPO)
        elif name == "data":
            self._begin(*only(attributes, "type"))
        else:
            self._part(name, attributes)
        return name not in {"repomd", "data", "location"}

    def _begin(self, kind: str) -> None:
        if not DATA_TYPE.fits(kind):
            raise Malformed(f"data of type {kind[:80]!r}", "a word")
        if kind in self.found:
            raise Malformed(f"data of type {kind!r} twice", "it once")
        self._data = self.found[kind] = Data(kind)
        self._seen = set()

    def _part(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._seen:
            raise Malformed(f"{name} twice in {self._data.type}", "it once")
        self._seen.add(name)
        if name == "location":
            (href,) = only(attributes, "href")
            if not HREF.fullmatch(href):
                raise Malformed(f"location {href[:200]!r}", "a file of repodata/")
            self._data.href = href
        elif name.endswith("checksum"):
            (self._algorithm,) = only(attributes, "type")
            if self._algorithm not in DIGESTS:
                raise Malformed(f"checksum of type {self._algorithm[:80]!r}", ", ".join(DIGESTS))
        else:
            only(attributes)

    def text(self, name: str, text: str) -> None:
        if name.endswith("checksum"):
            if not re.fullmatch(rf"[0-9a-f]{{{DIGESTS[self._algorithm]}}}", text):
                raise Malformed(f"checksum {text[:200]!r}", f"{self._algorithm} in lower case")
            self._data.digests[name] = Digest(self._algorithm, text)
        elif name.endswith("size"):
            self._data.sizes[name] = number(text)


# --- primary, filelists, other ----------------------------------------------------------------

_COMMON = "http://linux.duke.edu/metadata/common"
_FACTS = ("name", "arch", "version", "checksum", "size", "location")
_ABOUT = ("summary", "description", "packager", "url", "time")
_WORDS = ("license", "vendor", "group", "buildhost", "sourcerpm", "header-range")
_RELATIONS = (
    "provides", "requires", "conflicts", "obsoletes",
    "suggests", "enhances", "recommends", "supplements",
)  # fmt: skip
_PRIMARY: Grammar = {
    "metadata": {
        "package": {
            **{name: {} for name in (*_FACTS, *_ABOUT)},
            "format": {
                **{f"rpm:{name}": {} for name in _WORDS},
                **{f"rpm:{name}": {"rpm:entry": {}} for name in _RELATIONS},
                "file": {},
            },
        }
    }
}


@dataclass(frozen=True)
class Listed:
    """A package as primary.xml has it; the size in bytes."""

    href: str
    name: str
    epoch: str
    version: str
    release: str
    arch: str
    sha256: str
    size: int

    @property
    def nevra(self) -> str:
        """Name, epoch, version, release and architecture, and the location."""
        evr = f"{self.epoch}:{self.version}-{self.release}"
        return f"{self.name}-{evr}.{self.arch} at {self.href}"


class Primary:
    """Reads a primary.xml and tells `found` each package, once it is whole."""

    def __init__(self, found: Callable[[Listed], None]) -> None:
        self._found = found
        self._facts: dict[str, tuple[str, ...]] | None = None
        self._strict = Strict(_PRIMARY, _READ, self._start, self._text)
        self.feed = self._strict.feed

    def end(self) -> None:
        """Read the end. Raises `Malformed`."""
        self._strict.end()
        self._finish()

    def _start(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "metadata":
            root(attributes, _COMMON)
        elif name == "package":
            self._finish()
            if only(attributes, "type") != ("rpm",):
                raise Malformed(f"a package of type {attributes['type'][:80]!r}", "rpm")
            self._facts = {}
        else:
            return self._fact(name, attributes)
        return False

    def _fact(self, name: str, attributes: dict[str, str]) -> bool:
        facts = self._facts
        if facts is None or name in facts:
            raise Malformed(f"{name} twice in a package", "it once")
        if name == "size":
            facts[name] = (attributes.get("package", ""),)
            return False
        facts[name] = only(attributes, *_ATTRIBUTES[name])
        if name == "checksum" and facts[name] != ("sha256", "YES"):
            raise Malformed(f"checksum with {attributes!r:.200}", "sha256, and pkgid YES")
        return name in {"name", "arch", "checksum"}

    def _text(self, name: str, text: str) -> None:
        assert self._facts is not None  # noqa: S101  # as `_fact` has it
        self._facts[name] = (text,)

    def _finish(self) -> None:
        facts, self._facts = self._facts, None
        if facts is None:
            return
        if missing := [name for name in _FACTS if name not in facts]:
            raise Malformed(f"a package without {', '.join(missing)}", "each of them")
        (name,), (arch,), (epoch, version, release) = map(facts.__getitem__, _FACTS[:3])
        (sha256,), (size,), (href,) = map(facts.__getitem__, _FACTS[3:])
        self._found(Listed(href, name, epoch, version, release, arch, sha256, number(size)))


_READ = frozenset({"metadata", "package", *_FACTS})
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "name": (), "arch": (), "version": ("epoch", "ver", "rel"),
    "checksum": ("type", "pkgid"), "location": ("href",),
}  # fmt: skip
_DETAILS = {
    "filelists": ("filelists", "file"),
    "other": ("otherdata", "changelog"),
}


class Details:
    """Reads a filelists.xml or an other.xml and tells `found` the pkgid of each package."""

    def __init__(self, kind: str, found: Callable[[str], None]) -> None:
        self._found = found
        self._root, part = _DETAILS[kind]
        self._namespace = f"http://linux.duke.edu/metadata/{kind}"
        grammar: Grammar = {self._root: {"package": {"version": {}, part: {}}}}
        strict = Strict(grammar, {self._root, "package"}, self._start)
        self.feed, self.end = strict.feed, strict.end

    def _start(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "package":
            self._found(only(attributes, "pkgid", "name", "arch")[0])
        else:
            root(attributes, self._namespace)
        return False
