"""What somebody may have meant by a spec that upstream has nothing for."""

from __future__ import annotations

import pytest

from gm_analytics.rpm.package import Row
from gm_analytics.rpm.suggestions import MAX_ASKED, MAX_SPECS, suggest

OFFERED = [
    Row(name, arch, evr, "base", 0)
    for name, arch, evr in (
        ("tree", "x86_64", "1.8.0-1.el9"),
        ("nmap", "x86_64", "3:7.92-1.el9"),
        ("nmap", "x86_64", "3:7.94-1.el9"),
        ("nmap", "x86_64", "3:7.100-1.el9"),
        ("nmap", "x86_64", "3:7.9-1.el9"),
        ("nmap-ncat", "x86_64", "3:7.94-1.el9"),
        ("glibc", "x86_64", "2.34-1.el9"),
        ("glibc", "i686", "2.34-1.el9"),
        ("ImageMagick", "x86_64", "6.9-1.el9"),
        ("libcurl-devel", "x86_64", "7.76-1.el9"),
        ("openssl-devel", "x86_64", "3.0-1.el9"),
        ("python3-requests", "noarch", "2.25-1.el9"),
        ("git", "x86_64", "2.43-1.el9"),
        ("git-lfs", "x86_64", "3.4-1.el9"),
        ("gtk3", "x86_64", "3.24-1.el9"),
        ("vim-common", "x86_64", "9.1-1.el9"),
        ("vim-enhanced", "x86_64", "9.1-1.el9"),
        ("vim-minimal", "x86_64", "9.1-1.el9"),
        ("perl-JSON-XS", "x86_64", "4.03-1.el9"),
        ("man-db-doc", "noarch", "2.9-1.el9"),
    )
]
VERSIONS = ["nmap-3:7.100-1.el9", "nmap-3:7.94-1.el9", "nmap-3:7.92-1.el9"]


@pytest.mark.parametrize(
    ("spec", "near"),
    [
        pytest.param("tre", ["tree"], id="a letter is missing"),
        pytest.param("namp", ["nmap"], id="letters are swapped"),
        pytest.param("imagemagick", ["ImageMagick"], id="another case"),
        pytest.param("curl-dev", ["libcurl-devel"], id="the name that another distribution has"),
        pytest.param("openssl-dev", ["openssl-devel"], id="dev for devel"),
        pytest.param("python-requests", ["python3-requests"], id="a prefix that grew"),
        pytest.param("nmap-9.99", VERSIONS, id="no such version: the newest that there are"),
        pytest.param("nmap-7.92-9.el9", VERSIONS, id="no such release"),
        pytest.param("nmap-2:7.92-1.el9", VERSIONS, id="no such epoch"),
        pytest.param("2:nmap-7.92-1.el9", VERSIONS, id="no such epoch, as yum 3 writes it"),
        pytest.param("nmap-ncat-9.99", ["nmap-ncat-3:7.94-1.el9"], id="a name with a dash"),
        pytest.param("glibc.s390x", ["glibc.i686", "glibc.x86_64"], id="no such architecture"),
        pytest.param("gti-lfs-3.4", ["git-lfs"], id="a wrong name with a version"),
        pytest.param("gtk3-9", ["gtk3-3.24-1.el9"], id="a name that ends in a digit"),
        pytest.param("vim", ["vim-minimal", "vim-enhanced"], id="the beginning of names"),
        pytest.param("man-db", ["man-db-doc"], id="of nothing but what is beside a program"),
        pytest.param("perl(Json::XS)", ["perl-JSON-XS"], id="a capability of another case"),
        pytest.param("pkgconfig(opensl)", ["openssl-devel"], id="a capability with a typo"),
        pytest.param("python3dist(requests)", ["python3-requests"], id="a capability's kind"),
        pytest.param("@developmnt", ["@development"], id="a group"),
        pytest.param("@tree", None, id="a package's name is no group's"),
        pytest.param("development", None, id="a group's name is no package's"),
        pytest.param("/usr/bin/tre", None, id="files are not listed"),
        pytest.param("kubernetes", None, id="nothing is near"),
    ],
)
def test_near_specs_are_suggested(spec: str, near: list[str] | None) -> None:
    assert suggest([spec], OFFERED, ["development", "games"]).get(spec) == near


def test_who_provides_a_program_comes_first_and_is_asked_where_no_name_is_near() -> None:
    asked: list[str] = []

    def providers(name: str) -> list[str]:
        asked.append(name)
        return {"vim": ["vim-enhanced"], "convert": ["ImageMagick"]}.get(name, [])

    found = suggest(["vim", "tre", "convert", "glibc.s390x", "/usr/x"], OFFERED, [], providers)
    assert found["vim"] == ["vim-enhanced", "vim-minimal"]
    assert found["convert"] == ["ImageMagick"]
    assert asked == ["vim", "convert"]
    suggest([f"unheard{n}of" for n in range(9)], OFFERED, [], providers)
    assert len(asked) == 2 + MAX_ASKED


def test_every_suggestion_is_bounded() -> None:
    alike = [Row(f"tool{n}", "noarch", "1-1", "base", 0) for n in range(9)]
    assert len(suggest(["tool"], alike, [])["tool"]) == 3
    assert len(suggest([f"tool{n:02}" for n in range(99)], alike, [])) == MAX_SPECS


def test_without_a_list_nothing_is_suggested() -> None:
    assert suggest(["tre", "@x"], [], []) == {}
