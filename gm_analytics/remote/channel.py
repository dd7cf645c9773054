"""One command on an SSH channel of its own, and what it says, bounded in size.

Read here, since Invoke joins all it has at each chunk: 16 MB take 47 s
(https://github.com/pyinvoke/invoke/issues/1079). Time is bounded by whoever closes the
connection, which ends every wait in here.
"""

from __future__ import annotations

import select
from contextlib import closing, suppress
from dataclasses import dataclass

import paramiko

from gm_analytics.remote.lines import Hear, Lines, ignore

CHUNK = 4 * 2**20
"""Bytes. More than the window lets in, so that a read takes all that is there."""
STDERR_KEPT = 2**20
"""Bytes of the end of standard error."""
LOST = -1
"""The exit code of a command whose channel closed without one."""


class TooMuchError(Exception):
    """The command wrote more to standard output than it may."""


@dataclass(frozen=True)
class Output:
    """What a command said, and its exit code."""

    exited: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Ears:
    """Who hears a command's lines while it runs."""

    stdout: Hear = ignore
    stderr: Hear = ignore


def execute(
    transport: paramiko.Transport,
    text: str,
    timeout: float,
    limit: int,
    *,
    stdin: bytes = b"",
    ears: Ears | None = None,
) -> Output:
    """Run a command to its end; `timeout` in seconds is for opening the channel.

    Raises:
        TooMuchError: it wrote more than `limit` bytes.
        paramiko.SSHException, OSError, EOFError: the connection broke.

    """
    with closing(transport.open_session(timeout=timeout)) as channel:
        channel.exec_command(text)
        with suppress(OSError):  # one that does not read it will say why
            channel.sendall(stdin)
            channel.shutdown_write()
        return read(channel, limit, ears or Ears())


def read(channel: paramiko.Channel, limit: int, ears: Ears) -> Output:
    """Read a running command's output to its end. Raises as `execute`."""
    stdout, stderr = bytearray(), bytearray()
    out, err = Lines(ears.stdout), Lines(ears.stderr)
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        ended = channel.eof_received or channel.closed
        if channel.recv_ready():
            chunk = channel.recv(CHUNK)
            stdout += chunk
            if len(stdout) > limit:
                raise TooMuchError
            if ears.stdout is not ignore:
                out.feed(chunk)
        elif channel.recv_stderr_ready():
            chunk = channel.recv_stderr(CHUNK)
            err.feed(chunk)
            stderr += chunk
            if len(stderr) > 2 * STDERR_KEPT:
                del stderr[:-STDERR_KEPT]
        elif ended:
            break
        else:
            poll.poll()
    out.end()
    err.end()
    return Output(channel.recv_exit_status(), bytes(stdout), bytes(stderr[-STDERR_KEPT:]))


def first_line(channel: paramiko.Channel, limit: int) -> bytes:
    """Read a running command's first line, or `limit` bytes if it does not end before."""
    line = b""
    while len(line) < limit and not line.endswith(b"\n"):
        byte = channel.recv(1)
        if not byte:
            break
        line += byte
    return line
