"""What an update goes on with: what it wants, and what it is performed with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Closure, Publication
from gm_analytics.updates.model import Update
from gm_analytics.updates.ports import Mirror, Step, World


@dataclass(frozen=True)
class Scene:
    """An update, what it wants, and what it is performed with."""

    update: Update
    manifest: Manifest
    mirror: Mirror
    world: World
    step: Step

    @property
    def digest(self) -> str:
        """Tell manifests and policies apart that lead to different publications."""
        return digest(
            self.manifest, self.world.mirrors.policy(self.update.mirror), exact=self.update.exact
        )


@dataclass(frozen=True)
class Found:
    """A closure, wherever it came from."""

    closure: Closure
    groups: tuple[tuple[str, ...], ...]
    """Specs that can be installed together."""
    older: Held | None = None
    """The publication that it is of, if it is an older one's."""


@dataclass(frozen=True)
class Shown:
    """What clients see at the end: the publication's directory, and its repomd.xml's SHA-256."""

    publication: Publication
    repomd: str


def digest(manifest: Manifest, policy: str, *, exact: bool) -> str:
    """Give what a publication keeps of each manifest that it satisfies, in manifests.txt."""
    return hashlib.sha256(f"{manifest.digest}\n{policy}\n{exact}".encode()).hexdigest()
