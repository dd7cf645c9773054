"""`gm-analytics remove`: packages that a mirror serves no longer, where publications only add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gm_analytics.errors import NotLive, StillNeeded
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.history import History
from gm_analytics.operations import again
from gm_analytics.operations.again import Again, Made
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.operations.listed import Book
from gm_analytics.operations.manifests import satisfied_by
from gm_analytics.rpm.changes import compare
from gm_analytics.rpm.package import Package


@dataclass(frozen=True)
class Removal:
    """What would go, and what would stay."""

    live: str
    """The publication that it was planned on."""
    gone: tuple[Package, ...]
    left: tuple[Package, ...]
    groups: tuple[tuple[str, ...], ...] = ()
    """Specs that can be installed together, of those that stay."""
    unexplained: int = 0
    """Packages that stay of which it is not known what they are there for."""


def plan(mirrors: Mirrors, mirror: str, names: tuple[str, ...]) -> Removal:
    """Say what removing specs or packages would change; it changes nothing.

    Raises:
        NotLive: some are not live.
        StillNeeded: other specs need some of the packages.

    """
    with mirrors.read(mirror) as session:
        look, packages = session.look()
        past = session.publications.history()
    gone, left = divide(mirror, packages, names)
    unexplained = sum(not package.wanted for package in left)
    return Removal(look.live, gone, left, _groups(past, set(names)), unexplained)


def run(
    mirrors: Mirrors, mirror: str, planned: Removal, step: DirectStep, book: Book
) -> Made | None:
    """Publish what is left; None if something was published meanwhile."""
    update = again.update_of("remove", mirror)
    with book.of(update) as done, mirrors.heard_by(step.telling.line).open(mirror) as session:
        live = step("survey", session.survey)
        if live.live != planned.live:
            return None
        then = Again("remove", planned.left, (), planned.groups)
        made = again.publish(mirrors, session, update.id, live, then, step=step)
        plan = compare((*planned.gone, *planned.left), planned.left, exact=True)
        said = f"{mirror}: {plan.summary}"
        done("published", said, made.outcome(said, plan))
        return made


def divide(
    mirror: str, packages: Iterable[Package], names: tuple[str, ...]
) -> tuple[tuple[Package, ...], tuple[Package, ...]]:
    """Part what goes from what stays.

    A spec takes along what it alone pulled in; a package that is named goes itself.
    """
    known = tuple(packages)
    specs = {name for name in names if any(name in package.wanted for package in known)}
    rest = {name: [p for p in known if name in names_of(p)] for name in names if name not in specs}
    if unknown := [name for name, found in rest.items() if not found]:
        raise NotLive(mirror, unknown)
    named = {package.file for found in rest.values() for package in found}
    gone, left, needed = [], [], []
    for package in known:
        wanted = tuple(spec for spec in package.wanted if spec not in specs)
        if package.file in named and wanted:
            needed.append(f"{package.nevra} is wanted by {', '.join(wanted)}")
        if package.file in named or (package.wanted and not wanted):
            gone.append(package)
        else:
            left.append(replace(package, wanted=wanted))
    if needed:
        raise StillNeeded(mirror, needed)
    return tuple(gone), tuple(left)


def names_of(package: Package) -> set[str]:
    """Give all by which a package itself is named."""
    evr = f"{package.version}-{package.release}"
    name = package.name
    return {
        name, package.nevra, package.file, f"{name}.{package.arch}", f"{name}-{package.version}",
        f"{name}-{evr}", package.canonical.removesuffix(".rpm"),
    }  # fmt: skip


def _groups(past: History, removed: set[str]) -> tuple[tuple[str, ...], ...]:
    """Give what can be installed together, of the publications that what is live goes back to."""
    found: dict[tuple[str, ...], None] = {}
    for held in satisfied_by(past):
        made = held.publication
        for group in (made.groups or (made.specs,)) if made else ():
            if rest := tuple(spec for spec in group if spec not in removed):
                found[rest] = None
    return tuple(found)
