"""The commands that people paste into a manifest: understood, or refused by name."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from gm_analytics.errors import ManifestError, Problem
from gm_analytics.manifest import Manifest


def specs(text: str) -> tuple[str, ...]:
    return Manifest.parse(json.dumps([text]).encode()).specs


def problem(text: str) -> Problem:
    with pytest.raises(ManifestError) as caught:
        specs(text)
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("microdnf install tree", ["tree"]),
        ("microdnf install -y --nodocs --setopt=tsflags=nodocs tree", ["tree"]),
        ("sudo /usr/bin/dnf -y install tree nmap", ["tree", "nmap"]),
        ("/usr/bin/sudo -n -E /bin/yum install tree", ["tree"]),
        ("dnf5 install tree", ["tree"]),
        ("dnf-3 install tree", ["tree"]),
        ("sudo yum install tree -y", ["tree"]),
        ("yum -y -q install tree", ["tree"]),
        ("yum install -y -y tree", ["tree"]),
        ("dnf -yq install --best tree --allowerasing nmap --refresh", ["tree", "nmap"]),
        ("yum -d 0 -e 1 install tree -d1 --color=never", ["tree"]),
        ("dnf install -y -- tree", ["tree"]),
        ("dnf in tree", ["tree"]),
        ("dnf install-n tree", ["tree"]),
        ("dnf install -y tree && sudo yum install -y nmap", ["tree", "nmap"]),
        ("dnf install -y tree; nmap; dnf5 install jq", ["tree", "nmap", "jq"]),
        ("dnf install 'tree' \"nmap\" jq\\ ", None),
        ("dnf install 'tree' \"nmap\"", ["tree", "nmap"]),
        ("dnf install 'perl(JSON::XS)' pkgconfig\\(openssl\\)",
         ["perl(JSON::XS)", "pkgconfig(openssl)"]),
        ('sudo yum groupinstall "Development Tools"', ["@Development Tools"]),
        ("yum -y groupinstall 'Development Tools' x", ["@Development Tools", "@x"]),
        ("dnf group install x", ["@x"]),
        ("dnf -y group install --best Development\\ Tools", ["@Development Tools"]),
        ("dnf groups install @x y", ["@x", "@y"]),
        ('dnf install "@Development Tools" tree', ["@Development Tools", "tree"]),
        ("dnf install @development tree", ["@development", "tree"]),
    ],
)  # fmt: skip
def test_an_installing_command_is_understood(text: str, wanted: list[str] | None) -> None:
    if wanted is None:
        assert problem(text).found == '"jq ", a blank in a name'
    else:
        assert list(specs(text)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("yum", ["yum"]),
        ("dnf microdnf", ["dnf", "microdnf"]),
        ("sudo vim", ["sudo", "vim"]),
        ("install", ["install"]),
        ("install tree", ["install", "tree"]),
        ("curl wget make gcc", ["curl", "wget", "make", "gcc"]),
        ("/usr/bin/dnf /usr/bin/yum", ["/usr/bin/dnf", "/usr/bin/yum"]),
        ("npm gem cargo", ["npm", "gem", "cargo"]),
        ("tree; nmap", ["tree", "nmap"]),
        ("perl(JSON::XS) libssl.so.3()(64bit)", ["perl(JSON::XS)", "libssl.so.3()(64bit)"]),
        ("@development nmap", ["@development", "nmap"]),
        ("@development NetworkManager", ["@development", "NetworkManager"]),
        ("@Development Tools", ["@Development Tools"]),
        ("tree; @C Development Tools and Libraries; nmap",
         ["tree", "@C Development Tools and Libraries", "nmap"]),
        ("@'Development Tools' nmap", ["@Development Tools", "nmap"]),
        ("@Development Tools nmap", ["@Development", "Tools", "nmap"]),
    ],
)  # fmt: skip
def test_a_list_of_packages_is_no_command(text: str, wanted: list[str]) -> None:
    assert list(specs(text)) == wanted


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("yum remove a", '"yum remove a", a command other than install', "no entry asks for"),
        ("yum localinstall ./a.rpm", "a command other than install", "takes no files"),
        ("yum localinstall a", '"yum localinstall a", a command', "takes no files"),
        ("sudo dnf update -y tree", "a command that installs nothing new", "newest"),
        ("yum reinstall tree", "a command that installs nothing new", "newest"),
        ("yum install", '"yum install", a command that names nothing', "package specs"),
        ("dnf -y", '"dnf -y", a command', "`yum install`"),
        ("dnf group list", '"dnf group list", a command other', "`yum install`"),
        ("dnf clean all", '"dnf clean all", a command other', "`yum install`"),
        ("dnf --enablerepo=epel install tree", '"--enablerepo=epel", an option', "configuration"),
        ("dnf install tree --setopt=install_weak_deps=False", "an option", "mirrors[].upstream"),
        ("yum -c /tmp/evil.conf install tree", '"-c", an option', "configuration"),
        ("dnf group install --with-optional x", '"--with-optional", an option', "configuration"),
        ("dnf install -y tree && reboot", '"reboot", no command of yum or dnf beside &&', "`yum"),
        ("tree && nmap", '"tree", no command of yum or dnf beside &&', "separated by blanks"),
        ("dnf install -y httpd && systemctl enable httpd", '"systemctl enable', "`yum"),
        ("dnf install -y httpd; systemctl enable httpd", 'a command of "systemctl"', "`yum"),
        ("apt-get install tree", '"apt-get install tree", a command of', "`yum install`"),
        ("sudo zypper install tree", 'a command of "zypper"', "`yum install`"),
        ("tdnf install tree", 'a command of "tdnf"', "`yum install`"),
        ("pip install requests", 'a command of "pip"', "`yum install`"),
        ("rpm -ivh tree.rpm", 'a command of "rpm"', "`yum install`"),
        ("RUN dnf install tree", '"RUN", before a command', "`yum install`"),
        ("$ dnf install tree", '"$", before a command', "`yum install`"),
        ("# dnf install tree", '"#", before a command', "`yum install`"),
        ("dnf install tree | tee log", '"|", a pipe', "a package name"),
        ("dnf install tree || true", '"||", two commands', "a package name"),
        ("tree # draws trees", '"#", a comment', "a package name"),
        ("dnf install tree > /dev/null", '">", a redirection', "a package name"),
        ("dnf install $PACKAGES", '"$PACKAGES", a shell variable', "a package name"),
        ("dnf install $(cat list)", '"$(cat", a command within', "a package name"),
        ("LANG=C dnf install tree", '"LANG=C", before a command', "`yum install`"),
        ("dnf install 'tree", "a quote", "a package name"),
        ("httpd = 2.4", '"httpd = 2.4", a comparison', "httpd-2.4"),
        ("httpd=2.4", '"httpd = 2.4", a comparison', "httpd-2.4"),
        ("httpd == 2.4-1.el9", '"httpd == 2.4-1.el9", a comparison', "httpd-2.4-1.el9"),
        ("jq httpd >=2.4", '"httpd >= 2.4", a comparison', "httpd (the newest"),
        ("dnf install 'httpd >= 2.4'", "a redirection or a comparison", "a package name"),
        ("perl(JSON) >= 1.0", '"perl(JSON) >= 1.0", a comparison', "perl(JSON) alone"),
        ("https://x.example/a/tree-1.8-1.el9.x86_64.rpm", "a URL", "tree-1.8-1.el9.x86_64, a p"),
        ("./tree-1.8-1.noarch.rpm", "a file name", "tree-1.8-1.noarch, a package of the"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name(text: str, found: str, expected: str) -> None:
    told = problem(text)
    assert found in told.found
    assert expected in told.expected


def test_what_is_beside_a_mistake_is_told_too_and_packages_are_not_taken_for_mistakes() -> None:
    with pytest.raises(ManifestError) as caught:
        specs("tree httpd = 2.4 jq*; yum remove a")
    assert [one.found for one in caught.value.problems] == [
        '"httpd = 2.4", a comparison',
        '"jq*", a glob',
        '"yum remove a", a command other than install',
    ]


@pytest.mark.parametrize(
    "piece",
    ["a ", "\"'", "'", '"', "\\", "dnf install ", "sudo ", "a= ", "a&&", "@A B ", ";", "&", "a="],
)
def test_a_line_of_any_kind_takes_linear_time(piece: str) -> None:
    """A quadratic search of 200,000 characters would take minutes."""
    text = json.dumps([piece * (200_000 // len(piece))]).encode()
    before = time.process_time()
    with suppress(ManifestError):
        Manifest.parse(text)
    assert time.process_time() - before < 5
