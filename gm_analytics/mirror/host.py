"""A mirror host over SSH: what any work on it begins with."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from gm_analytics import settings
from gm_analytics.errors import CommandFailed, ToolsMissing
from gm_analytics.mirror import repository, signing, survey, yum
from gm_analytics.mirror.survey import Survey, Target, Tools
from gm_analytics.mirror.yum import words
from gm_analytics.remote import ssh
from gm_analytics.remote.commands import Argv
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

    `locked=False` is for who only reads.

    Every method may raise `MirrorUnreachable`, `LockHeld`, `CommandTimedOut` (all transient),
    `HostKeyRefused` and `CommandFailed` beside what it names itself.
    """

    def __init__(self, mirror: settings.Mirror, *, locked: bool = True) -> None:
        self._mirror = mirror
        self._target = target_of(mirror)
        self._name = mirror.name
        self._ssh = ssh.Connection(mirror, locked=locked)
        self._tools: Tools | None = None
        self._key = signing.Key(mirror.signing_home) if mirror.signing_home else None

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
        argv = survey.survey(self._target)
        found = Survey.parse(
            self._run(argv, "looking at the repository"), self._mirror.helper is not None
        )
        self._tools = found.tools
        return found

    def survey(self) -> Survey:
        """Look at the mirror; an empty or a plain repository is taken over first.

        Raises:
            ToolsMissing: the host lacks a program.
            SigningFailed: a key is configured, and cannot be used.

        """
        _ = self.signing_key  # fails before anything is downloaded
        found = self._survey()
        if found.state == "unwritable":
            argv = list(survey.survey(self._target))
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

    def _survey(self) -> Survey:
        found = self.look()
        if found.tools is None:
            raise ToolsMissing(self._name, list(found.missing))
        if found.tools.elevation == "helper" and self._mirror.helper is None:
            needed = "user namespaces for ordinary accounts, or the helper (mirrors[].helper)"
            raise ToolsMissing(self._name, [needed])
        return found

    def _list(self, update_id: str, name: str, lines: Iterable[str]) -> None:
        text = "".join(line + "\n" for line in lines)
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
