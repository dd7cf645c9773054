"""Commands for another host, as data: argv tuples, and the one place that quotes them.

Nothing here runs anything. `quote` is where a command becomes text for the remote shell. Steps
of several system calls are small POSIX shell scripts, constant texts whose parameters are
arguments ("$1"), never spliced in: the files `scripts/*.sh` of a room of this package.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

Argv = tuple[str, ...]

NOT_SENT = 71
"""Exit code where start files of the login took what was sent to the shell behind them."""
LOCK_LOST, LOCK_HELD = 74, 75
"""Exit codes of `run` and `lock`, beside those of the programs that they run."""
_OURS = "gm_is_ours"
"""A function of the shell that `login` starts."""
_UNSET = "unset LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH"
_PUT_IN = re.compile(r"\. \./([a-z_]+)\.sh")


def quote(argv: Argv) -> str:
    """Give the text that a POSIX shell reads back as exactly these words."""
    return shlex.join(argv)


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


# --- what a connection sends ----------------------------------------------------------------


def login(name: str, size: int) -> str:
    """Give the command that reads a program of so many bytes from standard input, and becomes it.

    Whatever the account's shell is reads it alike: csh, fish and POSIX shells take what is in
    single quotes as it is, but for exclamation marks, line ends, and backslashes before quotes.
    The name, on a line of both outputs, tells where what start files print has ended. If they
    took something of the program, it is not run.
    `-p` has a sh that is bash take neither functions nor options from the environment, and what
    the linker would load before each program goes first.
    """
    marks = r'printf "\n%s\n" "$0"; printf "\n%s\n" "$0" >&2'
    whole = f'case "$t" in "#$0"*) {marks}; eval "$t" ;; *) exit {NOT_SENT} ;; esac'
    return f"exec /bin/sh -pc '{_UNSET}; {_OURS}() {{ :; }}; t=$(head -c {size}); {whole}' {name}"


def program(name: str, argv: Argv) -> str:
    """Give the text by which the shell that `login` starts runs a script, in itself.

    Another shell, which start files may become, does nothing with it.
    """
    shell_, options, text, _, *arguments = argv
    if (shell_, options) != ("sh", "-euc"):
        raise ValueError(argv)
    ours = f"{_OURS} || exit {NOT_SENT}"
    return f"#{name}\n{ours}\nset -eu\n{quote(('set', '--', *arguments))}\n{text}\n"


def mark(root: str, session: str, *, locked: bool = True) -> str:
    """Give what the commands of a session have in their command line and environment."""
    place = hashlib.sha256(root.encode()).hexdigest()[:16]
    return f"gm-{'run' if locked else 'read'}:{place}:{session}"


def lock(root: str, session: str, patience: float, grace: int, first: Sequence[str] = ()) -> Argv:
    """Take the writer's lock, run a command, say so on a line that begins with the session's name.

    It is held for as long as a byte comes in any `patience` seconds; then the session's commands
    are ended, with `grace` seconds from SIGTERM to SIGKILL.
    """
    # Such a pattern does not match itself, in the command line of who searches.
    every, ours = (f"[g]{mark(root, name)[1:]}" for name in ("", session))
    words = (str(LOCK_HELD), every, ours, f"{patience:g}", str(grace), session)
    return script("remote", "lock", root, *words, *first)


def run(argv: Argv, seconds: int, mark: str, process: str = "", start: str = "") -> Argv:
    """Run a command for so long at most; with a process, only while that stands for the lock."""
    return script("remote", "run", mark, process, start, str(LOCK_LOST), str(seconds), *argv)
