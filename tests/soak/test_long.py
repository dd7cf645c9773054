"""What only length shows: many generated upstreams, many publications. `make soak` does more."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from lab.packages import NOARCH, Package
from lab.site import Site
from tests.integration.conftest import at_once, manifest
from tests.support.length import LONG

UPSTREAMS, PUBLICATIONS = (40, 300) if LONG else (2, 6)
SIZE = 25
KEPT, GRACE_MINUTES = 5, 1


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        yield running


def generated(seed: int) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """Make packages that need earlier ones, a few of them in a ring; and a manifest's names."""
    chance = random.Random(seed)
    names = [f"soak{seed}-{number}" for number in range(SIZE)]
    needs = {
        name: set(chance.sample(names[:at], min(at, chance.randrange(4))))
        for at, name in enumerate(names)
    }
    needs[names[0]].add(chance.choice(names))
    packages = tuple(
        Package(name, f"{chance.randrange(1, 9)}.{chance.randrange(99)}", arch=NOARCH,
                epoch=chance.choice((0, 0, 1, 7)), requires=tuple(sorted(needs[name] - {name})))
        for name in names
    )  # fmt: skip
    return packages, tuple(sorted(chance.sample(names, chance.randrange(1, 6))))


def closure(packages: tuple[Package, ...], wanted: tuple[str, ...]) -> set[str]:
    needs = {package.name: package.requires for package in packages}
    found: set[str] = set()
    queue = list(wanted)
    while queue:
        if (name := queue.pop()) not in found:
            found.add(name)
            queue += needs[name]
    return found


def apply(site: Site, *names: str) -> str:
    short = {"publications": KEPT, "days": 0}
    mirror = site.mirror.settings(retention=short, grace_minutes=GRACE_MINUTES)
    config = site.settings(publish="on_merge", mirrors=[mirror])
    service = Service(settings.Settings.model_validate(config))
    wanted = Manifest.parse(manifest(*names).encode())
    return service.operations.apply(wanted, site.mirror.name, at_once()).state


@pytest.mark.parametrize("seed", range(UPSTREAMS))
def test_a_generated_closure_is_served_whole_and_installs(site: Site, seed: int) -> None:
    packages, wanted = generated(seed)
    site.upstream.add(*packages)
    assert apply(site, *wanted) == "published"
    client = site.client()
    client.install(*wanted)
    assert client.names() == closure(packages, wanted)


def test_after_many_publications_clients_see_each_and_the_disk_holds_what_is_kept(
    site: Site,
) -> None:
    client = site.client()
    for number in range(PUBLICATIONS):
        name = f"leaf{number % 2:02d}"
        assert apply(site, name) == "published"
        if number % 10 == 4:
            assert {nevra.partition("-")[0] for nevra in client.available()} == {name}
    over = time.time() - 60 * GRACE_MINUTES - 30
    publications = (site.mirror.host.root / ".publications").glob("[0-9]*")
    assert len([one for one in publications if one.stat().st_mtime < over]) <= KEPT + 1
