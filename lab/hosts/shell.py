"""Commands on the outer machine, their errors, and what a person sees while they run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.processes import LabError

__all__ = ["CACHE", "CHECKOUT", "LOGS", "PATH", "LabError", "Output", "run", "say"]

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache" / "hosts"
LOGS = CACHE / "log"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TAIL = 25
"""Lines of output that an error carries."""


@dataclass(frozen=True)
class Output:
    """What a command left behind; `text` is both streams in the order written."""

    code: int
    text: str

    @property
    def last(self) -> str:
        """The last line that says something."""
        return next((line for line in reversed(self.text.splitlines()) if line.strip()), "")


def run(
    *argv: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout: float = 900,
    log: Path | None = None,
) -> Output:
    """Run a command to its end.

    Raises:
        LabError: it failed and `check` is set, or it took longer than `timeout` seconds.

    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, **(env or {})},
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"running {_short(words)}: no end after {timeout:.0f} s") from error
    except OSError as error:
        raise LabError(f"running {_short(words)}: {error.strerror}") from error
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {_short(words)}\n{done.stdout}\n")
    if check and done.returncode:
        end = "\n".join(done.stdout.splitlines()[-TAIL:])
        raise LabError(f"running {_short(words)}: exit {done.returncode}\n{end}")
    return Output(done.returncode, done.stdout)


def say(text: str) -> None:
    """Tell the person what is going on, apart from the table on standard output."""
    print(text, file=sys.stderr, flush=True)


def _short(words: list[str]) -> str:
    text = " ".join(words).replace("\n", " ")
    return text if len(text) <= 160 else f"{text[:160]}…"  # noqa: PLR2004 - one screen line
