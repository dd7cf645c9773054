"""`python -m lab.hosts`: everything, as `make lab`; or `up`, `down`, `shell NAME` by hand."""

from __future__ import annotations

import argparse
import os
import sys
import time

from lab.hosts import rootfs, story
from lab.hosts.needs import missing
from lab.hosts.report import Report
from lab.hosts.shell import LOGS, LabError, say
from lab.hosts.site import NAMES, Site, down, running
from lab.processes import terminable

NOT_COVERED = """Not covered by these hosts, which are Debian:
  EL (its dhcp-server, kea and python3.12), SELinux, firewalld: ChefSpec, `make test-cookbooks`
  Vagrant, its boxes and its synced folders: `make vagrant-check`
  ngrok's agent and GitHub themselves, for which stand-ins are here: nothing has a way out"""


def everything(keep: bool) -> int:
    """Tell the whole story, or only bring the hosts up and stay; print the table."""
    report = Report()
    began = time.monotonic()
    for log in LOGS.glob("*.log"):
        log.unlink()
    try:
        with report.step("root filesystem and wheels") as seen:
            seen(f"{rootfs.suite()}; {rootfs.wheels(rootfs.build()).name}")
        with Site.running() as site:
            if keep:
                stay(site, report)
            else:
                story.tell(site, report)
        if not keep:
            story.clean(report, began)
    except (LabError, OSError) as error:
        say(f"\nlab: {error}\nlab: the logs are in {LOGS}")
        report.fail()
    print(report.table())
    print(NOT_COVERED)
    return 0 if report.good else 1


def stay(site: Site, report: Report) -> None:
    """Keep the hosts for a person until Ctrl-C."""
    story.bring_up(site, report)
    story.check_hosts(site, report)
    say(f"up: {', '.join(NAMES)}; `python -m lab.hosts shell NAME` elsewhere; Ctrl-C ends it")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("going down")


def shell(name: str) -> None:
    """Become a root shell on a running host.

    Raises:
        LabError: it does not run.

    """
    machine = running().get(name)
    if machine is None:
        raise LabError(f"{name} does not run; up are: {', '.join(running()) or 'none'}")
    argv = machine.enter("bash", "--login")
    os.execvp(argv[0], argv)  # noqa: S606 - the shell takes this process' place


def main() -> int:
    """Read the command line; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.hosts", description=__doc__)
    parser.add_argument("verb", nargs="?", choices=("all", "up", "down", "shell"), default="all")
    parser.add_argument("name", nargs="?", choices=NAMES, help="a host, for shell")
    given = parser.parse_args()
    if problems := missing():
        say("lab: four hosts cannot run here; missing:")
        for problem in problems:
            say(f"  - {problem}")
        return 1
    if given.verb == "shell":
        shell(given.name or "ci_server")
    if given.verb == "down":
        down()
        return 0
    with terminable():
        return everything(keep=given.verb == "up")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
