"""libvirt and its machines in namespaces of their own: processes, mounts, network.

This machine's own libvirt, if there is one, is not touched. All of it ends with the namespace's
first process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from lab.hosts import network
from lab.hosts.shell import CACHE, LOGS, PATH, LabError, Output, run
from lab.processes import Daemon, wait_for

PLACE = CACHE / "box"
LOG = LOGS / "vagrant.log"
NAMESPACE = "gmbox"
_SCRIPT = Path(__file__).with_name("enclosure.sh")
_ERASE, _PROGRESS = "\x1b[K", "Progress: "
"""What Vagrant begins its lines with while it copies a disk: thousands of them."""
_LOCK = Path("/run/lock/gm-analytics-box.lock")


class Enclosure:
    """A running libvirtd and the namespaces around it."""

    def __init__(self, outer: Daemon) -> None:
        self._outer = outer

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Make it; at the end nothing of it is left.

        Raises:
            LabError: another one runs, or libvirtd does not answer; with the end of its log.

        """
        with _alone():
            down()
            (PLACE / "dev").mkdir(parents=True)
            (PLACE / "home").mkdir()
            log = LOGS / "libvirtd.log"
            log.unlink(missing_ok=True)
            outer = Daemon(
                [
                    "nsenter", f"--net={network.NETNS / NAMESPACE}",
                    "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child",
                    "sh", str(_SCRIPT), str(PLACE),
                ],
                log,
            )  # fmt: skip
            made = cls(outer)
            try:
                _make_network()
                outer.start(lambda: made.init is not None)
                wait_for(made._answers, f"libvirtd (see {log})", 120)
                yield made
            finally:
                outer.stop(kill=True)
                down()

    @property
    def init(self) -> int | None:
        """The outer id of the first process inside."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        found = children.read_text("ascii").split() if self._outer.running else []
        return int(found[0]) if found else None

    def command(self, *argv: str, directory: Path = PLACE) -> list[str]:
        """Give the command that runs `argv` inside, with an environment of its own."""
        environment = {
            "PATH": PATH,
            "HOME": str(PLACE / "home"),
            "LANG": "C.UTF-8",
            "VAGRANT_HOME": str(PLACE / "home/vagrant"),
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
        }
        pairs = [f"{name}={value}" for name, value in environment.items()]
        enter = ["nsenter", f"--target={self.init}", "--mount", "--net", "--pid"]
        return [*enter, "env", "-i", "-C", str(directory), *pairs, *argv]

    def do(self, *argv: str, directory: Path = PLACE, minutes: int = 90) -> Output:
        """Run a command inside; a person sees what it prints while it runs.

        Raises:
            LabError: it failed, or took longer than `minutes`.

        """
        words = self.command("timeout", f"{minutes}m", *argv, directory=directory)
        lines: list[str] = []
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(argv)}\n")
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Ctrl-C is for this program, which then ends the enclosure.
                start_new_session=True,
            )
            for raw in process.stdout or ():
                line = raw.removeprefix(_ERASE)
                if line.startswith(_PROGRESS):
                    continue
                lines.append(line)
                for out in (log, sys.stderr):
                    out.write(line)
                    out.flush()
        code = process.wait()
        if code:
            end = "".join(lines[-25:])
            raise LabError(f"running {' '.join(argv)}: exit {code}\n{end}")
        return Output(code, "".join(lines))

    def _answers(self) -> bool:
        asked = self.command("virsh", "--quiet", "--connect=qemu:///system", "list")
        return run(*asked, check=False).code == 0


def down() -> None:
    """End what is left of an enclosure, its files too; nothing there is fine."""
    if (network.NETNS / NAMESPACE).exists():
        for pid in _members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not _members(), "the enclosure to end")
        network.remove(NAMESPACE)
    shutil.rmtree(PLACE, ignore_errors=True)


def leftovers() -> list[str]:
    """Give what is still there of an enclosure on this machine."""
    mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    return [
        *(f"mount {line.split()[4]}" for line in mounts if f" {PLACE}" in line),
        *(str(path) for path in (network.NETNS / NAMESPACE, PLACE) if path.exists()),
    ]


def _members() -> list[int]:
    return [int(pid) for pid in run("ip", "netns", "pids", NAMESPACE).text.split()]


def _make_network() -> None:
    """Make the namespace in which everything is; the world outside is an address of its own."""
    run("ip", "netns", "add", NAMESPACE)
    run("ip", "-n", NAMESPACE, "link", "set", "lo", "up")
    # libvirt gives its bridge the same address later; the servers listen on it before.
    run("ip", "-n", NAMESPACE, "address", "add", network.OUTSIDE_ADDRESS, "dev", "lo")


@contextmanager
def _alone() -> Iterator[None]:
    with _LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabError("another real vagrant up is under way on this machine") from error
        yield
