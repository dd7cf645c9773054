"""Commands for another host, as data: argv tuples, and the one place that quotes them.

Nothing here runs anything. `quote` is where a command becomes text for the remote shell. Steps
of several system calls are small POSIX shell scripts, constant texts whose parameters are
arguments ("$1"), never spliced in: the files `scripts/*.sh` of a room of this package.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

Argv = tuple[str, ...]

LOCK_HELD = 75
"""Exit code of `lock`, beside those of the programs it runs."""
_PUT_IN = re.compile(r"\. \./([a-z_]+)\.sh")


def quote(argv: Argv) -> str:
    """Give the text that a POSIX shell reads back as exactly these words."""
    return shlex.join(argv)


def bounded(argv: Argv, seconds: int) -> Argv:
    """Have the far side stop the command, since closing the channel would leave it running."""
    return ("timeout", "--kill-after=10", str(seconds), "env", "LC_ALL=C", *argv)


# --- scripts -------------------------------------------------------------------------------


def script(room: str, name: str, *arguments: str) -> Argv:
    """Give a script of a room, `room/scripts/name.sh`, with its arguments."""
    return ("sh", "-euc", shell(room, name), name, *arguments)


@cache
def shell(room: str, name: str) -> str:
    """Give the text of `room/scripts/name.sh` as it is sent.

    The line `. ./OTHER.sh` stands for the text of that file, once a script. Comments and blank
    lines stay here, so no line of a string may look like one.
    """
    return "\n".join(_lines(_scripts(room), name, set()))


def _lines(scripts: Mapping[str, str], name: str, seen: set[str]) -> Iterator[str]:
    seen.add(name)
    for line in scripts[name].splitlines():
        if put_in := _PUT_IN.fullmatch(line):
            if put_in[1] not in seen:
                yield from _lines(scripts, put_in[1], seen)
        elif line and not line.lstrip().startswith("#"):
            yield line


@cache
def _scripts(room: str) -> Mapping[str, str]:
    """Read all at once: an upgrade below a process that runs must not mix two versions."""
    found = (files("gm_analytics") / room / "scripts").iterdir()
    return {file.name.removesuffix(".sh"): file.read_text("utf-8") for file in found}


# --- the writer's lock ---------------------------------------------------------------------


def lock(root: str) -> Argv:
    """Take the writer's lock; print `locked`, and hold it until standard input ends.

    The channel's end is standard input's end, so the lock cannot outlive the connection, nor can
    a command of `tracked` outlive the lock.
    """
    argv = script("remote", "lock", root, str(LOCK_HELD))
    return ("env", f"HOLD={shell('remote', 'hold')}", *argv)


def tracked(root: str, argv: Argv) -> Argv:
    """Run a command so that it is stopped if the connection ends before it does."""
    return script("remote", "tracked", f"{root}/.running", *argv)
