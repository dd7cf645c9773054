"""The root helper, moved below a temporary directory, with programs of the test's choice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from gm_analytics.mirror.survey import Manager, Target, Tools
from gm_analytics.remote import commands

SOURCE = Path(__file__).parents[2] / "cookbooks/mirror_server/files/gm-mirror-helper"
ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958@mirror"
ACCOUNT = "daemon"
PROGRAMS: dict[Manager, str] = {"dnf5": "dnf5", "dnf4": "dnf", "yum3": "yum"}
NEEDED = (
    "awk",
    "cat",
    "chmod",
    "chown",
    "cp",
    "date",
    "env",
    "find",
    "flock",
    "grep",
    "head",
    "id",
)
NEEDED += (
    "ln",
    "mkdir",
    "mkfifo",
    "nsenter",
    "readlink",
    "rm",
    "setpriv",
    "setsid",
    "sh",
    "sha256sum",
)
NEEDED += ("sleep", "unshare", "wc")


class Host:
    """The helper with its three places and its PATH moved below a temporary directory.

    Without `namespaces` the machine is one where root cannot make any.
    """

    def __init__(self, place: Path, manager: Manager, *, namespaces: bool = True) -> None:
        self.place = place
        self.bin = place / "bin"
        self.root = place / "repo"
        self.work, self.cache = place / "work", place / "cache"
        self.conf, self.helper = place / "helper.conf", place / "gm-mirror-helper"
        self.seen = place / "seen"
        self.variables = place / "vars"
        self.printed = self.seen / "argv"
        self.namespaces = namespaces
        self.rpms = self.root / ".staging" / ID / "rpms"
        self.manager = manager
        self.target = Target(str(self.root), "/etc/yum.repos.d", "9", helper=str(self.helper))
        self.tools = Tools(manager, str(self.bin / PROGRAMS[manager]), "createrepo_c")
        self._install()

    def configure(self, target: Target, timeout: int = 1800) -> None:
        """Write helper.conf for the same configuration as the service's."""
        self.target = target
        self.conf.write_text(
            f"root={target.root}\naccount={ACCOUNT}\nreposdir={target.reposdir}\n"
            f"releasever={target.releasever}\narch={target.arch or ''}\n"
            f"module_platform_id={target.module_platform_id or ''}\n"
            f"weak_dependencies={int(target.weak_dependencies)}\nmax_age={target.max_age}\n"
            f"signatures={target.signatures}\ntimeout={timeout}\n"
        )

    def run(self, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.helper, *arguments], input=said, capture_output=True, text=True, check=False
        )

    def argv(self) -> list[str] | None:
        """What the manager was run with, or None if it was not."""
        if not self.printed.exists():
            return None
        return self.printed.read_text().split("\0")[:-1]

    def as_run_here(self, argv: commands.Argv) -> list[str]:
        """Give a command of the service as the helper runs it: as it is, in a namespace.

        As root, without the pool, and with directories of root's.
        """
        if self.namespaces:
            return list(argv)
        moved = {
            f",{self.target.staging(ID, 'pool.d')}": "",
            self.target.staging(ID): str(self.work / ID),
            f"{self.root}/.cache/": f"{self.cache}/",
        }
        words = list(argv)
        for ours, roots in moved.items():
            words = [word.replace(ours, roots) for word in words]
        return self._with_a_place_for_downloads(words)

    def _with_a_place_for_downloads(self, words: list[str]) -> list[str]:
        """Where root is yum, downloads do not stay in the cache, which is root's."""
        rpms = f"{self.work}/{ID}/rpms"
        into = {"dnf4": f"--downloaddir={rpms}", "dnf5": f"--setopt=destdir={rpms}"}
        if "-y" not in words or self.manager not in into:
            return words
        behind = ("--skip-broken", "--setopt=strict=", "--setopt=skip_broken=", "install")
        at = next(at for at, word in enumerate(words) if word.startswith(behind))
        return [*words[:at], into[self.manager], *words[at:]]

    def _install(self) -> None:
        text = SOURCE.read_text()
        for before, after in (
            ("CONF=/etc/gm-mirror/helper.conf", f"CONF={self.conf}"),
            ("WORK=/var/lib/gm-mirror", f"WORK={self.work}"),
            ("CACHE=/var/cache/gm-mirror", f"CACHE={self.cache}"),
            ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"PATH={self.bin}"),
        ):
            assert text.count(f"\n{before}\n") == 1
            text = text.replace(f"\n{before}\n", f"\n{after}\n")
        text = text.replace("/etc/dnf/vars/", f"{self.variables}/")
        self.helper.write_text(text)
        self.helper.chmod(0o755)
        self.bin.mkdir()
        for name in NEEDED:
            (self.bin / name).symlink_to(shutil.which(name) or name)
        if not self.namespaces:
            self.replace("unshare", "exit 1")
        self.variables.mkdir()
        self.seen.mkdir()
        self.seen.chmod(0o777)
        self.program(f"""printf '%s\\0' "$0" "$@" > {self.printed}""")
        self.rpms.mkdir(parents=True)
        for path in (self.root, self.root / ".staging", self.rpms.parent, self.rpms):
            shutil.chown(path, ACCOUNT, ACCOUNT)
        self.configure(self.target)

    def program(self, script: str) -> None:
        """Replace the package manager."""
        self.replace(PROGRAMS[self.manager], script)

    def replace(self, name: str, script: str) -> None:
        """Put a shell script in a program's place."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def candidate(self) -> Path:
        """Make an empty candidate of the account's; give its repodata."""
        repodata = self.rpms.parent / "candidate" / "repodata"
        repodata.mkdir(parents=True)
        (repodata / "repomd.xml").write_text("<repomd/>")
        for path in (repodata.parent, repodata, repodata / "repomd.xml"):
            shutil.chown(path, ACCOUNT, ACCOUNT)
        return repodata
