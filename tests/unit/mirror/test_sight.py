"""What a look at a mirror makes of what its host prints, and of upstream's advisories."""

from __future__ import annotations

import pytest

from gm_analytics.errors import Malformed
from gm_analytics.mirror.host_facts import HostFacts
from gm_analytics.rpm.advisories import Advisory, Fix, Listing
from gm_analytics.rpm.open_advisories import unfixed
from gm_analytics.rpm.package import Package


def package(name: str, version: str, release: str = "1") -> Package:
    file = f"{name}-{version}-{release}.noarch.rpm"
    return Package(file, name, 0, version, release, "noarch", 1, "a" * 64)


def test_the_repository_that_was_read_longest_ago_says_how_old_upstream_is() -> None:
    said = "disk 100\nfree 40\nnow 1000\nread 900\nread 700.25\n"
    assert HostFacts.parse(said) == HostFacts(40 * 1024, 100 * 1024, 299.75)
    assert HostFacts.parse("disk 1\nfree 1\nnow 1000\n").read_ago is None
    assert HostFacts.parse("now 1000\nread 2000\n").read_ago == 0, "a clock that was set back"


@pytest.mark.parametrize("said", ["free x", "free " + "9" * 16, "read $(id)", "now -1"])
def test_what_is_no_number_is_refused(said: str) -> None:
    with pytest.raises(Malformed):
        HostFacts.parse(f"{said}\n")


def advisory(name: str, kind: str, severity: str, *fixes: tuple[str, str]) -> Advisory:
    found = tuple(Fix(package, "noarch", evr) for package, evr in fixes)
    return Advisory(name, kind, severity, (), found)


def test_an_advisory_is_open_if_it_fixes_a_newer_version_than_is_served() -> None:
    listing = Listing(
        frozenset(),
        (
            advisory("newer", "bugfix", "", ("tree", "0:2-1"), ("nmap", "0:7-1")),
            advisory("grave", "security", "Critical", ("nmap", "1:1-1")),
            advisory("same", "security", "", ("tree", "0:1-1")),
            advisory("other", "security", "", ("perl", "0:9-1")),
            advisory("module", "security", "", ("node", "0:9-1.module_el8+1")),
        ),
    )
    served = (package("tree", "1"), package("nmap", "7"), package("node", "8", "1.module_el8+2"))
    found = unfixed([listing, listing], served)
    assert [(one.id, one.packages) for one in found] == [
        ("grave", (served[1].nevra,)),
        ("newer", (served[0].nevra,)),
    ]


def test_of_several_versions_that_are_served_the_newest_counts() -> None:
    listing = Listing(frozenset(), (advisory("old", "security", "", ("tree", "0:2-1")),))
    assert not unfixed([listing], (package("tree", "2"), package("tree", "1")))
