"""Package groups: the part of upstream's comps.xml that a mirror must repeat. No I/O.

A client can install `@development` from the mirror only if the mirror's metadata names the
group. Format: https://github.com/rpm-software-management/libcomps
"""

from __future__ import annotations

import copy
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


KINDS = ("environment", "group")
Key = tuple[str, str]
"""One of `KINDS`, and an id."""
Definitions = dict[Key, ET.Element]


def merge(
    current: Iterable[bytes], others: Iterable[bytes], names: Collection[str], kept: bytes | None
) -> bytes | None:
    """Give one comps.xml with all of `kept` and what is named; None if that is nothing.

    A group is what the `current` documents make of it together, as the package manager has it;
    only of one that they do not have, what the first of `others`, or `kept`, says.

    Raises:
        Malformed: a document is not a comps.xml.

    """
    defined = union(current)
    sources = (defined, *(union([document]) for document in others))
    root = read(kept) if kept is not None else ET.Element("comps")
    there = {key: index for index, element in enumerate(root) if (key := _key(element))}
    wanted = {key for name in names for key in _first(meant(known, name) for known in sources)}
    # What an environment that is there consists of now, too.
    wanted |= {key for one in there for key in _with_groups(defined, {one})} - there.keys()
    groups = {name for kind, name in (*there, *wanted) if kind == "group"}
    same = kept is not None
    for key in (*there, *sorted(wanted - there.keys())):
        element = next((known[key] for known in sources if key in known), None)
        if element is None or (key in there and key not in defined):
            continue
        element = _without_others(element, groups)
        if key not in there:
            root.append(element)
        elif ET.tostring(element) != ET.tostring(root[there[key]]):
            root[there[key]] = element
        else:
            continue
        same = False
    if same:
        return kept  # whatever encoding it has
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) if len(root) else None


def meant(known: Definitions, name: str) -> frozenset[Key]:
    """Tell what yum and dnf take a name for, behind `@`: ids or names; `^` is for environments.

    Equal ones count; if there are none, those that are but for their case, in any language. An
    environment stands for its groups as well, but for optional ones.
    """
    kinds, asked = (KINDS[:1], name[1:]) if name.startswith("^") else (KINDS, name)
    found: set[Key] = set()
    for kind in kinds:
        spelled = {key: _names(one) for key, one in known.items() if key[0] == kind}
        found |= {key for key, names in spelled.items() if asked in names[:2]} or {
            key for key, names in spelled.items() if asked.casefold() in map(str.casefold, names)
        }
    return frozenset(_with_groups(known, found))


def _names(element: ET.Element) -> list[str]:
    """Give its id, and its names in all languages."""
    return [element.findtext("id", ""), *(name.text or "" for name in element.iter("name"))]


def _with_groups(known: Definitions, keys: Collection[Key]) -> set[Key]:
    """Add the groups that environments among these consist of."""
    listed = (known[key].find("grouplist") for key in keys if key in known)
    ids = (one.text or "" for each in listed if each is not None for one in each)
    return {*keys, *(("group", name) for name in ids)}


def _without_others(element: ET.Element, groups: Collection[str]) -> ET.Element:
    """Give an environment without optional groups that are not there: dnf complains of each."""
    options = element.find("optionlist")
    if options is None or all(one.text in groups for one in options):
        return element
    element = copy.deepcopy(element)
    for options in element.iter("optionlist"):
        options[:] = [one for one in options if one.text in groups]
    return element


def union(documents: Iterable[bytes]) -> Definitions:
    """Give groups and environments by ids; what is in one are those of all documents.

    All else of it is as the first document says. Raises as `read`.
    """
    found: Definitions = {}
    for document in documents:
        for element in read(document):
            key = _key(element)
            if key and found.setdefault(key, element) is not element:
                for name in ("packagelist", "grouplist", "optionlist"):
                    _add(found[key], element, name)
    return found


def _key(element: ET.Element) -> Key | None:
    return (element.tag, element.findtext("id", "")) if element.tag in KINDS else None


def _add(element: ET.Element, more: ET.Element, name: str) -> None:
    """Add what the list of this name in another definition has more."""
    if (given := more.find(name)) is None:
        return
    listed = element.find(name)
    if listed is None:
        listed = ET.SubElement(element, name)
    there = {one.text for one in listed}
    listed.extend(one for one in given if one.text not in there)


def members(documents: Iterable[bytes], name: str, present: Collection[str]) -> frozenset[str]:
    """Name the packages that are installed by what stands behind `@`: no optional ones.

    Conditional ones count if the package that they depend on is `present`.
    """
    known = union(documents)
    groups = (known[key] for key in meant(known, name) if key in known)
    return frozenset(
        request.text or ""
        for group in groups
        for request in group.iter("packagereq")
        # Without a type a package is mandatory, as libcomps reads it.
        if request.get("type", "mandatory") in {"mandatory", "default"}
        or (request.get("type") == "conditional" and request.get("requires") in present)
    )


def ids(documents: Iterable[bytes]) -> frozenset[str]:
    """Name what can be asked for: groups and environments, by their ids."""
    return frozenset(name for _, name in union(documents) if GROUP.fits(name))


def _first(found: Iterable[frozenset[Key]]) -> frozenset[Key]:
    return next(filter(None, found), frozenset())


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
