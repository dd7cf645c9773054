"""What a person does with a mirror: plan, apply, roll back, compare, lock, collect."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gm_analytics.errors import AnotherService, StoreUnavailable
from gm_analytics.manifest import Manifest
from gm_analytics.mirror import modular
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.retention import Collected
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.operations import person
from gm_analytics.operations.again import update_of
from gm_analytics.operations.listed import Book
from gm_analytics.rpm.changes import Plan, compare, diff
from gm_analytics.updates.closures import placed, warnings_of
from gm_analytics.updates.model import Aim, Mode, Outcome, Update
from gm_analytics.updates.ports import P, R, World
from gm_analytics.updates.progress import Telling
from gm_analytics.updates.story import perform
from gm_analytics.wording import counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ByHand:
    """The request of an update that a person applies: nothing orders or supersedes it."""

    given: Manifest
    locked: Lock | None = None
    number: int | None = None
    """Of the publication to go back to; None for the one before the live one."""

    def is_superseded(self, update: Update) -> bool:  # noqa: ARG002  # as `Request` has it
        """Nothing supersedes what a person asks for."""
        return False

    def manifest(self, update: Update) -> Manifest:  # noqa: ARG002
        """Give the manifest at hand."""
        return self.given

    def may_have_preview(self, update: Update) -> bool:  # noqa: ARG002
        """Nobody asks for one by hand."""
        return False

    def has_moved_on(self, update: Update) -> bool:  # noqa: ARG002
        """No base is of interest."""
        return False

    def lock(self, update: Update) -> Lock | None:  # noqa: ARG002
        """Give the lock file at hand."""
        return self.locked

    def older(self, update: Update) -> int | None:  # noqa: ARG002
        """Give the publication that was named."""
        return self.number

    def contains(self, update: Update, commit: str) -> bool:  # noqa: ARG002
        """Nothing orders what a person applies."""
        return False


class DirectStep:
    """Runs each step at once, and has it told."""

    def __init__(self, telling: Telling | None = None) -> None:
        self.telling = telling or Telling()

    def __call__(
        self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Give what the function returns."""
        with self.telling.step(name):
            return function(*args, **kwargs)


Compared = Callable[[str, Outcome], None]
"""Has open pull requests told what merging would change, after something else was published."""


def _nobody(mirror: str, outcome: Outcome) -> None:
    """Tell nobody."""


class Operations:
    """A person's commands on mirrors, without GitHub; the store only lists them in a `book`.

    `mode` is what the installation's policy wants of a manifest: additive or exact.
    """

    def __init__(
        self,
        mirrors: Mirrors,
        mode: Mode,
        compared: Compared = _nobody,
        book: Book | None = None,
    ) -> None:
        self.mirrors = mirrors
        self._mode = mode
        self._compared = compared
        self.book = book or Book()

    def _with(self, mirrors: Mirrors) -> Operations:
        return Operations(mirrors, self._mode, self._compared, self.book)

    def asking_now(self) -> Operations:
        """Give the same; upstream is asked though its metadata were read lately."""
        return self._with(self.mirrors.asking_now())

    def accepting_resigned(self) -> Operations:
        """Give the same commands; RPMs that upstream signed again are taken, as new files."""
        return self._with(self.mirrors.accepting_resigned())

    def plan(self, manifest: Manifest, mirror: str) -> Plan:
        """Say what `apply` would change. It changes nothing on the mirror, and takes no lock."""
        name = f"plan-{uuid.uuid4()}"
        with self._read(mirror) as session:
            live, packages = session.look()
            with session.host.aside(name), placed(manifest):
                solved = session.package_manager.resolve(
                    name, manifest.specs, live.live, exact=self._mode == "exact"
                )
                modular.want_documents(session.host, session.reader, live.live, name, solved.rows)
                found = diff(packages, solved.rows, exact=self._mode == "exact")
                found = replace(found, warnings=warnings_of(solved))
                return session.publications.adviser.of_update(
                    found, live.live, packages, solved.rows, exact=self._mode == "exact"
                )

    @contextmanager
    def _read(self, mirror: str) -> Iterator[Session]:
        """Open a mirror to say what this service would do there.

        Raises:
            AnotherService: it would do nothing, since that one publishes there.

        """
        with self.mirrors.read(mirror) as session:
            if owner := self.mirrors.other_service(session):
                raise AnotherService(mirror, owner.published, self.mirrors.identity)
            yield session

    def apply(
        self, manifest: Manifest, mirror: str, step: DirectStep, lock: Lock | None = None
    ) -> Outcome:
        """Perform an update from a manifest at hand; with a lock file its RPMs, bit for bit."""
        aim = Aim("person", self._mode, "live", "lock" if lock else "solved")
        update = Update(f"apply-{uuid.uuid4()}", mirror, aim=aim, author=person.name())
        return self._perform(update, ByHand(manifest, lock), step)

    def rollback(self, mirror: str, number: int | None, step: DirectStep) -> Outcome:
        """Make an older publication's set live again, by default the one before the live one."""
        update = update_of("rollback", mirror)
        return self._perform(update, ByHand(Manifest(()), number=number), step)

    def _perform(self, update: Update, request: ByHand, step: DirectStep) -> Outcome:
        world = World(request, self.mirrors.heard_by(step.telling.line))
        with self.book.of(update) as done:
            outcome = step.telling.of(lambda: perform(update, world, step))
            done(outcome.state, outcome.message, outcome)
        try:
            self._compared(update.mirror, outcome)
        except StoreUnavailable as error:
            log.warning("open pull requests are not told of it: %s", error)
        return outcome

    def look_back(self, mirror: str, number: int | None) -> tuple[int, Plan]:
        """Say which publication `rollback` would make live again, and what that would change."""
        with self._read(mirror) as session:
            older = session.publications.look_back(number)
            live = session.publications.publication()
            return older.number, self._between(session, live.directory, older.directory)

    @staticmethod
    def _between(session: Session, before: str, after: str) -> Plan:
        old, new = map(session.publications.packages, (before, after))
        plan = compare(old, new, exact=True)
        return session.publications.adviser.of_publication(plan, after, old, new)

    def compare(self, mirror: str, before: int, after: int) -> Plan:
        """Say how two publications differ."""
        with self.mirrors.read(mirror) as session:
            known = [session.publications.publication(n).directory for n in (before, after)]
            return self._between(session, *known)

    def collect(self, mirror: str, *, dry_run: bool) -> Collected:
        """Remove what retention does not keep, or say what would be, and change nothing."""
        update = update_of("gc", mirror)
        if dry_run:
            with self._read(mirror) as session, session.host.aside(update.id):
                return session.publications.collect(update.id, dry_run=True)
        with self.book.of(update) as done, self.mirrors.open(mirror) as session:
            try:
                found = session.publications.collect(update.id)
            finally:
                session.sweep(update.id)
            done("unchanged", f"{mirror}: {found.counts} removed")
            return found

    def take_over(self, mirror: str, seen: Owner) -> bool:
        """Publish on a mirror from this service from now on; tell whether it was as `seen`."""
        update, opened = update_of("takeover", mirror), self.mirrors.open(mirror, taking_over=True)
        with self.book.of(update) as done, opened as session:
            if session.host.owner() != seen:
                return False
            session.host.claim(seen.live)
            done("unchanged", f"{mirror}: taken over; before, {seen.published}")
        return True

    def adopt(self, mirror: str) -> tuple[str, int]:
        """Trust what a mirror with a key holds now; give the live publication, its packages."""
        update = update_of("adopt", mirror)
        with self.book.of(update) as done, self.mirrors.open(mirror) as session:
            live = session.adopt().live
            count = len(session.publications.packages(live))
            held = counted(count, "package")
            done("unchanged", f"{mirror}: {live} with {held} is trusted as it is")
            return live, count

    def solve_key(self, manifest: Manifest, mirror: str) -> SolveKey:
        """Give what a publication must have noted that satisfies a manifest on a mirror."""
        return self.mirrors.solve_key(mirror, manifest, exact=self._mode == "exact")
