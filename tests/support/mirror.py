"""A mirror in memory that keeps the promises of `updates.ports`.

`tests/contract/test_mirror.py` holds it and the real one to the same behaviour, so a story that
is told with it is told as it would be with sshd, dnf and createrepo_c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256

from gm_analytics.errors import (
    LockHeld,
    NotInstallable,
    NotVisible,
    Overtaken,
    RollbackRefused,
    UnknownPackages,
    UnknownPublication,
    Unresolvable,
)
from gm_analytics.manifest import Manifest
from gm_analytics.mirror import previews, vetoes
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.publication import (
    Built,
    Closure,
    Download,
    Preview,
    Publication,
    Standing,
    Whereabouts,
)
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.mirror.survey import Asked, Survey, Tools, Upstream
from gm_analytics.remote.stop import Stop
from gm_analytics.rpm.changes import Plan, compare, merge
from gm_analytics.rpm.package import Package, Row

FREE = 10**9
TOOLS = Tools("dnf4", "/usr/bin/dnf", "/usr/bin/createrepo_c", "userns")


@dataclass(frozen=True)
class Offered:
    """A package that upstream has."""

    name: str
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    version: str = "1.0"

    @property
    def package(self) -> Package:
        """Give it as a file."""
        file = f"{self.name}-{self.version}-1.el9.noarch.rpm"
        digest = sha256(file.encode()).hexdigest()
        return Package(file, self.name, 0, self.version, "1.el9", "noarch", 10, digest)

    @property
    def row(self) -> Row:
        """Give it as a line of a transaction table."""
        return Row(self.name, "noarch", f"{self.version}-1.el9", "upstream", 10)


@dataclass
class Candidate:
    """What an update has in staging."""

    downloaded: tuple[Package, ...] = ()
    packages: tuple[Package, ...] = ()
    publication: Publication | None = None
    manifests: tuple[str, ...] = ()
    solved: tuple[tuple[str, str], ...] = ()
    upstream: str = ""


@dataclass
class Kept:
    """A publication or a preview that the mirror holds."""

    publication: Publication | None
    packages: tuple[Package, ...]
    manifests: tuple[str, ...] = ()
    mark: str = ""
    solved: tuple[tuple[str, str], ...] = ()
    """Digests of manifests, each with what upstream looked like."""

    @property
    def repomd(self) -> str:
        """Give what stands for the SHA-256 of its repomd.xml."""
        return sha256(repr((self.publication, self.packages)).encode()).hexdigest()


@dataclass
class State:
    """What is on the mirror's disk, and upstream."""

    upstream: dict[str, Offered] = field(default_factory=dict)
    pool: dict[str, Package] = field(default_factory=dict)
    publications: dict[str, Kept] = field(default_factory=dict)
    previews: dict[int, Kept] = field(default_factory=dict)
    staging: dict[str, Candidate] = field(default_factory=dict)
    live: str = ""
    locked: bool = False
    key: str = ""
    cached: str = ""
    """What upstream looked like when it was read last."""
    fresh: bool = False
    away: bool = False
    """Whether upstream does not answer."""

    def read(self) -> str:
        """Read what upstream looks like."""
        text = repr(sorted(self.upstream.items()))
        self.cached = sha256(text.encode()).hexdigest()
        return self.cached

    def closure(self, specs: Iterable[str]) -> list[Offered]:
        """Follow what packages require."""
        found: dict[str, Offered] = {}
        wanted = list(specs)
        while wanted:
            name = wanted.pop()
            if name in found:
                continue
            if name not in self.upstream:
                raise Unresolvable("m", [name], f"nothing provides {name}")
            found[name] = self.upstream[name]
            wanted += found[name].requires
        return list(found.values())


class MemoryMirror:
    """One mirror, opened. `State` outlives it, as a disk does."""

    def __init__(self, name: str, state: State) -> None:
        self.name, self._state = name, state
        self.package_manager = _PackageManager(name, state)
        self.publisher = _Publisher(name, state)
        self.signer = _Signer(state)
        self.publications = _Publications(name, state)

    def survey(self) -> Survey:
        """Look; an empty mirror gets its first, empty publication."""
        state = self._state
        if not state.live:
            state.live = Publication.directory(1)
            state.publications[state.live] = Kept(None, ())
        live = state.publications[state.live]
        text = live.publication.text() if live.publication else ""
        return Survey(
            "live",
            TOOLS,
            live=state.live,
            repomd=live.repomd,
            free=FREE,
            manifests=live.manifests,
            mark=live.mark,
            publication=text,
            upstream=Upstream(state.cached, state.fresh, live.solved),
            previews=len(state.previews),
        )

    def sweep(self, update_id: str) -> None:
        """Forget an update's staging directory."""
        self._state.staging.pop(update_id, None)


class _PackageManager:
    def __init__(self, name: str, state: State) -> None:
        self._name, self._state = name, state

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
        if unknown := [spec for spec in specs if spec not in self._state.upstream]:
            raise UnknownPackages(self._name, unknown)
        closure = self._state.closure(specs)
        names = {offered.name for offered in closure}
        conflict = any(names & set(offered.conflicts) for offered in closure)
        downloaded = tuple(offered.package for offered in closure)
        self._state.staging[update_id] = Candidate(downloaded, upstream=self._state.read())
        groups = tuple((spec,) for spec in specs) if conflict else (specs,)
        return Download(groups if specs else (), tuple(offered.row for offered in closure))

    def ask_upstream(self, update_id: str) -> Asked:
        if self._state.away:
            return Asked(failed="no answer")
        return Asked(self._state.read())

    def prove(self, update_id: str, groups: tuple[tuple[str, ...], ...]) -> None:
        there = {package.name for package in self._state.staging[update_id].packages}
        for specs in groups:
            if missing := [spec for spec in specs if spec not in there]:
                raise NotInstallable(self._name, list(specs), f"no {', '.join(missing)}")


class _Publisher:
    def __init__(self, name: str, state: State) -> None:
        self._name, self._state = name, state

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        packages = tuple(sorted(self._state.staging[update_id].downloaded))
        shown = {package.file for package in self._state.publications[live].packages}
        return Closure(packages, tuple(self._where(package, shown) for package in packages))

    def _where(self, package: Package, shown: set[str]) -> Whereabouts:
        if package.file in shown:
            return "live"
        return "pool" if package.file in self._state.pool else "new"

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        for package in packages:
            self._state.pool.setdefault(package.file, package)

    def build(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> Built:
        before = self._state.publications[live].packages
        packages = merge(before, closure.packages, exact=publication.exact)
        return self._stage(update_id, packages, publication, (publication.manifest,))

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> Built:
        return self._stage(update_id, closure.packages, publication, (publication.manifest,))

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> Built:
        staged = self._stage(update_id, closure.packages, publication, older.manifests)
        self._state.staging[update_id].solved = self._state.publications[older.directory].solved
        return staged

    def _stage(
        self,
        update_id: str,
        packages: Iterable[Package],
        publication: Publication,
        manifests: tuple[str, ...],
    ) -> Built:
        candidate = self._state.staging.setdefault(update_id, Candidate())
        candidate.packages = tuple(packages)
        candidate.publication, candidate.manifests = publication, manifests
        return Built()

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        following = Publication.directory(publication.number)
        now = self._state.publications[self._state.live]
        if now.publication != publication:
            if self._state.live != live:
                raise Overtaken(self._name, live, self._state.live)
            self._state.publications[following] = self._staged(update_id)
            self._state.live = following
        return self._state.publications[following].repomd

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        self._state.previews[publication.number] = self._staged(update_id)
        return self._state.previews[publication.number].repomd

    def _staged(self, update_id: str) -> Kept:
        candidate = self._state.staging[update_id]
        solved = candidate.solved or tuple(
            (manifest, candidate.upstream) for manifest in candidate.manifests
        )
        made = (candidate.publication, candidate.packages, candidate.manifests)
        return Kept(*made, solved=solved)


class _Signer:
    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def signing_key(self) -> str:
        return self._state.key

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
        assert self._state.key


class _Publications:
    def __init__(self, name: str, state: State) -> None:
        self._name, self._state = name, state

    def packages(self, live: str) -> tuple[Package, ...]:
        return self._state.publications[live].packages

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        return compare(self.packages(live), closure.packages, exact=exact)

    def remember(self, live: str, digest: str, mark: str, update_id: str = "") -> None:
        kept = self._state.publications[live]
        if staged := self._state.staging.get(update_id):
            others = tuple(one for one in kept.solved if one[0] != digest)
            kept.solved = (*others, (digest, staged.upstream))
        kept.manifests = tuple(dict.fromkeys((*kept.manifests, digest)))
        kept.mark = mark or kept.mark

    def look_back(self, number: int | None) -> Held:
        state = self._state
        if number is None:
            older = [
                directory for directory in sorted(state.publications) if directory < state.live
            ]
            if not older:
                raise RollbackRefused(self._name, "before the live one", "nothing is kept")
            return self._held(older[-1])
        directory = Publication.directory(number)
        if directory not in state.publications:
            raise UnknownPublication(self._name, str(number), [])
        if directory == state.live:
            raise RollbackRefused(self._name, str(number), "it is live")
        return self._held(directory)

    def _past(self) -> History:
        state = self._state
        known = [one for one in sorted(state.publications) if one <= state.live]
        return History(0, tuple(self._bare(one) for one in known))

    def _held(self, directory: str) -> Held:
        held = self._bare(directory)
        return replace(held, vetoes=vetoes.after_rollback(self._past(), held))

    def _bare(self, directory: str) -> Held:
        kept = self._state.publications[directory]
        number, served = Publication.number_of(directory), directory == self._state.live
        count = len(kept.packages)
        return Held(directory, number, served, count, 0, 0, kept.publication, kept.manifests)

    def recall(self, older: Held) -> Closure:
        return Closure.of_pool(self.packages(older.directory))

    def obtain(
        self, update_id: str, live: str, packages: tuple[Package, ...], free: int
    ) -> Closure:
        states: tuple[Whereabouts, ...] = tuple(
            "pool" if package.file in self._state.pool else "new" for package in packages
        )
        return Closure(packages, states)

    def preview(self, number: int) -> Preview | None:
        kept = self._state.previews.get(number)
        if kept is None or kept.publication is None:
            return None
        return Preview(kept.publication, kept.repomd, kept.solved[0][1] if kept.solved else "")

    def take_preview(self, update_id: str, number: int) -> Closure:
        if found := self.preview(number):
            self._state.staging[update_id] = Candidate(upstream=found.upstream)
        return Closure.of_pool(self._state.previews[number].packages)

    def compare_previews(self, live: str) -> tuple[Standing, ...]:
        shown = {
            kept.publication.repository: kept.packages
            for kept in self._state.previews.values()
            if kept.publication
        }
        return previews.compare(Publication.number_of(live), self.packages(live), shown)

    def drop_preview(self, number: int) -> bool:
        return self._state.previews.pop(number, None) is not None

    def retain(self, update_id: str) -> None:
        """Keep everything."""


class MemoryMirrors:
    """Mirrors in memory, by their names; each has one lock."""

    def __init__(self, states: Mapping[str, State], policy: str = "EL 9") -> None:
        self._states, self._policy = states, policy

    @contextmanager
    def open(self, name: str) -> Iterator[MemoryMirror]:
        """Open a mirror, if nobody else has it open."""
        state = self._states[name]
        if state.locked:
            raise LockHeld(name, "memory")
        state.locked = True
        try:
            yield MemoryMirror(name, state)
        finally:
            state.locked = False

    def heard_by(self, hear: Callable[[str], object]) -> MemoryMirrors:
        """Say nothing."""
        return self

    def stopped_by(self, stop: Stop) -> MemoryMirrors:
        """Go on."""
        return self

    def solve_key(self, name: str, manifest: Manifest, *, exact: bool) -> SolveKey:
        """Give the same of every mirror."""
        return SolveKey(manifest.digest, exact, "/etc/yum.repos.d", self._policy)

    def preview_url(self, name: str, number: int) -> str:
        """Give an address."""
        return f"memory:{name}/previews/{number}/"

    def wait_until_visible(self, name: str, repomd: str, preview: int | None) -> None:
        """Compare with what is live, or previewed."""
        state = self._states[name]
        kept = state.publications[state.live] if preview is None else state.previews[preview]
        if kept.repomd != repomd:
            raise NotVisible(name, "memory", "something else is served")


def offering(*offered: Offered) -> dict[str, Offered]:
    """Give upstream's packages by name."""
    return {one.name: one for one in offered}
