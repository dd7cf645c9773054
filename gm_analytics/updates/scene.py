"""What an update goes on with: what it wants, and what it is performed with."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gm_analytics.errors import NotVisible
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Closure, Publication
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.updates.model import Unseen, Update
from gm_analytics.updates.ports import Mirror, Step, World

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scene:
    """An update, what it wants, and what it is performed with."""

    update: Update
    manifest: Manifest
    mirror: Mirror
    world: World
    step: Step
    back_to: Held | None = None
    """The publication that a rollback goes to, once it is known."""

    def see(self, repomd: str) -> Unseen | None:
        """Look whether clients see what the update made, or found; it is published anyway."""
        update = self.update
        preview = update.number if update.aim.target == "preview" else None
        look = self.world.mirrors.wait_until_visible
        try:
            self.step("see", look, update.mirror, repomd, preview)
        except NotVisible as error:
            log.warning("update %s: published: %s", update.id, error)
            return Unseen(repomd, preview, error.public)
        return None

    @property
    def solve_key(self) -> SolveKey:
        """What decides which packages the manifest means."""
        update = self.update
        return self.world.mirrors.solve_key(update.mirror, self.manifest, exact=update.exact)


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
