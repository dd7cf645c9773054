"""Whether what is live is what the followed branches' manifests ask for: a part of `status`."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GmError, ManifestError, NoManifest
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held, History
from gm_analytics.operations.by_hand import Operations
from gm_analytics.operations.findings import Finding, wrong
from gm_analytics.settings import Settings
from gm_analytics.updates.ports import Forge


class Parts(Protocol):
    """What is compared with what."""

    @property
    def settings(self) -> Settings:
        """The configuration."""
        ...

    @property
    def operations(self) -> Operations:
        """What reads mirrors."""
        ...

    @property
    def github(self) -> Forge:
        """Where the manifest is."""
        ...


def findings(parts: Parts, mirror: settings.Mirror, past: History) -> Iterator[Finding]:
    """Compare the followed branches' manifests with what the live set is known to satisfy."""
    branch = parts.settings.webhook.branch
    for repository in parts.settings.webhook.repositories:
        if mirror in parts.settings.mirrors_of(repository):
            path, at = parts.settings.manifest_of(mirror.name), branch or "its default branch"
            subject = f"manifest {f'{path} of ' if mirror.manifest else ''}{repository} at {at}"
            try:
                text = parts.github.manifest(repository, branch or "HEAD", path)
                yield _manifest(parts, mirror, subject, Manifest.parse(text, path), past)
            except GmError as error:
                yield wrong(subject, error, "fail" if _is_its_own(error) else "unknown")


def _manifest(
    parts: Parts, mirror: settings.Mirror, subject: str, manifest: Manifest, past: History
) -> Finding:
    if not manifest.specs and not parts.settings.publishes_on_merge:
        return Finding(subject, "ok", "it names no packages")
    key = parts.operations.solve_key(manifest, mirror.name)
    found = next((held for held in satisfied_by(past) if key.is_among(held.manifests)), None)
    if found is None:
        return Finding(subject, "fail", "no publication that is live was made from it")
    return Finding(subject, "ok", f"live since publication {found.number}")


def _is_its_own(error: GmError) -> bool:
    """Tell a manifest that is missing or wrong from one that could not be read."""
    missing = isinstance(error, GitHubError) and error.status == HTTPStatus.NOT_FOUND
    return missing or isinstance(error, ManifestError | NoManifest)


def satisfied_by(past: History) -> list[Held]:
    """Give the live publication, and those before it that it only adds to."""
    found: list[Held] = []
    for held in reversed(past.publications):
        found.append(held)
        if held.publication is None or held.publication.exact:
            break
    return found
