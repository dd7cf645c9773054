"""What a mirror keeps of its past: publications to look at and go back to, and what goes."""

from __future__ import annotations

from dataclasses import replace

from gm_analytics import settings
from gm_analytics.errors import (
    DiskFull,
    LockBroken,
    RollbackRefused,
    UnknownPackages,
    UnknownPublication,
    Unresolvable,
)
from gm_analytics.mirror import history, lock, retention, yum
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.publication import Closure, Publication, Whereabouts
from gm_analytics.mirror.retention import Collected, Rules
from gm_analytics.mirror.solver import Solver
from gm_analytics.mirror.survey import Target, Tools
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import grammar
from gm_analytics.rpm.package import Package


def rules_of(mirror: settings.Mirror) -> Rules:
    """Give a mirror's rules of retention."""
    return Rules(**mirror.retention.model_dump(), grace_minutes=mirror.grace_minutes)


class Archive(Solver):
    """Runs what `history` describes and reads what comes back."""

    def history(self) -> History:
        """Give every publication and every preview that the mirror holds."""
        printed = self._run(history.history(self._target), "listing publications")
        with self.answer("listing publications"):
            return History.parse(printed)

    def publication(self, number: int | None = None) -> Held:
        """Give a publication by its number, by default the live one.

        Raises:
            UnknownPublication: it is not kept.

        """
        known = self.history()
        found = known.live if number is None else known.find(number)
        if found is None:
            kept = [str(one.number) for one in known.publications]
            raise UnknownPublication(self._name, str(number or "live"), kept)
        return self._believed(found)

    def look_back(self, number: int | None) -> Held:
        """Give the publication to roll back to, by default the one before the live one.

        Raises:
            UnknownPublication: it is not kept.
            RollbackRefused: it is live, or there is none.

        """
        older = self.history().before_live() if number is None else self.publication(number)
        if older is None:
            raise RollbackRefused(
                self._name, "before the live one", "nothing that was live before is kept"
            )
        if older.served:
            raise RollbackRefused(self._name, str(older.number), "it is live")
        return self._believed(older)

    def _believed(self, held: Held) -> Held:
        """Give of a publication what was signed, where a mirror has a key."""
        if self._trust is None:
            return held
        found = self._trust.of(held.directory)
        held = replace(held, publication=Publication.parse(found.publication))
        return replace(held, manifests=found.statement.manifests) if found.statement else held

    def recall(self, older: Held) -> Closure:
        """Give the packages of a publication, all of them in the pool.

        Raises:
            RollbackRefused: files are gone.

        """
        packages = self.packages(older.directory)
        argv = history.missing(self._target, older.directory)
        if gone := self._run(argv, "looking for packages").split():
            reason = f"the pool no longer has {', '.join(map(grammar.printable, gone))}"
            raise RollbackRefused(self._name, str(older.number), reason)
        return Closure.of_pool(packages)

    def obtain(
        self, update_id: str, live: str, packages: tuple[Package, ...], free: int
    ) -> Closure:
        """Find exactly these files: in the pool, whoever named them there, else upstream.

        Raises:
            LockBroken: some cannot be had with these bytes; each is named.
            DiskFull, Unresolvable, BadPackages, UpstreamUnavailable: as `download`.

        """
        self.prepare(update_id)
        self._list(update_id, history.LOCKED, [package.file for package in packages])
        argv = history.sums(self._target, update_id)
        printed = self._run(argv, "looking through the pool", self._target.timeout)
        with self.answer("looking through the pool"):
            pool = history.read_sums(printed)
        absent = {package.nevra: package for package in packages if package.file not in pool}
        if (needed := sum(package.size for package in absent.values())) > free:
            raise DiskFull(self._name, self._mirror.root, needed, free)
        gone = self._fetch_locked(update_id, tuple(absent), list(pool))
        fetched = {got.nevra: got.sha256 for got in self._inspected(update_id, live, ()).packages}
        if broken := lock.broken(packages, pool, fetched, gone):
            raise LockBroken(self._name, broken)
        states: tuple[Whereabouts, ...] = tuple(
            "new" if package.nevra in absent else "pool" for package in packages
        )
        return Closure(packages, states)

    def _fetch_locked(
        self, update_id: str, nevras: tuple[str, ...], pooled: list[str]
    ) -> set[str]:
        """Download packages by their NEVRAs; give those that upstream does not have."""
        gone: set[str] = set()
        if nevras and pooled:  # what they need may be in the pool, and in no live metadata
            self._list(update_id, history.LOCKED, pooled)
            argv = history.offer(self._target, self.tools, update_id)
            self._run(argv, "running createrepo", self._target.timeout)
        wanted = nevras
        while wanted:
            try:
                self._solve(update_id, wanted, _download_of_now)
            except UnknownPackages as error:
                gone |= set(error.specs)
                wanted = tuple(nevra for nevra in wanted if nevra not in gone)
            except Unresolvable:
                if not gone:
                    raise
                break  # for want of what is gone
            else:
                break
        return gone

    def retain(self, update_id: str) -> Collected:
        """Remove what retention does not keep; look at no RPM if no metadata goes."""
        return self.collect(update_id, eager=False)

    def collect(self, name: str, *, eager: bool = True, dry_run: bool = False) -> Collected:
        """Remove what retention does not keep, then RPMs that nothing kept names.

        With `eager` such RPMs are looked for though no publication and no preview goes.

        Raises:
            UnknownPublication: the mirror serves none.

        """
        past, rules = self.history(), rules_of(self._mirror)
        if past.live is None:  # nothing is named, and nothing is ours to remove
            raise UnknownPublication(self._name, "live", [])
        decision = retention.decide(past, rules)
        if decision.empty and not eager:
            return Collected()
        self.prepare(name)
        self._list(name, history.KEPT, [held.directory for held in decision.kept])
        self._list(name, history.GONE, [held.directory for held in decision.gone])
        argv = history.unnamed(self._target, name)
        printed = self._run(argv, "looking through the pool")
        with self.answer("looking through the pool"):
            pool = history.Pool.parse(printed)
        rpms = retention.unneeded(pool.unnamed, past.now, rules)
        if not dry_run:
            self._list(name, history.DROPPED, [str(held.number) for held in decision.dropped])
            self._list(name, history.RPMS, [rpm.file for rpm in rpms])
            argv = history.collect(self._target, name)
            self._run(argv, "removing what is not kept", self._target.timeout)
        return Collected.of(decision, pool, rpms)


def _download_of_now(target: Target, tools: Tools, update_id: str, specs: tuple[str, ...]) -> Argv:
    """Download what upstream has now, not what it had when its metadata were cached."""
    return yum.download(replace(target, max_age=0), tools, update_id, specs)
