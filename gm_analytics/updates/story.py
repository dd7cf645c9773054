"""The story of an update: from the manifest to what clients see.

`perform` reads from top to bottom. What it does to the world goes through `parts`, and every
such call through `step`, which a durable engine records and a person's terminal just runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import ParamSpec, Protocol, TypeVar

from gm_analytics.errors import GmError, Overtaken, ToolsMissing, UnknownPackages, Unresolvable
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.publication import Closure, Download, Preview, Publication
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.rpm.changes import Plan
from gm_analytics.updates.model import Outcome, Update

P = ParamSpec("P")
R = TypeVar("R")

MAX_REBUILDS = 3
"""How often a candidate is built anew because another writer published meanwhile."""


class Step(Protocol):
    """Runs one function as a named step: recorded, retried, or simply called."""

    def __call__(
        self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Give what the function returns."""
        ...


class Parts(Protocol):
    """What an update needs of the world."""

    def is_superseded(self, update: Update) -> bool:
        """Tell whether a newer delivery of the same pull request is there."""
        ...

    def manifest(self, update: Update) -> Manifest:
        """Read the manifest at the update's commit."""
        ...

    def policy(self, update: Update) -> str:
        """Give a text that differs if the same manifest might now be solved differently."""
        ...

    def session(self, update: Update) -> AbstractContextManager[Session]:
        """Give a session with the update's mirror, not yet connected."""
        ...

    def preview_url(self, update: Update) -> str:
        """Give the address of the pull request's preview."""
        ...

    def contains(self, update: Update, commit: str) -> bool:
        """Tell whether the update's merge is part of what led to a commit."""
        ...

    def wait_until_visible(self, update: Update, repomd: str) -> None:
        """Wait until clients are served the repomd.xml with this SHA-256."""
        ...

    def wait_until_previewed(self, update: Update, repomd: str) -> None:
        """Wait until the preview's repomd.xml is served with this SHA-256."""
        ...


def perform(update: Update, parts: Parts, step: Step) -> Outcome:
    """Make what the manifest names installable: from the mirror, or from a preview beside it.

    Raises:
        GmError: why it could not; what clients see is then as it was.

    """
    if step("supersede", parts.is_superseded, update):
        return Outcome("superseded", f"replaced by a newer delivery of {update.pull_request}")
    if update.kind == "close":
        return _close(update, parts, step)
    manifest = step("fetch manifest", parts.manifest, update)
    if not manifest.specs and update.kind == "add":
        return Outcome("unchanged", "the manifest names no packages")
    with parts.session(update) as mirror:
        live = step("survey", mirror.survey)
        work = _WORK[update.kind](update, manifest, mirror, parts, step)
        if (known := work.recognise(live)) is not None:
            return known
        return _carry_out(work, live)


def digest(manifest: Manifest, policy: str, *, exact: bool) -> str:
    """Give what a publication keeps of each manifest that it satisfies, in manifests.txt."""
    return hashlib.sha256(f"{manifest.digest}\n{policy}\n{exact}".encode()).hexdigest()


def perform_locked(update: Update, lock: Lock, parts: Parts, step: Step) -> Outcome:
    """Do as `perform`, with exactly the RPMs of a lock file in place of what yum would choose.

    Raises:
        GmError: why it could not; what clients see is then as it was.

    """
    manifest = step("fetch manifest", parts.manifest, update)
    lock.check(manifest)
    with parts.session(update) as mirror:
        live = step("survey", mirror.survey)
        kind = _LockedMerge if update.kind == "merge" else _LockedAddition
        return _carry_out(kind(update, manifest, mirror, parts, step, lock), live)


def rollback(update: Update, number: int | None, parts: Parts, step: Step) -> Outcome:
    """Make an older publication's set live again: by default the one before the live one.

    It is published anew, under a newer number and revision, or clients would not take it.

    Raises:
        GmError: why it could not; what clients see is then as it was.

    """
    with parts.session(update) as mirror:
        live = step("survey", mirror.survey)
        older = step("look back", mirror.look_back, number)
        return _carry_out(_Rollback(update, Manifest(()), mirror, parts, step, older), live)


def _carry_out(work: _Work, live: Survey) -> Outcome:
    try:
        outcome = work.perform(live)
        if outcome.state in {"published", "previewed"}:
            with suppress(GmError):  # what is left is removed after a later update
                work.step("retain", work.mirror.retain, work.update.id)
        return outcome
    finally:
        with suppress(GmError):  # what is left is swept by a later update
            work.step("sweep", work.mirror.sweep, work.update.id)


def _close(update: Update, parts: Parts, step: Step) -> Outcome:
    """Take the preview away; a pull request that had none is closed as well."""
    with parts.session(update) as mirror:
        step("survey", mirror.survey)
        dropped = step("drop preview", mirror.drop_preview, update.number)
    if not dropped:
        return Outcome("unchanged", f"{update.pull_request} had no preview")
    return Outcome("closed", f"the preview of {update.pull_request} is removed")


@dataclass(frozen=True)
class _Work:
    """What the kinds of updates have in common."""

    update: Update
    manifest: Manifest
    mirror: Session
    parts: Parts
    step: Step

    def recognise(self, live: Survey) -> Outcome | None:  # noqa: ARG002  # a preview does not
        """End at once if there is nothing to do."""
        return None

    def perform(self, live: Survey) -> Outcome:
        """Do it, beginning at what is live."""
        raise NotImplementedError

    @property
    def exact(self) -> bool:
        """Whether the closure takes the place of what is live, or is added to it."""
        return self.update.kind != "add"

    @property
    def digest(self) -> str:
        """Tell manifests and policies apart that lead to different publications."""
        return digest(self.manifest, self.parts.policy(self.update), exact=self.exact)

    @property
    def names_groups(self) -> bool:
        """Whether the metadata must name groups, which may be missing though no RPM is."""
        return any(spec.startswith("@") for spec in self.manifest.specs)

    def fetch(self, live: Survey) -> tuple[Download, Closure]:
        """Download and check the closure, and add it to the pool."""
        update, mirror, step = self.update, self.mirror, self.step
        asked = (update.id, self.manifest.specs, live.free, update.number)
        with placed(self.manifest):
            download = step("download", mirror.download, *asked)
        closure = step("inspect", mirror.inspect, update.id, live.live, download, update.number)
        return download, replace(closure, warnings=(*_warnings(download), *closure.warnings))

    def publication(
        self, live: Survey, number: int, download: Download, closure: Closure
    ) -> Publication:
        """Describe what is made of the closure."""
        update = self.update
        return Publication(
            number=number,
            update_id=update.id,
            repository=update.pull_request,
            commit=update.commit,
            manifest=self.digest,
            specs=self.manifest.specs,
            entries=tuple((entry.name, entry.specs) for entry in self.manifest.entries),
            kind=update.kind,
            base=live.live,
            mark=update.mark or _mark(live),
            groups=download.groups,
            warnings=closure.warnings,
            key=self.mirror.signing_key,
        )

    def is_signed(self, live: Survey) -> bool:
        """Tell whether the key of today signed the live metadata; neither is right as well."""
        before = Publication.parse(live.publication)
        return live.vouched and self.mirror.signing_key == (before.key if before else "")

    def sign(
        self, live: Survey, closure: Closure, publication: Publication, groups: str | None
    ) -> None:
        """Compare the candidate with the closure and sign it, if the mirror has a key."""
        if publication.key:
            known = (self.update.id, live.live, closure, publication)
            signs = self.manifests(publication)
            self.step("sign", self.mirror.sign, *known, groups=groups, manifests=signs)

    def manifests(self, publication: Publication) -> tuple[str, ...]:
        """Give the digests of the manifests that a publication satisfies."""
        return (publication.manifest,)

    def publish(self, live: Survey, download: Download, closure: Closure) -> tuple[str, str]:
        """Build a candidate on what is live, prove it, switch to it; again if overtaken.

        Gives the publication's directory and the SHA-256 of its repomd.xml.
        """
        update, mirror, step = self.update, self.mirror, self.step
        for attempt in range(1, MAX_REBUILDS + 1):
            number = Publication.number_of(live.live) + 1
            publication = self.publication(live, number, download, closure)
            groups = self.build(live, closure, publication)
            self.sign(live, closure, publication, groups)
            step("prove", mirror.prove, update.id, download.groups)
            try:
                repomd = step("switch", mirror.switch, update.id, live.live, publication)
            except Overtaken:
                if attempt == MAX_REBUILDS:
                    raise
                live = step("survey", mirror.survey)
            else:
                return Publication.directory(publication.number), repomd
        raise AssertionError("unreachable")

    def build(self, live: Survey, closure: Closure, publication: Publication) -> str | None:
        """Write the candidate's metadata; give the SHA-256 of its groups file."""
        build = self.mirror.build
        return self.step("createrepo", build, self.update.id, live.live, closure, publication)

    def see(self, repomd: str) -> None:
        """Wait until clients see it."""
        self.step("see", self.parts.wait_until_visible, self.update, repomd)


class _Addition(_Work):
    """Adds the manifest's closure to what is live."""

    def recognise(self, live: Survey) -> Outcome | None:
        """Tell a manifest whose closure is live."""
        if self.digest not in live.manifests or not self.is_signed(live):
            return None
        self.see(live.repomd)
        return Outcome("unchanged", "the mirror already serves this manifest", live.live)

    def perform(self, live: Survey) -> Outcome:
        """Download, check, and publish if anything is not live yet."""
        download, closure = self.fetch(live)
        plan = self.step("compare", self.mirror.compare, live.live, closure, exact=False)
        if not plan.changes and not self.names_groups and self.is_signed(live):
            self.step("remember", self.mirror.remember, live.live, self.digest, "")
            self.see(live.repomd)
            return Outcome("unchanged", "the mirror already serves the whole closure", live.live)
        self.step("add", self.mirror.add, self.update.id, closure.where("new"))
        directory, repomd = self.publish(live, download, closure)
        self.see(repomd)
        message = f"{len(plan.added)} packages added to {self.update.mirror}"
        return _outcome(plan, Outcome("published", message, directory), closure)


class _Preview(_Work):
    """Publishes the manifest's closure beside what is live, for its pull request alone."""

    def recognise(self, live: Survey) -> Outcome | None:
        """Refuse at once what could not be written in the end."""
        if live.tools and not live.tools.can_preview:
            raise ToolsMissing(self.update.mirror, ["createrepo_c (createrepo makes no previews)"])
        return None

    def perform(self, live: Survey) -> Outcome:
        """Download, check, and make the preview."""
        mirror, update, step = self.mirror, self.update, self.step
        download, closure = self.fetch(live)
        plan = step("compare", mirror.compare, live.live, closure, exact=True)
        step("add", mirror.add, update.id, closure.where("new"))
        # It is served as it is, and an update's id opens its page.
        publication = replace(
            self.publication(live, update.number, download, closure), update_id=""
        )
        build = mirror.build_preview
        groups = step("createrepo", build, update.id, live.live, closure, publication)
        self.sign(live, closure, publication, groups)
        step("prove", mirror.prove, update.id, download.groups)
        repomd = step("switch", mirror.switch_preview, update.id, publication)
        step("see", self.parts.wait_until_previewed, update, repomd)
        message = f"preview of {update.pull_request} on {update.mirror}: {plan.summary}"
        made = Outcome("previewed", message, preview=self.parts.preview_url(update))
        return _outcome(plan, made, closure)


class _Merge(_Work):
    """Makes the live set exactly the manifest's closure."""

    def recognise(self, live: Survey) -> Outcome | None:
        """Tell a manifest that is live, and one that is older than what is live."""
        if self._is_older(_mark(live)):
            older = Outcome("superseded", "what was merged later is live", live.live)
            return self._merged(older)
        if self.digest not in live.manifests or not self.is_signed(live):
            return None
        self._remember(live)
        self.see(live.repomd)
        already = "the mirror already serves exactly this manifest"
        return self._merged(Outcome("unchanged", already, live.live))

    def perform(self, live: Survey) -> Outcome:
        """Take what the preview showed if it was made on what is live, else plan again."""
        step, update = self.step, self.update
        download, closure = self._reviewed(live) or self.fetch(live)
        plan = step("compare", self.mirror.compare, live.live, closure, exact=True)
        if not plan.changes and not self.names_groups and self.is_signed(live):
            self._remember(live)
            self.see(live.repomd)
            already = "the mirror already serves exactly this closure"
            return self._merged(Outcome("unchanged", already, live.live))
        step("add", self.mirror.add, update.id, closure.where("new"))
        directory, repomd = self.publish(live, download, closure)
        self.see(repomd)
        message = f"{update.mirror}: {plan.summary}"
        return self._merged(_outcome(plan, Outcome("published", message, directory), closure))

    def _is_older(self, newest: str) -> bool:
        """Tell whether a newer merge is live, whatever order they were delivered in.

        GitHub's times are whole seconds, and a merge queue merges several in one.
        """
        at, _, commit = newest.partition(" ")
        if at != self.update.merged_at or not at:
            return bool(self.update.merged_at) and at > self.update.merged_at
        if commit == self.update.merge_sha:
            return False
        return self.step("compare commits", self.parts.contains, self.update, commit)

    def _remember(self, live: Survey) -> None:
        mark = self.update.mark
        self.step("remember", self.mirror.remember, live.live, self.digest, mark)

    def _reviewed(self, live: Survey) -> tuple[Download, Closure] | None:
        """Give the preview's packages, if merging now means what it showed."""
        step, update = self.step, self.update
        found = step("look at preview", self.mirror.preview, update.number)
        if not _still_true(found, live, self.digest):
            return None
        assert found is not None  # noqa: S101  # as `_still_true` says
        closure = step("take preview", self.mirror.take_preview, update.id, update.number)
        shown = found.publication
        return Download(shown.groups, ()), replace(closure, warnings=shown.warnings)

    def _merged(self, outcome: Outcome) -> Outcome:
        """Take the preview away: what it showed is live, or was."""
        if self.update.number:
            self.step("drop preview", self.mirror.drop_preview, self.update.number)
        return outcome


@dataclass(frozen=True)
class _Locked(_Work):
    """Takes its closure from a lock file."""

    lock: Lock

    def recognise(self, live: Survey) -> Outcome | None:  # noqa: ARG002
        """Recognise nothing: a manifest that is served may mean other bytes."""
        return None

    def fetch(self, live: Survey) -> tuple[Download, Closure]:
        """Find the lock file's RPMs in the pool or upstream, bit for bit."""
        packages = tuple(locked.package for locked in self.lock.packages)
        obtain, update = self.mirror.obtain, self.update
        closure = self.step("obtain", obtain, update.id, live.live, packages, live.free)
        return Download(self.lock.groups, ()), closure


class _LockedAddition(_Locked, _Addition):
    """Adds a lock file's RPMs to what is live."""


class _LockedMerge(_Locked, _Merge):
    """Makes the live set exactly a lock file's RPMs."""


@dataclass(frozen=True)
class _Rollback(_Work):
    """Makes the live set exactly what an older publication holds."""

    older: Held

    def perform(self, live: Survey) -> Outcome:
        """Build it anew from the pool; nothing is downloaded."""
        closure = self.step("recall", self.mirror.recall, self.older)
        plan = self.step("compare", self.mirror.compare, live.live, closure, exact=True)
        before = self.older.publication
        groups = before.groups or ((before.specs,) if before.specs else ()) if before else ()
        download = Download(groups, ())
        directory, repomd = self.publish(live, download, closure)
        self.see(repomd)
        message = f"{self.update.mirror}: publication {self.older.number} again: {plan.summary}"
        return _outcome(plan, Outcome("published", message, directory), closure)

    def publication(
        self,
        live: Survey,
        number: int,
        download: Download,
        closure: Closure,  # noqa: ARG002
    ) -> Publication:
        """Describe the older one; an older merge that is delivered again stays superseded."""
        found = Publication(self.older.number, "", "", "", "", ())  # a repository taken over
        return replace(
            self.older.publication or found,
            number=number,
            update_id=self.update.id,
            kind="rollback",
            base=live.live,
            mark=_mark(live),
            groups=download.groups,
            key=self.mirror.signing_key,
            restores=self.older.number,
        )

    def build(self, live: Survey, closure: Closure, publication: Publication) -> str | None:
        """Write the candidate's metadata; give the SHA-256 of its groups file."""
        build, update_id = self.mirror.rebuild, self.update.id
        known = (update_id, live.live, self.older, closure, publication)
        return self.step("createrepo", build, *known)

    def manifests(self, publication: Publication) -> tuple[str, ...]:  # noqa: ARG002
        """Give those of the older one."""
        return self.older.manifests


_WORK: dict[str, type[_Work]] = {"add": _Addition, "preview": _Preview, "merge": _Merge}


@contextmanager
def placed(manifest: Manifest) -> Iterator[None]:
    """Have an error say where in the manifest the specs are that it names."""
    try:
        yield
    except (UnknownPackages, Unresolvable) as error:
        error.places = manifest.places(error.specs)
        raise


def _mark(live: Survey) -> str:
    """Give the mark of the newest merge that is live."""
    before = Publication.parse(live.publication)
    return max(live.mark, before.mark if before else "")


def _still_true(preview: Preview | None, live: Survey, digest: str) -> bool:
    """Tell whether a preview shows what a manifest means, and nothing was published since."""
    return (
        preview is not None
        and preview.publication.manifest == digest
        and preview.publication.base == live.live
    )


def _outcome(plan: Plan, outcome: Outcome, closure: Closure) -> Outcome:
    return replace(
        outcome,
        added=plan.added,
        size=plan.size,
        changes=plan.changes,
        warnings=closure.warnings,
    )


def _warnings(download: Download) -> tuple[str, ...]:
    if len(download.groups) <= 1:
        return ()
    return ("the packages conflict with each other, so each was solved alone",)
