"""A mirror's host: its tools, its staging directory, and one way to run a command there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from gm_analytics import settings
from gm_analytics.errors import (
    AnotherService,
    BadAnswer,
    BadPackages,
    CommandFailed,
    GmError,
    Malformed,
    NoUpstream,
    ToolsMissing,
    UnreadablePublication,
)
from gm_analytics.mirror import (
    examined,
    ownership,
    repository,
    survey,
    yum,
)
from gm_analytics.mirror.complaints import words
from gm_analytics.mirror.examined import Examined, Repositories
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.printed import refusals
from gm_analytics.mirror.survey import UNREADABLE, Survey, Target, Tools
from gm_analytics.remote import ssh
from gm_analytics.remote.commands import Argv, script
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import SHA256, Grammar

SHORT = 60
"""Seconds for commands that only look or rename."""
INLINE = 32 * 1024
"""Bytes of words that a command names itself; with its script, SSH carries 128 KiB."""


def are_few(words: Sequence[str]) -> bool:
    """Tell whether a command may name these itself."""
    return sum(len(word.encode()) + len("'' ") for word in words) <= INLINE


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
        filelists=mirror.filelists,
        signatures=upstream.signatures,
        max_age=upstream.max_age,
        withdrawn=upstream.withdrawn,
        grace_minutes=mirror.grace_minutes,
        timeout=mirror.command_timeout,
        helper=mirror.helper,
    )


class Host:
    """One SSH connection with one mirror host, opened by the first command.

    With `locked` the mirror's lock is held for as long as the connection lives; without it one
    only reads. With a `service` who writes is refused where another one publishes; who is
    `taking_over` is not.

    Every method may raise what `ssh.Connection` does, `AnotherService` and `CommandFailed` beside
    what it names itself.
    """

    def __init__(
        self, mirror: settings.Mirror, *, locked: bool, service: str, taking_over: bool
    ) -> None:
        self.config = mirror
        self.name = mirror.name
        self.target = target_of(mirror)
        self._locked = locked
        self.ssh = ssh.Connection(mirror, locked=locked)
        self.service = service
        self.basis: dict[str, str] = {}
        """What publications are made with now; see `basis`."""
        self.unclaimed = False
        if locked and service and not taking_over:
            self.ssh.first = ownership.owner(self.target)
            self.ssh.admit = self._admit
        self.prepared = ""  # the update whose staging is there
        self.packages_link = ""  # through which metadata may name packages, known once prepared
        self.has_asked_upstream = False  # whether yum has solved by what upstream has now
        self._tools: Tools | None = None

    def close(self) -> None:
        """Close the connection, and with it give the lock back."""
        self.ssh.close()

    def look(self) -> Survey:
        """Look at the mirror without changing it; may raise `UnreadablePublication`."""
        doing = "looking at the repository"
        said = self.run(survey.survey(self.target), doing)
        with self.answer(doing):
            found = Survey.parse(said, self.config.helper is not None)
        if found.unreadable:
            raise UnreadablePublication(self.name, found.live, "live", found.unreadable)
        self._tools = found.tools
        return found

    def examine(self, tools: Tools | None, word: str) -> Examined:
        """Try what an update does in the root; the probe that holds `word` is yours to remove."""
        argv = examined.examine(self.target, tools, word)
        return Examined.parse(self.run(argv, "trying what an update does in the root"))

    def unprobe(self, probe: str) -> None:
        """Remove a probe, if there is one."""
        if probe:
            with suppress(GmError):  # a later look removes it
                self.run(examined.unprobe(self.target, probe), "removing what was tried")

    def want_repositories(self) -> None:
        """See that yum has repositories to take packages from.

        Raises:
            NoUpstream: it has none, or passes over some since the account cannot read them.

        """
        argv, reposdir = examined.repositories(self.target), self.target.reposdir
        found = Repositories.parse(self.run(argv, "looking at upstream's repository files"))
        by_root = self.tools.elevation == "helper"
        if lacking := found.lacks(reposdir, self.config.user, by_root=by_root):
            raise NoUpstream(self.name, lacking, reposdir)

    def owner(self) -> Owner:
        """Say which service publishes on the mirror."""
        printed = self.run(ownership.owner(self.target), "looking who publishes here")
        return Owner.parse(printed)

    def claim(self, live: str) -> None:
        """Publish from this service from now on, beginning at what is live."""
        argv = ownership.claim(self.target, live, self.service)
        self.run(argv, "noting who publishes here")
        self.unclaimed = False

    def prepare(self, update_id: str, number: int = 0) -> None:
        """Make the update's staging directory; one that is there already is kept.

        What the preview of the pull request `number` has is not downloaded again.
        """
        doing = "preparing the staging directory"
        self.prepared = update_id
        argv = yum.prepare(self.target, self.tools, update_id, number)
        if (result := self.ssh.run(argv, doing, SHORT)).exited == UNREADABLE:
            raise NoUpstream(self.name, words(result.stdout), self.target.reposdir)
        with self.answer(doing):
            link, local = yum.prepared(self.check(result, argv, doing))
        self.packages_link, self.target = link, replace(self.target, local=local)

    def sweep(self, update_id: str) -> None:
        """Remove what an update left in staging."""
        if self.target.place:  # which goes as a whole
            return
        cache = self.target.cache(self.tools.manager) if self._locked else ""
        argv = repository.sweep(self.target, update_id, cache)
        self.run(argv, "sweeping the staging directory")

    @contextmanager
    def aside(self, name: str) -> Iterator[None]:
        """Work in a place of its own until the block ends: nothing below the root changes.

        The root helper knows no other staging than its root's, so that there one called `name` is
        used and removed.
        """
        tools, before, doing = self.tools, self.target, "making a place to look from"
        if tools.elevation == "helper":
            with self._swept(name):
                yield
            return
        with self.answer(doing):
            place = grammar.ABSOLUTE_PATH.check(self.run(yum.aside(before, tools), doing).strip())
        self.target = replace(before, place=place)
        try:
            yield
        finally:
            self.target = before
            with suppress(GmError):  # a later look sweeps it
                self.run(("rm", "-rf", "--", place), "leaving the place to look from")

    @contextmanager
    def _swept(self, name: str) -> Iterator[None]:
        try:
            yield
        finally:
            with suppress(GmError):
                self.sweep(name)

    @property
    def tools(self) -> Tools:
        """The programs of the host, looked for once a session."""
        if self._tools is None:
            self.find_tools()
        if self._tools is None:  # pragma: no cover  # it raises first
            raise ToolsMissing(self.name, ["?"])
        return self._tools

    def _admit(self, printed: str) -> None:
        """See, before anything else and under the lock, that no other service publishes here."""
        owner = Owner.parse(printed)
        if owner.is_other(self.service):
            raise AnotherService(self.name, owner.published, self.service)
        self.unclaimed = not owner.service

    def find_tools(self) -> Survey:
        """Look at the mirror, and want every program that an update needs.

        Raises:
            ToolsMissing: the host lacks one.

        """
        found = self.look()
        usable(self.config, found)
        return found

    @contextmanager
    def answer(self, doing: str) -> Iterator[None]:
        """Have an error say that the mirror printed something else than what was asked for."""
        try:
            yield
        except Malformed as error:
            raise BadAnswer(self.name, doing, str(error)) from error

    @contextmanager
    def packages_of_upstream(self) -> Iterator[None]:
        """Have an error say that what upstream sent is not a good package."""
        try:
            yield
        except Malformed as error:
            raise BadPackages(self.name, str(error)) from error

    def refused(self, result: ssh.Result, expected: Grammar) -> BadPackages:
        """Say which files a script refused to touch."""
        return BadPackages(self.name, "; ".join(refusals(result.stdout, expected)))

    def put_list(self, update_id: str, name: str, lines: Iterable[str]) -> None:
        """Write a list into staging, since a command has a largest size."""
        text = "".join(grammar.TEXT.check(line) + "\n" for line in lines)
        self.ssh.put(self.target.staging(update_id, name), text)

    def with_words(self, update_id: str, name: str, argv: Argv, words: Sequence[str]) -> Argv:
        """Give a command more arguments, through a list in staging where they are many."""
        if are_few(words):
            return (*argv, *words)
        self.put_list(update_id, name, words)
        return script("mirror", "with-list", self.target.staging(update_id, name), *argv)

    def run(self, argv: Argv, doing: str, seconds: int = SHORT) -> str:
        """Run a command and give what it printed.

        Raises:
            CommandFailed: it did not end with 0.

        """
        return self.check(self.ssh.run(argv, doing, seconds), argv, doing)

    def check(self, result: ssh.Result, argv: Argv, doing: str) -> str:
        """Give what a command printed that has run, as `run`."""
        if not result.ok:
            raise self.failure(result, argv, doing)
        return result.stdout

    def failure(self, result: ssh.Result, argv: Argv, doing: str) -> CommandFailed:
        """Give the error of a command that failed."""
        output = words(result.stdout + result.stderr)
        return CommandFailed(self.name, doing, list(argv), result.exited, output)

    def digest(self, printed: str, doing: str) -> str:
        """Read a SHA-256 that the mirror printed."""
        with self.answer(doing):
            return SHA256.check(printed.strip())


def usable(mirror: settings.Mirror, found: Survey) -> Tools:
    """Give the programs that were found, if they are all that an update needs.

    Raises:
        ToolsMissing: they are not.

    """
    if found.tools is None:
        raise ToolsMissing(mirror.name, list(found.missing))
    if found.tools.elevation == "helper" and mirror.helper is None:
        needed = "user namespaces for ordinary accounts, or the helper (mirrors[].helper)"
        raise ToolsMissing(mirror.name, [needed])
    return found.tools
