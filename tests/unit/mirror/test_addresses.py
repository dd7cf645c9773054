"""The addresses that publications and days have: run by a real shell, on directories alone."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.mirror import addresses, yum
from gm_analytics.mirror.repository import switch
from gm_analytics.mirror.survey import Target
from gm_analytics.remote.commands import script, shell

DAY = 86_400
AHEAD = 100


def day_of(ago: float) -> str:
    """Give the UTC date so many days ago; a negative number is in the future."""
    return (datetime.now(UTC).date() - timedelta(days=ago)).isoformat()


@dataclass(frozen=True)
class Root:
    """A mirror's root without packages; publication 1 is live."""

    path: Path

    @classmethod
    def at(cls, path: Path, *, named: bool = True) -> Root:
        root = cls(path)
        root._publication(path / ".publications" / "000001", named=named)
        (path / "repodata").symlink_to(".publications/000001/repodata")
        return root

    def _publication(self, place: Path, *, named: bool) -> None:
        (place / "repodata").mkdir(parents=True)
        (place / "repodata" / "repomd.xml").write_text(secrets.token_hex())
        (place / "packages.txt").touch()
        if named:
            (place / "repodata" / "mirrorlist").write_text("http://m/\n")

    @property
    def live(self) -> int:
        return int((self.path / "repodata").readlink().parts[1])

    def publish(self, *, ago: float = 0, named: bool = True) -> int:
        """Switch to a candidate, so many days ago."""
        number = self.live + 1
        self._publication(self.path / ".staging" / "u1" / "candidate", named=named)
        target = Target(root=str(self.path), reposdir="/r", releasever="9")
        base, following = (f".publications/{n:06d}" for n in (number - 1, number))
        self._run(switch(target, "u1", base, following), ago)
        self.age(number, ago)
        return number

    def _run(self, argv: tuple[str, ...], ago: float = 0) -> str:
        """Run a command by a clock that is so many days behind."""
        programs = self.path / ".programs"
        programs.mkdir(exist_ok=True)
        (programs / "date").write_text(f"#!/bin/sh\necho {int(time.time() - ago * DAY)}\n")
        (programs / "date").chmod(0o755)
        path = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=path)
        return done.stdout

    def age(self, number: int, ago: float) -> None:
        when = time.time() - ago * DAY
        for place in (f"publications/{number}", f".publications/{number:06d}/packages.txt"):
            if (self.path / place).exists():
                os.utime(self.path / place, (when, when))

    def collect(self, *gone: int) -> None:
        staging = self.path / ".staging" / "gc"
        staging.mkdir(parents=True, exist_ok=True)
        lines = "".join(f".publications/{number:06d}\n" for number in gone)
        for name, text in (("gone", lines), ("dropped", ""), ("rpms", "")):
            (staging / f"{name}.txt").write_text(text)
        argv = script("mirror", "collect", str(self.path), str(staging))
        self._run(("env", "PREVIEW=x", *argv))

    def do(self, line: str) -> str:
        """Run one of the functions."""
        text = f"cd {self.path}\n{shell('mirror', 'addresses')}\n{line}"
        return self._run(("sh", "-euc", text))

    def leads(self, name: str) -> str:
        """Say where a day leads: to a publication, to what is `live`, nowhere."""
        place = self.path / "publications" / name
        target = str(place.readlink()) if place.is_symlink() else ""
        return "live" if target == ".." else target

    def said_at(self, name: str) -> str:
        return (self.path / "publications" / name / "repodata" / "repomd.xml").read_text()


def test_an_address_goes_on_while_what_is_live_changes(tmp_path: Path) -> None:
    root = Root.at(tmp_path)
    (tmp_path / "tree.rpm").write_text("rpm")
    assert [root.publish(), root.publish()] == [2, 3]
    assert root.said_at("2") != root.said_at("3")
    assert root.said_at("3") == (tmp_path / "repodata" / "repomd.xml").read_text()
    assert (tmp_path / "publications/2/Packages/tree.rpm").read_text() == "rpm"
    assert (tmp_path / "Packages/tree.rpm").read_text() == "rpm"
    names = {one.name for one in (tmp_path / "publications/2").iterdir()}
    assert names == {"Packages", "repodata"}


def test_what_was_not_made_for_an_address_has_none(tmp_path: Path) -> None:
    """An earlier version's candidate names its packages beside the metadata."""
    root = Root.at(tmp_path, named=False)
    root.publish(named=False)
    assert not (tmp_path / "publications").exists()


def test_a_repository_with_a_directory_of_that_name_has_another_link(tmp_path: Path) -> None:
    (tmp_path / "Packages").mkdir()
    root = Root.at(tmp_path)
    root.publish()
    assert {one.name for one in (tmp_path / "publications/2").iterdir()} == {
        "gm-packages",
        "repodata",
    }


def test_a_repository_with_both_names_has_no_link(tmp_path: Path) -> None:
    for name in addresses.LINKS:
        (tmp_path / name).mkdir()
    assert Root.at(tmp_path).do("packages_link") == ""


def test_a_candidate_that_was_never_switched_to_leaves_no_address(tmp_path: Path) -> None:
    """Its number is another one's later, which may have none, and comes later."""
    root = Root.at(tmp_path)
    root._publication(tmp_path / ".publications" / "000002", named=True)
    root.do("give_address .publications/000002")
    assert (tmp_path / "publications/2").exists()
    root.publish(named=False)
    assert not (tmp_path / "publications/2").exists()


# --- days -------------------------------------------------------------------------------------


def test_a_day_is_the_newest_publication_of_it_or_before(tmp_path: Path) -> None:
    root = Root.at(tmp_path, named=False)
    root.age(1, 20)
    root.publish(ago=9)
    root.publish(ago=9)
    root.publish(ago=5)
    assert root.publish(ago=0) == 5
    expected = {10: "", 9: "3", 8: "3", 6: "3", 5: "4", 4: "4", 1: "4", 0: "live", -1: "live"}
    assert {ago: root.leads(day_of(ago)) for ago in expected} == expected
    assert root.leads(day_of(-AHEAD)) == "live"
    assert root.leads(day_of(-AHEAD - 1)) == ""
    assert root.said_at(day_of(6)) == root.said_at("3")


def test_a_day_that_is_over_never_moves(tmp_path: Path) -> None:
    """Whatever the times of directories become later, as by a backup that is brought back."""
    root = Root.at(tmp_path)
    root.publish(ago=3)
    root.publish(ago=0)
    before = {ago: root.leads(day_of(ago)) for ago in (3, 2, 1)}
    assert before == {3: "2", 2: "2", 1: "2"}
    root.age(3, 3)
    root.publish()
    root.collect()
    assert {ago: root.leads(day_of(ago)) for ago in (3, 2, 1)} == before


def test_a_day_ends_with_what_is_live_then_before_another_is_switched_to(tmp_path: Path) -> None:
    """Until the switch the day leads to what is live, which is what it ended with."""
    root = Root.at(tmp_path)
    root.publish(ago=2)
    root.do("name_days .publications/000002")
    yesterday = tmp_path / "publications" / day_of(1)
    yesterday.unlink()
    yesterday.symlink_to("..")
    root.publish()
    assert root.leads(day_of(1)) == "2"


def test_a_day_whose_publication_has_no_address_has_none(tmp_path: Path) -> None:
    """It does not lead to an older one: that is not what was live."""
    root = Root.at(tmp_path)
    root.publish(ago=6)
    root.publish(ago=3, named=False)
    root.publish()
    expected = {6: "2", 4: "2", 3: "", 1: "", 0: "live"}
    assert {ago: root.leads(day_of(ago)) for ago in expected} == expected


def test_an_address_and_its_days_go_with_the_publication(tmp_path: Path) -> None:
    root = Root.at(tmp_path)
    root.publish(ago=9)
    root.publish(ago=5)
    root.publish(ago=1)
    root.collect(2)
    assert not (tmp_path / "publications/2").exists()
    expected = {9: "", 6: "", 5: "3", 2: "3", 1: "live"}
    found = {ago: root.leads(day_of(ago)) for ago in expected}
    assert found | {1: "live"} == expected
    assert [one for one in (tmp_path / "publications").iterdir() if not one.exists()] == []


@pytest.mark.parametrize("ago", [0, 59, 366, 1461])
def test_dates_are_those_of_the_calendar(tmp_path: Path, ago: int) -> None:
    root = Root.at(tmp_path)
    root.publish(ago=ago)
    root.publish()
    days = sorted(one.name for one in (tmp_path / "publications").iterdir() if "-" in one.name)
    assert days[0] == day_of(ago)
    first = date.fromisoformat(days[0])
    assert days == [(first + timedelta(days=n)).isoformat() for n in range(ago + AHEAD + 1)]


def test_a_clock_that_was_wrong_costs_a_bounded_number_of_days(tmp_path: Path) -> None:
    root = Root.at(tmp_path)
    root.publish(ago=20_000)
    root.publish()
    assert len(list((tmp_path / "publications").iterdir())) < 1_800


# --- addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://m.example/repo", "http://m.example/repo/publications/17/"),
        ("https://m.example:8443/", "https://m.example:8443/publications/17/"),
        ("https://reader:secret@m.example/r/", "https://m.example/r/publications/17/"),
    ],
)
def test_an_address_is_the_configured_one_and_has_no_password(url: str, expected: str) -> None:
    mirror = settings.Mirror.model_construct(url=url)
    assert addresses.below(mirror, 17) == expected
    assert addresses.text(mirror, 17) == f"{expected}\n"


def test_what_prepares_says_which_link_there_is() -> None:
    assert yum.prepared("packages gm-packages\nbase\nlocal\n") == (
        "gm-packages",
        ("base", "local"),
    )
    assert yum.prepared("base\n") == ("", ("base",))
    assert yum.prepared("") == ("", ())
