"""One SSH connection with a mirror host, locked for who writes: commands, files, and their ends.

What ends a wait (the time is over, it was asked to stop, the lock is lost) closes the connection
from another thread. The holder of the lock on the mirror then ends the command.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import paramiko

from gm_analytics import settings
from gm_analytics.errors import (
    CommandFailed,
    CommandTimedOut,
    FileTooLarge,
    LockHeld,
    LockLost,
    MirrorUnreachable,
    OutputTooLarge,
    SessionsRefused,
)
from gm_analytics.remote import channel, commands, endings, opening
from gm_analytics.remote.channel import Ears
from gm_analytics.remote.commands import Argv
from gm_analytics.remote.counted import counted
from gm_analytics.remote.lines import Hear, ignore
from gm_analytics.remote.lock import ENDED, OUTPUT_LIMIT, Beat, Lock, NotTakenError
from gm_analytics.remote.opening import CONNECT_TIMEOUT
from gm_analytics.remote.result import Result
from gm_analytics.remote.stop import Stop

__all__ = ["Connection", "Result"]
LOCKING = 30
"""Seconds for the lock: it is waited for, and a predecessor's commands may have to be ended."""
TRANSFER = 300
"""Seconds for a file to come or go."""
STDOUT_LIMIT = 64 * 2**20
"""Bytes that a command may write to standard output; of standard error the end is kept."""
BEAT = Beat()
ANSWER = 3
"""Seconds for the lock's holder to answer whether it is there."""
_ABSENT, _IRREGULAR, _LOST = 72, 73, "the connection was lost"
log = logging.getLogger(__name__)


class Connection:
    """Opened by the first command, with the mirror's lock held for as long as it lives.

    `locked=False` is for who only reads: it neither waits for a writer nor makes one wait.

    Every method may raise `MirrorUnreachable`, `LockHeld`, `LockLost`, `CommandTimedOut`,
    `CommandStopped` (all transient), `HostKeyRefused`, `IdentityUnusable`, `SessionsRefused`,
    `LoginUnusable`, `OutputTooLarge`, and `Stopped` once it was asked to stop.
    """

    def __init__(
        self, mirror: settings.Mirror, *, locked: bool = True, beat: Beat | None = None
    ) -> None:
        self._mirror = mirror
        self._locked = locked
        self._beat = beat or BEAT
        self._connection: Any = None
        self._lock: Lock | None = None
        self._idle = True
        """Whether no command runs, or may run."""
        self._session = secrets.token_hex(8)
        self.first: Argv = ()
        """A script that is run with the lock, before it counts as held."""
        self.admit: Callable[[str], object] = lambda _: None
        """Called with what `first` printed; may refuse the connection by raising."""
        self.hear: Hear = ignore
        """Hears what commands say to people, while they run."""
        self.stop = Stop()
        """Ends what is waited for here when it is asked."""
        self.printed_by_login = ""
        """What is printed there before any command, in a line: it is skipped."""

    def close(self) -> None:
        """Close the connection, and with it give the lock back."""
        if self._lock is not None:
            self._lock.close(idle=self._idle)
        if self._connection is not None:
            self._connection.close()
        self._connection = self._lock = None

    def run(self, argv: Argv, doing: str, seconds: int, *, aloud: bool = False) -> Result:
        """Run one command; its exit code is the caller's to judge.

        Standard error is heard while it runs; standard output, which is data for most, if `aloud`.
        """
        ears = Ears(self.hear if aloud else ignore, self.hear)
        return Result.of(self._execute(argv, doing, seconds, STDOUT_LIMIT, ears=ears))

    def put(self, path: str, content: str | bytes) -> None:
        """Write a file; a text in UTF-8.

        Raises:
            CommandFailed: it cannot be written.

        """
        directory, _, name = path.rpartition("/")
        self.put_all(directory, {name: content})

    def put_all(self, directory: str, files: Mapping[str, str | bytes]) -> None:
        """Write files of one directory, as `put`, with one command."""
        sent = {n: f.encode() if isinstance(f, str) else f for n, f in files.items()}
        words = [word for name, content in sent.items() for word in (name, str(len(content)))]
        doing = f"writing {directory}/{', '.join(files)}"
        argv = commands.script("remote", "put", directory, *words)
        stdin = b"".join(sent.values())
        self._succeeded(self._execute(argv, doing, TRANSFER, 0, stdin=stdin), doing, argv)

    def get(self, path: str, most: int) -> bytes | None:
        """Read a file of at most `most` bytes; None if it is missing.

        Raises:
            CommandFailed: it cannot be read.
            FileTooLarge: it is larger, or no ordinary file.

        """
        doing, codes = f"reading {path}", (str(_ABSENT), str(_IRREGULAR))
        argv = commands.script("remote", "get", path, *codes)
        try:
            output = self._execute(argv, doing, TRANSFER, most)
        except OutputTooLarge as error:
            raise FileTooLarge(self._mirror.name, path, most) from error
        if output.exited == _ABSENT:
            return None
        if output.exited == _IRREGULAR:
            raise FileTooLarge(self._mirror.name, path, most)
        self._succeeded(output, doing, argv)
        return output.stdout

    def see_sessions(self, most: int) -> None:
        """See that sshd allows so many sessions of a connection, or raise `SessionsRefused`."""
        connection = self._open()
        with self._waiting("opening sessions", CONNECT_TIMEOUT, 0, 0):
            channel.open_at_once(connection.transport, most)

    def _succeeded(self, output: channel.Output, doing: str, argv: Argv) -> None:
        if output.exited:
            said = Result.of(output).stderr
            raise CommandFailed(self._mirror.name, doing, list(argv), output.exited, said)

    @counted
    def _execute(
        self,
        argv: Argv,
        doing: str,
        seconds: int,
        limit: int,
        *,
        stdin: bytes = b"",
        ears: Ears | None = None,
    ) -> channel.Output:
        connection, began = self._open(), time.monotonic()
        name, text = self._sent(argv, seconds)
        self._idle = False
        with self._waiting(doing, seconds, 2 * CONNECT_TIMEOUT, limit):
            output = channel.execute(
                connection.transport, name, text, limit, stdin=stdin, ears=ears
            )
            if output.exited == channel.LOST:
                raise EOFError(_LOST)
        self._idle = True
        self._tell_login(output.login)
        if output.exited:
            self._judge(output.exited, doing, seconds, time.monotonic() - began)
        return output

    def _sent(self, argv: Argv, seconds: int) -> tuple[str, str]:
        """Give the name and the text of the program that runs a command."""
        name = commands.mark(self._mirror.root, self._session, locked=self._locked)
        held = (self._lock.taken.process, self._lock.taken.start) if self._lock else ()
        return name, commands.program(name, commands.run(argv, seconds, name, *held))

    def _judge(self, exited: int, doing: str, seconds: int, took: float) -> None:
        """Raise if it was not the command itself that made it end."""
        if late := endings.in_time(self._mirror.name, doing, exited, seconds, took):
            raise late
        # A host that goes down ends the holder as well, whatever a program makes of its SIGTERM.
        if self._lock and not self._lock.answers(ANSWER) and self._lock.is_lost:
            self.close()
            raise LockLost(self._mirror.name, doing)
        if stopped := endings.by_signal(self._mirror.name, doing, exited):
            raise stopped

    @contextmanager
    def _waiting(self, doing: str, seconds: float, more: float, limit: int) -> Iterator[None]:
        """Say as an error of the service how a wait for the other side ended.

        The remote command has `seconds`, its coming and going `more`.
        """
        late, connection = threading.Event(), self._connection

        def end() -> None:
            late.set()
            connection.close()

        timer = threading.Timer(seconds + more, end)
        timer.daemon = True
        timer.start()
        try:
            with self.stop.calling(connection.close):
                yield
        except paramiko.ChannelException as error:  # the connection lives, and stays so small
            self.close()
            self.stop.check()
            raise SessionsRefused(self._mirror.name, doing, str(error)) from error
        except channel.BROKEN as error:
            self._lost(doing, error, seconds if late.is_set() else None)
        except channel.TooMuchError as error:
            self.close()  # which ends the command, too
            self.stop.check()
            raise OutputTooLarge(self._mirror.name, doing, limit) from error
        except channel.NoCommandError as error:
            self._refused_by_login(doing, error, seconds if late.is_set() else None)
        finally:
            timer.cancel()

    def _lost(
        self, doing: str, error: Exception, late: float | None = None, login: str = ""
    ) -> NoReturn:
        """Say why there is no connection any more, or only no lock."""
        lock, why = self._lock, ""
        if lock is not None:
            gone = self._connection.transport.is_active() and not lock.answers(ANSWER)
            why = lock.why_lost or (ENDED if gone and lock.is_lost else "")
        self.close()
        self.stop.check()
        if late is not None:
            raise CommandTimedOut(self._mirror.name, doing, late, login) from error
        if why == ENDED:
            raise LockLost(self._mirror.name, doing) from error
        said, where = f"while {doing}: {why or error}", opening.command(self._mirror)
        raise MirrorUnreachable(self._mirror.name, said, where) from error

    def _refused_by_login(
        self, doing: str, error: channel.NoCommandError, late: float | None
    ) -> NoReturn:
        printed = endings.line(error.printed)
        if error.exited == channel.LOST:
            self._lost(doing, EOFError(_LOST), late, printed)
        self.close()
        self.stop.check()
        raise endings.of_login(self._mirror.name, doing, error.exited, printed) from error

    def _tell_login(self, printed: bytes) -> None:
        said = endings.line(printed)
        if said and said != self.printed_by_login:
            self.printed_by_login = said
            log.warning("mirror %s: skipped what the login prints: %s", self._mirror.name, said)
            self.hear(f"skipped what the login prints: {said}")

    def _open(self) -> Any:
        self.stop.check()
        if self._connection is None:
            self._connection, self._idle = opening.connect(self._mirror), True
            try:
                self.stop.check()
                if self._locked:
                    self.admit(self._take())
            except BaseException:
                self.close()
                raise
        return self._connection

    def _take(self) -> str:
        """Take the lock on a channel of its own; give what the first command printed."""
        beat, root, doing = self._beat, self._mirror.root, "taking the lock"
        argv = commands.lock(root, self._session, beat.patience, beat.grace, self.first)
        with self._waiting(doing, LOCKING, 0, OUTPUT_LIMIT):
            try:
                transport = self._connection.transport
                self._lock = Lock.take(transport, self._session, argv, beat)
            except NotTakenError as error:
                self._not_taken(argv, doing, error)
        self._lock.keep(self._connection.close)
        taken, printed = self._lock.taken, self._lock.taken.printed.decode(errors="replace")
        self._tell_login(taken.login)
        if taken.exited:
            ran, code = list(self.first), taken.exited
            raise CommandFailed(self._mirror.name, doing, ran, code, printed)
        return printed

    def _not_taken(self, argv: Argv, doing: str, error: NotTakenError) -> NoReturn:
        if error.exited == channel.LOST:
            raise EOFError(_LOST) from error
        if error.exited == commands.LOCK_HELD:
            raise LockHeld(self._mirror.name, f"{self._mirror.root}/.lock") from error
        said = error.said.decode(errors="replace")
        raise CommandFailed(self._mirror.name, doing, list(argv), error.exited, said) from error
