"""A mirror host over SSH: what any work on it begins with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from gm_analytics import settings
from gm_analytics.errors import (
    AnotherService,
    BadAnswer,
    BadPackages,
    CommandFailed,
    Malformed,
    ToolsMissing,
    Untrusted,
)
from gm_analytics.mirror import ownership, repository, signing, survey, yum
from gm_analytics.mirror.ledger import Ledger
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.printed import refusals, words
from gm_analytics.mirror.survey import Survey, Target, Tools
from gm_analytics.mirror.trust import Trust, Vouched
from gm_analytics.remote import ssh
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import Grammar
from gm_analytics.rpm.package import Package

SHORT = 60
"""Seconds for commands that only look or rename."""


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
        signatures=upstream.signatures,
        max_age=upstream.max_age,
        grace_minutes=mirror.grace_minutes,
        timeout=mirror.command_timeout,
        helper=mirror.helper,
    )


class Host:
    """One locked SSH session with one mirror. Opened by the first command, closed by `with`.

    `locked=False` is for who only reads. With a `service` who writes is refused where another
    one publishes; `taking_over` is not.

    Every method may raise `MirrorUnreachable`, `LockHeld`, `CommandTimedOut` (all transient),
    `HostKeyRefused`, `AnotherService` and `CommandFailed` beside what it names itself.
    """

    def __init__(
        self,
        mirror: settings.Mirror,
        *,
        locked: bool = True,
        service: str = "",
        taking_over: bool = False,
    ) -> None:
        self._mirror = mirror
        self._target = target_of(mirror)
        self._name = mirror.name
        self._ssh = ssh.Connection(mirror, locked=locked)
        self._service = service
        self._unclaimed = False
        if locked and service and not taking_over:
            self._ssh.admit = self._admit
        self._tools: Tools | None = None
        self._key = signing.Key(mirror.signing_home) if mirror.signing_home else None
        self._trust = self._trusting(mirror, self._key) if self._key else None

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

    def look(self) -> Survey:
        """Look at the mirror without changing it, whatever is missing there."""
        doing = "looking at the repository"
        said = self._run(survey.survey(self._target), doing)
        with self.answer(doing):
            found = Survey.parse(said, self._mirror.helper is not None)
        self._tools = found.tools
        return found

    def survey(self) -> Survey:
        """Look at the mirror; an empty or a plain repository is taken over first.

        Raises:
            ToolsMissing: the host lacks a program.
            SigningFailed: a key is configured, and cannot be used.
            Untrusted: something else is live than what was signed.

        """
        _ = self.signing_key  # fails before anything is downloaded
        found = self._survey()
        if found.state == "unwritable":
            argv = list(survey.survey(self._target))
            said = f"{self._mirror.user} cannot write {self._mirror.root}"
            raise CommandFailed(self._name, "looking at the repository", argv, 1, said)
        if found.state != "live":
            if self._trust:
                self._trust.refuse_a_new_repository()
            self._establish()
            found = self._survey()
        found = self._vouch(found)
        if self._unclaimed:
            self.claim(found.live)
        return found

    def adopt(self) -> Survey:
        """Trust what a mirror with a key holds now, whatever it is, and note it."""
        if self._trust:
            found = self._survey()
            if found.state == "live":
                self._trust.take(found.live, self._sums)
            else:
                self._trust.forget()
        return self.survey()

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

    def owner(self) -> Owner:
        """Say which service publishes on the mirror."""
        printed = self._run(ownership.owner(self._target), "looking who publishes here")
        return Owner.parse(printed)

    def claim(self, live: str) -> None:
        """Publish from this service from now on, beginning at what is live."""
        argv = ownership.claim(self._target, live, self._service)
        self._run(argv, "noting who publishes here")
        self._unclaimed = False

    def packages(self, live: str) -> tuple[Package, ...]:
        """Give the packages of a publication or a preview.

        Raises:
            Untrusted: a key is configured, and did not sign them.

        """
        if self._trust:
            return self._trust.of(live).packages
        listed = self._run(repository.packages(self._target, live), "listing packages")
        with self.answer("listing packages"):
            return Package.parse(listed)

    def prepare(self, update_id: str, number: int = 0) -> None:
        """Make the update's staging directory; one that is there already is kept.

        What the preview of the pull request `number` has is not downloaded again.
        """
        argv = yum.prepare(self._target, update_id, number)
        self._run(argv, "preparing the staging directory")

    def sweep(self, update_id: str) -> None:
        """Remove what an update left in staging."""
        self._run(repository.sweep(self._target, update_id), "sweeping the staging directory")

    @property
    def signing_key(self) -> str:
        """The fingerprint of the key that signs metadata, empty if none is configured.

        Raises:
            SigningFailed: the configured one is missing or cannot be used.

        """
        return self._key.fingerprint if self._key else ""

    @property
    def tools(self) -> Tools:
        """The programs of the host, looked for once a session."""
        if self._tools is None:
            self._survey()
        if self._tools is None:  # pragma: no cover  # _survey raises first
            raise ToolsMissing(self._name, ["?"])
        return self._tools

    def _admit(self) -> None:
        """See, before anything else and under the lock, that no other service publishes here."""
        owner = self.owner()
        if owner.is_other(self._service):
            raise AnotherService(self._name, owner.published, self._service)
        self._unclaimed = not owner.service

    def _vouch(self, found: Survey) -> Survey:
        """Believe of what is live what was signed, and note that it was seen."""
        if self._trust is None:
            return found
        vouched = self._trust.live(found.live, found.repomd)
        self._trust.adopt(found.live, self._sums)
        said = vouched.statement
        found = replace(found, publication=vouched.publication, vouched=said is not None)
        return replace(found, manifests=said.manifests, mark=said.mark) if said else found

    def _sums(self) -> dict[str, str]:
        printed = self._run(repository.made_of(self._target), "adopting what is there")
        return repository.parse_made_of(printed)

    def _trusting(self, mirror: settings.Mirror, key: signing.Key) -> Trust:
        def get(path: str, most: int) -> bytes | None:
            return self._ssh.get(f"{mirror.root}/{path}", most)

        return Trust(mirror, key, Ledger(key.home), get)

    def _survey(self) -> Survey:
        found = self.look()
        if found.tools is None:
            raise ToolsMissing(self._name, list(found.missing))
        if found.tools.elevation == "helper" and self._mirror.helper is None:
            needed = "user namespaces for ordinary accounts, or the helper (mirrors[].helper)"
            raise ToolsMissing(self._name, [needed])
        return found

    @contextmanager
    def answer(self, doing: str) -> Iterator[None]:
        """Have an error say that the mirror printed something else than what was asked for."""
        try:
            yield
        except Malformed as error:
            raise BadAnswer(self._name, doing, str(error)) from error

    @contextmanager
    def packages_of_upstream(self) -> Iterator[None]:
        """Have an error say that what upstream sent is no good package."""
        try:
            yield
        except Malformed as error:
            raise BadPackages(self._name, str(error)) from error

    def _refused(self, result: ssh.Result, expected: Grammar) -> BadPackages:
        """Say which files a script refused to touch."""
        return BadPackages(self._name, "; ".join(refusals(result.stdout, expected)))

    def _establish(self) -> None:
        doing, argv = "taking over the repository", repository.establish(self._target, self.tools)
        result = self._ssh.run(argv, doing, self._target.timeout)
        if result.exited == survey.REFUSED:
            said = "; ".join(refusals(result.stdout, grammar.FILE))
            raise BadAnswer(self._name, doing, said)
        self._check(result, argv, doing)

    def _list(self, update_id: str, name: str, lines: Iterable[str]) -> None:
        text = "".join(grammar.TEXT.check(line) + "\n" for line in lines)
        self._ssh.put(self._target.staging(update_id, name), text)

    def _run(self, argv: Argv, doing: str, seconds: int = SHORT) -> str:
        return self._check(self._ssh.run(argv, doing, seconds), argv, doing)

    def _check(self, result: ssh.Result, argv: Argv, doing: str) -> str:
        if not result.ok:
            raise self._failure(result, argv, doing)
        return result.stdout

    def _failure(self, result: ssh.Result, argv: Argv, doing: str) -> CommandFailed:
        output = words(result.stdout + result.stderr)
        return CommandFailed(self._name, doing, list(argv), result.exited, output)
