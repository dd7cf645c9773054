"""updateinfo.xml, read: an advisory at a time, and nothing copied that is not known. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from gm_analytics.errors import Malformed
from gm_analytics.rpm import grammar
from gm_analytics.rpm.advisories import Advisory, Fix, Listing

MAX_ADVISORIES = 100_000
"""Of one document; Oracle Linux 7 has 8,000."""
MAX_SIZE = 16 * 1024 * 1024
"""Bytes of one advisory: RHEL's largest names 5,000 packages."""
MAX_DEPTH = 12
"""Of elements; updateinfo.xml has six."""
_UPDATE_DEPTH = 2
"""Of an advisory, in the document and its first element."""

_Tags = Mapping[str, "_Tags"]
_HINTS: _Tags = {f"{word}_suggested": {} for word in ("reboot", "restart", "relogin")}
_TEXTS = (
    "id", "title", "issued", "updated", "rights", "release", "pushcount", "severity", "summary",
    "description", "solution", "message",
)  # fmt: skip
_UPDATE: _Tags = {
    **{name: {} for name in _TEXTS},
    **_HINTS,
    "references": {"reference": {}},
    "pkglist": {
        "collection": {
            "name": {},
            "module": {},
            "package": {"filename": {}, "sum": {}, **_HINTS},
        }
    },
}
_ATTRIBUTES = {
    "update": ("from", "status", "type", "version"),
    "issued": ("date",),
    "updated": ("date",),
    "reference": ("href", "id", "title", "type"),
    "collection": ("short",),
    "module": ("name", "stream", "version", "context", "arch"),
    "package": ("name", "version", "release", "epoch", "arch", "src"),
    "sum": ("type",),
}


def read(pieces: Iterable[bytes], names: Collection[str]) -> Listing:
    """Read an updateinfo.xml; keep what names packages of these names.

    An advisory without an id that could be shown is left out.

    Raises:
        Malformed: it is none, or too large or too deep, or declares entities of its own.

    """
    parser = expat.ParserCreate()
    reading = _Reading(names, parser)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
    parser.CharacterDataHandler = reading.data
    parser.EntityDeclHandler = _no_entities
    try:
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed("an updateinfo.xml", str(error)) from error
    return Listing(frozenset(reading.ids), tuple(reading.found))


def _no_entities(*_: object) -> None:
    raise Malformed("an updateinfo.xml without entities of its own", "one that declares some")


class _Reading:
    """Copies what is known of each `update`, and notes what of it counts.

    RHEL's largest has two million elements, so what is done for each is little.
    """

    def __init__(self, names: Collection[str], parser: expat.XMLParserType) -> None:
        self._names, self._parser = names, parser
        self.ids: set[str] = set()
        self.found: list[Advisory] = []
        self._path: list[_Tags | None] = [{"updates": {"update": _UPDATE}}]
        """What may be in each open element; None in one that is left out."""
        self._out: list[str] = []
        self._text: list[str] = []
        self._begin({})

    def _begin(self, attributes: dict[str, str]) -> None:
        self._since = self._parser.CurrentByteIndex
        self._kind = attributes.get("type", "")
        self._opening = _tag("update", attributes)
        self._out.clear()
        self._head = ""
        self._parts: dict[str, str] = {}
        self._cves: list[str] = []
        self._fixes: list[Fix] = []
        self._collections: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        path = self._path
        above = path[-1]
        inside = above.get(tag) if above else None
        path.append(inside)
        depth = len(path) - 1
        if inside is None:
            self._unknown(tag, depth)
        elif depth > _UPDATE_DEPTH:
            self._open(tag, attributes)
        elif depth == _UPDATE_DEPTH:
            self._begin(attributes)

    @staticmethod
    def _unknown(tag: str, depth: int) -> None:
        if depth == 1:
            raise Malformed("an updateinfo.xml", f"one of {grammar.shown(tag)}")
        if depth > MAX_DEPTH:
            raise Malformed(f"an updateinfo.xml of at most {MAX_DEPTH} levels", "a deeper one")

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        if not attributes and tag not in _PLACES:
            self._out.append(f"<{tag}>")
            return
        if tag == "package":
            self._check_size()
            if not self._package(attributes):
                self._path[-1] = None
                return
        elif tag == "reference" and attributes.get("type", "").lower() == "cve":
            self._cves.append(attributes.get("id", ""))
        elif tag == "collection":
            self._head += "".join(self._out)
            self._out.clear()
        if tag != "pkglist":
            self._out.append(_tag(tag, attributes))

    def _package(self, attributes: dict[str, str]) -> bool:
        """Note what a package fixes; tell whether it is one, as far as anybody asks."""
        name, get = attributes.get("name", ""), attributes.get
        if name not in self._names:
            return _is_name(name)
        evr = f"{get('epoch') or '0'}:{get('version', '')}-{get('release', '')}"
        arch = get("arch", "")
        if not (grammar.EVR.fits(evr) and grammar.ARCH.fits(arch)):
            return False
        self._fixes.append(Fix(name, arch, evr))
        return True

    def data(self, text: str) -> None:
        inside = self._path[-1]
        if inside is not None and not inside:
            self._text.append(text)
            self._check_size()

    def end(self, tag: str) -> None:
        inside = self._path.pop()
        depth = len(self._path)
        if inside is None or depth < _UPDATE_DEPTH:
            return
        if depth == _UPDATE_DEPTH:
            self._finish()
            return
        if not inside:
            text = "".join(self._text)
            self._out.append(escape(text))
            if depth == _UPDATE_DEPTH + 1:
                self._parts.setdefault(tag, text.strip())
        if tag != "pkglist":
            self._out.append(f"</{tag}>")
        if tag == "collection":
            self._collections.append("".join(self._out))
            self._out.clear()

    def _finish(self) -> None:
        name, severity = self._parts.get("id", ""), self._parts.get("severity", "")
        if not grammar.ADVISORY.fits(name):
            return
        self.ids.add(name)
        if len(self.ids) > MAX_ADVISORIES:
            raise Malformed(f"at most {MAX_ADVISORIES:,} advisories", "more")
        if self._fixes:
            advisory = Advisory(
                name,
                self._kind if grammar.WORDS.fits(self._kind) else "",
                severity if grammar.WORDS.fits(severity) else "",
                tuple(dict.fromkeys(filter(grammar.ADVISORY.fits, self._cves))),
                tuple(dict.fromkeys(self._fixes)),
                self._opening,
                self._head + "".join(self._out),
                tuple(self._collections),
            )
            self.found.append(advisory)

    def _check_size(self) -> None:
        if self._parser.CurrentByteIndex - self._since > MAX_SIZE:
            raise Malformed(f"an advisory of at most {MAX_SIZE:,} bytes", "a larger one")


_PLACES = frozenset({"package", "collection", "pkglist"})
"""Elements that mean something without attributes, too."""
_is_name = lru_cache(maxsize=100_000)(grammar.NAME.fits)
_quoted = lru_cache(maxsize=100_000)(quoteattr)  # versions, architectures and names come again


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    known = _ATTRIBUTES.get(name, ())
    given = [f"{key}={_quoted(attributes[key])}" for key in known if key in attributes]
    return f"<{' '.join((name, *given))}>"
