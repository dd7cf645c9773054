"""`python -m lab.box`: build the box, bring the four machines up, tell the story, take it away."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack

from lab.box import captures, image, story
from lab.box.enclosure import LOG, NAMESPACE, PLACE, Enclosure, leftovers
from lab.box.needs import missing
from lab.box.vagrant import Machines
from lab.hosts.report import Report, expect
from lab.hosts.shell import LOGS, LabError, say
from lab.hosts.site import Outside
from lab.processes import terminable


def everything(report: Report, keep: bool) -> None:
    """Tell the whole story; with `keep`, wait before what is up is taken away."""
    began = time.monotonic()
    LOG.unlink(missing_ok=True)
    captures.forget()
    with report.step("box") as seen:
        box = image.build()
        seen(f"{box.name}, {box.stat().st_size / 1e6:.0f} MB")
    with ExitStack() as stack:
        enclosure = stack.enter_context(Enclosure.running())
        outside = stack.enter_context(Outside.running(PLACE / "outside", NAMESPACE))
        machines = Machines(outside, enclosure)
        try:
            with report.step("vagrant box add"):
                machines.prepare(box)
            story.tell(machines, report)
        finally:
            if keep:
                say(f"up; inside is: {' '.join(enclosure.command('bash'))}; Ctrl-C ends it")
                time.sleep(86_400)
    with report.step("cleaned up") as seen:
        left = leftovers()
        expect(not left, f"still there: {left}")
        seen(f"no process, namespace or mount left; {time.monotonic() - began:.0f} s in all")


def main() -> int:
    """Read the command line; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.box", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="stay up at the end, until Ctrl-C")
    keep: bool = parser.parse_args().keep
    if problems := missing():
        say("vagrant-check: no real vagrant up here; missing:")
        for problem in problems:
            say(f"  - {problem}")
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    report = Report()
    with terminable():
        try:
            everything(report, keep)
        except (LabError, OSError) as error:
            say(f"\nvagrant-check: {error}\nvagrant-check: the logs are in {LOGS}")
            report.fail()
    print(report.table())
    captures.keep("table", "make vagrant-check", report.table())
    return 0 if report.good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
