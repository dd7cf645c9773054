"""What every command on a mirror is made of: argv tuples, a target, the tools found there.

Nothing here runs anything. `quote` is the one place where a command becomes text for the
remote shell. Steps of several system calls are small POSIX shell scripts, constant texts whose
parameters are arguments ("$1"), never spliced in. `yum` and `repository` have the commands.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

Argv = tuple[str, ...]
Manager = Literal["yum3", "dnf4", "dnf5"]
Elevation = Literal["none", "userns", "helper"]

LOCK_HELD, OVERTAKEN, BYTES_DIFFER = 75, 76, 77
"""Exit codes of the scripts below, beside those of the programs they run."""


@dataclass(frozen=True)
class Tools:
    """The programs a mirror host has, found at run time."""

    manager: Manager
    manager_path: str
    createrepo: str
    elevation: Elevation = "none"

    @property
    def can_preview(self) -> bool:
        """Whether metadata can name packages above it: not by the Python createrepo of EL 7."""
        return PurePosixPath(self.createrepo).name == "createrepo_c"


@dataclass(frozen=True)
class Target:
    """What a command needs to know of a mirror's configuration."""

    root: str
    reposdir: str
    releasever: str
    arch: str | None = None
    module_platform_id: str | None = None
    weak_dependencies: bool = False
    max_age: int = 600
    """Seconds for which upstream metadata counts as fresh."""
    grace_minutes: int = 60
    timeout: int = 1800
    """Seconds."""
    helper: str | None = None

    def staging(self, update_id: str, *parts: str) -> str:
        """Give a path below an update's staging directory."""
        return str(PurePosixPath(self.root, ".staging", update_id, *parts))


def quote(argv: Argv) -> str:
    """Give the text that a POSIX shell reads back as exactly these words."""
    return shlex.join(argv)


def bounded(argv: Argv, seconds: int) -> Argv:
    """Have the far side stop the command, since closing the channel would leave it running."""
    return ("timeout", "--kill-after=10", str(seconds), "env", "LC_ALL=C", *argv)


def script(text: str, name: str, *arguments: str) -> Argv:
    """Give a constant POSIX shell text with its arguments."""
    return ("sh", "-euc", text, name, *arguments)


# --- facts ---------------------------------------------------------------------------------

_SURVEY = """
root=$1
for name in dnf5 dnf yum; do
    path=$(command -v "$name") && { echo "manager $(readlink -f "$path")"; break; }
done
for name in createrepo_c createrepo; do
    path=$(command -v "$name") && { echo "createrepo $path"; break; }
done
for name in flock timeout rpm sha256sum cmp; do
    command -v "$name" >/dev/null || echo "missing $name"
done
echo "uid $(id -u)"
if unshare --map-root-user true 2>/dev/null; then echo "userns yes"; fi
[ -w "$root" ] || { echo "state unwritable"; exit 0; }
echo "free $(df -Pk "$root" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
cd "$root"
if [ -L repodata ]; then
    live=$(readlink repodata); live=${live%/repodata}
    echo "state live $live"
    if [ -f "$live/manifests.txt" ]; then sed 's/^/manifest /' "$live/manifests.txt"; fi
    if [ -f "$live/mark.txt" ]; then sed 's/^/mark /' "$live/mark.txt"; fi
    echo "repomd $(sha256sum < repodata/repomd.xml | cut -d ' ' -f 1)"
    if [ -f "$live/publication.json" ]; then echo publication; cat "$live/publication.json"; fi
elif [ -d repodata ]; then echo "state plain"
else echo "state empty"
fi
"""


def survey(target: Target) -> Argv:
    """Ask for the programs that are there, the free disk and the live publication."""
    return script(_SURVEY, "survey", target.root)


@dataclass(frozen=True)
class Survey:
    """What a mirror host said of itself."""

    state: Literal["live", "plain", "empty", "unwritable"]
    tools: Tools | None
    """None if a program is missing."""
    missing: tuple[str, ...] = ()
    live: str = ""
    """The live publication's directory, relative to the root."""
    repomd: str = ""
    """SHA-256 of the live repomd.xml."""
    free: int = 0
    """Bytes."""
    manifests: tuple[str, ...] = ()
    """Digests of manifests that the live publication is known to satisfy."""
    mark: str = ""
    """Of a newer merge than its own, which changed nothing."""
    publication: str = ""
    """publication.json, as text."""

    @classmethod
    def parse(cls, output: str, helper: bool) -> Survey:
        """Read the output of `survey`; `helper` says whether one is configured."""
        text, _, publication = output.partition("\npublication\n")
        pairs = [line.partition(" ")[::2] for line in text.splitlines()]
        facts = dict(pairs)
        missing = [value for key, value in pairs if key == "missing"]
        missing += [name for key, name in _NEEDED.items() if key not in facts]
        state, _, live = facts.get("state", "unwritable").partition(" ")
        return cls(
            state=state,  # type: ignore[arg-type]  # one of the words of the script above
            tools=None if missing else _tools(facts, helper),
            missing=tuple(missing),
            live=live,
            repomd=facts.get("repomd", ""),
            free=int(facts.get("free", 0)) * 1024,
            manifests=tuple(value for key, value in pairs if key == "manifest"),
            mark=facts.get("mark", ""),
            publication=publication,
        )


_NEEDED = {"manager": "dnf or yum", "createrepo": "createrepo_c or createrepo"}


def _tools(facts: dict[str, str], helper: bool) -> Tools:
    path = facts["manager"]
    name = PurePosixPath(path).name
    manager: Manager = "dnf5" if name == "dnf5" else "dnf4" if name.startswith("dnf") else "yum3"
    unprivileged: Elevation = "userns" if facts.get("userns") == "yes" and not helper else "helper"
    elevation: Elevation = "none" if facts.get("uid") == "0" else unprivileged
    return Tools(manager, path, facts["createrepo"], elevation)


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


def lock(target: Target) -> Argv:
    """Take the writer's lock; print `locked`, and hold it until standard input ends.

    The channel's end is standard input's end, so the lock cannot outlive the connection, nor can
    a command of `tracked` outlive the lock.
    """
    return ("env", f"HOLD={_HOLD}", *script(_LOCK, "lock", target.root, str(LOCK_HELD)))


_TRACKED = """
running=$1; shift
"$@" &
{ echo $! > "$running"; } 2>/dev/null || :
code=0; wait $! || code=$?
rm -f "$running"
exit $code
"""


def tracked(target: Target, argv: Argv) -> Argv:
    """Run a command so that it is stopped if the connection ends before it does."""
    return script(_TRACKED, "tracked", f"{target.root}/.running", *argv)
