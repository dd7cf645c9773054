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


def merge(
    current: Iterable[bytes], others: Iterable[bytes], groups: Collection[str], kept: bytes | None
) -> bytes | None:
    """Give one comps.xml with all of `kept` and the named groups; None if that is nothing.

    A group is what the `current` documents make of it together, as the package manager has it;
    only of one that they do not have, what the first of `others`, or `kept`, says.

    Raises:
        Malformed: a document is not a comps.xml.

    """
    defined = union(current)
    older = [union([document]) for document in others]
    root = read(kept) if kept is not None else ET.Element("comps")
    there, same = set(), kept is not None
    for index, element in enumerate(root):
        if element.tag != "group":
            continue
        name = element.findtext("id", "")
        there.add(name)
        if name in defined and ET.tostring(defined[name]) != ET.tostring(element):
            root[index], same = defined[name], False
    for name in sorted(set(groups) - there):
        found = (known[name] for known in (defined, *older) if name in known)
        if (group := next(found, None)) is not None:
            root.append(group)
            same = False
    if same:
        return kept  # whatever encoding it has
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) if len(root) else None


def union(documents: Iterable[bytes]) -> dict[str, ET.Element]:
    """Give groups by their ids; the packages of a group are those of all documents.

    All else of it is as the first document says. Raises as `read`.
    """
    found: dict[str, ET.Element] = {}
    for document in documents:
        for group in read(document).iter("group"):
            name = group.findtext("id", "")
            if found.setdefault(name, group) is not group:
                _add_packages(found[name], group)
    return found


def _add_packages(group: ET.Element, more: ET.Element) -> None:
    listed = group.find("packagelist")
    if listed is None:
        listed = ET.SubElement(group, "packagelist")
    there = {request.text for request in listed}
    listed.extend(one for one in more.iter("packagereq") if one.text not in there)


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
