"""What advisories cost: a publication of 5,000 packages with 2,000 of them, and without."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from gm_analytics.manifest import Manifest
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.service import Service
from gm_analytics.settings import Settings
from lab.packages import Advisory, Package, build, synthetic
from lab.processes import run
from lab.site import Mirror, Site

PACKAGES, ADVISORIES, LISTED, RUNS = 5_000, 2_000, 10, 7
HEAD = (
    "| RPMs live | advisories | a publication | more on disk, compressed | after the next "
    f"{RUNS} |\n| --- | --- | --- | --- | --- |"
)


def measure(site: Site) -> list[str]:
    """Give the rows: one new package published, with and without advisories of the others."""
    mirror = site.add_mirror("advisories.example")
    served = synthetic(PACKAGES, "advised")
    build(served, mirror.host.root)
    run(["createrepo_c", "-q", "--general-compress-type=gz", str(mirror.host.root)])
    mirror.host.owned_by_account(mirror.host.root)
    changed = {"upstream": {"max_age": 0}}
    config = site.settings(mirrors=[mirror.settings(**changed)])
    service = Service(Settings.model_validate(config))
    rows = [HEAD]
    for count in (0, ADVISORIES):
        site.upstream.advisories = tuple(_advisory(served, number) for number in range(count))
        names = [f"brought{count}x{number}" for number in range(RUNS + 1)]
        site.upstream.add(*map(Package, names))
        took = [_publish(service, mirror.name, names[0])]
        before = _bytes(mirror)
        took += [_publish(service, mirror.name, name) for name in names[1:]]
        spent = statistics.median(took[1:])
        sizes = f"{before / 1e3:,.0f} kB | {_bytes(mirror) / 1e3:,.0f} kB"
        rows.append(f"| {PACKAGES:,} | {count:,} | {spent:.2f} s | {sizes} |")
    site.upstream.advisories = ()
    site.upstream.refresh()
    return rows


def _advisory(served: tuple[Package, ...], number: int) -> Advisory:
    start = number * LISTED % (len(served) - LISTED)
    cves = tuple(f"CVE-2026-{number * 3 + one:05}" for one in range(3))
    listed = served[start : start + LISTED]
    return Advisory(f"LABSA-2026:{number:05}", listed, severity="Important", cves=cves)


def _publish(service: Service, mirror: str, name: str) -> float:
    started = time.monotonic()
    wanted = Manifest.parse(f'["{name}"]'.encode())
    outcome = service.operations.apply(wanted, mirror, DirectStep())
    assert outcome.state == "published", outcome.message
    return time.monotonic() - started


def _bytes(mirror: Mirror) -> int:
    live = (mirror.host.root / "repodata").resolve()
    named = (live / "repomd.xml").read_text(encoding="utf-8")
    found: list[Path] = [file for file in live.glob("*updateinfo*") if file.name in named]
    return sum(file.stat().st_size for file in found)


def main() -> None:
    """Measure this alone, and print it."""
    with Site.running() as site:
        print("\n".join(measure(site)))


if __name__ == "__main__":
    main()
