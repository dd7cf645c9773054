"""Advisories of upstream's that what is served does not fix yet. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gm_analytics.rpm.advisories import Advice, Advisory, Listing, gravity
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.versions import compare_evr

_MODULAR = ".module"
"""In the release of a package that a module stream has: versions of two streams say nothing of
each other, so such packages are not compared."""


def unfixed(listings: Iterable[Listing], packages: Iterable[Package]) -> list[Advice]:
    """Give the advisories that fix a package in a newer version than is served, the gravest first.

    What is named with each is what is served of it.
    """
    served: dict[tuple[str, str], Package] = {}
    for package in packages:
        key = (package.name, package.arch)
        newer = key not in served or compare_evr(package.evr, served[key].evr) > 0
        if newer and _MODULAR not in package.release:
            served[key] = package
    found: dict[str, Advice] = {}
    for one in (advisory for listing in listings for advisory in listing.advisories):
        if names := tuple(dict.fromkeys(_older(one, served))):
            known = found.get(one.id)
            names = tuple(dict.fromkeys((*(known.packages if known else ()), *names)))
            found[one.id] = Advice(one.id, one.kind, one.severity, one.cves, names)
    return sorted(found.values(), key=gravity)


def _older(advisory: Advisory, served: Mapping[tuple[str, str], Package]) -> Iterator[str]:
    for name, arch, evr in advisory.fixes:
        there = served.get((name, arch))
        if there and _MODULAR not in evr and compare_evr(there.evr, evr) < 0:
            yield there.nevra
