"""The package manager of a mirror's host, yum or dnf: solves, downloads, proves a candidate."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from gm_analytics.errors import (
    BadPackages,
    DiskFull,
    GmError,
    LockHeld,
    Malformed,
    NotInstallable,
    UnknownPackages,
    Unresolvable,
    UpstreamUnavailable,
)
from gm_analytics.mirror import (
    downloads,
    printed,
    survey,
    yum,
)
from gm_analytics.mirror.host import SHORT, Host
from gm_analytics.mirror.printed import transaction, unknown_specs, words
from gm_analytics.mirror.publication import Closure, Download
from gm_analytics.mirror.survey import REFUSED, Asked, Target, Tools
from gm_analytics.remote import ssh
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import comps, grammar
from gm_analytics.rpm import suggestions as near
from gm_analytics.rpm.grammar import optional
from gm_analytics.rpm.package import Row

YumCommand = Callable[[Target, Tools, str, tuple[str, ...]], Argv]


class PackageManager:
    """Runs what `yum` describes and says what came of it."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def upstream(self) -> str:
        """Have yum read the metadata of the upstream repositories, and say that it could.

        Raises:
            UpstreamUnavailable: it could not.

        """
        name = f"check-{uuid.uuid4()}"
        with self._host.aside(name):
            self._host.prepare(name)
            argv = yum.makecache(self._host.target, self._host.tools, name)
            result = self._yum(name, argv, "reading upstream's metadata")
            if not result.ok:
                said = words(result.stdout + result.stderr)
                raise UpstreamUnavailable(self._host.name, "reading upstream's metadata", said)
        return f"metadata of the repositories in {self._host.target.reposdir} is readable"

    def ask_upstream(self, update_id: str) -> Asked:
        """Have yum read what it holds for too old, and say what upstream looks like then."""
        doing = "asking upstream for anything new"
        self._host.prepare(update_id)
        argv = yum.makecache(self._host.target, self._host.tools, update_id)
        result = self._yum(update_id, argv, doing)
        if not result.ok:
            return Asked(failed=words(result.stdout + result.stderr))
        return Asked(self.state(doing))

    def state(self, doing: str) -> str:
        """Say what upstream looks like by its cached metadata; nothing if there are none."""
        printed = self._host.run(survey.upstream(self._host.target), doing).strip()
        with self._host.answer(doing):
            return optional(grammar.SHA256).check(printed)

    def resolve(self, update_id: str, specs: tuple[str, ...]) -> Download:
        """Solve the specs against an empty system without downloading anything.

        Raises:
            UnknownPackages, Unresolvable, UpstreamUnavailable: as `download`.

        """
        self._host.prepare(update_id)
        return self.solve(update_id, specs, yum.resolve)

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
        self._host.prepare(update_id, number)
        if free < self._host.config.disk_reserve:
            self._refuse_what_does_not_fit(self.solve(update_id, specs, yum.resolve).rows, free)
        return self.solve(update_id, specs, yum.download)

    def prove(self, update_id: str, groups: tuple[tuple[str, ...], ...]) -> None:
        """Have yum install each group of specs into an empty system from the candidate alone.

        Raises:
            NotInstallable: it cannot.

        """
        for specs in groups:
            argv = yum.prove(self._host.target, self._host.tools, update_id, specs)
            result = self._yum(update_id, argv, "proving the candidate")
            output = result.stdout + result.stderr
            if not printed.was_solved(output) or unknown_specs(output, specs):
                raise NotInstallable(self._host.name, list(specs), words(output))

    def solve(self, update_id: str, specs: tuple[str, ...], command: YumCommand) -> Download:
        """Have a command solve the specs: all at once or, if they conflict, each alone."""
        if not specs:
            return Download((), ())
        try:
            return Download((specs,), self._solve_group(update_id, specs, command))
        except Unresolvable:
            if len(specs) == 1:
                raise
        return self._solve_alone(update_id, specs, command)

    def _solve_alone(
        self, update_id: str, specs: tuple[str, ...], command: YumCommand
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
            raise Unresolvable(
                self._host.name, alone, "\n".join(error.words for error in unsolved)
            )
        return Download(tuple((spec,) for spec in specs), tuple(rows))

    def _solve_group(
        self, update_id: str, specs: tuple[str, ...], command: YumCommand
    ) -> tuple[Row, ...]:
        try:
            return self._solve_once(update_id, specs, command, self._host.target)
        except UnknownPackages:
            # Upstream may have got them since its metadata was cached.
            fresh = replace(self._host.target, max_age=0)
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
                self._solve_once(update_id, rest, yum.resolve, self._host.target)
            except UnknownPackages as error:
                return error.specs
            except GmError:  # it would be told once the groups are known
                pass
        return []

    def _near(self, update_id: str, specs: list[str]) -> dict[str, list[str]]:
        """Look for what may have been meant by specs that upstream has nothing for."""
        with suppress(Exception):  # whatever goes wrong here must not hide what went wrong before
            argv = yum.names(self._host.target, self._host.tools, update_id)
            listed = self._yum(update_id, argv, "listing what upstream has", aloud=False).stdout
            groups = any(spec.startswith("@") for spec in specs)
            ids = comps.ids(self.comps("", update_id)) if groups else ()
            return near.suggest(specs, printed.listing(listed), ids)
        return {}

    def _solve_once(
        self, update_id: str, specs: tuple[str, ...], command: YumCommand, target: Target
    ) -> tuple[Row, ...]:
        argv = command(target, self._host.tools, update_id, specs)
        result = self._yum(update_id, argv, f"resolving {', '.join(specs)}")
        output = result.stdout + result.stderr
        with self._host.packages_of_upstream():
            rows = transaction(result.stdout)
        unknown = unknown_specs(output, specs)
        if unknown or not (result.ok or printed.was_solved(output)):
            raise self._why(result, argv, specs, rows)
        return rows

    def _why(
        self, result: ssh.Result, argv: Argv, specs: tuple[str, ...], rows: tuple[Row, ...]
    ) -> GmError:
        """Say what a failed yum run means."""
        output = result.stdout + result.stderr
        doing = f"resolving {', '.join(specs)}"
        needed = sum(row.size for row in rows if not yum.is_here(row))
        kind = printed.failure(result.exited, output, specs)
        if kind in {"signature", "network", "unsolvable", "other"} and rows:
            # dnf says in many ways that a disk is full, and in some not at all.
            kind = "space" if self._free() < needed else kind
        name, root = self._host.name, self._host.config.root
        errors: dict[printed.Failure, Callable[[], GmError]] = {
            "unknown": lambda: UnknownPackages(
                self._host.name, list(unknown_specs(output, specs))
            ),
            "locked": lambda: LockHeld(name, f"{root}/.cache"),
            "space": lambda: DiskFull(
                self._host.name, self._host.config.root, needed, self._free()
            ),
            "signature": lambda: BadPackages(self._host.name, words(output)),
            "network": lambda: UpstreamUnavailable(self._host.name, doing, words(output)),
            "unsolvable": lambda: Unresolvable(self._host.name, list(specs), words(output)),
            "other": lambda: self._host.failure(result, argv, doing),
        }
        return errors[kind]()

    def inspected(self, update_id: str, live: str, rows: Iterable[Row]) -> Closure:
        """Check the downloaded files and compare them with what is there.

        Raises:
            BadPackages: a file is damaged, or has a name or a header that none should have.

        """
        argv, doing = downloads.inspect(self._host.target, update_id, live), "checking packages"
        result = self._host.ssh.run(argv, doing, self._host.target.timeout)
        if result.exited == REFUSED:
            raise self._host.refused(result, grammar.FILE)
        if not result.ok:
            raise BadPackages(self._host.name, words(result.stdout + result.stderr))
        with self._host.packages_of_upstream():
            return Closure.parse(result.stdout, rows)

    def _free(self) -> int:
        return self._host.look().free

    def _refuse_what_does_not_fit(self, rows: tuple[Row, ...], free: int) -> None:
        needed = sum(row.size for row in rows if not yum.is_here(row))
        if needed > free:
            raise DiskFull(self._host.name, self._host.config.root, needed, free)

    def comps(self, live: str, update_id: str) -> list[bytes]:
        """Read the groups files: the publication's, the reviewed preview's, then upstream's."""
        argv = yum.comps(self._host.target, self._host.tools, live, update_id)
        doing = "reading the groups of upstream"
        result = self._host.ssh.run(argv, doing, SHORT)
        if result.exited == REFUSED:
            raise self._host.refused(result, grammar.HREF)
        encoded = self._host.check(result, argv, doing).split()
        with self._host.packages_of_upstream():
            if len(encoded) > comps.MAX_DOCUMENTS:
                found = f"{len(encoded):,}"
                raise Malformed(f"at most {comps.MAX_DOCUMENTS} comps.xml files", found)
            return [base64.b64decode(text) for text in encoded]

    def _yum(self, update_id: str, argv: Argv, doing: str, *, aloud: bool = True) -> ssh.Result:
        if (
            self._host.tools.elevation != "helper"
        ):  # the helper empties the root itself: it is root's
            argv = yum.in_empty_root(self._host.target, update_id, argv)
        return self._host.ssh.run(argv, doing, self._host.target.timeout, aloud=aloud)
