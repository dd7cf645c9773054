"""Ctrl-C: said at once, whatever a command is at; then it ends, and leaves nothing behind.

It is there before the rest of the program is, so it imports nothing that takes time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

CODE = 130
"""`errors.Exit.INTERRUPTED`, which may not be imported yet."""
_CLEAR = "\r\x1b[K"
"""What a terminal shows of `^C`, and of what ran, goes."""


class _State:
    asked = False
    silences: tuple[Callable[[], object], ...] = ()


def meet() -> None:
    """Say from now on at once that the command stops, and end it by KeyboardInterrupt.

    A second Ctrl-C ends the process as it is: a mirror's lock goes with its connection.
    """
    # Started with `&` by a script, it goes on.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as Python calls it
    if _State.asked:
        os._exit(CODE)
    _State.asked = True
    for silence in _State.silences:
        silence()
    _say("stopping")
    raise KeyboardInterrupt


def asked() -> bool:
    """Tell whether somebody pressed Ctrl-C."""
    return _State.asked


def ended() -> None:
    """Say that the command has ended."""
    _say("interrupted")


@contextmanager
def silencing(silence: Callable[[], object]) -> Iterator[None]:
    """Have a function called at once if Ctrl-C is pressed during the block."""
    before = _State.silences
    _State.silences = (*before, silence)
    try:
        yield
    finally:
        _State.silences = before


def _say(what: str) -> None:
    """Write past Python's buffers, of which one may be half written just now."""
    clear = _CLEAR if sys.stderr is not None and sys.stderr.isatty() else ""
    with suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), f"{clear}gm-analytics: {what}\n".encode())
