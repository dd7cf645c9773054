"""The writer's lock of a mirror, held over a channel of an open connection by saying so.

Whoever holds it on the mirror hears a byte every few seconds from a thread of this process. A
process that is stopped, or cut off, says nothing, and then the mirror ends what runs under the
lock and lets it go. Each byte is answered, so that a mirror that is away is noticed as well.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import paramiko

from gm_analytics.log_context import carried
from gm_analytics.remote import channel, commands
from gm_analytics.remote.commands import Argv

OUTPUT_LIMIT = 5 * 2**20
"""Bytes until the lock is said to be held: of what is run first, and of strangers."""
ENDED = "its holder on the mirror has ended"
_BEAT, _RELEASE = b".", b"!"
_SAID_LIMIT = 4000
"""Bytes of what the mirror says when there is no lock to be had."""


@dataclass(frozen=True)
class Beat:
    """How the lock is held: all in seconds."""

    interval: float = 10
    """From one byte to the next."""
    patience: float = 35
    """Without a byte, or without an answer, after which nobody is believed to be there."""
    grace: int = 5
    """From SIGTERM to SIGKILL, for commands that run then."""


class NotTakenError(Exception):
    """The far side ended instead: with an exit code, and words."""

    def __init__(self, exited: int, said: bytes) -> None:
        super().__init__(exited, said)
        self.exited, self.said = exited, said


@dataclass(frozen=True)
class Taken:
    """What the far side said with the lock."""

    process: str
    start: str
    exited: int
    """The exit code of the command that was run first, and what it printed."""
    printed: bytes
    login: bytes
    """What the login printed before."""


class Lock:
    """A lock that is held until it is closed, or lost."""

    def __init__(self, held: paramiko.Channel, taken: Taken, beat: Beat) -> None:
        self.taken = taken
        self._channel = held
        self._beat = beat
        self._ended = threading.Event()
        self._answer = threading.Condition()
        self._sent = self._answered = 0
        self.why_lost = ""
        """What `keep` found, when it ended the connection."""

    @classmethod
    def take(cls, transport: paramiko.Transport, session: str, argv: Argv, beat: Beat) -> Lock:
        """Take it.

        Raises:
            NotTakenError: it cannot be had, or something went wrong.
            NoCommandError: the login did not come so far.
            TooMuchError: it printed more than it may.
            paramiko.SSHException, OSError, EOFError: the connection broke.

        """
        held = channel.opened(transport)
        name = f"gm-lock:{session}"
        channel.begin(held, name, commands.program(name, argv))
        return cls(held, _read(held, name, session), beat)

    def keep(self, lost: Callable[[], object]) -> None:
        """Say from now on that this process is there; call `lost` when nobody hears it."""
        threading.Thread(
            target=carried(self._say), args=(lost,), name="heartbeat", daemon=True
        ).start()
        threading.Thread(target=carried(self._hear), name="heartbeat-answers", daemon=True).start()

    def close(self, *, idle: bool) -> None:
        """Say no more; if no command runs, nobody has to look for one."""
        self._ended.set()
        if idle:
            with suppress(*channel.BROKEN):
                self._channel.sendall(_RELEASE)
        with self._answer:
            self._answer.notify_all()

    @property
    def is_lost(self) -> bool:
        """Whether the far side ended by itself."""
        held = self._channel
        return bool(held.eof_received or held.closed or held.exit_status_ready())

    def answers(self, seconds: float) -> bool:
        """Ask at once, and tell whether there is an answer within so many seconds."""
        with suppress(*channel.BROKEN):
            wanted = self._send()
            with self._answer:
                self._answer.wait_for(lambda: self._answered >= wanted or self.is_lost, seconds)
                return self._answered >= wanted
        return False

    def _send(self) -> int:
        with self._answer:
            self._sent += 1
            wanted = self._sent
        self._channel.sendall(_BEAT)
        return wanted

    def _say(self, lost: Callable[[], object]) -> None:
        while not self._ended.wait(self._beat.interval):
            # Once more, since the time may have passed because this process stood still.
            heard = self.answers(self._beat.patience) or self.answers(1)
            if not heard and not self._ended.is_set():
                silence = f"no answer for {self._beat.patience:g} s"
                self.why_lost = ENDED if self.is_lost else silence
                lost()
                return

    def _hear(self) -> None:
        with suppress(*channel.BROKEN):
            while dots := self._channel.recv(channel.CHUNK):
                with self._answer:
                    self._answered += len(dots)
                    self._answer.notify_all()
        with self._answer:
            self._answer.notify_all()


def _read(held: paramiko.Channel, name: str, session: str) -> Taken:
    """Read until the lock is said to be held. Raises as `Lock.take`."""
    login, said = channel.Login(name), bytearray()
    line = re.compile(rb"\n%s (\d{1,3}) (\d{1,10}) (\d{1,20})\n" % re.escape(session.encode()))
    while chunk := held.recv(channel.CHUNK):
        said += login.feed(chunk)
        if found := line.search(said, max(0, len(said) - len(chunk) - 100)):
            code, process, start = found.groups()
            printed = bytes(said[: found.start()])
            return Taken(process.decode(), start.decode(), int(code), printed, login.printed)
        if len(said) > OUTPUT_LIMIT:
            raise channel.TooMuchError
    exited, complaints = held.recv_exit_status(), held.recv_stderr(_SAID_LIMIT)
    if not login.passed:
        raise channel.NoCommandError(exited, login.printed + complaints)
    _, _, words = complaints.rpartition(f"\n{name}\n".encode())
    raise NotTakenError(exited, words)
