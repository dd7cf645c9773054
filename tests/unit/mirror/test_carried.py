"""What a candidate repeats of the documents beside packages."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import pytest

from gm_analytics.mirror import carried
from gm_analytics.mirror.publication import Built
from gm_analytics.mirror.records import Document, Origin, Records, Source
from gm_analytics.rpm import updateinfo
from gm_analytics.rpm.advisories import Listing


class Served(NamedTuple):
    name: str = "a"
    arch: str = "noarch"
    evr: str = "0:1-1"


def advisories(*names: str) -> Document:
    package = '<package name="a" version="1" release="1" epoch="0" arch="noarch"/>'
    listed = "".join(
        f"<update><id>{name}</id><pkglist><collection>{package}</collection></pkglist></update>"
        for name in names
    )
    return Document("updateinfo", "u.xml", f"<updates>{listed}</updates>".encode())


def groups(name: str) -> Document:
    return Document("group", "g.xml", f"<comps><group><id>{name}</id></group></comps>".encode())


def records(**documents: tuple[Document, ...]) -> Records:
    origins: dict[str, Origin] = {
        "served": "served", "adopted": "adopted", "reviewed": "reviewed", "upstream": "upstream",
    }  # fmt: skip
    return Records(
        tuple(Source(origins[name], repomd=b"r", documents=one) for name, one in documents.items())
    )


def read(document: Document) -> Listing:
    return updateinfo.read(document.pieces(), {"a"})


def chosen(found: Records, *, exact: bool) -> list[str]:
    return [one.id for one in carried.advisories(found, [Served()], read, exact=exact)]


OLD = (advisories("OLD-1"), groups("ours"), Document("productid", "p", b"x"))


def test_an_adopted_repository_counts_but_for_an_exact_set() -> None:
    found = records(upstream=(advisories("E-1"),), adopted=OLD, served=(groups("ours"),))
    assert chosen(found, exact=False) == ["E-1", "OLD-1"]
    assert chosen(found, exact=True) == ["E-1"]
    made = carried.carry(found, (), (), (), exact=False)
    assert made.groups == groups("ours").content
    files = made.files()
    assert files["adopted.txt"] == b"u.xml\t\ng.xml\t\np\tproductid\n"
    assert files["records.txt"] == b"comps.xml\tgroup\n"
    assert made.built() == Built(
        hashlib.sha256(groups("ours").content).hexdigest(),
        {"productid": (hashlib.sha256(b"x").hexdigest(),)},
        hashlib.sha256(b"r").hexdigest(),
    )
    exact = carried.carry(found, (), (), (), exact=True)
    assert exact.groups is None
    assert exact.files() == {"records.txt": b"", "adopted.txt": b""}
    assert exact.built() == Built()


@pytest.mark.parametrize(
    "broken", [b"", b"<a>", b"\x1f\x8b damaged", b'<!DOCTYPE a [<!ENTITY b "c">]><a/>']
)
def test_what_was_adopted_and_cannot_be_read_stops_nothing(broken: bytes) -> None:
    documents = (Document("updateinfo", "u", broken), Document("group", "g", broken))
    found = records(upstream=(advisories("E-1"),), adopted=documents, served=documents[1:])
    assert chosen(found, exact=False) == ["E-1"]
    assert carried.carry(found, (), (), (), exact=False).groups is None
    broken_upstream = records(upstream=documents)
    for carry in (
        lambda: chosen(broken_upstream, exact=False),
        lambda: carried.carry(broken_upstream, (), ["@x"], (), exact=False),
    ):
        with pytest.raises(Exception, match="found"):
            carry()


def test_a_reviewed_preview_counts_where_upstream_cannot_be_asked() -> None:
    reviewed = (advisories("R-1"),)
    assert chosen(records(reviewed=reviewed), exact=True) == ["R-1"]
    assert chosen(records(reviewed=reviewed, upstream=(advisories("E-1"),)), exact=True) == ["E-1"]


@pytest.mark.parametrize("exact", [True, False])
def test_a_group_that_is_named_comes_from_upstream(exact: bool) -> None:
    found = records(upstream=(groups("tools"),), served=(groups("ours"),))
    made = carried.carry(found, (), ["@tools", "tree"], (), exact=exact)
    assert made.groups
    assert b"<id>tools</id>" in made.groups
    assert (b"<id>ours</id>" in made.groups) is not exact


def test_a_publication_again_has_what_it_had() -> None:
    modules = Document("modules", "m.yaml", b"---\n")
    had = (advisories("E-1"), groups("ours"), modules)
    found = records(served=had, adopted=OLD, upstream=(advisories("E-2"),))
    made = carried.again(found, None)
    assert made.groups == groups("ours").content
    assert made.documents == {"updateinfo": had[0].content, "modules": b"---\n"}
    assert made.adopted.documents == OLD
    assert carried.again(found, ()).documents == {"modules": b"---\n"}


def test_of_what_an_older_version_adopted_only_the_groups_are_known() -> None:
    found = records(served=(groups("ours"), advisories("E-1")), adopted=OLD, upstream=())
    digest = hashlib.sha256(groups("ours").content).hexdigest()
    known = found.only_groups(digest)
    assert known.of("served").documents == (groups("ours"),)
    assert known.of("adopted").documents == ()
    assert found.only_groups("0" * 64).of("served").documents == ()


def test_the_same_content_is_the_same_file() -> None:
    one, other = (carried.Carried(None, {"updateinfo": b"<updates/>"}).files() for _ in range(2))
    assert one == other


def test_advisories_after_a_hundred_publications_are_as_many_bytes_as_after_one() -> None:
    """They are upstream's of today each time, and never what was served before beside them."""
    upstream, served, sizes = advisories("E-1", "E-2"), (groups("ours"),), set()
    for number in range(100):
        gone = advisories(f"GONE-{number}")
        found = records(upstream=(upstream,), served=(*served, gone), adopted=())
        made = carried.carry(
            found, (), (), carried.advisories(found, [Served()], read, exact=False), exact=False
        )
        content = made.documents["updateinfo"]
        assert b"GONE" not in content
        sizes.add(len(content))
        served = (groups("ours"), Document("updateinfo", "u.xml", content))
    assert len(sizes) == 1
