"""`gm-analytics repair`: lost and damaged RPMs are fetched again, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.mending import Mended
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import again
from gm_analytics.operations.again import Again, Made
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.operations.listed import Book
from gm_analytics.rpm.package import Package
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.states import State
from gm_analytics.wording import counted


@dataclass(frozen=True)
class Repaired:
    """What a repair did."""

    looked_at: int
    """How many files."""
    mended: Mended
    made: Made | None = None
    """The publication that was made, if the live one did not name what it should."""

    @property
    def summary(self) -> str:
        """Count what was looked at, and what was wrong with it."""
        mended = self.mended
        bad = len(mended.fetched) + len(mended.resigned) + len(mended.refused)
        read = f"{counted(self.looked_at, 'RPM')} read, {bad:,} lost or damaged"
        return f"{read}, {len(mended.refused):,} of them still"

    def ended(self, mirror: str) -> tuple[State, str, Outcome | None]:
        """Say how it ended, as an update does."""
        said = "; ".join((f"{mirror}: {self.summary}", *self.mended.refused))
        if self.mended.refused:
            return "failed", said, None
        if self.made is None:
            return "unchanged", said, Outcome("unchanged", said)
        return "published", said, self.made.outcome(said)


def run(
    mirrors: Mirrors,
    mirror: str,
    number: int | None,
    step: DirectStep,
    book: Book,
    *,
    accept_resigned: bool,
) -> Repaired:
    """Fetch what a publication names, by default the live one, and the pool lost or has damaged.

    Where the live metadata do not name all that they should (it was made while a file was lost, or
    names one by other bytes), and where files were signed again, they are published again.
    """
    update = again.update_of("repair", mirror)
    with book.of(update) as done:
        found = _run(mirrors, update, number, step, accept_resigned=accept_resigned)
        done(*found.ended(mirror))
    return found


def _run(
    mirrors: Mirrors,
    update: Update,
    number: int | None,
    step: DirectStep,
    *,
    accept_resigned: bool,
) -> Repaired:
    name = update.id
    with mirrors.heard_by(step.telling.line).open(update.mirror) as session:
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
