"""Ctrl-C: said at once, exit code 130 whatever ran, and nothing left on the line."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from gm_analytics.cli import interruption
from gm_analytics.errors import Exit, Stopped
from gm_analytics.remote.stop import Stop
from tests.support.place import PROGRAM, Place

SAID = "gm-analytics: stopping\ngm-analytics: interrupted\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path).write()


INTERRUPTED_IMPORT = """
import sys
class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "gm_analytics.cli.commands":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from gm_analytics.cli.main import main
main()
"""


def test_an_interruption_while_it_is_imported_ends_with_its_code_and_a_line() -> None:
    argv = [sys.executable, "-c", INTERRUPTED_IMPORT]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (Exit.INTERRUPTED, "gm-analytics: interrupted\n")


def test_an_interruption_ends_with_its_code_and_a_line(place: Place) -> None:
    """At a host that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place.write(mirrors=[place.mirror(port=listening.getsockname()[1])])
        process = subprocess.Popen(
            [PROGRAM, "publications"],
            env={**os.environ, "GM_ANALYTICS_CONFIG": str(place.config)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with listening.accept()[0]:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED, (out, err)
    assert (out, err) == ("", SAID)


@contextmanager
def started(*argv: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    late = threading.Timer(60, process.kill)  # whoever reads of it then has read all
    late.start()
    try:
        yield process
    finally:
        late.cancel()
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Give standard error up to a line with those words."""
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    pytest.fail(said)


@pytest.mark.parametrize(
    ("command", "ready"),
    [("worker", "takes updates"), ("web", "startup complete"), ("serve", "startup complete")],
)
def test_what_serves_ends_with_the_same_code(command: str, ready: str, place: Place) -> None:
    argv = [PROGRAM, command, *(["--port", "0"] if command != "worker" else [])]
    (place.directory / "store").mkdir(mode=0o700)
    with started(*argv, GM_ANALYTICS_CONFIG=str(place.config)) as process:
        read_until(process, ready)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED, said
    assert said.endswith(SAID)
    assert "Traceback" not in said


WAITING = """
import sys, time
from gm_analytics.cli import commands, interruption
from gm_analytics.cli.progress import shown
from gm_analytics.service import Service
def wait(*_):
    with shown() as telling:
        try:
            with telling.step("download"):
                telling.line("(1/3): tree-1.rpm  1 MB/s")
                time.sleep(60)
        finally:
            {finally_}
Service.from_file = wait
from gm_analytics.cli.main import main
sys.argv[1:] = ["publications"]
main()
"""


@contextmanager
def on_a_terminal(*argv: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a program whose streams are a terminal; give it, and that terminal's other end."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        preexec_fn=partial(fcntl.ioctl, 0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(side)
    late = threading.Timer(60, process.kill)
    late.start()
    try:
        yield process, main
    finally:
        late.cancel()
        process.kill()
        process.wait()
        os.close(main)


def press(process: subprocess.Popen[bytes], terminal: int, key: bytes) -> None:
    """Press a key once the program waits: a signal just before a system call ends no wait."""
    stat, looks = Path(f"/proc/{process.pid}/stat"), 0
    while looks < 3 and process.poll() is None:
        looks = looks + 1 if stat.read_text().rpartition(")")[2].split()[0] == "S" else 0
        time.sleep(0.05)
    os.write(terminal, key)


def shows(terminal: int, words: bytes) -> bytes:
    """Read what a terminal shows until it has those words; all that comes, if it never does."""
    said = b""
    while words not in said:
        try:
            said += os.read(terminal, 1024)
        except OSError:  # nobody writes any more
            break
    return said


def test_at_a_terminal_it_is_said_at_once_and_nothing_is_left_on_the_line() -> None:
    script = WAITING.format(finally_="time.sleep(2)")
    with on_a_terminal(sys.executable, "-c", script) as (process, terminal):
        shows(terminal, b"1 MB/s")
        press(process, terminal, b"\x03")
        began = time.monotonic()
        said = shows(terminal, b"stopping")
        assert time.monotonic() - began < 1.5, "while it is still at it"
        said += shows(terminal, b"interrupted\r\n")
        assert process.wait(30) == Exit.INTERRUPTED
        said += shows(terminal, b"never")
    assert said.replace(b"^C", b"") == (
        b"\r\x1b[Kgm-analytics: stopping\r\n\r\x1b[Kgm-analytics: interrupted\r\n"
    )


def test_a_second_one_ends_it_at_once() -> None:
    with on_a_terminal(sys.executable, "-c", WAITING.format(finally_="time.sleep(60)")) as (
        process,
        terminal,
    ):
        shows(terminal, b"1 MB/s")
        press(process, terminal, b"\x03")
        shows(terminal, b"stopping")
        press(process, terminal, b"\x03")
        assert process.wait(30) == Exit.INTERRUPTED


def test_what_fails_because_of_it_is_not_told() -> None:
    failing = 'raise ValueError("what was at hand met its end")'
    with started(sys.executable, "-c", WAITING.format(finally_=failing)) as process:
        read_until(process, "1 MB/s")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (Exit.INTERRUPTED, "", SAID)


ASKING = """
import sys
from gm_analytics.cli.output import confirmed
from gm_analytics.service import Service
Service.from_file = lambda *_: print("answered", confirmed("Go on?", yes=False))
from gm_analytics.cli.main import main
sys.argv[1:] = ["publications"]
main()
"""


def test_at_a_question_it_is_an_interruption_and_the_end_of_input_is_a_no() -> None:
    with on_a_terminal(sys.executable, "-c", ASKING) as (process, terminal):
        shows(terminal, b"[y/N]")
        press(process, terminal, b"\x03")
        said = shows(terminal, b"interrupted")
        assert process.wait(30) == Exit.INTERRUPTED
    assert b"Aborted" not in said
    with on_a_terminal(sys.executable, "-c", ASKING) as (process, terminal):
        shows(terminal, b"[y/N]")
        press(process, terminal, b"\x04")
        assert b"answered False" in shows(terminal, b"answered False")


def test_what_waits_for_a_host_is_left_with_its_connection() -> None:
    """Nothing more may run there: the mirror ends what runs once nobody is heard."""
    stop, closed = Stop(), []
    with pytest.raises(KeyboardInterrupt), stop.calling(lambda: closed.append(1)):
        raise KeyboardInterrupt
    assert closed == [1]
    with pytest.raises(Stopped, match="interrupted"):
        stop.check()


def test_who_was_started_in_the_background_is_not_met() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interruption.meet()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
