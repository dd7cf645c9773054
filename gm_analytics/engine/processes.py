"""Which process this is, and whether another of this machine has ended.

A pid means something in its namespace of one boot alone, and is given again; so a process is its
place (boot and namespace), its pid, and when it began.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _BEGAN = 0, 19
"""Of the fields of /proc/PID/stat behind the name: see proc(5)."""
_ENDED = "ZX"
"""States of a process that only its parent still asks for."""


@dataclass(frozen=True)
class Process:
    """One process. Without a place, where the system tells none, it is never said to be gone."""

    place: str
    pid: int
    began: str

    @classmethod
    def own(cls) -> Process:
        """Give the one that asks."""
        pid = os.getpid()
        return cls(_place(), pid, _fields(pid)[_BEGAN])

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, as far as can be told from here."""
        if not self.place or self.place != _place():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # another account's
            return False
        found = _fields(self.pid)
        return found[_STATE] in _ENDED or found[_BEGAN] not in {self.began, ""}


def _place() -> str:
    with suppress(OSError):
        return f"{_BOOT.read_text('ascii').strip()} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _fields(pid: int) -> list[str]:
    """Give the fields behind the name, which may hold anything; empty ones if it is hidden."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        return text.rpartition(")")[2].split()
    return ["?", *[""] * _BEGAN]
