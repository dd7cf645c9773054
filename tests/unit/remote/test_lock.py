"""A lock whose connection breaks at any moment."""

from __future__ import annotations

import threading
from typing import Any

import paramiko
import pytest

from gm_analytics.remote.lock import Beat, Lock, Taken

TAKEN = Taken("1", "2", 0, b"", b"")


class Broken:
    """A channel whose connection has just ended."""

    eof_received = closed = False

    def __init__(self, error: Exception) -> None:
        self._error = error

    def sendall(self, _: bytes) -> None:
        raise self._error

    def recv(self, _: int) -> bytes:
        raise self._error

    def exit_status_ready(self) -> bool:
        return False


@pytest.mark.parametrize("error", [EOFError(), OSError("gone"), paramiko.SSHException("gone")])
def test_a_connection_that_ends_while_it_is_asked_is_a_lost_lock(error: Exception) -> None:
    held: Any = Broken(error)
    lock, lost = Lock(held, TAKEN, Beat(interval=0.01, patience=0.01)), threading.Event()
    assert not lock.answers(0.01)
    lock.keep(lost.set)
    assert lost.wait(10), "the thread that asks goes on until it has said so"
    lock.close(idle=True)
