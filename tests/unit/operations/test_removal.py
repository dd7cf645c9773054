"""What `remove` takes along, what it leaves, and what it refuses to take."""

from __future__ import annotations

import pytest

from gm_analytics.errors import NotLive, StillNeeded
from gm_analytics.operations.removal import divide
from gm_analytics.rpm.package import Package

NAMES = ("tree", "nmap", "libpcap", "glibc", "old")


def package(name: str, *wanted: str) -> Package:
    return Package(f"{name}-1-1.noarch.rpm", name, 0, "1", "1", "noarch", 1, "f" * 64, "", wanted)


LIVE = (
    package("tree", "tree"),
    package("nmap", "nmap"),
    package("libpcap", "nmap"),
    package("glibc", "nmap", "tree"),
    package("old"),
)


def parted(*names: str) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    gone, left = divide("m", LIVE, names)
    return [one.name for one in gone], {one.name: one.wanted for one in left}


def test_a_spec_takes_along_what_it_alone_pulled_in() -> None:
    gone, left = parted("nmap")
    assert gone == ["nmap", "libpcap"]
    assert left == {"tree": ("tree",), "glibc": ("tree",), "old": ()}
    assert parted("nmap", "tree")[0] == ["tree", "nmap", "libpcap", "glibc"]


@pytest.mark.parametrize("name", ["old", "old-1", "old-1-1", "old-1-1.noarch", "old.noarch"])
def test_a_package_that_nothing_known_needs_goes_by_each_of_its_names(name: str) -> None:
    assert parted(name)[0] == ["old"]


def test_what_others_need_is_named_and_not_removed() -> None:
    with pytest.raises(StillNeeded, match=r"glibc-1-1.noarch is wanted by nmap, tree"):
        parted("glibc")
    with pytest.raises(StillNeeded, match=r"glibc-1-1.noarch is wanted by tree"):
        parted("glibc", "nmap")


def test_what_is_not_live_is_named() -> None:
    with pytest.raises(NotLive, match="not live: nosuch, other"):
        parted("nosuch", "tree", "other")
