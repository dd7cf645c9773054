"""Package groups: the part of upstream's comps.xml that a mirror must repeat. No I/O.

A client can install `@development` from the mirror only if the mirror's metadata names the
group. Format: https://github.com/rpm-software-management/libcomps
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable
from xml.parsers import expat

from gm_analytics.errors import Malformed
from gm_analytics.rpm.grammar import GROUP

MAX_BYTES = 8 * 1024 * 1024
"""Of one comps.xml; Fedora's is the largest, with 2 MB."""
MAX_DOCUMENTS = 100
MAX_DEPTH = 20
"""Of elements; comps.xml has five."""


def merge(documents: Iterable[bytes], groups: Iterable[str]) -> str | None:
    """Give one comps.xml with every group of the first document and the named ones of all.

    `documents` starts with what the mirror has (or an empty document); later definitions of
    the same id lose. None if there is no group at all.

    Raises:
        Malformed: a document is not a comps.xml.

    """
    wanted = set(groups)
    root = ET.Element("comps")
    seen: set[str] = set()
    for index, document in enumerate(documents):
        for group in read(document).iter("group"):
            name = group.findtext("id", "")
            if name not in seen and (index == 0 or name in wanted):
                seen.add(GROUP.check(name))
                root.append(group)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) if seen else None


def members(documents: Iterable[bytes], group: str, present: Collection[str]) -> frozenset[str]:
    """Name the packages that a group installs: no optional ones.

    Conditional ones count if the package that they depend on is `present`.
    """
    requests = [
        request
        for document in documents
        for one in read(document).iter("group")
        if one.findtext("id") == group
        for request in one.iter("packagereq")
    ]
    return frozenset(
        request.text or ""
        for request in requests
        # Without a type a package is mandatory, as libcomps reads it.
        if request.get("type", "mandatory") in {"mandatory", "default"}
        or (request.get("type") == "conditional" and request.get("requires") in present)
    )


def ids(documents: Iterable[bytes]) -> frozenset[str]:
    """Name the groups of all documents; what is not an id could not be asked for."""
    found = (
        group.findtext("id", "")
        for document in documents
        for group in read(document).iter("group")
    )
    return frozenset(filter(GROUP.fits, found))


def read(document: bytes) -> ET.Element:
    """Read one comps.xml: bounded, without entities of its own.

    Raises:
        Malformed: it is not one, or too large or too deep.

    """
    if len(document) > MAX_BYTES:
        raise Malformed(f"a comps.xml of at most {MAX_BYTES:,} bytes", f"{len(document):,}")
    parser = expat.ParserCreate(namespace_separator="}")
    builder = _Builder()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _no_entities
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Malformed("a comps.xml", str(error)) from error
    return builder.close()


class _Builder:
    """Builds elements, down to `MAX_DEPTH`."""

    def __init__(self) -> None:
        self._builder = ET.TreeBuilder()
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Malformed(f"a comps.xml of at most {MAX_DEPTH} levels", "a deeper one")
        named = {_named(name): value for name, value in attributes.items()}
        self._builder.start(_named(tag), named)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(_named(tag))

    def data(self, text: str) -> None:
        self._builder.data(text)

    def close(self) -> ET.Element:
        return self._builder.close()


def _named(name: str) -> str:
    """Give a name as ElementTree writes it: `{namespace}name`."""
    return f"{{{name}" if "}" in name else name


def _no_entities(*_: object) -> None:
    raise Malformed("a comps.xml without entities of its own", "one that declares some")
