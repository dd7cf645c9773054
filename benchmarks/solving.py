"""What takes several runs of the solver, or long lists: entries that conflict, and a lock file."""

from __future__ import annotations

import json
import statistics
import time

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.lock import Lock
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.service import Service
from gm_analytics.settings import Settings
from lab.packages import Package, synthetic
from lab.site import Mirror, Site

RUNS = 5
ENTRIES = 50
LOCKED = 3_000
HEAD = "| | until it is published | runs that solve | runs that prove |\n| --- | --- | --- | --- |"


def measure(site: Site) -> list[str]:
    """Give the rows."""
    return [HEAD, *_conflict(site), _locked(site)]


def _conflict(site: Site) -> list[str]:
    """Fifty entries, two of which conflict, beside fifty that do not; one is new each time."""
    agreeing = [f"leaf{number:02d}" for number in range(ENTRIES - 1)]
    conflicting = [*agreeing[:-2], "postfix", "sendmail"]
    rows = []
    for about, others in [
        (f"{ENTRIES} entries", agreeing),
        (f"{ENTRIES} entries, two of which conflict", conflicting),
    ]:
        mirror = site.add_mirror(f"{'conflict' if 'two' in about else 'agree'}.example")
        new = [f"{mirror.name.partition('.')[0]}{number}" for number in range(RUNS + 1)]
        site.upstream.add(*map(Package, new))
        service = _service(site, mirror)
        took = []
        for name in new:
            mirror.host.clear_commands()
            took.append(_apply(service, mirror, [*others, name]))
        solving, proofs = _runs(mirror)
        rows.append(f"| {about} | {statistics.median(took[1:]):.2f} s | {solving} | {proofs} |")
    return rows


def _locked(site: Site) -> str:
    """A lock file of so many RPMs, on a mirror that has none of them."""
    parts = synthetic(LOCKED - 1, "locked")
    site.upstream.add(*parts, Package("all", requires=tuple(part.name for part in parts)))
    first, second = site.add_mirror("locks.example"), site.add_mirror("locked.example")
    _apply(_service(site, first), first, ["all"])
    lock = _service(site, first).operations.lock(first.name, None)
    assert len(lock.packages) == LOCKED
    second.host.clear_commands()
    took = _apply(_service(site, second), second, ["all"], lock)
    solving, proofs = _runs(second)
    return f"| {LOCKED:,} locked, all to be fetched | {took:.2f} s | {solving} | {proofs} |"


def _service(site: Site, mirror: Mirror) -> Service:
    return Service(Settings.model_validate(site.settings(mirrors=[mirror.settings()])))


def _apply(service: Service, mirror: Mirror, names: list[str], lock: Lock | None = None) -> float:
    started = time.monotonic()
    manifest = Manifest.parse(json.dumps(names).encode())
    outcome = service.operations.apply(manifest, mirror.name, DirectStep(), lock)
    assert outcome.state == "published", outcome.message
    return time.monotonic() - started


def _runs(mirror: Mirror) -> tuple[int, int]:
    """Count the runs that solved, and those that proved."""
    runs = [run for run in mirror.host.commands("dnf") if "install" in run.arguments]
    proofs = [run for run in runs if any("candidate.d" in word for word in run.arguments)]
    return len(runs) - len(proofs), len(proofs)
