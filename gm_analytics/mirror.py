"""A mirror over SSH: runs what `yum` and `repository` describe and reads what comes back.

One `Session` is one SSH connection, with the mirror's lock held for as long as it lives.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

import requests

from gm_analytics import (
    commands,
    comps,
    history,
    lock,
    near,
    repository,
    retention,
    settings,
    ssh,
    wanted,
    yum,
)
from gm_analytics.commands import Argv, Survey, Target, Tools
from gm_analytics.errors import (
    BadPackages,
    BytesDiffer,
    CommandFailed,
    DiskFull,
    GmError,
    LockBroken,
    LockHeld,
    NotInstallable,
    NotVisible,
    Overtaken,
    RollbackRefused,
    ToolsMissing,
    UnknownPackages,
    UnknownPublication,
    Unresolvable,
    UpstreamUnavailable,
)
from gm_analytics.history import Held, History
from gm_analytics.plan import (
    Closure,
    Download,
    Package,
    Plan,
    Preview,
    Publication,
    Row,
    Whereabouts,
    compare,
    merge,
)
from gm_analytics.retention import Collected, Rules
from gm_analytics.yum import transaction, unknown_specs, words

SHORT = 60
"""Seconds for commands that only look or rename."""
VISIBLE_ATTEMPTS, VISIBLE_PAUSE = 5, 0.2

_YumCommand = Callable[[Target, Tools, str, tuple[str, ...]], Argv]


def target_of(mirror: settings.Mirror) -> Target:
    """Give the part of a mirror's configuration that its commands depend on."""
    upstream = mirror.upstream
    return Target(
        root=mirror.root,
        reposdir=upstream.reposdir,
        releasever=upstream.releasever,
        arch=upstream.arch,
        module_platform_id=upstream.module_platform_id,
        weak_dependencies=upstream.weak_dependencies,
        max_age=upstream.max_age,
        grace_minutes=mirror.grace_minutes,
        timeout=mirror.command_timeout,
        helper=mirror.helper,
    )


def rules_of(mirror: settings.Mirror) -> Rules:
    """Give a mirror's rules of retention."""
    return Rules(**mirror.retention.model_dump(), grace_minutes=mirror.grace_minutes)


class Session:
    """One locked SSH session with one mirror. Opened by the first command, closed by `with`.

    `locked=False` is for who only reads.

    Every method may raise `MirrorUnreachable`, `LockHeld`, `CommandTimedOut` (all transient),
    `HostKeyRefused` and `CommandFailed` beside what it names itself.
    """

    def __init__(self, mirror: settings.Mirror, *, locked: bool = True) -> None:
        self._mirror = mirror
        self._target = target_of(mirror)
        self._name = mirror.name
        self._ssh = ssh.Connection(mirror, self._target, locked=locked)
        self._tools: Tools | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, and with it give the lock back."""
        self._ssh.close()

    # --- for `gm-analytics check` ---------------------------------------------------------

    def look(self) -> Survey:
        """Look at the mirror without changing it, whatever is missing there."""
        argv = commands.survey(self._target)
        found = Survey.parse(
            self._run(argv, "looking at the repository"), self._mirror.helper is not None
        )
        self._tools = found.tools
        return found

    def upstream(self) -> str:
        """Have yum read the metadata of the upstream repositories, and say that it could.

        Raises:
            UpstreamUnavailable: it could not.

        """
        name = "check"
        self.prepare(name)
        try:
            argv = yum.makecache(self._target, self.tools, name)
            result = self._yum(name, argv, "reading upstream's metadata")
            if not result.ok:
                said = words(result.stdout + result.stderr)
                raise UpstreamUnavailable(self._name, "reading upstream's metadata", said)
        finally:
            self.sweep(name)
        return f"metadata of the repositories in {self._target.reposdir} is readable"

    # --- steps of an update, each safe to repeat ------------------------------------------

    def survey(self) -> Survey:
        """Look at the mirror; an empty or a plain repository is taken over first.

        Raises:
            ToolsMissing: the host lacks a program.

        """
        found = self._survey()
        if found.state == "unwritable":
            argv = list(commands.survey(self._target))
            said = f"{self._mirror.user} cannot write {self._mirror.root}"
            raise CommandFailed(self._name, "looking at the repository", argv, 1, said)
        if found.state != "live":
            self._run(
                repository.establish(self._target, self.tools),
                "taking over the repository",
                self._target.timeout,
            )
            found = self._survey()
        return found

    def packages(self, live: str) -> tuple[Package, ...]:
        """Give the packages of a publication."""
        listed = self._run(repository.packages(self._target, live), "listing packages")
        return tuple(map(Package.from_line, listed.splitlines()))

    def prepare(self, update_id: str, number: int = 0) -> None:
        """Make the update's staging directory; one that is there already is kept.

        What the preview of the pull request `number` has is not downloaded again.
        """
        argv = yum.prepare(self._target, update_id, number)
        self._run(argv, "preparing the staging directory")

    def resolve(self, update_id: str, specs: tuple[str, ...]) -> Download:
        """Solve the specs against an empty system without downloading anything.

        Raises:
            UnknownPackages, Unresolvable, UpstreamUnavailable: as `download`.

        """
        self.prepare(update_id)
        return self._solve(update_id, specs, yum.resolve)

    def download(self, update_id: str, specs: tuple[str, ...], free: int, number: int) -> Download:
        """Solve the specs against an empty system and download what the pool lacks.

        All at once; if they conflict, each alone. `free` is the disk's free space in bytes,
        `number` the pull request's.

        Raises:
            UnknownPackages: upstream has no such packages.
            Unresolvable: a dependency is missing or conflicts.
            DiskFull: the disk would not hold it.
            BadPackages: a checksum or signature is refused.
            UpstreamUnavailable: an upstream repository could not be read.

        """
        self.prepare(update_id, number)
        if free < self._mirror.disk_reserve:
            self._refuse_what_does_not_fit(self._solve(update_id, specs, yum.resolve).rows, free)
        return self._solve(update_id, specs, yum.download)

    def inspect(self, update_id: str, live: str, download: Download, number: int) -> Closure:
        """Check the downloaded files, compare them with what is there, say who wanted them.

        Raises:
            BadPackages: a file is damaged.
            BytesDiffer: the pool has a NEVRA with other bytes.

        """
        try:
            argv = repository.inspect(self._target, update_id, live)
            output = self._run(argv, "checking packages", self._target.timeout)
        except CommandFailed as error:
            raise BadPackages(self._name, words(error.output)) from error
        closure = Closure.parse(output, download.rows)
        there = {package.nevra for package in closure.packages}
        if absent := sorted({row.nevra for row in download.rows} - there):
            raise BadPackages(self._name, f"solved, but not downloaded: {', '.join(absent)}")
        if differing := closure.where("differs"):
            raise BytesDiffer(self._name, [package.file for package in differing])
        closure = self._explain(update_id, live, closure, download)
        if any(package.source == yum.PREVIEW_ID for package in closure.packages):
            closure = closure.sourced(self.previewed(number).packages)
        return closure

    def add(self, update_id: str, packages: tuple[Package, ...]) -> None:
        """Rename downloaded files into the pool.

        Raises:
            BytesDiffer: one came to be there with other bytes.

        """
        self._list(update_id, "new.txt", [package.file for package in packages])
        argv = repository.add(self._target, update_id)
        result = self._ssh.run(argv, "adding to the pool", SHORT)
        if result.exited == commands.BYTES_DIFFER:
            raise BytesDiffer(self._name, result.stdout.split())
        self._check(result, argv, "adding to the pool")

    def compare(self, live: str, closure: Closure, exact: bool) -> Plan:
        """Say what would change if the closure followed a publication, in its place if `exact`."""
        return compare(self.packages(live), closure.packages, exact=exact)

    def build(self, update_id: str, live: str, closure: Closure, publication: Publication) -> None:
        """Write the candidate's metadata: the closure, and `live` too unless it is exact."""
        exact = publication.exact
        packages = merge(self.packages(live), closure.packages, exact=exact)
        self._describe(update_id, live, packages, publication)
        argv = repository.build(self._target, self.tools, update_id, live, exact=exact)
        self._run(argv, "running createrepo", self._target.timeout)

    def build_preview(
        self, update_id: str, live: str, closure: Closure, publication: Publication
    ) -> None:
        """Write the metadata of a preview: the closure alone, its packages in the pool."""
        packages = merge(self.packages(live), closure.packages, exact=True)
        self._describe(update_id, live, packages, publication)
        argv = repository.build_preview(self._target, self.tools, update_id, publication.number)
        self._run(argv, "running createrepo", self._target.timeout)

    def prove(self, update_id: str, groups: tuple[tuple[str, ...], ...]) -> None:
        """Have yum install each group of specs into an empty system from the candidate alone.

        Raises:
            NotInstallable: it cannot.

        """
        for specs in groups:
            argv = yum.prove(self._target, self.tools, update_id, specs)
            result = self._yum(update_id, argv, "proving the candidate")
            output = result.stdout + result.stderr
            if not yum.was_solved(output) or unknown_specs(output, specs):
                raise NotInstallable(self._name, list(specs), words(output))

    def switch(self, update_id: str, live: str, publication: Publication) -> str:
        """Make the candidate live; give the SHA-256 of its repomd.xml.

        Raises:
            Overtaken: something else was published since `live` was looked at.

        """
        following = Publication.directory(publication.number)
        argv = repository.switch(self._target, update_id, live, following)
        result = self._ssh.run(argv, "switching to the candidate", SHORT)
        if result.exited == commands.OVERTAKEN:
            raise Overtaken(self._name, live, result.stdout.strip())
        return self._check(result, argv, "switching to the candidate").strip()

    def switch_preview(self, update_id: str, publication: Publication) -> str:
        """Make the candidate the preview of its pull request; give its repomd.xml's SHA-256."""
        argv = repository.switch_preview(self._target, update_id, publication.number)
        return self._run(argv, "switching to the preview").strip()

    def preview(self, number: int) -> Preview | None:
        """Look at a pull request's preview."""
        printed = self._run(repository.preview(self._target, number), "looking at the preview")
        repomd, _, text = printed.partition("\n")
        found = Publication.parse(text)
        return Preview(found, repomd) if found else None

    def previewed(self, number: int) -> Closure:
        """Give the packages of a pull request's preview, all of them in the pool."""
        listed = self._run(repository.preview_packages(self._target, number), "listing packages")
        packages = tuple(map(Package.from_line, listed.splitlines()))
        return Closure.of_pool(packages)

    def take_preview(self, update_id: str, number: int) -> Closure:
        """Give the packages of a pull request's preview, and put its groups into staging."""
        self.prepare(update_id)
        argv = repository.take_groups(self._target, update_id, number)
        self._run(argv, "taking the preview's groups")
        return self.previewed(number)

    def drop_preview(self, number: int) -> bool:
        """Stop serving a pull request's preview; tell whether there was one."""
        argv = repository.drop_preview(self._target, number)
        return bool(self._run(argv, "removing the preview"))

    def remember(self, live: str, digest: str, mark: str) -> None:
        """Note that the live publication satisfies a manifest, and of which merge that is."""
        argv = repository.remember(self._target, live, digest, mark)
        self._run(argv, "noting the manifest")

    def sweep(self, update_id: str) -> None:
        """Remove what an update left in staging."""
        self._run(repository.sweep(self._target, update_id), "sweeping the staging directory")

    # --- what it keeps of its past ---------------------------------------------------------

    def history(self) -> History:
        """Give every publication and every preview that the mirror holds."""
        printed = self._run(history.history(self._target), "listing publications")
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
        return found

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
        return older

    def recall(self, older: Held) -> Closure:
        """Give the packages of a publication, all of them in the pool.

        Raises:
            RollbackRefused: files are gone.

        """
        argv = history.missing(self._target, older.directory)
        if gone := self._run(argv, "looking for packages").split():
            reason = f"the pool no longer has {', '.join(gone)}"
            raise RollbackRefused(self._name, str(older.number), reason)
        return Closure.of_pool(self.packages(older.directory))

    def rebuild(
        self, update_id: str, live: str, older: Held, closure: Closure, publication: Publication
    ) -> None:
        """Write the candidate's metadata: those of an older publication, anew."""
        self.prepare(update_id)
        self._write(update_id, closure.packages, publication, older.manifests)
        argv = repository.rebuild(self._target, self.tools, update_id, live, older.directory)
        self._run(argv, "running createrepo", self._target.timeout)

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
        pool = {file: digest for digest, file in map(str.split, printed.splitlines())}
        absent = {package.nevra: package for package in packages if package.file not in pool}
        if (needed := sum(package.size for package in absent.values())) > free:
            raise DiskFull(self._name, self._mirror.root, needed, free)
        gone = self._fetch_locked(update_id, tuple(absent), list(pool))
        argv = repository.inspect(self._target, update_id, live)
        output = self._run(argv, "checking packages", self._target.timeout)
        fetched = {got.nevra: got.sha256 for got in Closure.parse(output, ()).packages}
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
        pool = history.Pool.parse(self._run(argv, "looking through the pool"))
        rpms = retention.unneeded(pool.unnamed, past.now, rules)
        if not dry_run:
            self._list(name, history.DROPPED, [str(held.number) for held in decision.dropped])
            self._list(name, history.RPMS, [rpm.file for rpm in rpms])
            argv = history.collect(self._target, name)
            self._run(argv, "removing what is not kept", self._target.timeout)
        return Collected.of(decision, pool, rpms)

    # --- the parts they are made of -------------------------------------------------------

    @property
    def tools(self) -> Tools:
        """The programs of the host, looked for once a session."""
        if self._tools is None:
            self._survey()
        if self._tools is None:  # pragma: no cover  # _survey raises first
            raise ToolsMissing(self._name, ["?"])
        return self._tools

    def _survey(self) -> Survey:
        found = self.look()
        if found.tools is None:
            raise ToolsMissing(self._name, list(found.missing))
        if found.tools.elevation == "helper" and self._mirror.helper is None:
            needed = "user namespaces for ordinary accounts, or the helper (mirrors[].helper)"
            raise ToolsMissing(self._name, [needed])
        return found

    def _solve(self, update_id: str, specs: tuple[str, ...], command: _YumCommand) -> Download:
        if not specs:
            return Download((), ())
        try:
            return Download((specs,), self._solve_group(update_id, specs, command))
        except Unresolvable:
            if len(specs) == 1:
                raise
        return self._solve_alone(update_id, specs, command)

    def _solve_alone(
        self, update_id: str, specs: tuple[str, ...], command: _YumCommand
    ) -> Download:
        """Solve each spec alone; whatever cannot be, is reported together."""
        rows: dict[Row, None] = {}
        unsolved: list[Unresolvable] = []
        for spec in specs:
            try:
                rows |= dict.fromkeys(self._solve_group(update_id, (spec,), command))
            except Unresolvable as error:
                unsolved.append(error)
        if unsolved:
            alone = [spec for error in unsolved for spec in error.specs]
            raise Unresolvable(self._name, alone, "\n".join(error.words for error in unsolved))
        return Download(tuple((spec,) for spec in specs), tuple(rows))

    def _solve_group(
        self, update_id: str, specs: tuple[str, ...], command: _YumCommand
    ) -> tuple[Row, ...]:
        try:
            return self._solve_once(update_id, specs, command, self._target)
        except UnknownPackages:
            # Upstream may have got them since its metadata was cached.
            fresh = replace(self._target, max_age=0)
        try:
            return self._solve_once(update_id, specs, command, fresh)
        except UnknownPackages as error:
            error.specs += self._unknown_besides(error.specs, update_id, specs)
            error.near = self._near(update_id, error.specs)
            raise

    def _unknown_besides(
        self, groups: list[str], update_id: str, specs: tuple[str, ...]
    ) -> list[str]:
        """Give what else is unknown: dnf 4 tells of unknown groups and looks no further."""
        rest = tuple(spec for spec in specs if spec not in groups)
        if rest and all(spec.startswith("@") for spec in groups):
            try:
                self._solve_once(update_id, rest, yum.resolve, self._target)
            except UnknownPackages as error:
                return error.specs
            except GmError:  # it would be told once the groups are known
                pass
        return []

    def _near(self, update_id: str, specs: list[str]) -> dict[str, list[str]]:
        """Look for what may have been meant by specs that upstream has nothing for."""
        with suppress(Exception):  # whatever goes wrong here must not hide what went wrong before
            argv = yum.names(self._target, self.tools, update_id)
            listed = self._yum(update_id, argv, "listing what upstream has").stdout
            groups = any(spec.startswith("@") for spec in specs)
            ids = comps.ids(self._comps("", update_id)) if groups else ()
            return near.suggest(specs, yum.listing(listed), ids)
        return {}

    def _solve_once(
        self, update_id: str, specs: tuple[str, ...], command: _YumCommand, target: Target
    ) -> tuple[Row, ...]:
        argv = command(target, self.tools, update_id, specs)
        result = self._yum(update_id, argv, f"resolving {', '.join(specs)}")
        output = result.stdout + result.stderr
        rows = transaction(result.stdout)
        unknown = unknown_specs(output, specs)
        if unknown or not (result.ok or yum.was_solved(output)):
            raise self._why(result, argv, specs, rows)
        return rows

    def _why(
        self, result: Any, argv: Argv, specs: tuple[str, ...], rows: tuple[Row, ...]
    ) -> GmError:
        """Say what a failed yum run means."""
        output = result.stdout + result.stderr
        doing = f"resolving {', '.join(specs)}"
        needed = sum(row.size for row in rows if not yum.is_here(row))
        kind = yum.failure(result.exited, output, specs)
        if kind in {"signature", "network", "unsolvable", "other"} and rows:
            # dnf says in many ways that a disk is full, and in some not at all.
            kind = "space" if self._free() < needed else kind
        errors: dict[yum.Failure, Callable[[], GmError]] = {
            "unknown": lambda: UnknownPackages(self._name, list(unknown_specs(output, specs))),
            "locked": lambda: LockHeld(self._name, f"{self._mirror.root}/.cache"),
            "space": lambda: DiskFull(self._name, self._mirror.root, needed, self._free()),
            "signature": lambda: BadPackages(self._name, words(output)),
            "network": lambda: UpstreamUnavailable(self._name, doing, words(output)),
            "unsolvable": lambda: Unresolvable(self._name, list(specs), words(output)),
            "other": lambda: self._failure(result, argv, doing),
        }
        return errors[kind]()

    def _free(self) -> int:
        return self.look().free

    def _refuse_what_does_not_fit(self, rows: tuple[Row, ...], free: int) -> None:
        needed = sum(row.size for row in rows if not yum.is_here(row))
        if needed > free:
            raise DiskFull(self._name, self._mirror.root, needed, free)

    def _explain(self, update_id: str, live: str, closure: Closure, download: Download) -> Closure:
        """Say which specs wanted the packages of a closure, and what to warn of."""
        paths = [spec for spec in download.specs if spec.startswith("/")]
        argv = repository.relations(self._target, update_id, paths)
        printed = self._run(argv, "reading what packages need", self._target.timeout)
        relations, weak = wanted.parse(printed), self._target.weak_dependencies
        groups = [spec for spec in download.specs if spec.startswith("@")]
        documents = self._comps(live, update_id) if groups else []
        names = {package.name for package in closure.packages}
        members = {spec: comps.members(documents, spec[1:], names) for spec in groups}
        packages = wanted.attribute(
            closure.packages, relations, download.specs, members, weak=weak
        )
        told = wanted.warnings(relations, weak=weak)
        return replace(closure, packages=packages, warnings=told)

    def _describe(
        self, update_id: str, live: str, packages: list[Package], publication: Publication
    ) -> None:
        """Put what a candidate is made of into staging."""
        self._write(update_id, packages, publication, (publication.manifest,))
        if groups := [spec.lstrip("@") for spec in publication.specs if spec.startswith("@")]:
            ours, *others = self._comps(live, update_id)
            documents = [b"<comps/>", *others, ours] if publication.exact else [ours, *others]
            staging = self._target.staging(update_id)
            self._ssh.put(f"{staging}/comps.xml", comps.merge(documents, groups) or "<comps/>")

    def _write(
        self,
        update_id: str,
        packages: Iterable[Package],
        publication: Publication,
        manifests: Iterable[str],
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        files = {
            "packages.txt": "".join(package.line() + "\n" for package in packages),
            "publication.json": json.dumps(asdict(publication) | {"published_at": now}, indent=2)
            + "\n",
            "manifests.txt": "".join(digest + "\n" for digest in manifests),
        }
        for name, text in files.items():
            self._ssh.put(self._target.staging(update_id, name), text)

    def _list(self, update_id: str, name: str, lines: Iterable[str]) -> None:
        text = "".join(line + "\n" for line in lines)
        self._ssh.put(self._target.staging(update_id, name), text)

    def _comps(self, live: str, update_id: str) -> list[bytes]:
        """Read the groups files: the publication's, the reviewed preview's, then upstream's."""
        argv = yum.comps(self._target, self.tools, live, update_id)
        printed = self._run(argv, "reading the groups of upstream")
        return [base64.b64decode(line) for line in printed.splitlines()]

    def _yum(self, update_id: str, argv: Argv, doing: str) -> Any:
        if self.tools.elevation != "helper":  # the helper empties the root itself: it is root's
            argv = yum.in_empty_root(self._target, update_id, argv)
        return self._ssh.run(argv, doing, self._target.timeout)

    def _run(self, argv: Argv, doing: str, seconds: int = SHORT) -> str:
        return self._check(self._ssh.run(argv, doing, seconds), argv, doing)

    def _check(self, result: Any, argv: Argv, doing: str) -> str:
        if not result.ok:
            raise self._failure(result, argv, doing)
        return str(result.stdout)

    def _failure(self, result: Any, argv: Argv, doing: str) -> CommandFailed:
        output = words(result.stdout + result.stderr)
        return CommandFailed(self._name, doing, list(argv), result.exited, output)


def _download_of_now(target: Target, tools: Tools, update_id: str, specs: tuple[str, ...]) -> Argv:
    """Download what upstream has now, not what it had when its metadata were cached."""
    return yum.download(replace(target, max_age=0), tools, update_id, specs)


def wait_until_visible(mirror: settings.Mirror, repomd: str, below: str = "") -> None:
    """Read repomd.xml as a client does until its SHA-256 is `repomd`.

    `below` is where it lies below the mirror's address, such as `previews/42/`.

    Raises:
        NotVisible: the web server goes on serving something else, or does not answer.

    """
    url = f"{mirror.base_url}{below}repodata/repomd.xml"
    said = ""
    for attempt in range(VISIBLE_ATTEMPTS):
        time.sleep(VISIBLE_PAUSE * attempt)
        try:
            reply = requests.get(
                url, headers={"Cache-Control": "no-cache"}, timeout=ssh.CONNECT_TIMEOUT
            )
        except requests.RequestException as error:
            said = f"{type(error).__name__}: {error}"
            continue
        if reply.ok and sha256(reply.content).hexdigest() == repomd:
            return
        said = f"{reply.status_code}, not what was published"
    raise NotVisible(mirror.name, url, said)
