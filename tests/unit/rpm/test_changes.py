"""Package sets: rpm's order, yum's tables, and what an update would change.

`golden/transactions/NAME.txt` is what a package manager prints, `NAME.json` the rows in it.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from gm_analytics.mirror.complaints import unknown_specs, words
from gm_analytics.mirror.printed import transaction
from gm_analytics.mirror.publication import Closure, Publication
from gm_analytics.rpm.changes import Change, Plan, diff
from gm_analytics.rpm.package import Package, Row
from gm_analytics.rpm.versions import compare_evr, compare_version, evr_key

GOLDEN = sorted((Path(__file__).parents[1] / "mirror" / "golden" / "transactions").glob("*.txt"))

# The cases of rpm's own tests/rpmvercmp.at, as (left, right, order).
RPM_CASES = """
1.0 1.0 0 | 1.0 2.0 -1 | 2.0 1.0 1 | 2.0.1 2.0.1 0 | 2.0 2.0.1 -1 | 2.0.1 2.0 1 | 2.0.1a 2.0.1a 0
2.0.1a 2.0.1 1 | 2.0.1 2.0.1a -1 | 5.5p1 5.5p1 0 | 5.5p1 5.5p2 -1 | 5.5p2 5.5p1 1
5.5p10 5.5p10 0 | 5.5p1 5.5p10 -1 | 5.5p10 5.5p1 1 | 10xyz 10.1xyz -1 | 10.1xyz 10xyz 1
xyz10 xyz10 0 | xyz10 xyz10.1 -1 | xyz10.1 xyz10 1 | xyz.4 xyz.4 0 | xyz.4 8 -1 | 8 xyz.4 1
xyz.4 2 -1 | 2 xyz.4 1 | 5.5p2 5.6p1 -1 | 5.6p1 5.5p2 1 | 5.6p1 6.5p1 -1 | 6.5p1 5.6p1 1
6.0.rc1 6.0 1 | 6.0 6.0.rc1 -1 | 10b2 10a1 1 | 10a2 10b2 -1 | 1.0aa 1.0aa 0 | 1.0a 1.0aa -1
1.0aa 1.0a 1 | 10.0001 10.0001 0 | 10.0001 10.1 0 | 10.1 10.0001 0 | 10.0001 10.0039 -1
10.0039 10.0001 1 | 4.999.9 5.0 -1 | 5.0 4.999.9 1 | 20101121 20101121 0
20101121 20101122 -1 | 20101122 20101121 1 | 2_0 2_0 0 | 2.0 2_0 0 | 2_0 2.0 0 | a a 0
a+ a+ 0 | a+ a_ 0 | a_ a+ 0 | +a +a 0 | +a _a 0 | _a +a 0 | +_ +_ 0 | _+ +_ 0 | + _ 0 | _ + 0
1.0~rc1 1.0~rc1 0 | 1.0~rc1 1.0 -1 | 1.0 1.0~rc1 1 | 1.0~rc1 1.0~rc2 -1 | 1.0~rc2 1.0~rc1 1
1.0~rc1~git123 1.0~rc1~git123 0 | 1.0~rc1~git123 1.0~rc1 -1 | 1.0~rc1 1.0~rc1~git123 1
1.0^ 1.0^ 0 | 1.0^ 1.0 1 | 1.0 1.0^ -1 | 1.0^git1 1.0^git1 0 | 1.0^git1 1.0 1 | 1.0 1.0^git1 -1
1.0^git1 1.0^git2 -1 | 1.0^git2 1.0^git1 1 | 1.0^git1 1.01 -1 | 1.01 1.0^git1 1
1.0^20160101 1.0^20160101 0 | 1.0^20160101 1.0.1 -1 | 1.0.1 1.0^20160101 1
1.0^20160101^git1 1.0^20160101^git1 0 | 1.0^20160102 1.0^20160101^git1 1
1.0^20160101^git1 1.0^20160102 -1 | 1.0~rc1^git1 1.0~rc1^git1 0 | 1.0~rc1^git1 1.0~rc1 1
1.0~rc1 1.0~rc1^git1 -1 | 1.0^git1~pre 1.0^git1~pre 0 | 1.0^git1 1.0^git1~pre 1
1.0^git1~pre 1.0^git1 -1 | 1b.fc17 1b.fc17 0 | 1b.fc17 1.fc17 -1 | 1.fc17 1b.fc17 1
1g.fc17 1g.fc17 0 | 1g.fc17 1.fc17 1 | 1.fc17 1g.fc17 -1 | 010 10 0 | a 1 -1 | 1.0. 1.0 0
"""
VERSIONS = [
    tuple(case.split()) for line in RPM_CASES.split("\n") for case in line.split("|") if case
]


def package(name: str, evr: str = "1-1", *, size: int = 10, arch: str = "noarch") -> Package:
    epoch, _, rest = evr.rpartition(":")
    version, release = rest.split("-")
    file = f"{name}-{version}-{release}.{arch}.rpm"
    return Package(file, name, int(epoch or 0), version, release, arch, size, "ab" * 32)


def row(name: str, evr: str = "1-1", *, size: int = 10, arch: str = "noarch") -> Row:
    return Row(name, arch, evr, "upstream", size)


# --- rpm's order ----------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "right", "order"), VERSIONS)
def test_versions_are_ordered_as_in_rpm_s_own_tests(left: str, right: str, order: str) -> None:
    assert compare_version(left, right) == int(order)
    assert compare_version(right, left) == -int(order)


@pytest.mark.skipif(not shutil.which("rpm"), reason="there is no rpm to compare with")
def test_versions_are_ordered_as_by_the_rpm_that_is_installed() -> None:
    chance = random.Random(3)  # the same pairs in every run
    pairs = [(text(chance), text(chance)) for _ in range(1000)] + [
        (left, right) for left, right, _ in VERSIONS
    ]
    ours = [compare_version(*pair) for pair in pairs]
    assert dict(zip(pairs, ours, strict=True)) == dict(zip(pairs, by_rpm(pairs), strict=True))


def text(chance: random.Random) -> str:
    return "".join(chance.choices("0019aAbz.~^_+", k=chance.randint(1, 8)))


def by_rpm(pairs: list[tuple[str, str]]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(pairs), 100):
        calls = ",".join(f'rpm.vercmp("{a}","{b}")' for a, b in pairs[start : start + 100])
        lua = f'%{{lua: print(table.concat({{{calls}}}, " "))}}'
        done = subprocess.run(["rpm", "--eval", lua], capture_output=True, text=True, check=True)
        found += map(int, done.stdout.split())
    return found


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1.0-1", "1.0-1", 0),
        ("0:1.0-1", "1.0-1", 0),
        ("1:1.0-1", "2.0-1", 1),
        ("1:1.0-1", "2:0.1-1", -1),
        ("10:1-1", "9:1-1", 1),
        ("1.0-2", "1.0-10", -1),
        ("1.0-1.el9", "1.0-1.el9_4.1", -1),
        ("1.1-1", "1.0-9", 1),
        ("1.0", "1.0-1", -1),
    ],
)
def test_epoch_comes_before_version_before_release(left: str, right: str, order: int) -> None:
    assert compare_evr(left, right) == order
    assert compare_evr(right, left) == -order


def test_a_list_of_versions_is_sorted_by_rpm_s_order() -> None:
    ordered = ["1.0~rc1-1", "1.0-1", "1.0^git1-1", "1.0.1-1", "1.10-1", "1:0.1-1"]
    mixed = ordered[3:] + ordered[:3]
    assert sorted(mixed, key=evr_key) == ordered


# --- packages and changes -------------------------------------------------------------------


def test_a_package_is_a_line_and_back() -> None:
    one = Package("a.rpm", "a", 2, "1~rc", "1.el9", "x86_64", 7, "ff" * 32, "baseos")
    assert Package.from_line(one.line()) == one
    assert Package.from_line(package("tree").line()) == package("tree")


def test_an_epoch_of_zero_is_not_named() -> None:
    assert package("tree", "0:1-2").nevra == row("tree", "0:1-2").nevra == "tree-1-2.noarch"
    assert package("nmap", "2:1-2").nevra == row("nmap", "2:1-2").nevra == "nmap-2:1-2.noarch"


def test_a_package_nobody_has_is_added() -> None:
    assert diff([], [row("tree", size=7)]) == Plan(
        (Change("added", "tree-1-1.noarch", 7, "upstream"),)
    )


def test_what_is_live_is_no_change() -> None:
    assert diff(
        [package("tree"), package("nmap", "2:1-1")], [row("tree"), row("nmap", "2:1-1")]
    ) == Plan(())


@pytest.mark.parametrize(
    ("live", "wanted", "kind"),
    [
        ("1-1", "2-1", "upgraded"),
        ("1-1", "1:0-1", "upgraded"),
        ("1.0~rc1-1", "1.0-1", "upgraded"),
        ("2-1", "1-1", "downgraded"),
        ("1:1-1", "2-1", "downgraded"),
    ],
)
def test_another_version_names_the_one_that_is_live(live: str, wanted: str, kind: str) -> None:
    (change,) = diff([package("tree", live)], [row("tree", wanted)]).changes
    assert (change.kind, change.before) == (kind, package("tree", live).nevra)


def test_the_newest_live_version_is_the_one_compared_with() -> None:
    live = [package("tree", evr) for evr in ("1.9-1", "1.10-1", "1.2-1")]
    (change,) = diff(live, [row("tree", "1.9.5-1")]).changes
    assert (change.kind, change.before) == ("downgraded", "tree-1.10-1.noarch")


def test_another_architecture_is_another_package() -> None:
    (change,) = diff([package("glibc", arch="x86_64")], [row("glibc", "2-1", arch="i686")]).changes
    assert change.kind == "added"


def test_a_plan_is_in_order_and_knows_its_size() -> None:
    plan = diff([package("b")], [row("c", size=5), row("b"), row("a", size=7)])
    assert [change.nevra for change in plan.changes] == ["a-1-1.noarch", "c-1-1.noarch"]
    assert plan.size == 12


# --- what package managers print ------------------------------------------------------------


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in GOLDEN])
def test_the_transaction_table_gives_its_rows(file: Path) -> None:
    expected = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    found = transaction(file.read_text(encoding="utf-8"))
    assert [[r.name, r.arch, r.evr, r.repository, r.size] for r in found] == expected


def test_there_is_a_table_of_each_package_manager() -> None:
    assert {file.stem.partition("-")[0] for file in GOLDEN} >= {"yum3", "dnf4", "dnf5"}


@pytest.mark.parametrize(
    ("printed", "size"),
    [
        ("0  ", 0),
        ("512", 512),
        ("512 B", 512),
        ("46 k", 47104),
        ("1.5 M", 1572864),
        ("2 G", 2**31),
        ("4.0 KiB", 4096),
        ("1.0 MiB", 2**20),
        ("3.0 GiB", 3 * 2**30),
        ("46k", 47104),
    ],
)
def test_sizes_are_bytes(printed: str, size: int) -> None:
    (found,) = transaction(f"Installing:\n tree noarch 1-1 base {printed}\n")
    assert found.size == size


@pytest.mark.parametrize(
    "output",
    [
        "",
        "\n\n",
        "Nothing to do.\n",
        " Package Arch Version Repository Size\n",
        " a b c d e f\n" * 9,
    ],
)
def test_other_output_has_no_rows(output: str) -> None:
    assert transaction(output) == ()


@pytest.mark.parametrize(
    ("output", "unknown"),
    [
        pytest.param(
            "Error: Unable to find a match: nope\nNo match for argument: nope\n",
            ("nope",),
            id="dnf 4",
        ),
        pytest.param(
            "No match for argument: nope\nNo match for argument: nada\n",
            ("nope", "nada"),
            id="dnf 4, two",
        ),
        pytest.param(
            "Failed to resolve the transaction:\nNo match for argument: nope\nYou can add:\n"
            "  --skip-unavailable to skip unavailable packages\n",
            ("nope",),
            id="dnf 5",
        ),
        pytest.param("No package nope available.\nError: Nothing to do\n", ("nope",), id="yum 3"),
        pytest.param(
            "Module or Group 'devel' is not available.\n", ("@devel",), id="dnf 4, a group"
        ),
        pytest.param(
            "Error: Module or Group 'devel' does not exist.\n",
            ("@devel",),
            id="dnf 4, only a group",
        ),
        pytest.param("Warning: Group devel does not exist.\n", ("@devel",), id="yum 3, a group"),
        pytest.param("Complete!\n", (), id="none"),
        pytest.param("No match for argument: other\n", (), id="one that was not asked for"),
        pytest.param("tree: No match for argument: nope\n", (), id="in the middle of a line"),
    ],
)
def test_specs_without_a_package_are_named_in_the_order_asked_for(
    output: str, unknown: tuple[str, ...]
) -> None:
    assert unknown_specs(output, ["tree", "nope", "nada", "@devel"]) == unknown


def test_words_start_at_the_first_error() -> None:
    said = "Last metadata…\n\nError: \n Problem: a conflicts with b\n  - x  \n(try --best)\n"
    assert words(said) == "Error:\n Problem: a conflicts with b\n  - x\n(try --best)"


def test_words_without_an_error_are_the_first_and_the_last_lines() -> None:
    said = "\n".join(f"line {n}" for n in range(20))
    assert words(said) == "\n".join(f"line {n}" for n in (*range(4), *range(16, 20)))
    assert words("") == ""


def test_words_are_bounded_and_keep_their_beginning_and_end() -> None:
    said = words("Error: cause" + "x" * 5000 + "end")
    assert len(said) == 2001
    assert said.startswith("Error: cause")
    assert said[1000] == "…"
    assert said.endswith("end")


# --- what a mirror holds --------------------------------------------------------------------


def test_a_closure_knows_where_its_packages_are_and_come_from() -> None:
    output = (
        f"new\t{package('a').line()}\npool\t{package('b').line()}\nlive\t{package('c').line()}\n"
    )
    closure = Closure.parse(output, [row("a"), row("c")])
    assert [p.source for p in closure.packages] == ["upstream", "", "upstream"]
    assert [p.name for p in closure.where("new", "pool")] == ["a", "b"]
    assert closure.where("differs") == ()
    assert Closure.parse("", []) == Closure((), ())


@pytest.mark.parametrize(
    ("number", "directory"), [(1, ".publications/000001"), (1234567, ".publications/1234567")]
)
def test_a_publication_s_number_is_its_directory_and_back(number: int, directory: str) -> None:
    assert Publication.directory(number) == directory
    assert Publication.number_of(directory) == number
