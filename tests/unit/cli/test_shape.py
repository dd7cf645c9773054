"""The one shape of the command line: what every command takes, says and prints alike."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gm_analytics.cli.commands import cli
from gm_analytics.cli.output import finding_text
from gm_analytics.engine.client import Store
from gm_analytics.errors import UnknownUpdate
from gm_analytics.operations.findings import Finding
from gm_analytics.updates.model import ROLLBACK, Record, Update
from tests.support.commands import ALL
from tests.support.place import ARGUMENTS, PROGRAM, Place, told

TOP = Path(__file__).parents[3]
WITHOUT_CONFIGURATION = {"completion", "init"}
ABOUT_NO_MIRROR = {"serve", "web", "worker", "replay", "forget", "tunnel", "webhook"}
REPORTS_NOTHING = {*ABOUT_NO_MIRROR, *WITHOUT_CONFIGURATION, "lock", "mirror-setup"} - {"webhook"}
"""`replay` prints the answer and `lock` a file, both of them JSON; `mirror-setup` a script."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path).write()


def options(name: str) -> set[str]:
    known = ALL[name].params
    return {option for one in known if not getattr(one, "hidden", False) for option in one.opts}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_takes_the_same_options(name: str) -> None:
    assert ("--mirror" in options(name)) == (name not in ABOUT_NO_MIRROR | {"completion"})
    assert ("--json" in options(name)) == (name not in REPORTS_NOTHING)
    assert ("--config" in options(name)) == (name not in WITHOUT_CONFIGURATION)


@pytest.mark.parametrize("name", sorted(ABOUT_NO_MIRROR))
def test_what_is_about_no_mirror_says_so(name: str, place: Place) -> None:
    told(place.run(name, "--mirror", "m", *ARGUMENTS[name]), 2, f"{name} is about no mirror")


@pytest.mark.parametrize("name", sorted(set(ALL) - WITHOUT_CONFIGURATION))
def test_the_configuration_is_named_before_the_command_or_behind_it(
    name: str, place: Place
) -> None:
    for number, before in enumerate(([], ["--config", str(place.directory / "first.yaml")])):
        behind = ["--config", str(place.directory / "second.yaml")] if not number else []
        call = [*before, name, *behind, *ARGUMENTS[name]]
        done = place.run(*call, stdin="[]")
        file = "first" if number else "second"
        assert f"{file}.yaml: reading it: No such file" in done.stderr, done.stderr
    call = ["--config", "/first.yaml", name, "--config", "/second.yaml", *ARGUMENTS[name]]
    assert "/second.yaml" in place.run(*call, stdin="[]").stderr


TAKES_BOTH = sorted(
    name
    for name, command in ALL.items()
    if any(isinstance(one, click.Argument) and one.name == "named" for one in command.params)
)


def test_what_took_a_mirror_as_its_argument_still_does() -> None:
    assert {
        "publications", "takeover", "gc", "status", "adopt", "repair", "accept-change", "client",
    } <= set(TAKES_BOTH)  # fmt: skip


@pytest.mark.parametrize("name", TAKES_BOTH)
def test_a_mirror_is_named_by_an_option_or_by_the_argument(name: str, place: Place) -> None:
    told(place.run(name, "nosuch"), 2, "found no 'nosuch'")
    told(place.run(name, "--mirror", "nosuch"), 2, "found no 'nosuch'")
    told(place.run(name, "--mirror", "nosuch", "nosuch"), 2, "found no 'nosuch'")
    told(place.run(name, "--mirror", "m", "n"), 2, "--mirror m and n: give one of the two")


def test_the_help_lists_each_command_once_under_what_it_is_for() -> None:
    said = CliRunner().invoke(cli, ["--help"]).stdout
    titles = re.findall(r"^([A-Z][A-Za-z ]+):$", said, re.MULTILINE)
    assert titles[:6] == [
        "Options", "Run the service", "Updates", "Look at mirrors", "Change mirrors", "Set up",
    ]  # fmt: skip
    listed = re.findall(r"^  ([a-z][a-z-]+)  +\S", said, re.MULTILINE)
    assert sorted(listed) == sorted(ALL)
    assert max(map(len, said.partition("Exit codes")[0].splitlines())) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_mirrors(shell: str, place: Place) -> None:
    source = place.spawn("completion", shell)
    assert source.returncode == 0, source.stderr
    assert "_GM_ANALYTICS_COMPLETE" in source.stdout
    told(place.run("completion", "csh"), 2, "'csh' is not one of")


def test_the_completion_for_bash_is_what_bash_takes(place: Place) -> None:
    script = place.directory / "completion"
    script.write_text(place.spawn("completion", "bash").stdout)
    asked = (
        f". {script}\n"
        f"PATH={Path(PROGRAM).parent}:$PATH\n"
        'COMP_WORDS=(gm-analytics publications --mirror "") COMP_CWORD=3\n'
        '_gm_analytics_completion gm-analytics; echo "${COMPREPLY[@]}"\n'
        "COMPREPLY=() COMP_WORDS=(gm-analytics acc) COMP_CWORD=1\n"
        '_gm_analytics_completion gm-analytics; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked],
        env={"PATH": "/usr/bin:/bin", "GM_ANALYTICS_CONFIG": str(place.config)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["m", "accept-change"], done.stderr
    place.write(text="webhook: [")
    assert (
        "Traceback"
        not in subprocess.run(
            ["bash", "--norc", "-c", asked],
            env={"PATH": "/usr/bin:/bin", "GM_ANALYTICS_CONFIG": str(place.config)},
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("coloured")
    def coloured() -> None:
        click.echo(finding_text(Finding("x", "ok", "y")))

    monkeypatch.setitem(cli.commands, "coloured", coloured)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in CliRunner().invoke(cli, ["coloured"], color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert CliRunner().invoke(cli, ["coloured"], color=True).stdout == "ok   x: y\n"


LOGGING = """
import logging, sys
from gm_analytics.service import Service
def log(*_):
    for level in ("debug", "info", "warning"):
        getattr(logging.getLogger("gm_analytics.x"), level)("at %s", level)
    sys.exit(0)
Service.from_file = log
from gm_analytics.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("call", "levels"),
    [
        (["--log-level", "debug", "publications"], ["debug", "info", "warning"]),
        (["--log-level", "INFO", "publications"], ["info", "warning"]),
        (["--log-level", "error", "publications"], []),
        (["--log-level", "warning", "worker"], ["warning"]),
        (["worker"], ["info", "warning"]),
    ],
)
def test_what_is_logged_and_when(call: list[str], levels: list[str]) -> None:
    argv = [sys.executable, "-c", LOGGING, *call]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stderr.splitlines()
    assert [line.rpartition(" ")[2] for line in said] == levels
    for line in said:
        assert re.match(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC [A-Z]+ gm_analytics\.x: ", line
        )


# --- updates --------------------------------------------------------------------------------


def update(name: str, mirror: str = "m", at: float = 1.0, **more: Any) -> Update:
    return Update(name, mirror, "a/b", 1, "a" * 40, at, **more)


@pytest.fixture
def store(place: Place) -> Any:
    (place.directory / "store").mkdir(mode=0o700)
    place.write(mirrors=[place.mirror(), place.mirror(name="other", root="/var/other")])
    found = Store(f"sqlite:///{place.directory}/store/updates.sqlite")
    for number in range(3):
        found.enqueue(update(f"pr1-aaaa{number}", at=number + 1))
    found.enqueue(update("pr1-bbbb@other", "other", at=5))
    for name, state in (("apply-1", "published"), ("apply-2", "failed")):
        by_hand = Update(name, "m", requested_at=9.0)
        found.note(Record(by_hand, state, "as it was", 9.0, 9.0, 9.5))  # type: ignore[arg-type]
    rolled = Update("rollback-1", "m", requested_at=99.0, aim=ROLLBACK)
    found.note(Record(rolled, "published", "publication 3 again", 99.0, 99.0, 99.5))
    yield found
    found.close()


def listed(place: Place, *arguments: str) -> list[str]:
    done = place.run("updates", *arguments)
    assert done.returncode == 0, done.stderr
    return [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]


@pytest.mark.usefixtures("store")
def test_updates_are_listed_by_state_and_mirror_with_those_by_hand(place: Place) -> None:
    waiting = ["pr1-bbbb@other", "pr1-aaaa2", "pr1-aaaa1", "pr1-aaaa0"]
    by_hand = ["rollback-1", "apply-2", "apply-1"]
    assert listed(place) == [*by_hand, *waiting]
    assert listed(place, "--state", "waiting") == waiting
    assert listed(place, "--state", "waiting", "--limit", "2") == waiting[:2]
    assert listed(place, "--state", "failed") == ["apply-2"]
    assert listed(place, "--state", "published") == ["rollback-1", "apply-1"]
    assert listed(place, "--mirror", "other") == ["pr1-bbbb@other"]
    assert listed(place, "--mirror", "m", "--state", "waiting") == waiting[1:]
    told(place.run("updates", "--mirror", "nosuch"), 2, "found no 'nosuch'")
    told(place.run("updates", "--state", "sleeping"), 2, "'sleeping' is not one of")
    said = place.run("updates").stdout
    assert re.search(
        r"^rollback-1  published   1970-01-01 00:01:39 UTC  m  rollback by hand$",
        said,
        re.MULTILINE,
    )
    assert "    publication 3 again" in said


@pytest.mark.usefixtures("store")
def test_an_update_is_meant_by_how_its_id_begins(place: Place) -> None:
    assert listed(place, "pr1-aaaa1") == ["pr1-aaaa1"]
    assert listed(place, "pr1-b") == ["pr1-bbbb@other"]
    assert listed(place, "roll") == ["rollback-1"]
    several = "several begin so: pr1-aaaa2, pr1-aaaa1, pr1-aaaa0"
    told(place.run("updates", "pr1-aaaa"), 4, several)
    told(place.run("updates", "rol"), 4, "update rol: unknown")
    told(place.run("updates", "%%%%"), 4, "update %%%%: unknown")
    told(place.run("updates", "pr1_aaaa0"), 4, "unknown")
    told(place.run("retry", "roll"), 2, "update rollback-1 has not failed")
    told(place.run("retry", "roll", "--mirror", "m"), 2, "has not failed on m; there is nothing")
    for command in ("updates", "retry", "cancel"):
        for_another = "update pr1-bbbb is not for m, but for other"
        told(place.run(command, "pr1-b", "--mirror", "m"), 2, for_another)
    told(place.run("cancel", "apply-2"), 2, r"update apply-2 has ended \(m: failed\)")
    assert json.loads(place.run("updates", "roll", "--json").stdout)["update_id"] == "rollback-1"


def test_an_address_needs_the_whole_id(store: Store) -> None:
    """It is what only its author was told."""
    with pytest.raises(UnknownUpdate):
        store.get("pr1-b")


@pytest.mark.usefixtures("store")
def test_what_was_done_by_hand_is_shown_with_how_it_ended(place: Place) -> None:
    done = place.run("updates", "apply-2")
    assert (done.returncode, "as it was" in done.stdout) == (1, True)
    told = json.loads(place.run("updates", "apply-1", "--json").stdout)["mirrors"][0]
    assert (told["cause"], told["state"], told["message"]) == (
        "pull_request",
        "published",
        "as it was",
    )


# --- documents ------------------------------------------------------------------------------


def test_the_documents_name_every_command_and_option() -> None:
    said = (TOP / "docs" / "operations.md").read_text(encoding="utf-8")
    for name in set(ALL) - {"serve", "web", "worker"}:
        assert re.search(rf"`{name}[ `]", said), name
    for name in ("--log-level", "NO_COLOR", "--state", "--dry-run", "--json"):
        assert name in said
