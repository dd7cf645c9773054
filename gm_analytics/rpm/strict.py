"""XML as createrepo writes it, read as a hostile host may have written it. No I/O.

Elements are compared by the names that are written, so
that no prefix and no default namespace can show one reader what another skips. A document type,
an entity, a comment, a CDATA section or a processing instruction is refused: createrepo writes
none, and parsers differ about them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import NoReturn
from xml.parsers import expat

_MAX_TOKEN = 1024 * 1024
"""Bytes of one tag; expat would hold any number."""
_MAX_TEXT = 4096
"""Characters of a text that is compared."""
_RPM = "http://linux.duke.edu/metadata/rpm"


class Malformed(Exception):
    """Not what createrepo writes."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}; expected {expected}")
        self.found, self.expected = found, expected


Start = Callable[[str, dict[str, str]], bool]
"""Takes an element's name and attributes; tells whether its text counts."""
Text = Callable[[str, str], None]
Grammar = Mapping[str, "Grammar"]
"""The elements that may be in one, and what may be in each of those."""


class Strict:
    """Feeds the elements named in `read` to callbacks, out of a document of a grammar."""

    def __init__(
        self, grammar: Grammar, read: Container[str], start: Start, text: Text | None = None
    ) -> None:
        self._read, self._start, self._text = read, start, text
        self._path = [grammar]
        self._pieces: list[str] = []
        self._fed = self._collected = 0
        parser = self._parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.XmlDeclHandler = _declaration
        parser.StartElementHandler, parser.EndElementHandler = self._open, self._close
        parser.StartDoctypeDeclHandler = _refusing("a document type")
        parser.CommentHandler = _refusing("a comment")
        parser.StartCdataSectionHandler = _refusing("a CDATA section")
        parser.ProcessingInstructionHandler = _refusing("a processing instruction")

    def feed(self, chunk: bytes) -> None:
        """Read on. Raises `Malformed`."""
        self._parse(chunk, final=False)
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > _MAX_TOKEN:
            raise Malformed(f"a tag of more than {_MAX_TOKEN:,} bytes", "a shorter one")

    def end(self) -> None:
        """Read the document's end. Raises `Malformed`."""
        self._parse(b"", final=True)

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise Malformed(str(error), "well-formed XML in UTF-8") from error

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        inside = self._path[-1].get(name)
        if inside is None:
            raise Malformed(f"element {name[:80]!r}", " or ".join(self._path[-1]) or "none")
        self._path.append(inside)
        if name in self._read and self._start(name, attributes):
            self._parser.CharacterDataHandler = self._collect

    def _close(self, name: str) -> None:
        self._path.pop()
        if name in self._read and self._parser.CharacterDataHandler is not None:
            self._parser.CharacterDataHandler = None
            text, self._pieces, self._collected = "".join(self._pieces), [], 0
            if self._text is not None:
                self._text(name, text)

    def _collect(self, text: str) -> None:
        self._pieces.append(text)
        self._collected += len(text)
        if self._collected > _MAX_TEXT:
            raise Malformed(f"a text of more than {_MAX_TEXT:,} characters", "a shorter one")


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise Malformed(what, "none")

    return refuse


def _declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if version != "1.0" or (encoding or "utf-8").lower() != "utf-8":
        raise Malformed(f"XML {version} in {encoding}", "XML 1.0 in UTF-8")


def only(attributes: Mapping[str, str], *names: str) -> tuple[str, ...]:
    """Give the values of these attributes, which must be all that there are."""
    if set(attributes) != set(names):
        raise Malformed(f"attributes {', '.join(sorted(attributes)) or 'none'}", ", ".join(names))
    return tuple(attributes[name] for name in names)


def number(text: str) -> int:
    """Read a size."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise Malformed(repr(text[:80]), "a number")
    return int(text)


def root(attributes: Mapping[str, str], namespace: str) -> None:
    """Check the attributes of a document's first element."""
    rest = dict(attributes)
    rest.pop("packages", None)
    if rest.pop("xmlns:rpm", _RPM) != _RPM or rest != {"xmlns": namespace}:
        raise Malformed(f"a first element with {dict(attributes)!r:.200}", f"xmlns {namespace}")
