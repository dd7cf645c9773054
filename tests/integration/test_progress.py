"""What runs now, seen while it runs: from the mirror, from the store, from another process."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from gm_analytics.engine import progress
from gm_analytics.engine.database import connect
from gm_analytics.engine.output import PARTS
from gm_analytics.engine.steps import DurableStep
from gm_analytics.errors import Exit, LockHeld
from gm_analytics.remote.ssh import Connection
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.progress import (
    HEAD,
    TAIL,
    Now,
    OutputLine,
    StepEnded,
    StepStarted,
    Telling,
    UpdateEnded,
)
from lab.processes import wait_for
from lab.site import Service as Processes
from lab.site import Site

from .conftest import Cli, manifest
from .engine import Work, await_ends, gm, opened, sql, update, url, working

__all__ = ["url"]


class Talking(Work):
    """Says a line in its download, and then waits until it is allowed to end."""

    def __init__(self, *failing: str) -> None:
        super().__init__(set(failing))
        self.may_end = threading.Event()

    def __call__(self, work: Update, step: DurableStep) -> Outcome:
        def download() -> str:
            step.telling.line("(1/3): tree-1.rpm  1 MB/s")
            assert self.may_end.wait(30)
            if work.id in self.failing:
                raise ValueError("no luck")
            return "done"

        step("download", download)
        return Outcome("published", "done", "p1")


def test_the_store_says_what_runs_and_forgets_it_at_the_end(url: str) -> None:
    work = Talking()
    with opened(url) as store, working(url, work):
        store.enqueue(update("one"))
        now = wait_for(lambda: store.now("one"), "the store to know what runs")
        assert now
        assert (now.step, now.done, now.total, now.said) == ("download", 1, 3, 1)
        assert now.lines == ("(1/3): tree-1.rpm  1 MB/s",)
        work.may_end.set()
        assert await_ends(store, "one")["one"].state == "published"
        wait_for(lambda: store.now("one") is None, "it to be forgotten")


def test_of_an_update_that_failed_the_last_lines_stay_until_it_is_retried(url: str) -> None:
    work = Talking("one")
    work.may_end.set()
    with opened(url) as store, working(url, work):
        store.enqueue(update("one"))
        await_ends(store, "one")
        kept = wait_for(lambda: store.now("one"), "the lines to be kept")
        assert kept == Now(lines=("(1/3): tree-1.rpm  1 MB/s",), said=1)
        work.failing.clear()
        store.retry("one")
        await_ends(store, "one")
        wait_for(lambda: store.now("one") is None, "it to be forgotten")


def test_only_so_many_failed_updates_are_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FAILED_KEPT", 2)
    with opened(url) as store:
        engine = connect(url)
        for number in range(5):
            name = f"u{number}"
            store.enqueue(update(name))
            with sql(url) as connection:
                ended = f"UPDATE {gm(url)}gm_updates SET ended_at = 1 WHERE update_id = '{name}'"  # noqa: S608
                connection.execute(sa.text(ended))
            progress.Kept(engine, name).hear([OutputLine("x"), UpdateEnded("failed", "")])
        store.enqueue(update("running"))
        progress.Kept(engine, "running").hear([StepStarted("download", 1.0)])
        progress.Kept(engine, "u9").hear([OutputLine("x"), UpdateEnded("failed", "")])
        kept = [name for name in ("u2", "u3", "u4", "u9", "running") if store.now(name)]
        engine.dispose()
    assert kept == ["u3", "u4", "u9", "running"]


def test_what_was_said_in_each_step_is_kept_bounded(url: str) -> None:
    """Of a step its first and last lines, of an update its newest steps."""
    with opened(url) as store:
        engine = connect(url)
        kept, most = progress.Kept(engine, "one"), HEAD + TAIL
        for lines in (most, most + 1, 0, 3):
            name, spoken = f"step {lines}", [OutputLine(f"{n} \N{SNOWMAN}") for n in range(lines)]
            kept.hear([StepStarted(name, 1.0), *spoken[:60]])
            kept.hear([*spoken[60:], StepEnded(name, 1.0)])
        found = store.output("one")
        assert [(said.step, said.said, said.left_out) for said in found] == [
            (f"step {most}", most, 0), (f"step {most + 1}", most + 1, 1), ("step 3", 3, 0),
        ]  # fmt: skip
        assert found[1].lines[HEAD - 1 : HEAD + 1] == (f"{HEAD - 1} ☃", f"{HEAD + 1} ☃")
        assert found[1].lines[-1] == f"{most} ☃"
        assert found[0].ended_at <= found[2].ended_at <= time.time()
        for number in range(PARTS):
            kept.hear([StepStarted(f"again {number}", 1.0), OutputLine("x")])
        kept.hear([UpdateEnded("published", "")])
        found = store.output("one")
        assert len(found) == PARTS
        assert (found[0].step, found[-1].step) == ("again 0", f"again {PARTS - 1}")
        with sql(url) as connection:
            damaged = f"UPDATE {gm(url)}gm_output SET lines = '{{'"  # noqa: S608
            connection.execute(sa.text(damaged))
        assert {said.lines for said in store.output("one")} == {()}
        assert store.output("other") == ()
        engine.dispose()


def test_lines_that_somebody_damaged_hide_nothing(url: str) -> None:
    with opened(url) as store:
        engine = connect(url)
        progress.Kept(engine, "one").hear([StepStarted("download", 1.0), OutputLine("x")])
        engine.dispose()
        with sql(url) as connection:
            connection.execute(sa.text(f"UPDATE {gm(url)}gm_progress SET lines = '{{'"))  # noqa: S608
        assert store.now("one") == Now("download", 1.0, said=1)


def test_a_store_that_is_locked_holds_up_no_update(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/updates.sqlite"
    with opened(url):
        kept = progress.Kept(connect(url), "one")
        database = sqlite3.connect(tmp_path / "updates.sqlite", isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        try:
            with Telling([kept]) as telling:
                assert telling.of(lambda: Outcome("published", "done")).state == "published"
        finally:
            database.execute("ROLLBACK")
            database.close()


def test_a_command_is_heard_while_it_runs(inside: Service) -> None:
    heard: list[str] = []
    said = threading.Event()

    def hear(line: str) -> None:
        heard.append(line)
        said.set()

    connection = Connection(inside.settings.mirrors[0])
    connection.hear = hear
    argv = ("sh", "-c", r"printf '\033[31mone\ntw'; read -r x < $0/gate; echo o; echo e >&2")
    root = inside.settings.mirrors[0].root
    assert connection.run(("mkfifo", f"{root}/gate"), "making a gate", 10).ok

    def go_on() -> None:
        assert said.wait(30)
        other = Connection(inside.settings.mirrors[0], locked=False)
        other.run(("sh", "-c", "echo > $0/gate", root), "opening the gate", 30)
        other.close()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        result = connection.run((*argv, root), "speaking", 30, aloud=True)
    finally:
        said.set()
        thread.join()
        connection.run(("rm", f"{root}/gate"), "removing the gate", 10)
        connection.close()
    assert result.stdout == "\033[31mone\ntwo\n"
    assert sorted(heard) == ["e", "one", "two"]


def test_of_a_command_whose_output_is_data_only_complaints_are_heard(inside: Service) -> None:
    heard: list[str] = []
    connection = Connection(inside.settings.mirrors[0])
    connection.hear = heard.append
    connection.run(("sh", "-c", "echo data; echo complaint >&2"), "speaking", 30)
    connection.close()
    assert heard == ["complaint"]


def test_apply_tells_how_many_packages_of_how_many_are_there(cli: Cli) -> None:
    done = cli("apply", "-", stdin=manifest("nmap-7.92", "tree"))
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    begun, ended = lines.index("download …"), lines.index(_only(lines, r"download: \d+\.\d\d s"))
    during = lines[begun + 1 : ended]
    assert any(re.match(r"  \(1/\d+\): \S+\.rpm", line) for line in during), during
    assert done.stdout.splitlines()[-1].startswith("published: ")


def test_another_process_follows_an_update(site: Site, cli: Cli) -> None:
    """Upstream's web server stands still, so the download takes until it is seen."""
    config = site.config()
    program = str(Path(sys.executable).parent / "gm-analytics")
    seen = []
    with Processes.running(site, config) as service, _stopped(site) as go_on:
        update_id = service.deliver(site.push(manifest("leaf11"))).json()["update_id"]
        command = [program, "updates", "--config", str(config), "--follow", update_id]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as following:
            assert following.stderr
            for line in following.stderr:
                seen.append(line.rstrip())
                if line.startswith("download …"):
                    go_on()
            assert following.wait(30) == 0
        assert service.end_of(update_id)["state"] == "published"
        assert re.search(r"update \S+: download: took \d", service.log)
    assert "download …" in seen
    assert _only(seen, r"download: \d+\.\d\d s")
    assert _only(seen, r"switch: \d+\.\d\d s")
    shown = cli("updates", "--output", update_id).stdout
    said = shown[shown.index("    download said:\n") :]
    assert re.search(r"^      leaf11-\S+\.rpm ", said, re.MULTILINE), shown
    assert "said:" not in cli("updates", update_id).stdout, "only what failed shows it unasked"
    (one,) = json.loads(cli("updates", "--output", "--json", update_id).stdout)["mirrors"]
    assert "download" in [said["step"] for said in one["output"]]
    assert cli("updates", "--output").returncode == 0, "a list has none"


def test_an_interrupted_apply_leaves_its_mirror_within_seconds(
    site: Site, inside: Service
) -> None:
    """Upstream's web server stands still, so dnf would be at it for long."""
    program = str(Path(sys.executable).parent / "gm-analytics")
    command = [program, "apply", "--config", str(site.config()), "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with _stopped(site), subprocess.Popen(command, text=True, **pipes) as applying:  # type: ignore[call-overload]
        applying.stdin.write(manifest("leaf12"))
        applying.stdin.close()
        wait_for(lambda: _at_work(site), "dnf to begin")
        began = time.monotonic()
        applying.send_signal(signal.SIGINT)
        assert applying.wait(30) == Exit.INTERRUPTED
        said = applying.stderr.read()
        assert said.endswith("gm-analytics: stopping\ngm-analytics: interrupted\n"), said
        connection = Connection(inside.settings.mirrors[0])
        wait_for(lambda: _can_lock(connection), "the lock to be free")
        assert not _at_work(site), "the lock was let go while dnf was at it"
        connection.close()
        assert time.monotonic() - began < 10


def _can_lock(connection: Connection) -> bool:
    try:
        return connection.run(("true",), "locking", 10).ok
    except LockHeld:
        return False


def _at_work(site: Site) -> list[str]:
    """Give the package managers that download for the mirror."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if "--downloadonly" in words and str(site.mirror.host.root) in " ".join(words):
                found.append(" ".join(words))
    return found


@contextmanager
def _stopped(site: Site) -> Iterator[Callable[[], None]]:
    """Stop upstream's web server, whose clients wait then; give what lets it go on."""
    group = site.upstream_web._daemon.pid

    def go_on() -> None:
        os.killpg(group, signal.SIGCONT)

    os.killpg(group, signal.SIGSTOP)
    try:
        yield go_on
    finally:
        go_on()


def _only(lines: list[str], pattern: str) -> str:
    (found,) = [line for line in lines if re.fullmatch(pattern, line)]
    return found
