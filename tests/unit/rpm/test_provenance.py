"""Who wanted what, by what packages say that they need and have."""

from __future__ import annotations

import random
import re
import time

import pytest

from gm_analytics.rpm.package import Package
from gm_analytics.rpm.provenance import Capability, Relations, attribute, parse, warnings

CLOSURE = """
app-1:2.0-1.x86_64: requires lib.so()(64bit) | /usr/bin/perl | rpmlib(X) <= 4; recommends spell
lib-1.0-3.x86_64: requires libc; provides lib.so()(64bit)
lib-1.0-3.i686: requires libc; provides lib.so()
libc-2.34-1.x86_64: requires libc-common = 2.34
libc-common-2.34-1.noarch: requires libc = 2.34-1
perl-5.32-1.x86_64: requires libc; files /usr/bin/perl
spell-1.0-1.noarch: requires words
words-3.0-1.noarch:
tool-7.92-1.noarch: requires tool-data = 7.92-1
tool-7.94-1.noarch: requires tool-data = 7.94-1
tool-data-7.92-1.noarch:
tool-data-7.94-1.noarch:
httpd-2.4-1.noarch: provides webserver = 2.4
"""
"""A closure as `rpm -qp` would tell it; each package also provides its name and version."""


def closure(text: str = CLOSURE) -> tuple[tuple[Package, ...], dict[str, Relations]]:
    packages: list[Package] = []
    printed: list[str] = []
    for line in text.strip().splitlines():
        nevra, *statements = re.split(r":(?: |$)|; ", line)
        rest, _, arch = nevra.rpartition(".")
        name, evr, release = rest.rsplit("-", 2)
        epoch, _, version = evr.rpartition(":")
        file = f"{name}-{version}-{release}.{arch}.rpm"
        packages.append(Package(file, name, int(epoch or 0), version, release, arch, 1, "ff"))
        printed += [f"package\t{file}", f"provide\t{name}\t=\t{packages[-1].evr}"]
        for kind, _, items in (statement.partition(" ") for statement in statements):
            printed += [relation(kind.rstrip("s"), item) for item in items.split(" | ") if item]
    return tuple(packages), parse("\n".join(printed))


def relation(kind: str, item: str) -> str:
    if kind == "file":
        return f"{kind}\t{item}"
    name, sense, evr = [item, "", ""] if item[0] == "(" else [*item.split(), "", ""][:3]
    return f"{kind}\t{name}\t{sense}\t{evr}"


def reached(*specs: str, weak: bool = False, **members: set[str]) -> dict[str, set[str]]:
    """Give the packages that each spec pulled in, as name-version.arch."""
    packages, relations = closure()
    groups = {f"@{name}": names for name, names in members.items()}
    found = attribute(packages, relations, specs, groups, weak=weak)
    return {
        spec: {f"{p.name}-{p.version}.{p.arch}" for p in found if spec in p.wanted}
        for spec in specs
    }


LIBC = {"libc-2.34.x86_64", "libc-common-2.34.noarch"}
LIB = {"lib-1.0.x86_64", *LIBC}
APP = {"app-2.0.x86_64", "perl-5.32.x86_64", *LIB}


@pytest.mark.parametrize(
    ("spec", "packages"),
    [
        pytest.param("app", APP, id="by capabilities, a file, and in a circle"),
        pytest.param("app-2.0", APP, id="name-version"),
        pytest.param("app-1:2.0", APP, id="name-epoch:version"),
        pytest.param("app-2.0-1", APP, id="name-version-release"),
        pytest.param("app-1:2.0-1.x86_64", APP, id="all of it"),
        pytest.param("1:app-2.0-1.x86_64", APP, id="all of it, as yum 3 prints it"),
        pytest.param("app.x86_64", APP, id="name.arch"),
        pytest.param("app-2:2.0", set(), id="another epoch"),
        pytest.param("lib", LIB, id="the machine's own architecture"),
        pytest.param("lib.i686", {"lib-1.0.i686", *LIBC}, id="the older architecture"),
        pytest.param("tool", {"tool-7.94.noarch", "tool-data-7.94.noarch"}, id="the newest"),
        pytest.param(
            "tool-7.92",
            {"tool-7.92.noarch", "tool-data-7.92.noarch"},
            id="the one of two versions",
        ),
        pytest.param("webserver", {"httpd-2.4.noarch"}, id="what a package provides"),
        pytest.param("/usr/bin/perl", {"perl-5.32.x86_64", *LIBC}, id="a file"),
        pytest.param("nothing", set(), id="what is not there"),
    ],
)
def test_a_spec_wants_what_it_names_and_all_that_needs(spec: str, packages: set[str]) -> None:
    assert reached(spec)[spec] == packages


def test_a_package_is_wanted_by_every_spec_that_reaches_it_in_order() -> None:
    packages, relations = closure()
    found = attribute(packages, relations, ["perl", "app", "spell"], {}, weak=False)
    by_name = {package.name: package.wanted for package in found}
    assert by_name["libc"] == ("app", "perl")
    assert by_name["words"] == ("spell",)
    assert by_name["httpd"] == ()


def test_what_is_recommended_was_pulled_in_only_by_that_policy() -> None:
    assert reached("app", weak=True)["app"] == {*APP, "spell-1.0.noarch", "words-3.0.noarch"}


def test_a_group_wants_its_members() -> None:
    found = reached("@tools", "words", tools={"perl", "words", "absent"})
    assert found["@tools"] == {"perl-5.32.x86_64", "words-3.0.noarch", *LIBC}
    assert found["words"] == {"words-3.0.noarch"}


def test_thousands_of_specs_are_told_apart() -> None:
    """More than a machine word has bits."""
    text = (
        "\n".join(f"p{n}-1-1.noarch: requires p{n + 1}" for n in range(200)) + "\np200-1-1.noarch:"
    )
    packages, relations = closure(text)
    specs = [package.name for package in packages]
    found = attribute(packages, relations, specs, {}, weak=False)
    assert [len(package.wanted) for package in found] == list(range(1, 202))


# --- by brute force -------------------------------------------------------------------------


def by_force(needs: dict[str, set[str]], start: str) -> set[str]:
    found = {start}
    while more := {reached for one in found for reached in needs[one]} - found:
        found |= more
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_is_reachability(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"p{n}" for n in range(chance.randint(3, 30))]
    needs = {name: set(chance.sample(names, chance.randint(0, 3))) for name in names}
    lines = [f"{n}-1-1.noarch: requires {' | '.join(sorted(needs[n]))}" for n in names]
    packages, relations = closure("\n".join(lines))
    specs = chance.sample(names, chance.randint(1, len(names)))
    found = attribute(packages, relations, specs, {}, weak=False)
    for spec in specs:
        wanted = {package.name for package in found if spec in package.wanted}
        assert wanted == by_force(needs, spec)


# --- what to warn of ------------------------------------------------------------------------

RECOMMENDING = """
app-1-1.noarch: recommends spell | lib-b | liba.so()(64bit) | (x if y) | lib-a | /usr/bin/z
lib-1-1.noarch: provides liba.so()(64bit); recommends spell; files /usr/bin/z
"""


def warned(text: str, *signed: str, weak: bool = False) -> tuple[str, ...]:
    """Give the warnings of a closure of which these packages are signed."""
    _, relations = closure(text)
    for file, one in relations.items():
        one.is_signed = file.partition("-")[0] in signed
    return warnings(relations, weak=weak)


def test_what_is_recommended_and_not_there_is_named_once() -> None:
    left_out = "3 recommended packages left out: lib-a, lib-b, spell"
    assert warned(RECOMMENDING, "app", "lib") == (left_out,)


def test_nothing_is_left_out_where_what_is_recommended_is_wanted() -> None:
    assert warned(RECOMMENDING, "app", "lib", weak=True) == ()


def test_packages_without_a_signature_are_named() -> None:
    [said] = warned(RECOMMENDING, "lib", weak=True)
    assert said.startswith("1 package is not signed: app-1-1.noarch; clients that check ")
    assert said.endswith(" take such packages with --nogpgcheck alone")
    assert warned("a-1-1.noarch:\nb-2-1.noarch:") == (
        "2 packages are not signed: a-1-1.noarch, b-2-1.noarch",
    )


def test_a_warning_is_bounded() -> None:
    (said,) = warned("\n".join(f"p{n:03}-1-1.noarch:" for n in range(500)))
    assert said.startswith("500 packages are not signed: p000-1-1.noarch, p001")
    assert said.endswith("p009-1-1.noarch and 490 more")


def test_a_signature_is_a_line_of_its_package() -> None:
    found = parse("package\ta.rpm\nsigned\nsigned\npackage\tb.rpm\nprovide\tb\t=\t1-1")
    assert [one.is_signed for one in found.values()] == [True, False]


# --- versions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "offer", "met"),
    [
        ("a", "a = 1-1", True),
        ("a = 1-1", "a", True),
        ("a = 1-1", "a = 1-1", True),
        ("a = 1", "a = 1-7", True),
        ("a = 1-1", "a = 1-2", False),
        ("a = 1-1", "a = 1", True),
        ("a >= 1", "a = 2-1", True),
        ("a >= 2-1", "a = 1-1", False),
        ("a < 2", "a = 1:1", False),
        ("a < 2", "a = 1", True),
        ("a > 1", "a = 1-5", False),
        ("a <= 1", "a = 1-5", True),
        ("a = 3", "a >= 2", True),
        ("a = 1", "a >= 2", False),
        ("a < 3", "a > 2", True),
    ],
)
def test_versions_meet_as_in_rpm(need: str, offer: str, met: bool) -> None:
    """The cases and their answers are those of `rpmdsCompare`."""
    assert Capability(*need.split()).is_met_by(Capability(*offer.split())) is met


@pytest.mark.parametrize(
    ("rich", "wanted"),
    [
        ("(a or b)", "a b"),
        ("((a and b) or (c with d >= 1))", "a b c d"),
        ("(a if b)", "a"),
        ("(a if (b and c) else d)", "a d"),
        ("(a unless b)", "a"),
        ("(a without b)", "a"),
        ("(liba.so()(64bit) if b)", "liba.so()(64bit)"),
        ("(b or liba.so()(64bit))", "b liba.so()(64bit)"),
        ("((a >= 2 if b) and c)", "c"),
        ("((a >= 1 if b < 2) and c)", "a c"),
    ],
)
def test_a_rich_dependency_pulls_in_its_operands_not_its_conditions(
    rich: str, wanted: str
) -> None:
    names = ("a", "b", "c", "d")
    text = f"root-1-1.noarch: requires {rich}\n" + "\n".join(f"{n}-1-1.noarch:" for n in names)
    packages, relations = closure(text + "\nso-1-1.noarch: provides liba.so()(64bit)")
    found = attribute(packages, relations, ["root"], {}, weak=False)
    assert {p.name for p in found if p.wanted} == {
        "root", *wanted.replace("liba.so()(64bit)", "so").split()
    }  # fmt: skip


# --- where several packages provide what one needs --------------------------------------------

WEB = """
app-1-1.noarch: requires webserver
page-1-1.noarch: requires webserver | base
httpd-2-1.noarch: requires mime; provides webserver
nginx-1-1.noarch: provides webserver
mime-1-1.noarch:
base-1-1.noarch:
either-1-1.noarch: requires (httpd or nginx)
both-1-1.noarch: requires (webserver with httpd)
old-1-1.noarch: requires httpd
"""


def explained(*specs: str, without: str = "") -> dict[str, list[str]]:
    """Give who wanted each package of a closure that has but some of `WEB`."""
    lines = [
        line for line in WEB.strip().splitlines() if line.split("-")[0] not in without.split()
    ]
    packages, relations = closure("\n".join(lines))
    found = attribute(packages, relations, specs, {}, weak=False)
    return {package.name: list(package.wanted) for package in found}


def test_of_several_that_provide_a_thing_the_one_that_is_there_anyway_was_used() -> None:
    """nginx is asked for, so that the app needs no httpd; which `old` brought in."""
    found = explained("app", "nginx", "old", without="page either both")
    assert found["nginx"] == ["app", "nginx"]
    assert found["httpd"] == found["mime"] == ["old"]


def test_what_nothing_else_explains_was_brought_in_for_it() -> None:
    found = explained("app", "nginx", without="page either both old")
    assert found["httpd"] == found["mime"] == ["app"]
    assert found["nginx"] == ["app", "nginx"]


def test_a_thing_that_a_spec_asks_for_itself_is_no_other_than_one_that_is_needed() -> None:
    assert explained("webserver", "nginx", "old", without="app page either both")["httpd"] == [
        "old"
    ]


@pytest.mark.parametrize("spec", ["either", "app"])
def test_one_of_a_rich_dependency_s_alternatives_was_used(spec: str) -> None:
    found = explained(spec, "nginx", "old", without="page both")
    assert found["httpd"] == ["old"]
    assert found["nginx"] == sorted([spec, "nginx"])


def test_what_must_be_both_is_one_package() -> None:
    found = explained("both", "nginx", without="app page either old")
    assert (found["httpd"], found["nginx"]) == (["both"], ["nginx"])


def test_thousands_of_such_needs_are_settled_in_seconds() -> None:
    many = 1500
    lines = [f"app{n}-1-1.noarch: requires thing{n} | thing{n + 1}" for n in range(many)]
    lines += [
        f"lib{n}-1-1.noarch: provides thing{n // 2}; requires thing{n}" for n in range(2 * many)
    ]
    packages, relations = closure("\n".join(lines))
    before = time.process_time()
    attribute(packages, relations, [f"app{n}" for n in range(many)], {}, weak=False)
    assert time.process_time() - before < 10
