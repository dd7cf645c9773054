"""Package groups: the part of upstream's comps.xml that a mirror must repeat. No I/O.

A client can install `@development` from the mirror only if the mirror's metadata names the
group. Format: https://github.com/rpm-software-management/libcomps
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable


def merge(documents: Iterable[bytes], groups: Iterable[str]) -> str | None:
    """Give one comps.xml with every group of the first document and the named ones of all.

    `documents` starts with what the mirror has (or an empty document); later definitions of
    the same id lose. None if there is no group at all.
    """
    wanted = set(groups)
    root = ET.Element("comps")
    seen: set[str] = set()
    for index, document in enumerate(documents):
        for group in ET.fromstring(document).iter("group"):  # noqa: S314  # the mirror's own files
            name = group.findtext("id", "")
            if name not in seen and (index == 0 or name in wanted):
                seen.add(name)
                root.append(group)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) if seen else None


def members(documents: Iterable[bytes], group: str, present: Collection[str]) -> frozenset[str]:
    """Name the packages that a group installs: no optional ones.

    Conditional ones count if the package that they depend on is `present`.
    """
    requests = [
        request
        for document in documents
        for one in ET.fromstring(document).iter("group")  # noqa: S314  # the mirror's own files
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
    """Name the groups of all documents."""
    return frozenset(
        group.findtext("id", "")
        for document in documents
        for group in ET.fromstring(document).iter("group")  # noqa: S314  # the mirror's own files
    )
