"""`make bench-against`: this version side by side with another one, in turn, in one run.

    python -m benchmarks.versions PROGRAMS [ROW...]

PROGRAMS is the directory with the other version's `gm-analytics`. Each version has a mirror and a
database of its own in one lab; each sample is taken of both, and who comes first alternates.
Quote the ratios: other load on the machine makes both sides slower.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import requests
import yaml

from benchmarks.__main__ import LARGE, PREVIEWED, PREVIEWED_SIZE, machine, manifest
from benchmarks.__main__ import service_seconds as from_post_to_clients
from lab.deliveries import PullRequest
from lab.packages import Package, build, synthetic
from lab.processes import run
from lab.site import Mirror, Service, Site

SAMPLES = 20
WARM_UP = 2
"""Samples of each version that are taken and not counted."""
BURST, CONNECTIONS = 100, 8


@dataclass
class Version:
    """A running version with its own mirror."""

    name: str
    service: Service
    mirror: Mirror

    def publish(self, site: Site, text: str, number: int) -> float:
        """Seconds from the POST to what clients see."""
        return from_post_to_clients(self.service, site, text, number)[0]


Sample = Callable[[Version, int], float]


def understood(programs: Path, values: dict[str, object]) -> dict[str, object]:
    """Leave out what an older version's configuration does not have yet."""
    asked = "from gm_analytics.settings import Settings; print(*Settings.model_fields)"
    known = subprocess.check_output([programs / "python", "-I", "-c", asked], text=True).split()
    return {key: value for key, value in values.items() if key in known}


class Bench:
    """One lab with both versions; every row gives what takes its samples."""

    def __init__(self, site: Site, programs: Path) -> None:
        self._site = site
        self._installations = {"old": programs, "new": Path(sys.executable).parent}
        self._numbers = iter(range(1, 1_000_000))

    def versions(self, stack: ExitStack, row: str, **changes: object) -> list[Version]:
        """Start both versions with a fresh mirror each."""
        return [self._version(stack, row, name, changes) for name in self._installations]

    def _version(
        self, stack: ExitStack, row: str, name: str, changes: dict[str, object]
    ) -> Version:
        mirror = self._site.add_mirror(f"{row}-{name}.example")
        if changes.pop("large", False):
            build(synthetic(LARGE), mirror.host.root)
            run(["createrepo_c", "-q", str(mirror.host.root)])
            mirror.host.owned_by_account(mirror.host.root)
        config = self._site.directory / f"{row}-{name}.yaml"
        if changes.pop("signed", False):
            self._site.sign(mirror)
        database = f"sqlite:///{self._site.directory}/{row}-{name}-db/updates.sqlite"
        values = self._site.settings(database_url=database, mirrors=[mirror.settings()], **changes)
        programs = self._installations[name]
        config.touch(0o600)
        config.write_text(yaml.safe_dump(understood(programs, values)), encoding="utf-8")
        if mirror.signing_home:
            subprocess.run(
                [programs / "gm-analytics", "key", "--config", config],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        service = Service(self._site, config, programs)
        stack.callback(service.stop)
        service.start()
        return Version(name, service, mirror)

    def number(self) -> int:
        """Give a pull request's number that no sample had."""
        return next(self._numbers)

    def new_package(self, prefix: str) -> Sample:
        """One new package a sample, the same for both versions."""
        names = [f"{prefix}{index}" for index in range(SAMPLES + WARM_UP)]
        self._site.upstream.add(*map(Package, names))
        return lambda version, index: version.publish(
            self._site, manifest(names[index]), self.number()
        )

    # --- rows -----------------------------------------------------------------------------

    def small(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """One new package on a small mirror."""
        return self.versions(stack, "small"), self.new_package("small")

    def large(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """One new package on a mirror of 10,000 RPMs."""
        versions = [self._version(stack, "large", n, {"large": True}) for n in self._installations]
        return versions, self.new_package("large")

    def signed(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """One new package on a small mirror whose metadata is signed."""
        versions = [
            self._version(stack, "signed", n, {"signed": True}) for n in self._installations
        ]
        return versions, self.new_package("signed")

    def fifty(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """Fifty entries, one of them new."""
        new = [f"fifty{index}" for index in range(SAMPLES + WARM_UP)]
        self._site.upstream.add(*map(Package, new))
        leaves = [f"leaf{number:02d}" for number in range(49)]
        return self.versions(stack, "fifty"), lambda version, index: version.publish(
            self._site, manifest(*leaves, new[index]), self.number()
        )

    def unchanged(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """A manifest that is live already."""
        return self.versions(stack, "unchanged"), lambda version, _: version.publish(
            self._site, manifest("tree"), self.number()
        )

    def previews(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """A preview of 500 RPMs that the pool has."""
        parts = [replace(part, size=PREVIEWED_SIZE) for part in synthetic(PREVIEWED - 1, "part")]
        self._site.upstream.add(*parts, Package("whole", requires=tuple(p.name for p in parts)))
        return self.versions(
            stack, "previews", publish="on_merge"
        ), lambda version, _: version.publish(self._site, manifest("whole"), self.number())

    def intake(self, stack: ExitStack) -> tuple[list[Version], Sample]:
        """A hundred signed deliveries over eight connections, stored and answered."""
        versions = self.versions(stack, "intake")
        for version in versions:  # the web alone: what a worker does meanwhile is another row
            version.service.stop()
            version.service.start_web()
        return versions, self._burst

    def _burst(self, version: Version, _: int) -> float:
        numbers = [self.number() for _ in range(BURST)]

        def send(some: list[int]) -> None:
            for number in some:
                sha = f"{number:040x}"
                pull = PullRequest(sha, self._site.repository.name, number=number)
                assert version.service.deliver(pull).status_code == requests.codes.accepted

        started = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            list(threads.map(send, [numbers[i::CONNECTIONS] for i in range(CONNECTIONS)]))
        return time.monotonic() - started


ROWS = ("small", "fifty", "unchanged", "previews", "intake", "signed", "large")


def samples(versions: list[Version], sample: Sample) -> dict[str, list[float]]:
    """Take each sample of both versions, one after the other."""
    taken: dict[str, list[float]] = {version.name: [] for version in versions}
    for index in range(SAMPLES + WARM_UP):
        for version in versions if index % 2 else reversed(versions):
            took = sample(version, index)
            if index >= WARM_UP:
                taken[version.name].append(took)
    return taken


def measure(programs: Path, rows: list[str]) -> Iterator[str]:
    """Give the report's lines, a row as soon as it is measured."""
    yield f"{machine()}; {SAMPLES} samples a row, in turn"
    yield "| | old | new | ratio of the medians | median of the pairs' ratios |"
    yield "| --- | --- | --- | --- | --- |"
    for row in rows:
        with Site.running() as site, ExitStack() as stack:
            bench = Bench(site, programs)
            versions, sample = getattr(bench, row)(stack)
            taken = samples(versions, sample)
        old, new = (statistics.median(taken[name]) for name in ("old", "new"))
        pairs = [b / a for a, b in zip(taken["old"], taken["new"], strict=True)]
        about = (getattr(Bench, row).__doc__ or row).rstrip(".")
        yield (
            f"| {about} | {old:.3f} s | {new:.3f} s | {new / old:.3f} "
            f"| {statistics.median(pairs):.3f} |"
        )


def main() -> None:
    """Print the report as it comes."""
    programs, *rows = sys.argv[1:]
    for line in measure(Path(programs).resolve(), rows or list(ROWS)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
