"""A publication as other programs read it: what its lock file has, with what headers say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from gm_analytics.mirror import repository
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.lock import Lock, Locked
from gm_analytics.mirror.session import Session
from gm_analytics.rpm import header
from gm_analytics.rpm.header import NOTHING, Header

FORMATS = {"gm": "", "rpms.lock.yaml": "rpms_lock", "spdx": "spdx", "cyclonedx": "cyclonedx"}
"""The module of each, imported once it is asked for: theirs are large libraries."""


@dataclass(frozen=True)
class Exported:
    """One publication of a mirror."""

    lock: Lock
    base_url: str
    """Of its files."""
    arch: str = ""
    """The configured one, if there is one."""
    headers: Mapping[str, Header] = field(default_factory=dict)

    def header(self, package: Locked) -> Header:
        """Give what a package's header says, as far as it could be read."""
        return self.headers.get(package.package.canonical, NOTHING)

    def url(self, package: Locked) -> str:
        """Give where a file is served: a hint, since its checksum decides."""
        return f"{self.base_url}{quote(package.file, safe='/+')}"

    @property
    def uuid(self) -> UUID:
        """The same for the same packages of the same publication."""
        sums = sorted(package.sha256 for package in self.lock.packages)
        return uuid5(NAMESPACE_URL, "\n".join([f"{self.base_url}{self.lock.publication}", *sums]))

    @property
    def created(self) -> datetime:
        """When it was published, in whole seconds; of one that does not say, the epoch."""
        try:
            told = datetime.fromisoformat(self.lock.published_at)
        except ValueError:
            return datetime.fromtimestamp(0, UTC)
        aware = told if told.tzinfo else told.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)


def text(mirrors: Mirrors, mirror: str, number: int | None, form: str) -> str:
    """Give a publication, by default the live one, in one of `FORMATS`."""
    if not FORMATS[form]:
        return lock(mirrors, mirror, number).text()
    module = import_module(f"gm_analytics.operations.{FORMATS[form]}")
    write: Callable[[Exported], str] = module.text
    return write(_described(mirrors, mirror, number))


def lock(mirrors: Mirrors, mirror: str, number: int | None = None) -> Lock:
    """Give the lock file of a publication, by default the live one's."""
    with mirrors.read(mirror) as session:
        return _locked(session, mirror, number)[1]


def _locked(session: Session, mirror: str, number: int | None) -> tuple[Held, Lock]:
    held = session.publications.publication(number)
    return held, Lock.of(mirror, held, session.publications.packages(held.directory))


def _described(mirrors: Mirrors, mirror: str, number: int | None) -> Exported:
    with mirrors.read(mirror) as session:
        held, found = _locked(session, mirror, number)
        host = session.host
        argv = repository.described(host.target, held.directory)
        headers = header.parse(host.run(argv, "reading headers", host.target.timeout))
        return Exported(found, host.config.base_url, host.config.upstream.arch or "", headers)
