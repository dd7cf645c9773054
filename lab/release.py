"""The tests in a bare root of another Debian release: `make release`.

    python -m lab.release [SUITE] [-- COMMAND]

The root has git, make and certificates, and is made once; `lab/setup` installs the rest in it, as
on a stranger's machine. COMMAND runs in a copy of this checkout there; without one, `make demo`
and pytest do. Where no root can be made this says why it is skipped, and ends with 0.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.hosts.needs import lacking
from lab.hosts.rootfs import apt_options, key_of, remove, sources
from lab.hosts.shell import CHECKOUT, LabError, run, say

CACHE = CHECKOUT / ".cache" / "release"
SUITES = ("bookworm", "trixie")
"""Debian 12 and 13."""
BARE = ("ca-certificates", "git", "make")
PROGRAMS = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "pivot_root": "util-linux"}
COMMANDS = """lab/setup test
make demo
exec .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \\
    tests/unit tests/contract tests/integration/test_clients.py \\
    tests/integration/test_history.py \\
    tests/integration/test_refusals.py tests/integration/test_selectors.py \\
    tests/integration/test_story.py
"""
"""The integration tests that lean on what a release has: dnf, createrepo_c, rpm, Python."""
PLACE = "checkout"
"""Where the copy of this checkout is, below the root's /."""
_OURS = ("etc/pip.conf", "root/.config/pip/pip.conf", "root/.pip/pip.conf", "etc/resolv.conf")
"""How this machine reaches PyPI, beside the environment."""
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_CAPTIVE = "usr/local/share/ca-certificates"

# Not chroot: in one the kernel refuses the user namespaces that the mirror host works in.
_ENTER = """set -eu
root=$1 place=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cd "$root"
pivot_root . mnt
umount -l /mnt
cd "/$place"
exec "$@"
"""


def main(arguments: Sequence[str]) -> int:
    """Make the root and run in it; give the command's exit code."""
    words = list(arguments)
    if "--" in words:
        cut = words.index("--")
        words, command = words[:cut], words[cut + 1 :]
    else:
        command = ["sh", "-ec", COMMANDS]
    chosen = words[0] if words else other(_codename())
    try:
        root = build(chosen)
    except LabError as error:
        say(f"release: skipped: no root of Debian {chosen} can be made here: {error}")
        return 0
    _copy_checkout(root / PLACE)
    say(f"release: Debian {chosen}: {shlex.join(command)}")
    return enter(root, command)


def other(codename: str) -> str:
    """Give the release that this machine is not; on a third kind of machine, the newest."""
    return next(suite for suite in reversed(SUITES) if suite != codename)


def build(suite: str) -> Path:
    """Give the bare root of a release, made when there is none.

    Raises:
        LabError: a program or Debian's registry is not to be had; it says which.

    """
    root = CACHE / f"{suite}-{key_of([suite, *BARE])}"
    if root.exists():
        return root
    if problems := lacking(PROGRAMS):
        raise LabError("; ".join(problems))
    say(f"release: making a bare root of Debian {suite} (a minute, once)")
    new = root.with_suffix(".new")
    remove(new)
    CACHE.mkdir(parents=True, exist_ok=True)
    # In a mount namespace: what it mounts ends with it, though it be interrupted.
    run(
        *("unshare", "--mount", "--propagation", "private"),
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(BARE)}",
        *(f"--aptopt={line}" for line in apt_options()),
        "--dpkgopt=force-unsafe-io",
        suite,
        new,
        *sources(suite),
        log=CACHE / "mmdebstrap.log",
    )
    _reach_pypi(new)
    new.rename(root)
    return root


def _reach_pypi(root: Path) -> None:
    for name in (*_OURS, _CERTIFICATES):
        _copy(Path("/", name), root / name)
    captive = Path("/", _CAPTIVE)
    for path in captive.rglob("*.crt"):
        _copy(path, root / _CAPTIVE / path.relative_to(captive))


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


def enter(root: Path, command: Sequence[str], stdin: int = subprocess.DEVNULL) -> int:
    """Run a command in a root, with the machine's network and no process left behind."""
    unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    argv = [*unshare, "sh", "-c", _ENTER, "enter", str(root), PLACE, *command]
    environment = {**os.environ, "HOME": "/root", "TMPDIR": "/tmp"}  # noqa: S108 - the root's own
    return subprocess.run(argv, env=environment, stdin=stdin, check=False).returncode


def _copy_checkout(target: Path) -> None:
    """Copy what git knows or would add; what `lab/setup` made there before stays."""
    listed = run(
        "git", "-C", CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"
    )
    names = {name for name in listed.text.split("\0") if (CHECKOUT / name).is_file() and name}
    for old in _files(target):
        if old not in names:
            (target / old).unlink()
    for name in sorted(names):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, place)


def _files(target: Path) -> Iterable[str]:
    kept = {".venv", ".cache", ".git"}
    for path in [*target.rglob("*")]:
        relative = path.relative_to(target)
        if path.is_file() and relative.parts[0] not in kept:
            yield str(relative)


def _codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return found[1] if found else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
