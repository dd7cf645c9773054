"""Advisories: which of upstream's a mirror repeats, and what it repeats of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import NamedTuple

import pytest

from gm_analytics.errors import Malformed
from gm_analytics.rpm import updateinfo
from gm_analytics.rpm.advisories import Listing, brought, choose, document
from gm_analytics.rpm.updateinfo import read


class Served(NamedTuple):
    name: str
    evr: str
    arch: str = "x86_64"


def package(name: str, version: str = "1", epoch: str = "0", arch: str = "x86_64") -> str:
    return (
        f'<package name="{name}" version="{version}" release="1" epoch="{epoch}" arch="{arch}" '
        f'src="{name}.src.rpm"><filename>{name}.rpm</filename></package>'
    )


def update(name: str, *packages: str, kind: str = "security", more: str = "") -> str:
    return (
        f'<update from="x@y.z" status="final" type="{kind}" version="2.0"><id>{name}</id>'
        f'<title>a &lt; b</title><issued date="2026-01-02 03:04:05"/>{more}'
        f'<pkglist><collection short="EL"><name>EL 9</name>{"".join(packages)}</collection>'
        "</pkglist></update>"
    )


def listing(*updates: str, names: tuple[str, ...] = ("a", "b")) -> Listing:
    return read([f"<updates>{''.join(updates)}</updates>".encode()], names)


def chosen(*updates: str, served: tuple[Served, ...]) -> list[str]:
    return [one.id for one in choose([listing(*updates)], [], served)]


def xml(*listings: Listing, served: tuple[Served, ...] = (Served("a", "0:9-1"),)) -> ET.Element:
    content = document(choose(listings, [], served))
    assert content is not None
    return ET.fromstring(content)


@pytest.mark.parametrize(
    ("served", "there"),
    [
        (Served("a", "0:2-1"), True),
        (Served("a", "0:3-1"), True),
        (Served("a", "1:1-1"), True),
        (Served("a", "0:1-9"), False),
        (Served("a", "0:2-1", "aarch64"), False),
        (Served("b", "0:2-1"), False),
    ],
)
def test_what_is_served_in_the_same_or_a_newer_version_is_fixed(
    served: Served, there: bool
) -> None:
    assert bool(chosen(update("E-1", package("a", "2")), served=(served,))) is there


def test_one_of_several_served_versions_and_one_of_several_packages_is_enough() -> None:
    one = update("E-1", package("c"), package("a", "2"), package("b", "7"))
    assert chosen(one, served=(Served("a", "0:1-1"), Served("a", "0:2-1"))) == ["E-1"]


def test_an_advisory_is_repeated_whole() -> None:
    """A client compares it with what it has installed, which may be more than is served."""
    more = (
        '<severity>Important</severity><references><reference href="h&amp;" id="CVE-2026-1" '
        'type="cve" title="t"/></references><reboot_suggested>True</reboot_suggested>'
    )
    found = listing(update("E-1", package("a"), package("elsewhere"), more=more))
    (one,) = found.advisories
    assert (one.id, one.kind, one.severity, one.cves) == (
        "E-1", "security", "Important", ("CVE-2026-1",),
    )  # fmt: skip
    root = xml(found)
    assert [p.get("name") for p in root.iter("package")] == ["a", "elsewhere"]
    assert root.findtext("update/title") == "a < b"
    assert root.find("update/issued").get("date") == "2026-01-02 03:04:05"  # type: ignore[union-attr]
    assert root.find("update/references/reference").get("href") == "h&"  # type: ignore[union-attr]
    assert root.findtext("update/reboot_suggested") == "True"
    assert root.findtext("update/pkglist/collection/package/filename") == "a.rpm"
    again = document(choose([read([document(choose([found], [], [Served("a", "0:1-1")])) or b""],
                                   ("a",))], [], [Served("a", "0:1-1")]))  # fmt: skip
    assert again == document(choose([found], [], [Served("a", "0:1-1")])), "nothing grows"


def test_one_id_of_two_repositories_is_one_advisory_with_the_packages_of_both() -> None:
    base = listing(update("E-1", package("a")), update("E-2", package("a")))
    more = listing(update("E-1", package("b")), update("E-2", package("a")))
    root = xml(base, more, served=(Served("a", "0:1-1"), Served("b", "0:1-1")))
    assert [one.findtext("id") for one in root] == ["E-1", "E-2"]
    assert [[p.get("name") for p in one.iter("package")] for one in root] == [["a", "b"], ["a"]]


def test_upstream_counts_where_an_adopted_repository_has_the_same_id() -> None:
    adopted = listing(update("E-1", package("a")), update("OLD-1", package("a")))
    current = listing(update("E-1", package("b", "99")))
    found = choose([current], [adopted], [Served("a", "0:1-1")])
    assert [one.id for one in found] == ["OLD-1"], "upstream's E-1 fixes nothing that is served"


def test_a_module_s_packages_keep_their_stream() -> None:
    module = '<module name="nodejs" stream="20" version="1" context="c" arch="x86_64" other="x"/>'
    found = listing(update("E-1", module, package("a")))
    element = xml(found).find("update/pkglist/collection/module")
    assert element is not None
    assert element.attrib == {
        "name": "nodejs", "stream": "20", "version": "1", "context": "c", "arch": "x86_64",
    }  # fmt: skip


def test_what_is_not_known_is_left_out() -> None:
    strange = '<x:y xmlns:x="urn:x"><package name="a"/></x:y><script>alert(1)</script>'
    root = xml(listing(update("E-1", package("a"), package("a b;"), "<evil/>", more=strange)))
    assert {one.tag for one in root.iter()} <= {
        "updates", "update", "id", "title", "issued", "pkglist", "collection", "name", "package",
        "filename",
    }  # fmt: skip
    assert len(list(root.iter("package"))) == 1


@pytest.mark.parametrize("name", ["", "-x", "a b", "x\ny", "<", "x" * 201, "é"])
def test_an_advisory_without_a_usable_id_is_left_out(name: str) -> None:
    escaped = name.replace("<", "&lt;")
    found = listing(update(escaped, package("a")), update("E-2", package("a")))
    assert {one.id for one in found.advisories} == {"E-2"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<updates>",
        b"<comps/>",
        b"\0" * 10,
        b'<!DOCTYPE u [<!ENTITY a "b">]><updates>&a;</updates>',
        b"<updates>" + b"<update>" * 20,
    ],
)
def test_what_is_no_updateinfo_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        read([text], ("a",))


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updateinfo, "MAX_ADVISORIES", 2)
    two = [update(f"E-{number}", package("a")) for number in range(2)]
    assert len(listing(*two).ids) == 2
    with pytest.raises(Malformed, match="at most 2 advisories"):
        listing(*two, update("E-2", package("a")))
    monkeypatch.setattr(updateinfo, "MAX_SIZE", 1000)
    with pytest.raises(Malformed, match="at most 1,000 bytes"):
        listing(update("E-1", package("a"), more=f"<summary>{'x' * 1001}</summary>"))


def test_no_advisory_is_no_document() -> None:
    assert document(()) is None


# --- what a change brings -------------------------------------------------------------------


class Changed(NamedTuple):
    name: str
    evr: str
    arch: str = "x86_64"

    @property
    def nevra(self) -> str:
        return f"{self.name}-{self.evr.partition(':')[2]}.{self.arch}"


ALL = (
    update("B-1", package("a", "2"), kind="bugfix"),
    update("S-1", package("a", "1"), more="<severity>Low</severity>"),
    update("S-2", package("a", "2"), more="<severity>Important</severity>"),
    update("S-3", package("a", "3"), more="<severity>Critical</severity>"),
    update("S-4", package("a", "4"), more="<severity>Critical</severity>"),
)


@pytest.mark.parametrize(
    ("before", "there", "expected"),
    [
        ("0:1-1", "0:3-1", ["S-3", "S-2", "B-1"]),
        ("0:2-1", "0:3-5", ["S-3"]),
        ("", "0:3-1", ["S-3"]),
        ("", "0:3-5", []),
        ("0:3-1", "0:3-5", []),
    ],
)
def test_a_change_brings_what_was_not_fixed_before_the_gravest_first(
    before: str, there: str, expected: list[str]
) -> None:
    changed = Changed("a", there)
    found = brought(choose([listing(*ALL)], [], [changed]), [(changed, before)])
    assert [one.id for one in found] == expected
    assert all(one.packages == (changed.nevra,) for one in found)
