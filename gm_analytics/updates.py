"""The story of an update: from the manifest to what clients see.

`perform` reads from top to bottom. What it does to the world goes through `parts`, and every
such call through `step`, which a durable engine records and a person's terminal just runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from gm_analytics.commands import Survey
from gm_analytics.errors import GmError, Overtaken
from gm_analytics.manifest import Manifest
from gm_analytics.mirror import Session
from gm_analytics.plan import Closure, Download, Publication
from gm_analytics.records import Outcome, Update

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
        """Read the manifest at the update's head."""
        ...

    def policy(self, update: Update) -> str:
        """Give a text that differs if the same manifest might now be solved differently."""
        ...

    def session(self, update: Update) -> AbstractContextManager[Session]:
        """Give a session with the update's mirror, not yet connected."""
        ...

    def wait_until_visible(self, update: Update, repomd: str) -> None:
        """Wait until clients are served the repomd.xml with this SHA-256."""
        ...


def perform(update: Update, parts: Parts, step: Step) -> Outcome:
    """Make what the manifest names installable from the mirror.

    Raises:
        GmError: why it could not; what clients see is then as it was.

    """
    if step("supersede", parts.is_superseded, update):
        return Outcome("superseded", f"replaced by a newer delivery of {update.pull_request}")
    manifest = step("fetch manifest", parts.manifest, update)
    if not manifest.specs:
        return Outcome("unchanged", "the manifest names no packages")
    digest = _digest(manifest, parts.policy(update))
    with parts.session(update) as mirror:
        live = step("survey", mirror.survey)
        if digest in live.manifests:
            step("see", parts.wait_until_visible, update, live.repomd)
            return Outcome("unchanged", "the mirror already serves this manifest", live.live)
        extension = _Extension(update, manifest, digest, mirror, parts, step)
        try:
            return extension.perform(live)
        finally:
            with suppress(GmError):  # what is left is swept by a later update
                step("sweep", mirror.sweep, update.id)


@dataclass(frozen=True)
class _Extension:
    """Adds the manifest's closure to what is live."""

    update: Update
    manifest: Manifest
    digest: str
    mirror: Session
    parts: Parts
    step: Step

    def perform(self, live: Survey) -> Outcome:
        """Download, check, and publish if anything is not live yet."""
        update, mirror, step = self.update, self.mirror, self.step
        download = step("download", mirror.download, update.id, self.manifest.specs, live.free)
        closure = step("inspect", mirror.inspect, update.id, live.live, download.rows)
        added = closure.where("new", "pool")
        if not added and not _names_groups(self.manifest):
            step("remember", mirror.remember, live.live, self.digest)
            step("see", self.parts.wait_until_visible, update, live.repomd)
            return Outcome("unchanged", "the mirror already serves the whole closure", live.live)
        step("add", mirror.add, update.id, closure.where("new"))
        directory, repomd = self._publish(live, download, closure)
        step("see", self.parts.wait_until_visible, update, repomd)
        return Outcome(
            "published",
            f"{len(added)} packages added to {update.mirror}",
            directory,
            tuple(package.nevra for package in added),
            sum(package.size for package in added),
            _warnings(download),
        )

    def _publish(self, live: Survey, download: Download, closure: Closure) -> tuple[str, str]:
        """Build a candidate on what is live, prove it, switch to it; again if overtaken.

        Gives the publication's directory and the SHA-256 of its repomd.xml.
        """
        update, mirror, step = self.update, self.mirror, self.step
        for attempt in range(1, MAX_REBUILDS + 1):
            publication = self._after(live)
            step("createrepo", mirror.build, update.id, live.live, closure, publication)
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

    def _after(self, live: Survey) -> Publication:
        return Publication(
            number=Publication.number_of(live.live) + 1,
            update_id=self.update.id,
            repository=self.update.pull_request,
            commit=self.update.head_sha,
            manifest=self.digest,
            specs=self.manifest.specs,
        )


def _digest(manifest: Manifest, policy: str) -> str:
    return hashlib.sha256(f"{manifest.digest}\n{policy}".encode()).hexdigest()


def _names_groups(manifest: Manifest) -> bool:
    """Tell whether the metadata must name groups, which may be missing though no RPM is."""
    return any(spec.startswith("@") for spec in manifest.specs)


def _warnings(download: Download) -> tuple[str, ...]:
    if len(download.groups) == 1:
        return ()
    return ("the packages conflict with each other, so each was solved alone",)
