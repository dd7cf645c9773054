"""What a mirror's host says of itself when it is looked at, and what that means."""

from __future__ import annotations

import pytest

from gm_analytics.mirror.examined import Examined, Repositories
from gm_analytics.mirror.survey import Survey, Tools
from gm_analytics.operations import hosts
from gm_analytics.settings import Mirror

TOOLS = Tools("dnf4", "/usr/bin/dnf-3", "/usr/bin/createrepo_c", "userns")
PYTHON = Tools("yum3", "/usr/bin/yum", "/usr/bin/createrepo", "helper")
GOOD = "now 1000\naccount mirror\nmanager 4.14.0\ncreaterepo Version: 0.20.1 (Features: x)\n"
ROOT = "owner mirror 755\ninodes 5000\nprobe gm-check.abcdefghij\n"


def mirror(**changes: object) -> Mirror:
    given = {
        "name": "m", "identity_file": "/k", "known_hosts": "/h", "url": "http://m/",
        "upstream": {"releasever": "9"}, "disk_reserve": 10, **changes,
    }  # fmt: skip
    return Mirror.model_validate(given)


def told(
    printed: str,
    tools: Tools = TOOLS,
    free: int = 100,
    *,
    at: float = 1000,
    previews: bool = False,
) -> dict[str, tuple[str, str, str]]:
    """Give what is not good: severity, fact and cure by subject."""
    seen, survey = Examined.parse(printed), Survey("live", tools, free=free)
    looked = hosts.findings(mirror(helper="/h"), survey, seen, (at, at + 1), previews=previews)
    return {
        one.subject.removeprefix("mirror m "): (one.severity, one.said, one.hint)
        for one in looked
        if one.severity != "ok"
    }


def test_nothing_is_wrong_with_a_good_host() -> None:
    assert told(GOOD + ROOT) == {}
    assert told(GOOD + ROOT, previews=True) == {}


@pytest.mark.parametrize(
    ("skew", "said"),
    [(60, ""), (61, "behind"), (-61, ""), (-62, "ahead of")],
)
def test_a_clock_may_be_a_minute_off(skew: float, said: str) -> None:
    found = told(GOOD + ROOT, at=1000 + skew)
    assert list(found) == (["clock"] if said else [])


@pytest.mark.parametrize(
    ("inodes", "wrong"), [("1000", False), ("999", True), ("0", True), ("-", False), ("", False)]
)
def test_inodes_run_out_as_bytes_do(inodes: str, wrong: bool) -> None:
    found = told(GOOD + ROOT.replace("5000", inodes))
    assert ("disk" in found) == wrong


@pytest.mark.parametrize(("free", "wrong"), [(10, False), (9, True)])
def test_less_than_the_reserve_is_too_little(free: int, wrong: bool) -> None:
    assert ("disk" in told(GOOD + ROOT, free=free)) == wrong


@pytest.mark.parametrize(
    ("manager", "createrepo", "old"),
    [
        ("4.0.0", "Version: 0.15.0", 0),
        ("3.99.9", "Version: 0.15.0", 1),
        ("dnf5 version 5.2.6", "", 0),
        ("", "Version: 0.14.9", 1),
        ("x.y", "garbage 1", 0),
    ],
)
def test_programs_that_are_too_old(manager: str, createrepo: str, old: int) -> None:
    text = GOOD.replace("4.14.0", manager).replace("Version: 0.20.1", createrepo)
    found = told(text + ROOT)
    assert [word for word in found if word == "tools"] == ["tools"] * old


def test_without_createrepo_c_there_are_no_previews() -> None:
    text = GOOD.replace("4.14.0", "3.4.3")
    assert told(text + ROOT, PYTHON) == {}
    severity, said, hint = told(text + ROOT, PYTHON, previews=True)["tools"]
    assert (severity, said) == ("fail", "/usr/bin/createrepo makes no previews")
    assert "createrepo_c" in hint


@pytest.mark.parametrize(
    ("printed", "said", "cure"),
    [
        ("root missing", "there is no /var/repo", "install -d -o mirror"),
        ("root file", "/var/repo is a file", "Move it away"),
        ("root dangling", "leads nowhere", "install -d"),
        ("root closed /var", "mirror may not enter /var", "chmod a+x /var"),
        ("fails making a hard link: ln: x: Operation not supported", "hard link", "has links"),
        ("fails locking a file: ", "locking", "has locks"),
        ("fails writing a file: cat: Disk quota exceeded", "quota", "quota"),
        ("fails making a directory: Input/output error", "Input/output", "See its disk."),
        ("closed root .lock\nprobe gm-check.abcdefgh", "/var/repo/.lock belongs to root", "chown"),
        ("unreadable a.rpm\nprobe gm-check.abcdefgh", "cannot read /var/repo/a.rpm", "chown"),
    ],
)
def test_a_root_that_will_not_do(printed: str, said: str, cure: str) -> None:
    severity, found, hint = told(f"{GOOD}owner root 700\n{printed}\n")["root"]
    assert severity == "fail"
    assert said in found
    assert cure in hint


def test_what_a_host_prints_is_not_believed() -> None:
    """A terminal obeys nothing of it, and no path comes of it."""
    seen = Examined.parse(
        "now 99999999999999999999\nprobe ../../etc\nowner \x1b[2Jroot\nnonsense\n"
        + "x" * 10_000
        + "\nfails \x07\ninodes -5\nclosed \n"
    )
    assert (seen.now, seen.probe, seen.inodes) == (0, "", None)
    assert seen.owner == r"\x1b[2Jroot"
    assert seen.fails == r"\x07"
    assert Examined.parse("") == Examined()


@pytest.mark.parametrize(
    ("printed", "by_root", "said"),
    [
        ("enabled base\n", False, ""),
        ("", False, "no repository is enabled in /d (its files end with .repo)"),
        ("missing\n", False, "there is no /d"),
        ("missing\n", True, "there is no /d"),
        ("closed\n", False, "mirror cannot read /d"),
        ("closed\n", True, ""),
        ("missing\nenabled main-of-yum\n", False, ""),
        ("unreadable a.repo\nunreadable b.repo\nenabled x\n", False,
         "mirror cannot read /d/a.repo, /d/b.repo, so yum passes over it"),
        ("unreadable a.repo\n", True, ""),
    ],
)  # fmt: skip
def test_where_packages_come_from(printed: str, by_root: bool, said: str) -> None:
    assert Repositories.parse(printed).lacks("/d", "mirror", by_root=by_root) == said
