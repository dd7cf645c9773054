"""A forge, asked and told under the names that repositories have there now.

The configuration has a name, and so have stored updates; a repository that was renamed or
transferred is known by its id, and the forge itself follows the old name only until somebody else
takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gm_analytics.pull_requests.ports import CommitState, Forge, Voice


class Both(Forge, Voice, Protocol):
    """Where manifests are, and where feedback is said."""


@dataclass(frozen=True)
class Called:
    """Passes everything on, under today's name."""

    forge: Both
    name: Callable[[str], str]
    """Gives the name of a configured repository that it has now."""

    def manifest(self, repository: str, sha: str, path: str = "") -> bytes:
        """Read the manifest at a commit."""
        return self.forge.manifest(self.name(repository), sha, path)

    def keeps_manifest(self, repository: str, base: str, head: str, path: str = "") -> bool:
        """Tell whether a head has the manifest that it had where it left its base branch."""
        return self.forge.keeps_manifest(self.name(repository), base, head, path)

    def moved_on(self, repository: str, base: str, head: str, path: str = "") -> bool:
        """Tell whether a base branch has another manifest by now than where a head left it."""
        return self.forge.moved_on(self.name(repository), base, head, path)

    def contains(self, repository: str, commit: str, ancestor: str) -> bool:
        """Tell whether a commit is, or descends from, another one."""
        return self.forge.contains(self.name(repository), commit, ancestor)

    def merged_as(self, repository: str, commit: str) -> int:
        """Give the number of the pull request whose merge made a commit, 0 if none did."""
        return self.forge.merged_as(self.name(repository), commit)

    def set_status(
        self,
        repository: str,
        sha: str,
        state: CommitState,
        *,
        description: str,
        url: str,
        context: str,
    ) -> None:
        """Say of a commit how it fares in a context."""
        words = {"description": description, "url": url, "context": context}
        self.forge.set_status(self.name(repository), sha, state, **words)

    def put_comment(
        self, repository: str, number: int, marker: str, body: str, *, begin: bool
    ) -> None:
        """Make `body`, which begins with `marker`, the one comment on a pull request."""
        self.forge.put_comment(self.name(repository), number, marker, body, begin=begin)
