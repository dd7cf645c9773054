"""What a stored update asks for: the manifest at its commit, on the forge."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gm_analytics.errors import GitHubError, GitHubUnavailable, GmError
from gm_analytics.log_context import carried
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.lock import Lock
from gm_analytics.pull_requests.ports import Forge, Updates
from gm_analytics.updates.model import Update

log = logging.getLogger(__name__)


class StoredRequest:
    """The request of an update that came through the store."""

    def __init__(self, updates: Updates, forge: Forge, path_of: Callable[[str], str]) -> None:
        """Take the parts; `path_of` gives where the manifest of a mirror is."""
        self._updates, self._forge, self._path_of = updates, forge, path_of

    def is_superseded(self, update: Update) -> bool:
        """Ask the store."""
        return self._updates.is_superseded(update)

    def manifest(self, update: Update) -> Manifest:
        """Read it from the forge: of a merge at the merge commit, else at the head.

        A pull request's is compared meanwhile: one that keeps it asks for nothing.
        """
        path = self._path_of(update.mirror)
        if update.aim.cause not in {"pull_request", "merge_group"} or not update.base_ref:
            text = self._forge.manifest(update.repository, update.commit, path)
            return Manifest.parse(text, path)
        with ThreadPoolExecutor(1, thread_name_prefix="manifest") as thread:
            asked = (update.repository, update.commit, path)
            read = thread.submit(carried(self._forge.manifest), *asked)
            if self.is_untouched(update):
                return Manifest((), untouched=True)
            return Manifest.parse(read.result(), path)

    def is_untouched(self, update: Update) -> bool:
        """Ask the forge; what it cannot tell counts as a change, and waits for nothing."""
        try:
            path = self._path_of(update.mirror)
            return self._forge.keeps_manifest(*_compared(update), path)
        except (GitHubError, GitHubUnavailable) as error:
            log.warning("update %s: taken to change the manifest: %s", update.id, error)
            return False

    def has_moved_on(self, update: Update) -> bool:
        """Ask the forge; what it cannot tell is not said."""
        try:
            return self._forge.moved_on(*_compared(update), self._path_of(update.mirror))
        except (GitHubError, GitHubUnavailable) as error:
            log.warning("update %s: its base is not compared: %s", update.id, error)
            return False

    def may_have_preview(self, update: Update) -> bool:
        """Ask the store."""
        return self._updates.may_have_preview(update)

    def contains(self, update: Update, commit: str) -> bool:
        """Ask the forge."""
        return self._forge.contains(update.repository, commit, update.merge_sha)

    def lock(self, update: Update) -> Lock | None:  # noqa: ARG002  # as `Request` has it
        """No event brings a lock file."""
        return None

    def older(self, update: Update) -> int | None:
        """Give the publication that a person chose; no event names one."""
        return update.back_to or None

    def number_of(self, update: Update) -> int:
        """Give the pull request whose merge a push was, 0 if it is not known to have been one.

        The forge tells the merge and the push as two events, in any order.
        """
        if number := self._updates.number_of(update.id):
            return number
        try:
            number = self._forge.merged_as(update.repository, update.commit)
        except GmError as error:  # what was pushed is published all the same
            log.warning("update %s: looking for its pull request: %s", update.id, error)
            return 0
        if number:
            self._updates.name_pull_request(update.id, number)
        return number


def _compared(update: Update) -> tuple[str, str, str]:
    return update.repository, update.base_ref, update.head_sha
