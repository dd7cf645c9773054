"""The shell scripts of the package: each is what it should be as a file, and as it is sent.

What shellcheck has to say, `make lint` says.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import gm_analytics
from gm_analytics.remote.commands import script, shell
from tests.unit.mirror.test_commands import CASES, make

PACKAGE = Path(gm_analytics.__file__).parent
FILES = {
    f"{path.parts[-3]}/{path.stem}": path.read_text("utf-8")
    for path in sorted(PACKAGE.glob("*/scripts/*.sh"))
}
PARTS = {name for name, text in FILES.items() if not text.startswith("#!")}
"""Functions, for others to put in."""
SCRIPTS = sorted(set(FILES) - PARTS)
SENT = {name: shell(*name.split("/")) for name in FILES}
FORMS = ("#!/bin/sh -eu\n", "#!/bin/sh -u\n", "# shellcheck shell=sh\n")


def refused(text: str) -> str:
    """Give what a shell says against the grammar of a text."""
    done = subprocess.run(
        ["sh", "-n", "-c", text], capture_output=True, text=True, check=False, timeout=20
    )
    return done.stderr or str(done.returncode or "")


@pytest.mark.parametrize("name", FILES)
def test_every_script_is_posix_shell(name: str) -> None:
    assert refused(SENT[name]) == ""
    assert "\r" not in FILES[name]
    assert "<<" not in FILES[name]  # a line of a here-document may look like a comment


@pytest.mark.parametrize("name", FILES)
def test_the_head_of_a_file_says_what_it_does_and_how_it_is_called(name: str) -> None:
    text = FILES[name]
    assert text.startswith(FORMS)
    _, what, rest = text.split("\n", 2)
    assert re.fullmatch(r"# [A-Z].*", what)
    called = "secret" if name == "mirror/query" else name.partition("/")[2]
    used = [line for line in rest.split("\n\n")[0].splitlines() if line.startswith("#   ")]
    assert any(called in line for line in used)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_lost_but_comments_and_blank_lines(name: str) -> None:
    """A line of a string that begins with `#` would be lost: the string is open before it."""
    lines, sent = FILES[name].splitlines(), SENT[name].splitlines()
    assert not [line for line in sent if not line.strip() or line.lstrip().startswith(("#", ". "))]
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", ". "))]
    assert sent[-len(kept) :] == kept
    for number, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith("#"):
            said = refused("\n".join(lines[:number]))
            assert not re.search("quoted string|matching", said), line


def test_a_part_is_there_once_before_what_uses_it() -> None:
    for text in SENT.values():
        defined = re.findall(r"^(\w+)\(\)", text, re.MULTILINE)
        assert len(defined) == len(set(defined))
    assert SENT["mirror/inspect"].index("query() {") < SENT["mirror/inspect"].index("facts_of() {")


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_only_defines_functions(name: str) -> None:
    text = SENT[name] + "\nset\n"
    done = subprocess.run(
        ["sh", "-euc", text], capture_output=True, text=True, check=True, timeout=20, env={}
    )
    plain = subprocess.run(
        ["sh", "-euc", "\nset\n"], capture_output=True, text=True, check=True, timeout=20, env={}
    )
    assert (done.stdout, done.stderr) == (plain.stdout, "")


def test_every_file_is_sent() -> None:
    """By a command that has a golden case, or by the connection itself."""
    argvs = [make(case.values[0]) for case in CASES]
    used = {argv[argv.index("-euc") + 1] for argv in argvs if "-euc" in argv}
    connection = {"remote/get", "remote/put", "remote/run"}
    inside = {"mirror/empty-root", "mirror/proof"}
    assert {name for name in SCRIPTS if SENT[name] not in used} == connection | inside
    everything = "\n".join(SENT[name] for name in SCRIPTS)
    assert all(SENT[name] in everything for name in PARTS)


def test_a_script_is_called_by_its_own_name() -> None:
    argv = script("mirror", "offer-key", "a b", "c")
    assert argv == ("sh", "-euc", SENT["mirror/offer-key"], "offer-key", "a b", "c")


def test_a_script_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(KeyError):
        script("mirror", "nothing")


def test_a_line_of_a_list_is_one_word_whatever_is_in_it(tmp_path: Path) -> None:
    words = ["@Development Tools", "perl(JSON::XS)", "a*", "tree"]
    (tmp_path / "list").write_text("".join(f"{word}\n" for word in words))
    show = ("sh", "-c", 'printf "%s\\n" "$@"; printf %s "${IFS-unset}" | wc -c', "show", "first")
    argv = script("mirror", "with-list", str(tmp_path / "list"), *show)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["first", *words, "3"]  # blank, tab and line feed again
