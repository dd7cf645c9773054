"""What a stored update asks for: the manifest at its commit, on the forge."""

from __future__ import annotations

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.lock import Lock
from gm_analytics.pull_requests.ports import Updates
from gm_analytics.updates.model import Update
from gm_analytics.updates.ports import Forge


class StoredRequest:
    """The request of an update that came through the store."""

    def __init__(self, updates: Updates, forge: Forge) -> None:
        self._updates, self._forge = updates, forge

    def is_superseded(self, update: Update) -> bool:
        """Ask the store."""
        return self._updates.is_superseded(update)

    def manifest(self, update: Update) -> Manifest:
        """Read it from the forge: of a merge at the merge commit, else at the head."""
        return Manifest.parse(self._forge.manifest(update.repository, update.commit))

    def contains(self, update: Update, commit: str) -> bool:
        """Ask the forge."""
        return self._forge.contains(update.repository, commit, update.merge_sha)

    def lock(self, update: Update) -> Lock | None:  # noqa: ARG002  # as `Request` has it
        """No event brings a lock file."""
        return None

    def older(self, update: Update) -> int | None:  # noqa: ARG002
        """No event names a publication."""
        return None
