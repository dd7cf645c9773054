"""Vagrant in the enclosure: a copy of the checkout with settings of its own, and commands."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml

from lab.box import captures, image
from lab.box.enclosure import NAMESPACE, PLACE, Enclosure
from lab.hosts.shell import CHECKOUT, run
from lab.hosts.site import NAMES, Outside, Pipeline
from lab.processes import Daemon

MEMORY = 512
"""MiB of each machine."""
_LEFT_OUT = ("/.git", "/.cache", "/.venv", "/.vagrant", "/site.yaml", "__pycache__", ".*_cache")
_SERVICE = "8080:127.0.0.1:8080"


class Machines(Pipeline):
    """The Vagrantfile's four machines."""

    patience = 900.0

    def __init__(self, outside: Outside, enclosure: Enclosure) -> None:
        super().__init__(outside, NAMESPACE)
        self._enclosure = enclosure
        self._directory = PLACE / "checkout"

    def prepare(self, box: Path) -> None:
        """Copy the checkout, write its site.yaml and add the box."""
        left_out = [f"--exclude={name}" for name in _LEFT_OUT]
        run("rsync", "--archive", *left_out, f"{CHECKOUT}/", f"{self._directory}/")
        site = {
            "box": image.NAME,
            "machines": {name: {"memory": MEMORY} for name in NAMES},
            **self.attributes(),
        }
        (self._directory / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
        self.vagrant("box", "add", "--name", image.NAME, str(box))

    def vagrant(self, *arguments: str, capture: str | None = None) -> str:
        """Run `vagrant` in the copy of the checkout and give what it printed.

        With `capture` the command and its output are kept under this name, for docs/lab.md.

        Raises:
            LabError: it failed; with the end of its output.

        """
        said = self._enclosure.do("vagrant", *arguments, directory=self._directory).text
        if capture:
            captures.keep(capture, shlex.join(("vagrant", *arguments)), said)
        return said

    def ssh(self, name: str, command: str, capture: str | None = None) -> str:
        """Run a command on a machine, as its user `vagrant`; see `vagrant`."""
        return self.vagrant("ssh", name, "-c", command, capture=capture)

    def lead_in(self) -> Daemon:
        """Lead to the web unit of ci_server from outside of it, in ngrok's stead.

        It ends with the enclosure.
        """
        words = ("vagrant", "ssh", "ci_server", "--", "-N", "-L", _SERVICE)
        argv = self._enclosure.command(*words, directory=self._directory)
        return Daemon(argv, PLACE / "tunnel.log").start(self.healthy, 300)
