"""`gm-analytics repair`: lost and damaged RPMs are fetched again, bit for bit."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.mending import Mended
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import again
from gm_analytics.operations.again import Again, Made
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.rpm.package import Package


@dataclass(frozen=True)
class Repaired:
    """What a repair did."""

    looked_at: int
    """How many files."""
    mended: Mended
    made: Made | None = None
    """The publication that was made, if the live one did not name what it should."""


def run(
    mirrors: Mirrors, mirror: str, number: int | None, step: DirectStep, *, accept_resigned: bool
) -> Repaired:
    """Fetch what a publication names, by default the live one, and the pool lost or has damaged.

    Where the live metadata do not name all that they should (it was made while a file was lost, or
    names one by other bytes), and where files were signed again, they are published again.
    """
    name = f"repair-{uuid.uuid4()}"
    with mirrors.heard_by(step.telling.line).open(mirror) as session:
        live = step("survey", session.survey)
        directory = session.publications.publication(number).directory if number else live.live
        packages = session.publications.packages(directory)
        try:
            mended = _mend(
                session, name, live, packages, step=step, accept_resigned=accept_resigned
            )
            if directory != live.live:
                return Repaired(len(packages), mended)
            lost = {text.partition(": ")[0] for text in mended.refused}
            wanted = _with(packages, mended.resigned)
            whole = step("compare", session.mender.named, _but(wanted, lost))
            if whole:
                return Repaired(len(packages), mended)
            then = Again("repair", wanted, live.manifests)
            made = again.publish(mirrors, session, name, live, then, step=step)
            return Repaired(len(packages), mended, made)
        finally:
            session.sweep(name)


def _mend(
    session: Session,
    name: str,
    live: Survey,
    packages: tuple[Package, ...],
    *,
    step: DirectStep,
    accept_resigned: bool,
) -> Mended:
    bad = step("read the pool", session.mender.damaged, name, packages)
    if not bad:
        return Mended()
    fetch = session.mender.fetch
    return step("fetch", fetch, name, live.live, bad, accept_resigned=accept_resigned)


def _with(packages: tuple[Package, ...], resigned: tuple[Package, ...]) -> tuple[Package, ...]:
    fresh = {package.nevra: package for package in resigned}
    return tuple(sorted(fresh.get(package.nevra, package) for package in packages))


def _but(packages: tuple[Package, ...], nevras: set[str]) -> tuple[Package, ...]:
    return tuple(package for package in packages if package.nevra not in nevras)
