"""The publications of a mirror: the live one, older ones and previews, and what goes."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

from gm_analytics.errors import (
    BadAnswer,
    DiskFull,
    GmError,
    LockBroken,
    RollbackRefused,
    UnknownPublication,
    UnreadablePublication,
    Untrusted,
)
from gm_analytics.mirror import basis, history, lock, previews, repository, retention, seal, vetoes
from gm_analytics.mirror.advice import Adviser
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.locked import fetch_locked
from gm_analytics.mirror.package_manager import PackageManager
from gm_analytics.mirror.publication import Closure, Download, Preview, Publication, Whereabouts
from gm_analytics.mirror.retention import Collected, Rules
from gm_analytics.mirror.trust import Trust, Vouched
from gm_analytics.rpm import grammar
from gm_analytics.rpm.changes import Plan, compare
from gm_analytics.rpm.grammar import optional
from gm_analytics.rpm.package import Package, Row

log = logging.getLogger(__name__)


class Publications:
    """Runs what `history` describes and reads what comes back; with a key, what it signed."""

    def __init__(
        self, host: Host, package_manager: PackageManager, trust: Trust | None, adviser: Adviser
    ) -> None:
        self._host, self._trust, self.adviser = host, trust, adviser
        self._package_manager = package_manager

    def vouch(self, live: str, repomd: str) -> Vouched | None:
        """Read what is live as it may be believed; None where no key is configured.

        Raises:
            Untrusted: something else is live than what was signed.

        """
        return self._trust.live(live, repomd) if self._trust else None

    def satisfied(self, directory: str) -> tuple[str, ...] | None:
        """Give the digests of manifests that a publication was signed for; None without a key."""
        if self._trust is None:
            return None
        try:
            return self._trust.statement(directory).manifests
        except Untrusted:
            return ()

    def packages(self, live: str) -> tuple[Package, ...]:
        """Give the packages of a publication or a preview.

        Raises:
            Untrusted: a key is configured, and did not sign them.

        """
        if self._trust:
            return self._trust.of(live).packages
        listed = self._host.run(repository.packages(self._host.target, live), "listing packages")
        with self._host.answer("listing packages"):
            return Package.parse(listed)

    def history(self) -> History:
        """Give every publication and every preview that the mirror holds.

        One that cannot be read stops nobody; it is named here, and by who lists them.

        Raises:
            UnreadablePublication: it is the live one.

        """
        printed = self._host.run(history.history(self._host.target), "listing publications")
        with self._host.answer("listing publications"):
            found = History.parse(printed)
        for held in found.unreadable:
            error = self._unreadable(held)
            if held is found.live:
                raise error
            log.warning("%s", error)
        return found

    def _unreadable(self, held: Held) -> UnreadablePublication:
        state = "live" if held.served and not held.is_preview else "kept"
        return UnreadablePublication(self._host.name, held.directory, state, held.unreadable)

    def publication(self, number: int | None = None) -> Held:
        """Give a publication by its number, by default the live one.

        Raises:
            UnknownPublication: it is not kept.
            UnreadablePublication: what describes it is damaged, or newer.

        """
        return self._believed(self._kept(self.history(), number))

    def _kept(self, known: History, number: int | None) -> Held:
        found = known.live if number is None else known.find(number)
        if found is None:
            kept = [str(one.number) for one in known.publications]
            raise UnknownPublication(self._host.name, str(number or "live"), kept)
        if found.unreadable:
            raise self._unreadable(found)
        return found

    def look_back(self, number: int | None) -> Held:
        """Give the publication to roll back to, by default the one before the live one.

        Raises:
            UnknownPublication: it is not kept.
            RollbackRefused: it is live, or not there.
            MadeOtherwise: it was made with another configuration.

        """
        past = self.history()
        older = past.before_live() if number is None else self._kept(past, number)
        if older is None:
            raise RollbackRefused(
                self._host.name, "before the live one", "nothing that was live before is kept"
            )
        if older.served:
            raise RollbackRefused(self._host.name, str(older.number), "it is live")
        past = vetoes.believed(past, older, self._believed)
        older = replace(self._believed(older), vetoes=vetoes.after_rollback(past, older))
        basis.require(self._host.name, older.number, older.publication, self._host.basis)
        return older

    def _believed(self, held: Held) -> Held:
        """Give of a publication what was signed, where a mirror has a key."""
        if self._trust is None:
            return held
        found = self._trust.of(held.directory)
        publication, wrong = Publication.read(found.publication, there=False)
        if wrong:
            raise self._unreadable(replace(held, unreadable=wrong))
        held = replace(held, publication=publication)
        return replace(held, manifests=found.statement.manifests) if found.statement else held

    def recall(self, older: Held) -> Closure:
        """Give the packages of a publication, or raise `RollbackRefused` if files are gone."""
        packages = self.packages(older.directory)
        argv = history.missing(self._host.target, older.directory)
        if gone := self._host.run(argv, "looking for packages").split():
            reason = f"the pool no longer has {', '.join(map(grammar.printable, gone))}"
            raise RollbackRefused(self._host.name, str(older.number), reason)
        return Closure.of_pool(packages)

    def obtain(
        self, update_id: str, live: str, packages: tuple[Package, ...], free: int
    ) -> Closure:
        """Find exactly these files: in the pool, whoever named them there, else upstream.

        Raises:
            LockBroken: some cannot be had with these bytes; each is named.
            DiskFull, Unresolvable, BadPackages, UpstreamUnavailable: as `download`.

        """
        self._host.prepare(update_id)
        self._host.put_list(update_id, history.LOCKED, [package.file for package in packages])
        argv = history.sums(self._host.target, update_id)
        printed = self._host.run(argv, "looking through the pool", self._host.target.timeout)
        with self._host.answer("looking through the pool"):
            pool = history.read_sums(printed)
        absent = {package.nevra: package for package in packages if package.file not in pool}
        if (needed := sum(package.size for package in absent.values())) > free:
            raise DiskFull(self._host.name, self._host.config.root, needed, free)
        gone = fetch_locked(
            self._host, self._package_manager, update_id, tuple(absent), list(pool)
        )
        rows = tuple(Row.of(package) for package in absent.values())
        download = Download((tuple(absent),), rows)
        found = self._package_manager.inspected(update_id, live, download, rows)
        fetched = {got.nevra: got.sha256 for got in found.packages}
        if broken := lock.broken(packages, pool, fetched, gone):
            raise LockBroken(self._host.name, broken)
        states: tuple[Whereabouts, ...] = tuple(
            "new" if package.nevra in absent else "pool" for package in packages
        )
        return Closure(packages, states)

    def retain(self, update_id: str) -> Collected:
        """Remove what retention does not keep; look at no RPM if no metadata goes.

        It follows a publication, which is a success whatever becomes of this: what goes wrong is
        logged, and a later update tries again.
        """
        try:
            return self.collect(update_id, eager=False)
        except Exception as error:
            defect = not isinstance(error, GmError)
            log.warning("%s: housekeeping: %s", self._host.name, error, exc_info=defect)
            return Collected()

    def collect(self, name: str, *, eager: bool = True, dry_run: bool = False) -> Collected:
        """Remove what retention does not keep, then RPMs that nothing kept names.

        With `eager` such RPMs are looked for though no publication and no preview goes.

        Raises:
            UnknownPublication: the mirror serves none.

        """
        past, rules = self.history(), Rules.of(self._host.config)
        if past.live is None:  # nothing is named, and nothing is ours to remove
            raise UnknownPublication(self._host.name, "live", [])
        decision = retention.decide(past, rules)
        unreadable = tuple(held.directory for held in past.unreadable)
        if decision.empty and not eager:
            return Collected(unreadable=unreadable)
        self._host.prepare(name)
        self._host.put_list(name, history.KEPT, [held.directory for held in decision.kept])
        self._host.put_list(name, history.GONE, [held.directory for held in decision.gone])
        argv = history.unnamed(self._host.target, name)
        printed = self._host.run(argv, "looking through the pool")
        with self._host.answer("looking through the pool"):
            pool = history.Pool.parse(printed)
        rpms = retention.unneeded(pool.unnamed, past.now, rules)
        unreadable = tuple(dict.fromkeys((*unreadable, *pool.unlisted)))
        if not dry_run:
            self._host.put_list(
                name, history.DROPPED, [str(held.number) for held in decision.dropped]
            )
            self._host.put_list(name, history.RPMS, [rpm.file for rpm in rpms])
            argv = history.collect(self._host.target, name)
            self._host.run(argv, "removing what is not kept", self._host.target.timeout)
        return replace(Collected.of(decision, pool, rpms), unreadable=unreadable)

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        """Say what would change if the closure followed a publication, in its place if `exact`."""
        before = self.packages(live)
        plan = compare(before, closure.packages, exact=exact)
        return self.adviser.of_update(plan, live, before, closure.packages, exact=exact)

    def compare_previews(self, live: str) -> previews.Standings:
        """Say how each preview that is served differs from a publication; of the newest ones."""
        shown = previews.read(self._host, self._trust, previews.newest(self.history()))
        return previews.compare(Publication.number_of(live), self.packages(live), shown)

    def preview(self, number: int) -> Preview | None:
        """Look at a pull request's preview; one that another service made does not count."""
        doing = "looking at the preview"
        printed = self._host.run(repository.preview(self._host.target, number), doing)
        first, _, text = printed.partition("\n")
        repomd, _, state = first.partition(" ")
        try:
            with self._host.answer(doing):
                optional(grammar.SHA256).check(state)
                found = Publication.parse(text)
                if found and self._trust:
                    found = Publication.parse(self._trust.of(f"previews/{number}").publication)
        except (BadAnswer, Untrusted) as error:
            log.warning("%s The preview is not used: its set is solved again.", error)
            return None
        ours = found and found.service in ("", self._host.service)
        return Preview(found, self._host.digest(repomd, doing), state) if found and ours else None

    def previewed(self, number: int) -> Closure:
        """Give the packages of a pull request's preview."""
        return Closure.of_pool(self.packages(f"previews/{number}"))

    def take_preview(self, update_id: str, number: int) -> Closure:
        """Give the packages of a pull request's preview, and put its groups into staging."""
        self._host.prepare(update_id)
        argv = repository.take_groups(self._host.target, update_id, number)
        self._host.run(argv, "taking the preview's groups")
        return self.previewed(number)

    def drop_preview(self, number: int) -> bool:
        """Stop serving a pull request's preview; tell whether there was one."""
        argv = repository.drop_preview(self._host.target, number)
        return bool(self._host.run(argv, "removing the preview"))

    def remember(self, live: str, digest: str, mark: str, update_id: str = "") -> None:
        """Note that the live publication satisfies a manifest, and of which merge that is.

        If the update has solved it, also what upstream looked like then.
        """
        argv = repository.remember(self._host.target, update_id, live, digest, mark)
        self._host.run(argv, "noting the manifest")
        if self._trust:
            with suppress(Untrusted):  # without a statement the manifest is solved again
                statement = self._trust.statement(live).remembering(digest, mark)
                fresh = f"{self._host.target.root}/{live}/.{seal.FILE}.new"
                self._host.ssh.put(fresh, self._trust.sealed(statement))
                self._host.run(
                    repository.reseal(self._host.target, live, fresh), "noting the manifest"
                )
