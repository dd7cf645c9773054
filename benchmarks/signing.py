"""What comparing the metadata before they are signed costs: the check alone, and a publication."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.checking import below, check
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.rpm.package import Package as Listed
from gm_analytics.service import Service
from gm_analytics.settings import Settings
from lab.packages import Package, build, synthetic
from lab.processes import run
from lab.site import Mirror, Site

SIZES = (500, 10_000)
RUNS = 7
HEAD = (
    "| RPMs live | the check alone | a publication, signed | unsigned | ratio |\n"
    "| --- | --- | --- | --- | --- |"
)


def measure(site: Site) -> list[str]:
    """Give the rows: one new package published with and without a key, in turn."""
    return [HEAD, *(_row(site, size) for size in SIZES)]


def _row(site: Site, size: int) -> str:
    signed = site.add_mirror(f"signed{size}.example")
    plain = site.add_mirror(f"unsigned{size}.example")
    site.sign(signed)
    for mirror in (signed, plain):
        build(synthetic(size), mirror.host.root)
        run(["createrepo_c", "-q", "--general-compress-type=gz", str(mirror.host.root)])
        mirror.host.owned_by_account(mirror.host.root)
    names = [f"sign{size}x{number}" for number in range(RUNS + 1)]
    site.upstream.add(*map(Package, names))
    config = site.settings(mirrors=[signed.settings(), plain.settings()])
    service = Service(Settings.model_validate(config))
    key_of(service.settings.mirror(signed.name)).make(signed.name)
    took: dict[str, list[float]] = {signed.name: [], plain.name: []}
    for name, mirror in ((name, one) for name in names for one in took):
        took[mirror].append(_publish(service, mirror, name))
    ours, theirs = (statistics.median(took[one.name][1:]) for one in (signed, plain))
    alone = statistics.median(_check(signed) for _ in range(RUNS))
    return f"| {size:,} | {alone:.3f} s | {ours:.2f} s | {theirs:.2f} s | {ours / theirs:.2f} |"


def _publish(service: Service, mirror: str, name: str) -> float:
    started = time.monotonic()
    outcome = service.operations.apply(
        Manifest.parse(f'["{name}"]'.encode()), mirror, DirectStep()
    )
    assert outcome.state == "published", outcome.message
    return time.monotonic() - started


def _check(mirror: Mirror) -> float:
    live = (mirror.host.root / "repodata").resolve().parent
    lines = (live / "packages.txt").read_text().splitlines()
    packages = tuple(map(Listed.from_line, lines))
    repomd = (live / "repodata" / "repomd.xml").read_bytes()

    def fetch(href: str, _most: int) -> bytes:
        return Path(below(str(live), href)).read_bytes()

    started = time.monotonic()
    check(mirror.name, repomd, fetch, packages, groups="")
    return time.monotonic() - started
