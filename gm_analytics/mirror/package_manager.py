"""The package manager of a mirror's host, yum or dnf: solves, downloads, proves a candidate."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection
from contextlib import suppress
from functools import partial

from gm_analytics.errors import (
    BadPackages,
    CommandFailed,
    DiskFull,
    GmError,
    NotInstallable,
    Obsoleted,
    PoolIncomplete,
    SameFileName,
    UpstreamUnavailable,
)
from gm_analytics.mirror import complaints, downloads, lost, meant, survey, yum
from gm_analytics.mirror.complaints import unknown_specs, words
from gm_analytics.mirror.exact import Basis, Comparer
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.printed import transaction
from gm_analytics.mirror.publication import Closure, Download
from gm_analytics.mirror.replaced import replaced
from gm_analytics.mirror.solver import (
    Solver,
    YumCommand,
    asking,
    named,
    needed_for,
    run_yum,
    spelled_out,
)
from gm_analytics.mirror.survey import REFUSED, Asked
from gm_analytics.remote import ssh
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import optional
from gm_analytics.rpm.package import Row

log = logging.getLogger(__name__)
_NEEDS_NEWER_RPM = "rpmlib("
"""In what rpm says of a package that was made by a newer one: clients may have that."""


class PackageManager:
    """Runs what `yum` describes and says what came of it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._solver = Solver(host)
        self._comparer = Comparer(host)

    def upstream(self) -> str:
        """Have yum read the metadata of the upstream repositories, and say that it could.

        Raises:
            NoUpstream: there are none, or yum passes over some.
            UpstreamUnavailable: it could not.

        """
        name, doing = f"check-{uuid.uuid4()}", "reading upstream's metadata"
        self._host.want_repositories()
        with self._host.aside(name):
            self._host.prepare(name)
            argv = yum.makecache(self._host.target, self._host.tools, name)
            result = run_yum(self._host, name, argv, doing)
            said = words(output := result.stdout + result.stderr)
            if result.exited == complaints.YUM_LOCK:
                return "an update is reading it now"
            if complaints.failure(result.exited, output, ()) == "other" and not result.ok:
                raise self._host.failure(result, argv, doing)
            if not result.ok:
                raise UpstreamUnavailable(self._host.name, doing, said)
        return f"metadata of the repositories in {self._host.target.reposdir} is readable"

    def ask_upstream(self, update_id: str) -> Asked:
        """Have yum read what it holds for too old, and say what upstream looks like then."""
        doing = "asking upstream for anything new"
        self._host.prepare(update_id)
        argv = yum.makecache(self._host.target, self._host.tools, update_id)
        try:
            result = run_yum(self._host, update_id, argv, doing)
        except CommandFailed as error:
            return Asked(failed=str(error))
        if not result.ok:
            return Asked(failed=words(result.stdout + result.stderr))
        return Asked(self.state(doing))

    def state(self, doing: str) -> str:
        """Say what upstream looks like by its cached metadata; nothing if there are none."""
        printed = self._host.run(survey.upstream(self._host.target), doing).strip()
        with self._host.answer(doing):
            return optional(grammar.SHA256).check(printed)

    def resolve(
        self, update_id: str, specs: tuple[str, ...], live: str = "", *, exact: bool = False
    ) -> Download:
        """Solve the specs against an empty system without downloading anything.

        `live` and `exact` as in `download`.

        Raises:
            UnknownPackages, Unresolvable, Obsoleted, UpstreamUnavailable: as `download`.

        """
        self._host.prepare(update_id)
        solve = partial(self.solve, update_id, specs, yum.resolve)
        found = self._comparer.solve(update_id, Basis(live, exact=exact), solve)
        return self._kept_names(update_id, found)

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
        """Solve the specs against an empty system and download what the pool lacks.

        All at once; if they conflict, in groups. `free` is the disk's free space in bytes,
        `number` the pull request's. With `exact` the pool serves only for what upstream has, as
        it always is with the pull request's own preview; else what is `live` counts as well.

        Raises:
            UnknownPackages: upstream has no such packages.
            Unresolvable: a dependency is missing or conflicts.
            Obsoleted: upstream has another package in the place of one.
            DiskFull: the disk would not hold it.
            BadPackages: a signature is refused.
            PoolIncomplete: what it needs was lost in the pool, or is damaged there.
            UpstreamUnavailable: an upstream repository could not be read, or is half synchronised.

        """
        self._host.prepare(update_id, number)
        basis = Basis(live, number, exact)
        if free < self._host.config.disk_reserve:
            look = partial(self.solve, update_id, specs, yum.resolve)
            rows = self._comparer.solve(update_id, basis, look).rows
            self._refuse_what_does_not_fit(rows, free)
        solve = partial(self.solve, update_id, specs, yum.download)
        return self._kept_names(update_id, self._comparer.solve(update_id, basis, solve))

    def _kept_names(self, update_id: str, found: Download) -> Download:
        """See that no package was taken in the place of another one that the manifest names.

        Raises:
            Obsoleted: one was.

        """
        if by := replaced(self._host, update_id, found.specs, found.rows):
            raise Obsoleted(self._host.name, by)
        return found

    def solve(
        self, update_id: str, specs: tuple[str, ...], command: YumCommand, *, fresh: bool = False
    ) -> Download:
        """Have a command solve the specs: all at once or, if they conflict, in groups.

        With `fresh` by what upstream has now, not when its metadata were cached.
        """
        return self._solver.solve(update_id, specs, command, fresh=fresh)

    def prove(self, update_id: str, groups: tuple[tuple[str, ...], ...]) -> None:
        """Have yum install each group of specs into an empty system from the candidate alone.

        Raises:
            NotInstallable: it cannot, by the solver or by rpm's own test.
            PoolIncomplete: packages of it are damaged in the pool.

        """
        for specs in groups:
            result = self._proof(update_id, specs)
            if not result.ok and _NEEDS_NEWER_RPM in result.stdout + result.stderr:
                log.warning("%s: its rpm is too old to test %s", self._host.name, named(specs))
                result = self._proof(update_id, specs, tested=False)
            output = result.stdout + result.stderr
            if damaged := lost.files(output):
                raise PoolIncomplete(self._host.name, damaged)
            if not self._was_proven(result) or unknown_specs(output, specs):
                raise NotInstallable(self._host.name, list(specs), words(output))

    def _proof(self, update_id: str, specs: tuple[str, ...], *, tested: bool = True) -> ssh.Result:
        target, tools = self._host.target, self._host.tools
        command = partial(yum.prove, target, tools, update_id, tested=tested)
        argv = spelled_out(self._host, update_id, specs, command)
        if tested and tools.elevation != "helper":
            argv = yum.beside_packages(target, update_id, argv)
        return run_yum(self._host, update_id, argv, "proving the candidate")

    def _was_proven(self, result: ssh.Result) -> bool:
        """Tell whether a test transaction went through, or a solution was found without one.

        The helper makes none where root itself runs yum.
        """
        if complaints.was_solved(result.stdout + result.stderr):
            return True
        with self._host.packages_of_upstream():
            return result.ok and bool(transaction(result.stdout))

    def inspected(
        self, update_id: str, live: str, download: Download, rows: Collection[Row]
    ) -> Closure:
        """Check the files of some rows of a download, and compare them with what is there.

        Whatever else lies there was not asked for: an earlier attempt left it, or somebody put it
        there. A file that a power cut or a full disk damaged is downloaded once more.

        Raises:
            BadPackages: a file is damaged, or has a name or a header that none should have.

        """
        found, damaged = self._inspected(update_id, live, rows)
        if damaged and len(found.packages) < len(rows):
            for specs in download.groups:
                self.solve(update_id, specs, yum.download)
            found, damaged = self._inspected(update_id, live, rows)
        if damaged and len(found.packages) < len(rows):
            raise BadPackages(self._host.name, words(damaged))
        return found

    def not_downloaded(
        self, update_id: str, absent: Collection[str], rows: Collection[Row]
    ) -> GmError:
        """Say why packages were solved, and their files are not there."""
        with suppress(GmError):
            ask = asking(self._host, update_id)
            if names := meant.of_one_name(rows, self._host, update_id, ask):
                return SameFileName(self._host.name, names)
        return BadPackages(self._host.name, f"solved, but not downloaded: {', '.join(absent)}")

    def _inspected(self, update_id: str, live: str, rows: Collection[Row]) -> tuple[Closure, str]:
        """Give what was found of some rows, and what rpm said of damaged files."""
        doing, target = "checking packages", self._host.target
        argv = downloads.inspect(target, self._host.tools, update_id, live)
        pooled = [row.file for row in rows if yum.is_here(row)]
        argv = self._host.with_words(update_id, "pooled.txt", argv, pooled)
        result = self._host.ssh.run(argv, doing, target.timeout)
        if result.exited == REFUSED:
            raise self._host.refused(result, grammar.FILE)
        said = self._host.check(result, argv, doing)
        with self._host.packages_of_upstream():
            found = Closure.parse(said, rows)
        return found.only(row.nevra for row in rows), result.stderr.strip()

    def _refuse_what_does_not_fit(self, rows: tuple[Row, ...], free: int) -> None:
        if (needed := needed_for(rows)) > free:
            raise DiskFull(self._host.name, self._host.config.root, needed, free)
