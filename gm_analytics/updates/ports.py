"""What the story of an update needs of the world: a mirror, and what is around it.

`mirror/` and `service` fulfil these for real, `tests/support/` in memory; one contract test holds
both to what is promised here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.lock import Lock
from gm_analytics.mirror.publication import (
    Built,
    Closure,
    Download,
    Preview,
    Publication,
    Standing,
)
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.mirror.survey import Asked, Survey
from gm_analytics.remote.stop import Stop
from gm_analytics.rpm.changes import Plan
from gm_analytics.rpm.package import Package
from gm_analytics.updates.model import Update

P = ParamSpec("P")
R = TypeVar("R")


class Step(Protocol):
    """Runs one function as a named step: recorded, retried, or simply called."""

    def __call__(
        self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Give what the function returns."""
        ...


class PackageManager(Protocol):
    """Solves package specs on the mirror host, against an empty system."""

    def download(
        self,
        update_id: str,
        specs: tuple[str, ...],
        free: int,
        number: int,
        *,
        live: str = "",
        exact: bool = False,
    ) -> Download:
        """Solve the specs and download what the pool lacks into staging."""
        ...

    def ask_upstream(self, update_id: str) -> Asked:
        """Say what upstream looks like, asking for what was read too long ago."""
        ...

    def prove(self, update_id: str, groups: tuple[tuple[str, ...], ...]) -> None:
        """Have each group of specs installed into an empty system from the candidate alone."""
        ...


class Publisher(Protocol):
    """Makes a candidate in staging, and switches what clients see to it."""

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        """Check the downloaded files, and say where each of them is already."""
        ...

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        """Put downloaded files into the pool; none that is there is written over."""
        ...

    def build(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> Built | str | None:
        """Write the candidate's metadata: the closure, and `live` too unless it is exact.

        This and the next two give what they put beside the packages, for `Signer.sign`.
        """
        ...

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> Built | str | None:
        """Write the metadata of a preview: the closure alone."""
        ...

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> Built | str | None:
        """Write the metadata of an older publication again."""
        ...

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        """Make the candidate live if `live` still is; give the SHA-256 of its repomd.xml."""
        ...

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        """Make the candidate the preview of its pull request; give its repomd.xml's SHA-256."""
        ...


class Signer(Protocol):
    """Signs what the service knows, where the mirror has a key."""

    @property
    def signing_key(self) -> str:
        """The fingerprint of the key that signs metadata, empty without a key."""
        ...

    def sign(
        self,
        update_id: str,
        live: str,
        closure: Closure,
        publication: Publication,
        *,
        built: Built | str | None,
        manifests: tuple[str, ...],
    ) -> None:
        """Compare the candidate with the closure, and sign it."""
        ...


class Publications(Protocol):
    """What the mirror holds: the live publication, older ones, previews."""

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        """Say what would change if the closure followed a publication."""
        ...

    def remember(self, live: str, digest: str, mark: str, update_id: str = "") -> None:
        """Note that the live publication satisfies a manifest, and of which merge that is.

        If the update has solved it, also what upstream looked like then.
        """
        ...

    def look_back(self, number: int | None) -> Held:
        """Give the publication to roll back to, by default the one before the live one."""
        ...

    def recall(self, older: Held) -> Closure:
        """Give the packages of an older publication, all of them in the pool."""
        ...

    def obtain(
        self, update_id: str, live: str, packages: tuple[Package, ...], free: int
    ) -> Closure:
        """Find exactly these files, in the pool or upstream."""
        ...

    def preview(self, number: int) -> Preview | None:
        """Look at a pull request's preview."""
        ...

    def take_preview(self, update_id: str, number: int) -> Closure:
        """Give the packages of a pull request's preview."""
        ...

    def drop_preview(self, number: int) -> bool:
        """Stop serving a pull request's preview; tell whether there was one."""
        ...

    def compare_previews(self, live: str) -> tuple[Standing, ...]:
        """Say how the previews that are served differ from a publication."""
        ...

    def retain(self, update_id: str) -> object:
        """Remove what retention does not keep."""
        ...


class Mirror(Protocol):
    """One mirror, its lock held. Each method is one step, and safe to repeat."""

    @property
    def package_manager(self) -> PackageManager:
        """Yum or dnf on its host."""
        ...

    @property
    def publisher(self) -> Publisher:
        """What makes candidates."""
        ...

    @property
    def signer(self) -> Signer:
        """What signs them."""
        ...

    @property
    def publications(self) -> Publications:
        """What it holds."""
        ...

    def survey(self) -> Survey:
        """Look at it; an empty or a plain repository is taken over first."""
        ...

    def sweep(self, update_id: str) -> None:
        """Remove what an update left in staging."""
        ...


class Mirrors(Protocol):
    """The mirrors of the configuration, by their names."""

    def open(self, name: str) -> AbstractContextManager[Mirror]:
        """Give a mirror, not yet connected."""
        ...

    def heard_by(self, hear: Callable[[str], object]) -> Mirrors:
        """Give the same mirrors; each line that their hosts say while they work is heard."""
        ...

    def stopped_by(self, stop: Stop) -> Mirrors:
        """Give the same mirrors; what is done there raises `Stopped` once it was asked to."""
        ...

    def solve_key(self, name: str, manifest: Manifest, *, exact: bool) -> SolveKey:
        """Give what decides which packages a manifest means on a mirror."""
        ...

    def preview_url(self, name: str, number: int) -> str:
        """Give the address of a pull request's preview."""
        ...

    def wait_until_visible(self, name: str, repomd: str, preview: int | None) -> None:
        """Wait until clients are served the repomd.xml of this SHA-256, live or of a preview."""
        ...


class Request(Protocol):
    """What was asked for, by an event or by a person."""

    def is_superseded(self, update: Update) -> bool:
        """Tell whether a newer update of the same pull request is there."""
        ...

    def manifest(self, update: Update) -> Manifest:
        """Read the manifest at the update's commit, or tell that a pull request keeps it."""
        ...

    def may_have_preview(self, update: Update) -> bool:
        """Tell whether an earlier update may have left a preview of the same pull request."""
        ...

    def has_moved_on(self, update: Update) -> bool:
        """Tell whether the base has another manifest by now than where the branch began."""
        ...

    def lock(self, update: Update) -> Lock | None:
        """Give the lock file, where an update takes its closure from one."""
        ...

    def older(self, update: Update) -> int | None:
        """Give the number of the publication to go back to; None for the one before."""
        ...

    def contains(self, update: Update, commit: str) -> bool:
        """Tell whether the update's merge is part of what led to a commit."""
        ...


class Forge(Protocol):
    """Where manifests live: what a request reads of it."""

    def manifest(self, repository: str, sha: str, path: str = "") -> bytes:
        """Read a manifest at a commit, by default the one that most mirrors have."""
        ...

    def keeps_manifest(self, repository: str, base: str, head: str, path: str = "") -> bool:
        """Tell whether the manifest at a head is what it was where that left its base branch."""
        ...

    def moved_on(self, repository: str, base: str, head: str, path: str = "") -> bool:
        """Tell whether a base branch has another manifest by now than where a head left it."""
        ...

    def contains(self, repository: str, commit: str, ancestor: str) -> bool:
        """Tell whether a commit is, or descends from, another one."""
        ...


@dataclass(frozen=True)
class World:
    """What an update is performed with."""

    request: Request
    mirrors: Mirrors
