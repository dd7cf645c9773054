"""What the real `vagrant up` shows, step by step, each a row of the table."""

from __future__ import annotations

import re

from lab.box.vagrant import Machines
from lab.hosts.report import Report, expect
from lab.hosts.site import NAMES, POOL, RESERVED
from lab.hosts.story import publish

_COUNT = re.compile(r"(\d+/\d+) resources updated")
_ADDRESS = re.compile(r"192\.168\.131\.\d+")


def tell(machines: Machines, report: Report) -> None:
    """Everything, in order. Raises LabError at the first step that fails."""
    with report.step("vagrant up") as seen:
        seen(chef(machines.vagrant("up", capture="up"), NAMES))
    with report.step("vagrant status") as seen:
        said = machines.vagrant("status")
        states = {name: f"{name} " in said and "running" in said for name in NAMES}
        expect(all(states.values()) and said.count("running (") == len(NAMES), said)
        seen("four machines run")
    with report.step("leases of our DHCP server") as seen:
        ci, client = (address(machines, name) for name in ("ci_server", "mirror_client"))
        expect(ci == RESERVED["ci_server"], f"ci_server has {ci or 'no lease'}")
        low, high = (int(end.rpartition(".")[2]) for end in POOL)
        expect(client and low <= int(client.rpartition(".")[2]) <= high, f"client: {client}")
        seen(f"ci_server {ci} (reserved), mirror_client {client} (from the pool)")
    with report.step("failed units on all machines") as seen:
        failed = {name: units for name in NAMES if (units := failed_units(machines, name))}
        expect(not failed, f"failed: {failed}")
        seen("0")
    with report.step("the service on ci_server answers"):
        machines.lead_in()
    pull_request(machines, report, 1, "tree")
    again(machines, report)
    recreate_mirror(machines, report)
    pull_request(machines, report, 2, "libpcap")


def chef(said: str, names: tuple[str, ...]) -> str:
    """Give Chef's counts of each machine, from what Vagrant printed."""
    counts = _COUNT.findall(said)
    expect(len(counts) == len(names), f"{len(counts)} converges of {len(names)}: {counts}")
    return f"Chef: {', '.join(counts)} resources updated"


def address(machines: Machines, name: str) -> str:
    """Give a machine's address on the lab network, or nothing."""
    said = machines.ssh(name, "ip -4 -brief address")
    return next(iter(_ADDRESS.findall(said)), "")


def failed_units(machines: Machines, name: str) -> list[str]:
    """Give the names of the units that failed on a machine."""
    said = machines.ssh(name, "systemctl --failed --no-legend --plain")
    units = [line.split()[0] for line in said.splitlines() if ".service" in line]
    # Vagrant starts it, to set the name of a Debian machine, before it configures the interface.
    return [unit for unit in units if unit != "ifup@eth1.service"]


def pull_request(machines: Machines, report: Report, number: int, package: str) -> None:
    """Follow a pull request from its signed delivery to the package on the client."""
    publish(machines, report, number, package)
    log = "sudo journalctl -u gm-analytics-worker -o cat -n 3"
    machines.ssh("ci_server", log, capture=f"worker-{number}")
    with report.step(f"pull request {number}: dnf install on mirror_client") as seen:
        install = f"sudo dnf install -y {package}"
        said = machines.ssh("mirror_client", install, capture=f"install-{number}")
        expect("Complete!" in said, said)
        # With sudo: Debian keeps each account a database of its own.
        seen(machines.ssh("mirror_client", f"sudo rpm -q {package}").splitlines()[-1])


def again(machines: Machines, report: Report) -> None:
    """Provision everything again: nothing may change."""
    with report.step("vagrant provision") as seen:
        counts = chef(machines.vagrant("provision"), NAMES)
        expect(len(re.findall(r" 0/", counts)) == len(NAMES), counts)
        seen(counts)


def recreate_mirror(machines: Machines, report: Report) -> None:
    """Destroy the mirror machine alone and bring it up again: no other hand is needed."""
    with report.step("vagrant destroy and up, mirror_server alone") as seen:
        machines.vagrant("destroy", "--force", "mirror_server")
        seen(chef(machines.vagrant("up", "mirror_server"), ("mirror_server",)))
