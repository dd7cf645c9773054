"""Commands for a mirror: data, quoted in one place.

`golden/commands/*.json` has a case a command: `call` names the function, `arguments` are those
beside target and tools, `argv` is what must come out. A new case needs no code. After a change
that is meant, `python -m tests.unit.mirror.test_commands` writes every `argv` anew: read the diff.
"""

from __future__ import annotations

import inspect
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gm_analytics.errors import Malformed
from gm_analytics.mirror import (
    downloads,
    examined,
    history,
    host_facts,
    mending,
    ownership,
    previews,
    records,
    repository,
    survey,
    yum,
)
from gm_analytics.mirror.survey import Survey, Target, Tools, Upstream
from gm_analytics.remote import commands
from gm_analytics.remote.commands import Argv

HERE = Path(__file__).parent
FILES = sorted((HERE / "golden" / "commands").glob("*.json"))
CASES = [
    pytest.param(case, id=f"{file.stem}: {case['name']}")
    for file in FILES
    for case in json.loads(file.read_text(encoding="utf-8"))
]
HOSTILE = json.loads((HERE.parents[1] / "hostile_specs.json").read_text(encoding="utf-8"))
YUM = ("download", "resolve", "prove")
UPSTREAM = ("makecache", "names")
OBSOLETING = "obsoleting"
LISTED = "listed"
# The helper's own commands are its cookbook's to test.
UNHELPED = [
    case
    for case in CASES
    if case.values[0]["call"] in YUM and case.values[0]["tools"]["elevation"] != "helper"
]
MODULES = (
    commands,
    survey,
    examined,
    yum,
    downloads,
    repository,
    history,
    host_facts,
    ownership,
    mending,
    previews,
    records,
)
FUNCTIONS = {
    name: function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
}
SCRIPT = "<script>"


def make(case: dict[str, Any]) -> Argv:
    """Call the function that a case names with what its signature asks for."""
    function = FUNCTIONS[case["call"]]
    target = Target(**{"root": "/var/repo", "reposdir": "/r", "releasever": "9", **case["target"]})
    given = {"target": target, **case["arguments"]}
    given |= {"root": target.root, "tools": Tools(**case["tools"])}
    asked = inspect.signature(function).parameters
    argv: Argv = function(**{name: value for name, value in given.items() if name in asked})
    return argv


def readable(argv: Argv) -> list[str]:
    """Give the words with the texts of scripts left out."""
    return [
        SCRIPT if index and argv[index - 1] == "-euc" else word for index, word in enumerate(argv)
    ]


@pytest.mark.parametrize("case", CASES)
def test_the_command_is_the_golden_one(case: dict[str, Any]) -> None:
    assert readable(make(case)) == case["argv"]


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0]["call"] in YUM])
def test_a_package_spec_stands_last_behind_the_command_and_the_end_of_options(
    case: dict[str, Any],
) -> None:
    argv, specs = make(case), tuple(case["arguments"]["specs"])
    assert argv[-len(specs) :] == specs
    before = argv[: -len(specs)]
    assert not set(before) & set(specs)
    some = "-some" if case["arguments"].get("some") else ""
    if case["tools"]["elevation"] == "helper":
        assert before[-2:] == (case["call"] + some, case["arguments"]["update_id"])
    else:
        *_, last = [index for index, word in enumerate(before) if word == "install"]
        options = before[last + 1 :]
        assert all(option.startswith("--") for option in options)
        if case["tools"]["manager"] == "yum3":
            assert not options  # it takes "--" for a name


@pytest.mark.parametrize("case", CASES)
def test_only_the_helper_is_run_as_root_and_only_namespaces_are_unshared(
    case: dict[str, Any],
) -> None:
    argv = make(case)
    assert ("sudo" in argv) == (
        case["call"] in (*YUM, *UPSTREAM) and case["tools"]["elevation"] == "helper"
    )
    assert ("unshare" in argv) == (
        case["call"] in (*YUM, *UPSTREAM, OBSOLETING) and case["tools"]["elevation"] == "userns"
    )


@pytest.mark.parametrize("case", UNHELPED)
def test_yum_works_in_an_empty_root_and_says_yes_to_no_change_of_it(case: dict[str, Any]) -> None:
    argv, says_yes = make(case), case["call"] in {"download", "prove"}
    assert f"--installroot=/var/repo/.staging/{case['arguments']['update_id']}/root" in argv
    # The --downloadonly of others does not check signatures; a test transaction does.
    downloads = case["call"] == "download" and case["tools"]["manager"] == "dnf4"
    only = "--downloadonly" if downloads else "--setopt=tsflags=test"
    assert (only in argv, "-y" in argv) == (says_yes, says_yes)
    assert ("--assumeno" in argv) == (not says_yes)


def test_every_public_command_has_a_golden_case_for_every_kind_of_host() -> None:
    made = {(c["call"], *c["tools"].values()) for c in (p.values[0] for p in CASES)}
    for manager in ("yum3", "dnf4", "dnf5"):
        for elevation in ("none", "userns", "helper"):
            for call in (*YUM, *UPSTREAM):
                assert any(
                    (m[0], m[1], m[4]) == (call, manager, elevation) for m in made if len(m) > 1
                ), (call, manager, elevation)
    calls = {
        name
        for name, function in FUNCTIONS.items()
        if {"target", "root"} & set(inspect.signature(function).parameters)
    }
    wrapping = {"in_empty_root", "beside_packages"}
    assert calls - {*wrapping, "createrepo_of", "mark"} == {m[0] for m in made}
    for createrepo in ("/usr/bin/createrepo", "/usr/bin/createrepo_c"):
        assert {"build", "establish"} <= {m[0] for m in made if createrepo in m}


# --- words ----------------------------------------------------------------------------------


def spoken(argv: Argv, directory: Path) -> list[str]:
    """Give the words that a real shell makes of the quoted command, in an empty directory."""
    text = commands.quote(("printf", r"%s\0", *argv))
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=directory,
        capture_output=True,
        check=True,
        timeout=20,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )
    assert not done.stderr
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def test_a_shell_reads_hostile_words_back_exactly_and_runs_none(tmp_path: Path) -> None:
    words = [h["text"] for h in HOSTILE if "\0" not in h["text"] and "\ud800" not in h["text"]]
    assert len(words) > 60
    assert spoken(tuple(words), tmp_path) == words
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "word",
    ["; touch x", "$(touch x)", "`touch x`", "> x", "a\n touch x", "'; touch x; '", "&touch x"],
)
def test_a_word_that_would_make_a_file_makes_none(word: str, tmp_path: Path) -> None:
    assert spoken((word,), tmp_path) == [word]
    assert spoken((f"a{word}b",), tmp_path) == [f"a{word}b"]
    assert not list(tmp_path.iterdir())


def test_a_script_takes_its_parameters_as_arguments_never_in_its_text(tmp_path: Path) -> None:
    """A mirror's root is configuration, an update id GitHub's: neither is spliced in."""
    marker = "'\"$(touch x)`touch x`;\n"
    target = Target(root=marker, reposdir=marker, releasever=marker)
    tools = Tools("dnf4", "/usr/bin/dnf", "/usr/bin/createrepo_c")
    for argv in (
        survey.survey(target),
        commands.lock(target.root, marker, 35, 5),
        repository.sweep(target, marker, marker),
        repository.establish(target, tools),
        repository.build(target, tools, marker, marker, exact=False),
        repository.switch(target, marker, marker, marker),
    ):
        script = argv[argv.index("-euc") + 1]
        assert marker not in script
        assert spoken(argv, tmp_path) == list(argv)


def test_the_install_root_is_emptied_before_the_command() -> None:
    target = Target("/var/repo", "/r", "9")
    argv = yum.in_empty_root(target, "u1", ("dnf", "x"))
    assert argv[-4:] == ("empty-root", "/var/repo/.staging/u1/root", "dnf", "x")


# --- survey ---------------------------------------------------------------------------------

LIVE = f"""manager /usr/bin/dnf-3
createrepo /usr/bin/createrepo_c
uid 1001
userns yes
free 2048
state live .publications/000017
manifest {"a" * 64}
manifest {"b" * 64}
repomd {"7" * 64}
publication
{{
  "number": 17,
  "free": "state live"
}}
"""


def surveyed(text: str, *, helper: bool = False) -> Survey:
    return Survey.parse(text, helper)


def test_a_live_mirror_says_what_clients_see() -> None:
    found = surveyed(LIVE)
    assert found == Survey(
        state="live",
        tools=Tools("dnf4", "/usr/bin/dnf-3", "/usr/bin/createrepo_c", "userns"),
        live=".publications/000017",
        repomd="7" * 64,
        free=2048 * 1024,
        manifests=("a" * 64, "b" * 64),
        publication='{\n  "number": 17,\n  "free": "state live"\n}\n',
        upstream=Upstream(),
    )


def test_a_live_mirror_says_what_upstream_looks_like_and_looked_like() -> None:
    seen = f"upstream {'c' * 64}\nfresh yes\nsolved {'a' * 64} {'c' * 64}\nrepomd"
    found = surveyed(LIVE.replace("repomd", seen)).upstream
    assert found == Upstream("c" * 64, True, (("a" * 64, "c" * 64),))
    assert found.was_solved("a" * 64, "c" * 64)
    assert not found.was_solved("b" * 64, "c" * 64)
    assert not Upstream(solved=(("a" * 64, ""),)).was_solved("a" * 64, ""), "nothing is known"
    with pytest.raises(Malformed, match="two SHA-256"):
        surveyed(LIVE.replace("repomd", "solved x\nrepomd"))


def test_a_live_mirror_says_how_many_previews_it_serves() -> None:
    assert surveyed(LIVE.replace("repomd", "previews 12\nrepomd")).previews == 12


@pytest.mark.parametrize("state", ["plain", "empty"])
def test_a_root_that_is_not_ours_yet_says_so(state: str) -> None:
    text = f"manager /usr/bin/yum\ncreaterepo /usr/bin/createrepo\nuid 0\nfree 5\nstate {state}\n"
    assert surveyed(text) == Survey(
        state=state,  # type: ignore[arg-type]  # parametrised
        tools=Tools("yum3", "/usr/bin/yum", "/usr/bin/createrepo", "none"),
        free=5 * 1024,
        upstream=Upstream(),
    )


def test_a_root_that_cannot_be_written_says_so() -> None:
    found = surveyed(
        "manager /usr/bin/dnf-3\ncreaterepo /usr/bin/createrepo_c\nuid 5\nstate unwritable\n"
    )
    assert (found.state, found.free, found.live) == ("unwritable", 0, "")


@pytest.mark.parametrize("text", ["", "\n", "free 7\n"])
def test_silence_is_taken_for_a_root_that_cannot_be_written(text: str) -> None:
    assert surveyed(text).state == "unwritable"
    assert surveyed(text).missing == ("dnf or yum", "createrepo_c or createrepo")


def test_all_missing_programs_are_named_at_once() -> None:
    found = surveyed("missing flock\nmissing cmp\nuid 5\nfree 1\nstate empty\n")
    assert found.tools is None
    assert found.missing == ("flock", "cmp", "dnf or yum", "createrepo_c or createrepo")


@pytest.mark.parametrize(
    ("path", "manager"),
    [
        pytest.param("/usr/bin/yum", "yum3", id="EL 7"),
        pytest.param("/usr/bin/dnf-3", "dnf4", id="EL 8 and 9: yum resolves to it"),
        pytest.param("/usr/bin/dnf", "dnf4", id="Debian"),
        pytest.param("/usr/bin/dnf5", "dnf5", id="Fedora: dnf resolves to it"),
    ],
)
def test_the_package_manager_is_known_by_where_its_links_end(path: str, manager: str) -> None:
    found = surveyed(LIVE.replace("/usr/bin/dnf-3", path)).tools
    assert found is not None
    assert (found.manager, found.manager_path) == (manager, path)


@pytest.mark.parametrize(
    ("uid", "userns", "helper", "elevation"),
    [
        ("1001", True, False, "userns"),
        ("1001", False, False, "helper"),
        ("1001", False, True, "helper"),
        ("1001", True, True, "helper"),
        ("0", True, False, "none"),
        ("0", False, True, "none"),
    ],
)
def test_root_needs_nothing_others_a_namespace_or_the_configured_helper(
    uid: str, userns: bool, helper: bool, elevation: str
) -> None:
    text = LIVE.replace("uid 1001", f"uid {uid}")
    found = surveyed(text if userns else text.replace("userns yes\n", ""), helper=helper).tools
    assert found is not None
    assert found.elevation == elevation


def rewrite() -> None:
    """Write the argv of every case as the code gives it now."""
    for file in FILES:
        cases = json.loads(file.read_text(encoding="utf-8"))
        for case in cases:
            case["argv"] = readable(make(case))
        file.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    rewrite()
