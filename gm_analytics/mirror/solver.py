"""Has yum or dnf solve package specs: all at once or, where they conflict, in a few groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from gm_analytics.errors import (
    CommandFailed,
    DiskFull,
    GmError,
    LockHeld,
    NoUpstream,
    PoolIncomplete,
    SameFileName,
    UnknownPackages,
    Unresolvable,
    UpstreamUnavailable,
)
from gm_analytics.mirror import complaints, grouping, lost, meant, modular, printed, refused, yum
from gm_analytics.mirror.complaints import unknown_specs, words
from gm_analytics.mirror.host import Host, are_few
from gm_analytics.mirror.printed import transaction
from gm_analytics.mirror.publication import Download
from gm_analytics.mirror.survey import Target, Tools
from gm_analytics.remote import ssh
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm.package import Row

MAX_GROUPS = 24
"""Each costs a run that solves it, and one that proves it."""
_SHOWN = 20


class YumCommand(Protocol):
    """One of `yum`'s, which solves specs."""

    def __call__(
        self, target: Target, tools: Tools, update_id: str, specs: Sequence[str], *, some: bool
    ) -> Argv:
        """Give the command."""
        ...


@dataclass(frozen=True)
class Solved:
    """What a run said."""

    rows: tuple[Row, ...]
    left_out: tuple[Row, ...]
    problems: tuple[str, ...]


class _MovedError(Exception):
    """Upstream has other files than the metadata say that were read; carries what to say of it."""

    def __init__(self, error: UpstreamUnavailable, rows: tuple[Row, ...]) -> None:
        self.error, self.rows = error, rows


class Solver:
    """Runs what `yum` describes, as often as a set of specs needs."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def solve(
        self, update_id: str, specs: tuple[str, ...], command: YumCommand, *, fresh: bool = False
    ) -> Download:
        """Have a command solve the specs; `fresh` by what upstream has now.

        May raise `UnknownPackages`, `Unresolvable`, `DiskFull`, `BadPackages`, `PoolIncomplete`,
        `UpstreamUnavailable`, `ModulesNotPossible`.
        """
        asking = _Asking(self._host, update_id, command, fresh=fresh)
        if not specs:
            return Download((), ())
        modular.want_tools(self._host, specs)
        try:
            return Download((specs,), asking.of(specs).rows)
        except Unresolvable:
            if len(specs) == 1:
                raise
        return _in_groups(asking, specs)


def _in_groups(asking: _Asking, specs: tuple[str, ...]) -> Download:
    """Group what fits together: each run leaves out what does not, and the next one takes that."""
    groups: list[tuple[str, ...]] = []
    rows: dict[Row, None] = {}
    broken: dict[str, str] = {}
    rest = specs
    while rest and len(groups) + len(broken) < MAX_GROUPS:
        fitting, solved = _fitting(asking, rest, broken)
        if fitting:
            groups.append(fitting)
            rows |= dict.fromkeys(solved.rows)
        done = {*fitting, *broken}
        rest = tuple(spec for spec in rest if spec not in done)
    broken |= dict.fromkeys(rest, f"it does not fit into {MAX_GROUPS} groups with the others")
    if broken:
        told = "\n".join(f"{spec}: {reason}" for spec, reason in broken.items())
        raise Unresolvable(asking.mirror, list(broken), told)
    return Download(tuple(groups), tuple(rows))


def _fitting(
    asking: _Asking, rest: tuple[str, ...], broken: dict[str, str]
) -> tuple[tuple[str, ...], Solved]:
    """Give specs that fit together, and how; note which cannot be installed at all."""
    if len(rest) == 1:
        return _alone(asking, rest, broken)
    solved = asking.of(rest, some=True)
    if not (solved.left_out or solved.problems):
        return rest, solved
    if fitting := grouping.installed(rest, solved.rows, solved.left_out):
        return fitting, solved
    if solved.rows:  # paths, groups, what packages provide: no table tells which of them fit
        return _alone(asking, rest[:1], broken)
    broken |= grouping.reasons(rest, solved.left_out, solved.problems)
    return (), solved


def _alone(
    asking: _Asking, spec: tuple[str, ...], broken: dict[str, str]
) -> tuple[tuple[str, ...], Solved]:
    try:
        return spec, asking.of(spec)
    except Unresolvable as error:
        broken[spec[0]] = error.words
        return (), Solved((), (), ())


class _Asking:
    """An update that has a command of `yum` solve specs, by metadata as new as need be."""

    def __init__(
        self, host: Host, update_id: str, command: YumCommand, *, fresh: bool = False
    ) -> None:
        self.mirror = host.name
        self._host, self._update_id, self._command = host, update_id, command
        self._ask = asking(host, update_id)
        self._target = replace(host.target, max_age=0) if fresh else host.target

    def of(self, specs: tuple[str, ...], *, some: bool = False) -> Solved:
        """Solve specs in one run, and once more by fresh metadata where these may be the cause.

        Raises:
            UnknownPackages: upstream has none of some, by metadata of now.
            UpstreamUnavailable: it cannot be read, or has other files than its metadata say.

        """
        try:
            return self._once(specs, some=some)
        except (UnknownPackages, _MovedError) as error:
            if self._target.max_age == 0:
                raise self._told(error, specs) from error
        self._target = replace(self._target, max_age=0)
        try:
            return self._once(specs, some=some)
        except (UnknownPackages, _MovedError) as error:
            raise self._told(error, specs) from error
        finally:
            self._target = self._host.target

    def _told(self, error: UnknownPackages | _MovedError, specs: tuple[str, ...]) -> GmError:
        """Give what to say where fresh metadata did not help."""
        if isinstance(error, _MovedError):
            return self._moved(error)
        with suppress(CommandFailed):
            self._host.want_repositories()
        self._look_besides(error, specs)
        with suppress(Exception):  # whatever goes wrong here must not hide what went wrong before
            self._look_up(error)
        return error

    def _once(self, specs: tuple[str, ...], *, some: bool) -> Solved:
        tools, name = self._host.tools, self._update_id
        command = partial(self._command, self._target, tools, name, some=some)
        argv = spelled_out(self._host, name, specs, command)
        result = run_yum(self._host, self._update_id, argv, f"resolving {named(specs)}")
        output = result.stdout + result.stderr
        with self._host.packages_of_upstream():
            rows = transaction(result.stdout)
            modular.want_tools(self._host, (), rows)
            solved = Solved(rows, printed.left_out(result.stdout), grouping.problems(output))
        unknown = unknown_specs(output, specs)
        if unknown or not (result.ok or complaints.was_solved(output)):
            raise self._why(result, argv, specs, rows)
        return solved

    def _look_besides(self, error: UnknownPackages, specs: tuple[str, ...]) -> None:
        """Add what else is unknown: dnf 4 tells of unknown groups and looks no further."""
        rest = tuple(spec for spec in specs if spec not in error.specs)
        if rest and all(spec.startswith("@") for spec in error.specs):
            try:
                asking = _Asking(self._host, self._update_id, yum.resolve)
                asking._once(rest, some=False)
            except UnknownPackages as more:
                error.specs += more.specs
                error.hidden |= more.hidden
            except (GmError, _MovedError):  # it would be told once the groups are known
                pass

    def _moved(self, error: _MovedError) -> GmError:
        """Tell two files of one name, each in the other's place, from what only time can help."""
        names: list[str] = []
        if "checksum" in error.error.message:
            with suppress(Exception):  # as before
                names = meant.of_one_name(
                    error.rows, self._host, self._update_id, asking(self._host, self._update_id)
                )
        return SameFileName(self.mirror, names) if names else error.error

    def _look_up(self, error: UnknownPackages) -> None:
        meant.look_up(error, self._host, self._update_id, self._ask)

    def _why(
        self, result: ssh.Result, argv: Argv, specs: tuple[str, ...], rows: tuple[Row, ...]
    ) -> GmError | _MovedError:
        """Say what a failed yum run means."""
        output, doing = result.stdout + result.stderr, f"resolving {named(specs)}"
        if damaged := lost.files(output):
            return PoolIncomplete(self._host.name, damaged)
        needed = needed_for(rows)
        kind = complaints.failure(result.exited, output, specs)
        if complaints.lacks_platform(output):
            return modular.without_platform(self._host, unknown_specs(output, specs) or specs)
        if kind in {"signature", "network", "unsolvable", "other"} and rows:
            # dnf says in many ways that a disk is full, and in some not at all.
            kind = "space" if self._host.look().free < needed else kind
        name, root = self._host.name, self._host.config.root
        unavailable = UpstreamUnavailable(name, doing, words(output))
        errors: dict[complaints.Failure, Callable[[], GmError | _MovedError]] = {
            "unknown": lambda: self._unknown(output, specs),
            "locked": lambda: LockHeld(name, f"{root}/.cache"),
            "space": lambda: DiskFull(name, root, needed, self._host.look().free),
            "moved": lambda: _MovedError(unavailable, rows),
            "signature": lambda: refused.signature(self._host, output, rows),
            "network": lambda: unavailable,
            "unsolvable": lambda: Unresolvable(name, list(specs), words(output)),
            "other": lambda: self._host.failure(result, argv, doing),
        }
        return errors[kind]()

    def _unknown(self, output: str, specs: tuple[str, ...]) -> UnknownPackages:
        unknown, told = unknown_specs(output, specs), complaints.hidden(output)
        hidden = {spec: str(told[spec]) for spec in unknown if spec in told}
        return UnknownPackages(self.mirror, list(unknown), hidden=hidden)


def needed_for(rows: tuple[Row, ...]) -> int:
    """Give the bytes that a download of these takes."""
    return sum(row.size for row in rows if not yum.is_here(row))


def named(specs: Sequence[str]) -> str:
    """Name specs, the first ones of many."""
    more = f" and {len(specs) - _SHOWN:,} more" if len(specs) > _SHOWN else ""
    return ", ".join(specs[:_SHOWN]) + more


def spelled_out(
    host: Host, update_id: str, specs: tuple[str, ...], command: Callable[[tuple[str, ...]], Argv]
) -> Argv:
    """Give a command its specs as yum takes them, through a list in staging if they are many."""
    specs = yum.taken(host.tools, specs)
    if are_few(specs):
        return command(specs)
    host.put_list(update_id, yum.SPECS, specs)
    return yum.listed(host.target, host.tools, update_id, command(()))


def asking(host: Host, update_id: str) -> meant.Ask:
    """Give what runs a command of `yum` for what is said behind it; it gives what it printed."""
    return lambda argv, doing: run_yum(host, update_id, argv, doing, aloud=False).stdout


def run_yum(
    host: Host, update_id: str, argv: Argv, doing: str, *, aloud: bool = True
) -> ssh.Result:
    """Run a command of `yum` in an empty root; its exit code is the caller's to judge.

    Raises:
        CommandFailed: the program itself crashed.
        NoUpstream: it would go on without one of the repositories.

    """
    if host.tools.elevation != "helper":  # the helper empties the root itself: it is root's
        argv = yum.in_empty_root(host.target, update_id, argv)
    result = host.ssh.run(argv, doing, host.target.timeout, aloud=aloud)
    if not result.ok and (failure := host.failure(result, argv, doing)).crash:
        raise failure
    host.has_asked_upstream = True
    if passed := complaints.passed_over(result.stdout + result.stderr):
        raise NoUpstream(host.name, passed, host.target.reposdir)
    return result
