"""One command on an SSH channel of its own, and what it says, bounded in size.

Read here, since Invoke joins all it has at each chunk: 16 MB take 47 s
(https://github.com/pyinvoke/invoke/issues/1079). Time is bounded by whoever closes the
connection, which ends every wait in here.
"""

from __future__ import annotations

import select
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

import paramiko

from gm_analytics.remote import commands
from gm_analytics.remote.lines import Hear, Lines, ignore

OPENING = 10.0
"""Seconds until a channel is open."""
CHUNK = 4 * 2**20
"""Bytes. More than the window lets in, so that a read takes all that is there."""
STDERR_KEPT = 2**20
"""Bytes of standard error, half of its beginning and half of its end."""
_HALF = STDERR_KEPT // 2
LOGIN_LIMIT = 64 * 1024
"""Bytes that a login may print before the command begins, on each of the two."""
BROKEN = (paramiko.SSHException, OSError, EOFError)
"""What paramiko raises of a connection that ended; which of them depends on the moment."""
PAUSES = (0.1, 0.3, 1.0)
"""Seconds before a channel that was refused is tried again: sshd counts one for a moment longer
than it lasts, and may allow no more than two (`MaxSessions`)."""
LOST = -1
"""The exit code of a command whose channel closed without one."""


class TooMuchError(Exception):
    """The command wrote more to standard output than it may."""


class NoCommandError(Exception):
    """The login ended, or printed without an end, before the command began."""

    def __init__(self, exited: int | None, printed: bytes) -> None:
        super().__init__(exited, printed)
        self.exited, self.printed = exited, printed


@dataclass(frozen=True)
class Output:
    """What a command said, its exit code, and what the login had printed before."""

    exited: int
    stdout: bytes
    stderr: bytes
    login: bytes = b""


@dataclass(frozen=True)
class Ears:
    """Who hears a command's lines while it runs."""

    stdout: Hear = ignore
    stderr: Hear = ignore


class Login:
    """Skips what a login prints, up to the line that is the command's name."""

    def __init__(self, name: str) -> None:
        self._line = f"\n{name}\n".encode()
        self.passed = False
        self.printed = b""

    def feed(self, data: bytes) -> bytes:
        """Give what of it is the command's.

        Raises:
            NoCommandError: the login prints too much.

        """
        if self.passed:
            return data
        before, line, after = (self.printed + data).partition(self._line)
        self.printed, self.passed = before, bool(line)
        if len(before) > LOGIN_LIMIT:
            raise NoCommandError(None, before[:LOGIN_LIMIT])
        return after


def opened(transport: paramiko.Transport) -> paramiko.Channel:
    """Open a channel.

    Raises:
        paramiko.ChannelException: sshd refuses it.
        paramiko.SSHException, OSError, EOFError: the connection broke.

    """
    for pause in PAUSES:
        try:
            return transport.open_session(timeout=OPENING)
        except paramiko.ChannelException:
            time.sleep(pause)
    return transport.open_session(timeout=OPENING)


def open_at_once(transport: paramiko.Transport, number: int) -> None:
    """Open so many channels, and close them. Raises as `opened`."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(closing(opened(transport)))


def begin(channel: paramiko.Channel, name: str, program: str, stdin: bytes = b"") -> None:
    """Have the far shell become a program, and send what that reads."""
    text = program.encode()
    channel.exec_command(commands.login(name, len(text)))
    with suppress(OSError):  # one that does not read it will say why
        channel.sendall(text + stdin)


def execute(
    transport: paramiko.Transport,
    name: str,
    program: str,
    limit: int,
    *,
    stdin: bytes = b"",
    ears: Ears | None = None,
) -> Output:
    """Run a program to its end.

    Raises:
        NoCommandError: the login did not come so far.
        TooMuchError: it wrote more than `limit` bytes.
        paramiko.SSHException, OSError, EOFError: the connection broke.

    """
    with closing(opened(transport)) as channel:
        begin(channel, name, program, stdin)
        with suppress(OSError):
            channel.shutdown_write()
        return read(channel, limit, ears or Ears(), Login(name), Login(name))


def read(channel: paramiko.Channel, limit: int, ears: Ears, *logins: Login) -> Output:
    """Read a running command's output to its end. Raises as `execute`."""
    stdout, stderr = bytearray(), bytearray()
    out, err = Lines(ears.stdout), Lines(ears.stderr)
    login, complaints = logins
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        ended = channel.eof_received or channel.closed
        if channel.recv_ready():
            chunk = login.feed(channel.recv(CHUNK))
            stdout += chunk
            if len(stdout) > limit:
                raise TooMuchError
            if ears.stdout is not ignore:
                out.feed(chunk)
        elif channel.recv_stderr_ready():
            chunk = complaints.feed(channel.recv_stderr(CHUNK))
            err.feed(chunk)
            stderr += chunk
            if len(stderr) > 2 * STDERR_KEPT:  # its head has the cause, its end what came of it
                del stderr[_HALF:-_HALF]
        elif ended:
            break
        else:
            poll.poll()
    out.end()
    err.end()
    printed, exited = login.printed + complaints.printed, channel.recv_exit_status()
    if not login.passed:
        raise NoCommandError(exited, printed)
    if len(stderr) > STDERR_KEPT:
        del stderr[_HALF:-_HALF]
    return Output(exited, bytes(stdout), bytes(stderr), printed)
