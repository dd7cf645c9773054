"""Converging a host with Chef: `chef-solo`, the cookbooks of the checkout, one node file."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.hosts.machine import Machine
from lab.hosts.shell import CHECKOUT, LOGS, LabError

SOURCE = "/vagrant"
"""Where a host sees the checkout, as with Vagrant."""

NODE = "/etc/gm-lab/node.json"
"""Where a host is told its attributes; only root may read it."""

_SOLO = f"""cookbook_path '{SOURCE}/cookbooks'
file_cache_path '/var/chef/cache'
node_path '/var/chef/nodes'
"""
_AS_WITH_VAGRANT = CHECKOUT / "lab" / "vagrant" / "solo.rb"
_UPDATED = re.compile(r"(\d+)/(\d+) resources updated")
_ERROR = re.compile(r"FATAL: (?!Stacktrace|PLEASE|-{5})(.+)")


@dataclass(frozen=True)
class Converge:
    """What one run of Chef did.

    Attributes:
        updated: resources that it changed; None when it failed.
        total: resources that it looked at.
        seconds: how long it took, Chef's own start included.
        error: its error line, or nothing.

    """

    updated: int | None
    total: int
    seconds: float
    error: str
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.updated is None:
            return self.error
        return f"{self.updated}/{self.total} resources updated"


def attempt(machine: Machine, node: Mapping[str, Any]) -> Converge:
    """Converge a host once and tell how it went; the whole output goes to the log."""
    machine.do("mkdir", "-p", "/etc/gm-lab")
    machine.do("sh", "-c", f"umask 077; cat > {NODE}", stdin=json.dumps(node))
    machine.do(
        "sh", "-c", "cat > /etc/gm-lab/solo.rb", stdin=_SOLO + _AS_WITH_VAGRANT.read_text("utf-8")
    )
    began = time.monotonic()
    said = machine.do(
        "chef-solo", "--config", "/etc/gm-lab/solo.rb", "--json-attributes",
        NODE, "--no-color", "--format", "doc", "--no-fork",
        check=False, timeout=600,
    )  # fmt: skip
    seconds = time.monotonic() - began
    log = LOGS / f"{machine.name}.chef.log"
    with log.open("a", encoding="utf-8") as file:
        file.write(said.text + "\n")
    counts = _UPDATED.findall(said.text)
    if said.code or not counts:
        return Converge(None, 0, seconds, error_line(said.text))
    updated, total = map(int, counts[-1])
    return Converge(updated, total, seconds, "", _changes(said.text))


def converge(machine: Machine, node: Mapping[str, Any]) -> Converge:
    """Converge a host once.

    Raises:
        LabError: Chef failed.

    """
    done = attempt(machine, node)
    if done.updated is None:
        log = (LOGS / f"{machine.name}.chef.log").read_text("utf-8")
        end = "\n".join(log.splitlines()[-60:])
        raise LabError(f"host {machine.name}: converging: {done.error}\n{end}")
    return done


def error_line(text: str) -> str:
    """Give the line of Chef's output that says what was wrong."""
    return next(iter(_ERROR.findall(text)), "no error line; see the log").strip()


def _changes(text: str) -> tuple[str, ...]:
    """Give the doc format's lines of what was changed, for when nothing should have been."""
    # The list of cookbooks, which is indented less, is none; each line comes from two formatters.
    changes = (line.strip() for line in text.splitlines() if re.match(r"\s{4,}- ", line))
    return tuple(dict.fromkeys(changes))
