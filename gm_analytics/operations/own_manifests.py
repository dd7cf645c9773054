"""Whether the manifests that mirrors have of their own can be read: a part of `check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gm_analytics import settings
from gm_analytics.errors import GmError, NoManifest
from gm_analytics.manifest import Manifest
from gm_analytics.operations.findings import Finding, wrong
from gm_analytics.wording import counted

Read = Callable[[str, str, str], bytes]
"""Gives a repository's file at a commit."""


def findings(config: settings.Settings, read: Read) -> Iterator[Finding]:
    """Read each at the branch that its mirror follows."""
    at = config.webhook.branch or "HEAD"
    for mirror in config.mirrors:
        for repository in config.webhook.repositories if mirror.manifest else ():
            if mirror in config.mirrors_of(repository):
                yield _finding(mirror, repository, at, read)


def _finding(mirror: settings.Mirror, repository: str, at: str, read: Read) -> Finding:
    path = mirror.manifest or ""
    subject = f"manifest {path} of {repository}"
    try:
        specs = Manifest.parse(read(repository, at, path), path).specs
    except NoManifest:
        said = f"it is not there, so mirror {mirror.name} takes nothing from it"
        return Finding(subject, "warn", said, "Commit it, or correct mirrors[].manifest.")
    except GmError as error:
        return wrong(subject, error)
    return Finding(subject, "ok", f"{counted(len(specs), 'spec')} for mirror {mirror.name}")
