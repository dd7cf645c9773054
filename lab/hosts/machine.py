"""One host: an overlay over the root filesystem, booted by systemd-nspawn; stopped by its id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.hosts import network
from lab.hosts.needs import UNIFIED, cgroup_trees
from lab.hosts.shell import CACHE, LOGS, PATH, LabError, Output, run

RUN = CACHE / "run"
BOOT_SECONDS = 60
STOP_SECONDS = 25
SIGRTMIN = 34
HALT = SIGRTMIN + 4
"""What systemd as pid 1 takes for `poweroff`."""

# systemd 256 and later (Debian 13) refuse control groups v1 unless they are told.
_LEGACY = () if UNIFIED else ("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",)
_START = 'for group; do [ "$group" = -- ] && break; echo $$ > "$group/cgroup.procs"; done; '
_EXEC = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Machine:
    """A host of the lab.

    Attributes:
        name: as in the Vagrantfile.
        mac: of its interface on the lab network.
        address: a static one, or None: it takes a lease.
        root: the root filesystem below the overlay.
        binds: outer directories that it sees, read-only, and where.
        shared: outer directories that it may write to, and where.

    """

    name: str
    mac: str
    address: str | None
    root: Path
    binds: Mapping[Path, str]
    shared: Mapping[Path, str]

    @property
    def place(self) -> Path:
        """Where the overlay and the state file are."""
        return RUN / self.name

    @property
    def merged(self) -> Path:
        """The host's root directory as the outer machine sees it."""
        return self.place / "merged"

    @property
    def groups(self) -> list[Path]:
        """The host's own cgroups; sharing them, hosts would interfere."""
        return [tree / network.namespace(self.name) for tree in cgroup_trees()]

    # --- life ---------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the host's disk and network anew."""
        self.destroy()
        for part in ("upper", "work", "merged"):
            (self.place / part).mkdir(parents=True)
        layers = f"lowerdir={self.root},upperdir={self.place}/upper,workdir={self.place}/work"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.merged)
        (self.merged / "etc/hostname").write_text(f"{self.name.replace('_', '-')}\n", "ascii")
        method = f"static\n    address {self.address}/24" if self.address else "dhcp"
        interfaces = self.merged / "etc/network/interfaces.d"
        interfaces.mkdir(parents=True, exist_ok=True)
        (interfaces / "lab").write_text(
            f"auto {network.INTERFACE}\niface {network.INTERFACE} inet {method}\n", "ascii"
        )
        network.Cable(self.name, self.mac).plug()

    def boot(self) -> None:
        """Start it and wait until systemd says that it is up.

        Raises:
            LabError: it is not up within a minute, or a unit failed.

        """
        for group in self.groups:
            group.mkdir(exist_ok=True)
        log = LOGS / f"{self.name}.boot.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            subprocess.Popen(
                [
                    "sh", "-c", _START + _EXEC, "start", *map(str, self.groups), "--",
                    "systemd-nspawn", "--keep-unit", "--register=no", "--quiet",
                    f"--directory={self.merged}", f"--machine={self.name.replace('_', '-')}",
                    f"--network-namespace-path={network.NETNS / network.namespace(self.name)}",
                    "--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--console=pipe",
                    *(f"--bind-ro={outer}:{inner}" for outer, inner in self.binds.items()),
                    *(f"--bind={outer}:{inner}" for outer, inner in self.shared.items()),
                    "--boot", *_LEGACY,
                ],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={"PATH": PATH, "SYSTEMD_NSPAWN_LOCK": "0"},
                start_new_session=True,
            )  # fmt: skip
        self._wait_until_up()

    def stop(self) -> None:
        """Power it off; what does not stop in time is killed, by its id."""
        leader = self.leader()
        if leader is None:
            return
        parent = _parent(leader)
        _signal(leader, HALT)
        if not _gone(leader, STOP_SECONDS):
            _signal(leader, signal.SIGKILL)
            _gone(leader, 5)
        if parent and not _gone(parent, 5):
            _signal(parent, signal.SIGKILL)

    def destroy(self) -> None:
        """Stop it and remove its disk, network and cgroups; nothing there is fine too."""
        self.stop()
        network.Cable(self.name, self.mac).unplug()
        if os.path.ismount(self.merged):
            run("umount", "--recursive", "--lazy", self.merged)
        if self.place.exists():
            shutil.rmtree(self.place)
        for group in self.groups:
            _remove_group(group)

    def leader(self) -> int | None:
        """Give the outer id of the host's pid 1, if it runs.

        It is found as the process whose root directory is this host's and whose parent is not.
        """
        pids = {pid for group in self.groups for pid in _members(group)}
        insiders = {pid for pid in pids if _is_init(pid)}
        return min(insiders) if insiders else None

    # --- use ----------------------------------------------------------------------------------

    def enter(self, *argv: str) -> list[str]:
        """Give the command that runs `argv` as root on the host.

        Raises:
            LabError: the host does not run.

        """
        leader = self.leader()
        if leader is None:
            raise LabError(f"host {self.name}: not running")
        env = ("env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb")
        # Root and directory too: where nspawn runs in a chroot they are not the namespace's.
        return ["nsenter", f"--target={leader}", "--all", "--root", "--wd", "--", *env, *argv]

    def do(
        self, *argv: str, check: bool = True, timeout: float = 300, stdin: str | None = None
    ) -> Output:
        """Run a command as root on the host.

        Raises:
            LabError: it failed and `check` is set.

        """
        log = LOGS / f"{self.name}.log"
        try:
            return run(*self.enter(*argv), check=check, timeout=timeout, stdin=stdin, log=log)
        except LabError as error:
            raise LabError(f"host {self.name}: {error}") from error

    def addresses(self) -> str:
        """Give the host's IPv4 addresses on the lab network, as `ip` prints them."""
        words = self.do("ip", "-4", "-brief", "address", "show", network.INTERFACE).text.split()
        return " ".join(word for word in words if "/" in word)

    def failed_units(self) -> list[str]:
        """Give the names of the units that failed."""
        said = self.do("systemctl", "--failed", "--no-legend", "--plain", check=False).text
        return [line.split()[0] for line in said.splitlines() if line.strip()]

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        state = "no pid 1"
        while time.monotonic() < deadline:
            if self.leader():
                with contextlib.suppress(LabError):
                    state = self.do("systemctl", "is-system-running", check=False).last
                if state in {"running", "degraded"}:
                    return
            time.sleep(0.2)
        end = (LOGS / f"{self.name}.boot.log").read_text("utf-8", "replace")[-1500:]
        raise LabError(f"host {self.name}: booting: after {BOOT_SECONDS} s: {state}\n{end}")


def _members(group: Path) -> set[int]:
    found: set[int] = set()
    # os.walk passes over directories that go while it walks, as units' groups do.
    for directory, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            text = Path(directory, "cgroup.procs").read_text("ascii")
            found |= {int(line) for line in text.split()}
    return found


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def _is_init(pid: int) -> bool:
    spaces = _status(pid).get("NSpid", "").split()
    return len(spaces) > 1 and spaces[-1] == "1"


def _parent(pid: int) -> int:
    return int(_status(pid).get("PPid", "0"))


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if _status(pid).get("State", "Z")[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def _remove_group(group: Path) -> None:
    if not group.is_dir():
        return
    below = [path for path in group.rglob("*") if path.is_dir()]
    for directory in [*sorted(below, key=lambda path: len(path.parts), reverse=True), group]:
        for _ in range(20):
            try:
                directory.rmdir()
                break
            except OSError:
                time.sleep(0.1)
