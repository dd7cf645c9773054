"""The mirror's lock is let go when its owner is gone, and only after what ran under it has ended.

Times are shortened by `Beat`. `sh` is dash on Debian; EL's is bash, so both run here.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gm_analytics.errors import (
    CommandFailed,
    CommandStopped,
    GmError,
    LockHeld,
    LockLost,
    MirrorUnreachable,
    Stopped,
)
from gm_analytics.remote import commands, ssh
from gm_analytics.remote.lock import Beat
from gm_analytics.remote.stop import Stop
from gm_analytics.settings import Mirror
from lab.processes import wait_for
from lab.site import Site

SHORT = Beat(interval=0.2, patience=2, grace=1)
DUMB = Beat(interval=3600, patience=1, grace=1)
"""Says nothing, as a process that is stopped."""
Open = Callable[..., ssh.Connection]


@pytest.fixture
def opened(site: Site) -> Iterator[Open]:
    """Open connections, which are closed in the end."""
    mirror, connections = Mirror.model_validate(site.mirror.settings()), []

    def one(**options: Any) -> ssh.Connection:
        connections.append(ssh.Connection(mirror, **options))
        return connections[-1]

    yield one
    for connection in connections:
        connection.close()


@pytest.fixture(params=["/bin/sh", "/bin/bash --posix"])
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the scripts with this host's sh, and with bash as EL's sh."""
    real = commands.login

    def login(name: str, size: int) -> str:
        return real(name, size).replace("/bin/sh", request.param, 1)

    monkeypatch.setattr(commands, "login", login)


def alive(pid: str) -> bool:
    """Tell whether a process is there and no zombie that nobody has waited for yet."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def noted(site: Site, name: str) -> tuple[Path, str]:
    """Give a file of the account's and the shell words that note a process id there."""
    path = site.mirror.host.home / name
    return path, f"echo $$ > {path}.new; mv {path}.new {path}"


def pid_of(path: Path) -> str:
    wait_for(path.exists, "the command to start")
    return path.read_text().strip()


def begin(connection: ssh.Connection, script: str) -> tuple[threading.Thread, list[object]]:
    """Run a script in a thread; the list gets how it ended."""
    ends: list[object] = []

    def run() -> None:
        try:
            ends.append(connection.run(("sh", "-c", script), "working", 300))
        except GmError as error:
            ends.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, ends


def locked_within(connection: ssh.Connection, seconds: float) -> None:
    """Take the lock, as soon as it can be had."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert connection.run(("true",), "locking", 10).ok
        except LockHeld:
            assert time.monotonic() < deadline, "the lock was never let go"
        else:
            return


STOPPED = """
import sys, time
from gm_analytics.errors import GmError
from gm_analytics.remote import ssh
from gm_analytics.remote.lock import Beat
from gm_analytics.settings import Mirror

mirror = Mirror.model_validate_json(sys.argv[1])
connection = ssh.Connection(mirror, beat=Beat(0.2, 5, 1))
for script in sys.argv[2:]:
    try:
        print(connection.run(("sh", "-c", script), "working", 300).stdout, flush=True)
    except GmError as error:
        print(type(error).__name__, error.transient, flush=True)
"""


def test_a_process_that_is_stopped_loses_the_lock_and_does_nothing_when_it_goes_on(
    site: Site, opened: Open
) -> None:
    mark, note = noted(site, "stopped")
    mark.unlink(missing_ok=True)
    wrote = site.mirror.host.home / "wrote"
    mirror = Mirror.model_validate(site.mirror.settings()).model_dump_json(exclude_unset=True)
    program = [sys.executable, "-c", textwrap.dedent(STOPPED), mirror]
    scripts = [f"{note}; exec sleep 300", f"touch {wrote}"]
    with subprocess.Popen([*program, *scripts], stdout=subprocess.PIPE, text=True) as client:
        try:
            pid = pid_of(mark)
            client.send_signal(signal.SIGSTOP)
            other = opened()
            with pytest.raises(LockHeld):
                other.run(("true",), "locking", 10)
            assert alive(pid)
            locked_within(other, 10)
            assert not alive(pid)
            client.send_signal(signal.SIGCONT)
            said, _ = client.communicate(timeout=30)
        finally:
            client.kill()
    assert said.splitlines() == ["LockLost True", "LockHeld True"]
    assert not wrote.exists()


@pytest.mark.usefixtures("shell")
def test_a_command_of_a_session_without_its_lock_does_nothing(site: Site, opened: Open) -> None:
    """Nor does a file come; and the next command is one of a new session."""
    home = site.mirror.host.home
    one = opened(beat=DUMB)
    assert one.run(("true",), "beginning", 10).ok
    locked_within(opened(beat=DUMB), 10)  # which says nothing either
    for act in (
        lambda: one.run(("touch", f"{home}/late"), "working", 10),
        lambda: one.put(f"{home}/late", "x"),
    ):
        with pytest.raises(LockLost, match="the lock was lost"):
            act()
        one._connection, one._lock = _revived(one, home)
    one.close()
    assert not (home / "late").exists()


def _revived(one: ssh.Connection, home: Path) -> tuple[Any, Any]:
    """Give a session whose holder has ended, once more."""
    locked_within(one, 10)
    connection, lock = one._connection, one._lock
    assert lock is not None
    wait_for(lambda: lock.is_lost, "the holder to end")
    return connection, lock


@pytest.mark.usefixtures("shell")
def test_what_does_not_end_by_itself_is_killed_before_the_lock_is_let_go(
    site: Site, opened: Open
) -> None:
    """With its children, whatever they made of their environment, session and signals."""
    files = [noted(site, f"child-{number}") for number in range(4)]
    (own, own_note), (bare, bare_note), (away, away_note), (deaf, deaf_note) = files
    for path, _ in files:
        path.unlink(missing_ok=True)
    script = (
        f"trap '' TERM; {own_note}; env -i PATH=\"$PATH\" sh -c '{bare_note}; sleep 300; :' & "
        f"setsid sh -c '{away_note}; sleep 300; :' & "
        f"sh -c '{deaf_note}; while :; do sleep 300; done' & wait; sleep 300"
    )
    one = opened(beat=SHORT)
    begin(one, script)
    pids = [pid_of(path) for path in (own, bare, away, deaf)]
    assert all(map(alive, pids))
    one._lock.close(idle=False)  # type: ignore[union-attr]  # it stops beating
    locked_within(opened(), 15)
    assert not any(map(alive, pids))


@pytest.mark.usefixtures("shell")
def test_what_a_killed_holder_left_is_ended_by_the_next_one(site: Site, opened: Open) -> None:
    mark, note = noted(site, "left")
    mark.unlink(missing_ok=True)
    one = opened(beat=SHORT)
    thread, ends = begin(one, f"{note}; sleep 300; :")
    pid = pid_of(mark)
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and b"gm-lock:" in _cmdline(place):
            os.kill(int(place.name), signal.SIGKILL)
    thread.join(20)
    assert [type(end) for end in ends] == [LockLost]
    assert alive(pid)
    other = opened(beat=SHORT)
    assert other.run(("true",), "locking", 10).ok
    assert not alive(pid)


def _cmdline(place: Path) -> bytes:
    try:
        return (place / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.usefixtures("shell")
def test_a_long_command_keeps_its_lock(site: Site, opened: Open) -> None:
    one = opened(beat=Beat(interval=0.1, patience=3, grace=1))
    assert one.run(("sleep", "4"), "sleeping", 10).ok
    with pytest.raises(LockHeld):
        opened().run(("true",), "locking", 10)


@pytest.mark.usefixtures("shell")
def test_a_lock_that_is_given_back_is_there_at_once(opened: Open) -> None:
    """Nobody has to look for commands; a host that went down does not say so."""
    took = []
    for _ in range(3):
        one, other = opened(), opened()
        assert one.run(("true",), "locking", 10).ok
        other.first = commands.script("remote", "get", "/dev/null", "1", "2")
        began = time.monotonic()
        one.close()
        with pytest.raises(CommandFailed):  # what is run first fails; it had the lock
            other.run(("true",), "locking", 10)
        took.append(time.monotonic() - began)
    assert min(took) < 1


def test_a_mirror_that_answers_no_more_is_away(site: Site, opened: Open) -> None:
    """Its sshd stands still; TCP would tell after a quarter of an hour."""
    one = opened(beat=Beat(interval=0.2, patience=1, grace=1))
    mark, note = noted(site, "frozen")
    mark.unlink(missing_ok=True)
    thread, ends = begin(one, f"{note}; exec sleep 300")
    pid = pid_of(mark)
    sessions = _sessions(pid)
    for session in sessions:
        os.kill(session, signal.SIGSTOP)
    began = time.monotonic()
    thread.join(20)
    for session in sessions:
        os.kill(session, signal.SIGCONT)
    assert time.monotonic() - began < 10
    (end,) = ends
    assert isinstance(end, MirrorUnreachable)
    assert "while working: no answer for 1 s" in str(end)
    locked_within(opened(), 10)
    assert not alive(pid)


def _sessions(pid: str) -> list[int]:
    """Give the sshd processes above one."""
    found = []
    while pid not in {"0", "1"}:
        text = Path("/proc", pid, "stat").read_text()
        if "(sshd" in text:
            found.append(int(pid))
        pid = text.rpartition(")")[2].split()[1]
    return found[:-1]  # but for the one that listens


def test_who_is_asked_to_stop_ends_the_command_and_waits_for_nothing(
    site: Site, opened: Open
) -> None:
    mark, note = noted(site, "asked")
    mark.unlink(missing_ok=True)
    one, stop = opened(), Stop()
    one.stop = stop
    thread, ends = begin(one, f"{note}; sleep 300; :")
    pid = pid_of(mark)
    began = time.monotonic()
    stop.ask("cancelled by ada")
    thread.join(10)
    assert time.monotonic() - began < 3
    (end,) = ends
    assert isinstance(end, Stopped)
    assert str(end) == "stopped: cancelled by ada"
    with pytest.raises(Stopped):
        one.run(("true",), "going on", 10)
    locked_within(opened(), 10)
    assert not alive(pid)


def test_who_waits_for_a_lock_stops_as_well(opened: Open) -> None:
    assert opened().run(("true",), "locking", 10).ok
    other = opened()
    timer = threading.Timer(0.7, other.stop.ask, ("enough",))
    timer.start()
    with pytest.raises(Stopped, match="enough"):
        other.run(("true",), "locking", 10)
    timer.join()


@pytest.mark.parametrize(
    ("script", "signal_name"),
    [
        ("kill -TERM $$", "SIGTERM"),
        ("kill -HUP $$", "SIGHUP"),
        ("kill -KILL $$", "SIGKILL"),
        ("sh -c 'kill -TERM $$'", "SIGTERM"),
    ],
)
@pytest.mark.parametrize("locked", [True, False])
def test_a_command_that_somebody_else_ended_is_told_as_that(
    opened: Open, script: str, signal_name: str, locked: bool
) -> None:
    one = opened(locked=locked)
    with pytest.raises(CommandStopped, match=rf"working: ended there by {signal_name}") as caught:
        one.run(("sh", "-c", script), "working", 1800)
    assert caught.value.transient


def test_a_host_that_goes_down_ends_no_update(opened: Open, site: Site) -> None:
    """All processes of a login get SIGTERM, whatever exit code a program makes of it."""
    one = opened(beat=SHORT)
    assert one.run(("true",), "beginning", 10).ok
    mark, note = noted(site, "down")
    mark.unlink(missing_ok=True)
    thread, ends = begin(one, f"trap 'exit 3' TERM; {note}; while :; do sleep 0.1; done")
    pid_of(mark)
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and re.search(rb"gm-(run|lock):|sleep", _cmdline(place)):
            _terminate(place, site)
    thread.join(20)
    (end,) = ends
    assert isinstance(end, GmError)
    assert end.transient
    locked_within(opened(), 10)


def _terminate(place: Path, site: Site) -> None:
    try:
        if place.stat().st_uid == site.mirror.host.uid:
            os.kill(int(place.name), signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pass
