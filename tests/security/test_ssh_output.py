"""What a mirror can do with its output: fill neither memory nor time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from gm_analytics.errors import (
    CommandFailed,
    CommandTimedOut,
    FileTooLarge,
    LockHeld,
    MirrorUnreachable,
    OutputTooLarge,
)
from gm_analytics.remote import channel, commands, ssh
from gm_analytics.settings import Mirror
from lab.processes import wait_for
from lab.site import Site
from tests.integration.conftest import needs_root

MIB = 2**20


@pytest.fixture
def connection(site: Site) -> Iterator[ssh.Connection]:
    opened = ssh.Connection(Mirror.model_validate(site.mirror.settings()), locked=False)
    yield opened
    opened.close()


def write(count: int, to: str = "1") -> tuple[str, ...]:
    return ("sh", "-c", f"head -c {count} /dev/zero >&{to}")


@pytest.mark.parametrize("locked", [True, False])
def test_output_may_be_as_large_as_the_limit_and_no_larger(
    site: Site, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte more is an error that names mirror, doing and limit, and ends the command."""
    monkeypatch.setattr(ssh, "STDOUT_LIMIT", 100_000)
    mirror = Mirror.model_validate(site.mirror.settings())
    connection = ssh.Connection(mirror, locked=locked)
    assert len(connection.run(write(100_000), "reading much", 60).stdout) == 100_000
    pid = Path(site.mirror.host.home) / f"pid-{locked}"
    endless = ("sh", "-c", f"echo $$ > {pid}; exec cat /dev/zero")
    with pytest.raises(OutputTooLarge, match="reading much: more than 100,000 bytes") as caught:
        connection.run(endless, "reading much", 60)
    assert (caught.value.mirror, caught.value.limit) == (mirror.name, 100_000)
    process = Path("/proc", pid.read_text().strip())
    wait_for(lambda: not process.exists(), "the command to end")
    with pytest.raises(OutputTooLarge):
        connection.run(write(100_001), "reading much", 60)
    connection.close()


def test_of_standard_error_the_beginning_and_the_end_are_kept(connection: ssh.Connection) -> None:
    """Whatever its size: the cause stands first, and what came of it last."""
    much = f"head -c {3 * channel.STDERR_KEPT} /dev/zero >&2"
    says = ("sh", "-c", f"echo cause >&2; {much}; echo why >&2; exit 7")
    result = connection.run(says, "failing", 60)
    assert (result.exited, result.ok, result.stdout) == (7, False, "")
    assert len(result.stderr) == channel.STDERR_KEPT
    assert result.stderr.startswith("cause\n\0")
    assert result.stderr.endswith("\0why\n")


def test_large_output_takes_linear_work(
    connection: ssh.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """32 MB come in reads that copy each byte once: none sees what came before."""
    copied = []
    recv = paramiko.Channel.recv

    def counting(self: paramiko.Channel, size: int) -> bytes:
        data: bytes = recv(self, size)
        copied.append(len(data))
        return data

    monkeypatch.setattr(paramiko.Channel, "recv", counting)
    result = connection.run(write(32 * MIB), "reading much", 60)
    begun = f"\n{commands.mark(connection._mirror.root, connection._session, locked=False)}\n"
    assert len(result.stdout) == sum(copied) - len(begun) == 32 * MIB


def test_bytes_that_are_no_text_are_replaced(connection: ssh.Connection) -> None:
    """Also a character that is cut in two by a read."""
    said = connection.run(("printf", r"a\377b \303"), "reading", 60).stdout
    assert said == "a\ufffdb \ufffd"
    assert connection.run(("printf", r"é%.0s", *"ab" * 500), "reading", 60).stdout == "é" * 1000


def test_files_come_and_go_within_limits(connection: ssh.Connection, site: Site) -> None:
    """At the limit, one past it, and not at all."""
    path = f"{site.mirror.host.home}/a file; $(id) 'x'"
    text = "é\n" * 400_000
    connection.put(path, text)
    assert connection.get(path, len(text.encode())).decode() == text
    with pytest.raises(FileTooLarge, match=r"reading .*: expected a file of at most 1,199,999 b"):
        connection.get(path, len(text.encode()) - 1)
    assert connection.get(f"{site.mirror.host.home}/none", 1) is None
    with pytest.raises(FileTooLarge, match=r"reading /proc: expected a file of at most 9 bytes"):
        connection.get("/proc", 9)
    assert connection.run(("chmod", "0", path), "hiding it", 60).ok
    with pytest.raises(CommandFailed, match=r"reading .*: exit code .*ermission denied"):
        connection.get(path, 9)
    with pytest.raises(CommandFailed, match="writing /proc/none: exit code"):
        connection.put("/proc/none", "x")


def test_a_file_that_never_ends_has_a_deadline(
    connection: ssh.Connection, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When even the remote timeout does not end it; a pipe is not waited for."""
    monkeypatch.setattr(ssh, "TRANSFER", 1)
    monkeypatch.setattr(ssh, "CONNECT_TIMEOUT", 0.5)
    run = commands.run
    monkeypatch.setattr(commands, "run", lambda argv, _, *rest: run(argv, 600, *rest))
    path = f"{site.mirror.host.home}/pipe"
    assert connection.run(("mkfifo", path), "making a pipe", 60).ok
    with pytest.raises(FileTooLarge, match="reading"):
        connection.get(path, 10)
    site.mirror.host.install_program("cat", "#!/bin/sh\nexec sleep 60\n", logged=False)
    began = time.monotonic()
    try:
        with pytest.raises(CommandTimedOut, match="reading"):
            connection.get("/etc/passwd", 10)
    finally:
        site.mirror.host.restore_program("cat")
    assert time.monotonic() - began < 15
    assert connection.run(("echo", "again"), "going on", 60).stdout == "again\n"


def test_a_broken_connection_is_told_as_one(connection: ssh.Connection) -> None:
    """While a command runs; the next one gets a connection of its own."""
    assert connection.run(("true",), "beginning", 60).ok
    threading.Timer(0.5, connection._connection.transport.sock.close).start()
    with pytest.raises(MirrorUnreachable, match="while sleeping"):
        connection.run(("sleep", "30"), "sleeping", 60)
    assert connection.run(("true",), "going on", 60).ok


@needs_root
@pytest.mark.parametrize(
    ("flock", "expected"),
    [
        ("head -c 100000000 /dev/zero; cat", OutputTooLarge),
        ("printf l; exec sleep 60", CommandTimedOut),
        ("exit 75", LockHeld),
    ],
)
def test_the_lock_s_words_are_bounded(
    site: Site, flock: str, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In size and time: they are the mirror's."""
    monkeypatch.setattr(ssh, "LOCKING", 3)
    shim = site.mirror.host.bin / "flock"
    shim.write_text(f"#!/bin/sh\n{flock}\n")
    shim.chmod(0o755)
    try:
        locked = ssh.Connection(Mirror.model_validate(site.mirror.settings()))
        with pytest.raises(expected):
            locked.run(("true",), "trying", 10)
    finally:
        shim.unlink()
