"""`gm-analytics accept-change`: going on with another configuration on a mirror that is live."""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.mirror.access import Mirrors
from gm_analytics.operations import again
from gm_analytics.operations.again import Again, Made
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.operations.listed import Book


@dataclass(frozen=True)
class Change:
    """How the configuration differs from what is live."""

    live: str
    changes: tuple[str, ...]
    packages: int
    """How many are live."""


def plan(mirrors: Mirrors, mirror: str) -> Change:
    """Say what differs; it changes nothing."""
    with mirrors.read(mirror) as session:
        look, packages = session.look()
    changed = tuple(mirrors.changes(mirror, look.publication))
    return Change(look.live, changed, len(packages))


def run(
    mirrors: Mirrors, mirror: str, planned: Change, step: DirectStep, book: Book
) -> Made | None:
    """Publish what is live as made with the configuration of now.

    Clients see the same packages. None if something was published meanwhile.
    """
    update = again.update_of("accept-change", mirror)
    with book.of(update) as done, mirrors.heard_by(step.telling.line).open(mirror) as session:
        session.accepts_changes = True
        live = step("survey", session.survey)
        if live.live != planned.live:
            return None
        then = Again("accept", session.publications.packages(live.live), ())
        made = again.publish(mirrors, session, update.id, live, then, step=step)
        said = f"{mirror}: from now on with {'; '.join(planned.changes)}"
        done("published", said, made.outcome(said))
        return made
