"""Previews compared with what is live: from their lists of packages alone."""

from __future__ import annotations

import pytest

from gm_analytics.errors import Malformed
from gm_analytics.mirror import previews
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.publication import Publication, Standing
from gm_analytics.rpm.package import Package


def package(name: str) -> Package:
    return Package(f"{name}-1-1.noarch.rpm", name, 0, "1", "1", "noarch", 10, "f" * 64)


def line(name: str) -> str:
    return package(name).line() + "\n"


def test_each_preview_s_packages_are_read_by_its_number() -> None:
    printed = f"preview 7\n{line('a')}{line('b')}preview 9\npreview 12\n{line('a')}"
    found = previews.parse(printed)
    assert {number: [p.name for p in packages] for number, packages in found.items()} == {
        7: ["a", "b"], 9: [], 12: ["a"],
    }  # fmt: skip
    assert previews.parse("") == {}
    with pytest.raises(Malformed):
        previews.parse("preview x\n")


def test_they_are_compared_with_what_is_live_now() -> None:
    shown = {"o/n#7": (package("a"), package("b")), "o/n#8": (package("c"),), "": ()}
    assert previews.compare(18, [package("a")], shown) == (
        Standing("o/n#7", 18, "1 added"),
        Standing("o/n#8", 18, "1 added, 1 removed"),
    )


def test_one_that_says_of_another_pull_request_is_left_out() -> None:
    odd = Held(".previews/7-x", 7, True, 1, 0, 0, Publication(7, repository="o/n#8"))
    assert previews.newest(History(0, previews=(odd, held(9)))) == {9: "o/n#9"}


def held(number: int, *, served: bool = True, made: bool = True) -> Held:
    publication = Publication(number, repository=f"o/n#{number}") if made else None
    return Held(f".previews/{number}-{'a' * 16}", number, served, 1, number, 0, publication)


def test_the_newest_that_are_served_are_compared() -> None:
    many = tuple(held(number) for number in range(1, previews.MOST + 2))
    past = History(0, previews=(held(900, served=False), held(901, made=False), *many[::-1]))
    found = previews.newest(past)
    assert len(found) == previews.MOST - 1, "the newest one says of no pull request"
    assert 1 not in found
    assert found[previews.MOST + 1] == f"o/n#{previews.MOST + 1}"
