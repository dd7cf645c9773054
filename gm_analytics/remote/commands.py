"""Commands for another host, as data: argv tuples, and the one place that quotes them.

Nothing here runs anything. `quote` is where a command becomes text for the remote shell. Steps
of several system calls are small POSIX shell scripts, constant texts whose parameters are
arguments ("$1"), never spliced in.
"""

from __future__ import annotations

import shlex

Argv = tuple[str, ...]

LOCK_HELD = 75
"""Exit code of `lock`, beside those of the programs it runs."""


def quote(argv: Argv) -> str:
    """Give the text that a POSIX shell reads back as exactly these words."""
    return shlex.join(argv)


def bounded(argv: Argv, seconds: int) -> Argv:
    """Have the far side stop the command, since closing the channel would leave it running."""
    return ("timeout", "--kill-after=10", str(seconds), "env", "LC_ALL=C", *argv)


def script(text: str, name: str, *arguments: str) -> Argv:
    """Give a constant POSIX shell text with its arguments."""
    return ("sh", "-euc", text, name, *arguments)


_LOCK = """
mkdir -p "$1/.staging" "$1/.publications" "$1/.cache"
exec flock --timeout 2 --conflict-exit-code "$2" "$1/.lock" sh -uc "$HOLD" hold "$1/.running"
"""
_HOLD = """
rm -f "$1"
echo locked
cat
# The connection has ended. A command that did not end before it would go on without the lock.
if running=$(cat "$1" 2>/dev/null); then
    kill "$running" 2>/dev/null
    while kill -0 "$running" 2>/dev/null; do sleep 0.1; done
fi
"""


def lock(root: str) -> Argv:
    """Take the writer's lock; print `locked`, and hold it until standard input ends.

    The channel's end is standard input's end, so the lock cannot outlive the connection, nor can
    a command of `tracked` outlive the lock.
    """
    return ("env", f"HOLD={_HOLD}", *script(_LOCK, "lock", root, str(LOCK_HELD)))


_TRACKED = """
running=$1; shift
"$@" &
{ echo $! > "$running"; } 2>/dev/null || :
code=0; wait $! || code=$?
rm -f "$running"
exit $code
"""


def tracked(root: str, argv: Argv) -> Argv:
    """Run a command so that it is stopped if the connection ends before it does."""
    return script(_TRACKED, "tracked", f"{root}/.running", *argv)
