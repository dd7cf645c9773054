"""What a comment says of advisories."""

from __future__ import annotations

from gm_analytics.pull_requests.advisories import told
from gm_analytics.pull_requests.markdown import Room
from gm_analytics.rpm.advisories import Advice

CVES = tuple(f"CVE-2026-{number:04}" for number in range(7))
FOUND = (
    Advice("RHSA-2026:1", "security", "Critical", CVES, ("a-1-1.x86_64",)),
    Advice("RHBA-2026:2", "bugfix", "", (), ("a-1-1.x86_64", "b-1-1.x86_64")),
)


def test_advisories_are_a_table_with_severity_cves_and_packages() -> None:
    intro, table = told(FOUND, Room(50, 1000))
    assert intro == "Advisories of what it adds or upgrades: 1 security, 1 bugfix."
    assert table.splitlines()[2:] == [
        "| `RHSA-2026:1` | Critical security | "
        + ", ".join(f"`{cve}`" for cve in CVES[:5])
        + " and 2 more | `a-1-1.x86_64` |",
        "| `RHBA-2026:2` | bugfix |  | `a-1-1.x86_64`, `b-1-1.x86_64` |",
    ]


def test_there_is_room_for_so_many() -> None:
    *_, last = "\n".join(told(FOUND, Room(1, 1000))).splitlines()
    assert last == "| … and 1 more | | | |"


def test_nothing_is_said_of_none() -> None:
    assert not list(told((), Room(50, 1000)))
