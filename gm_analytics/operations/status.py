"""`gm-analytics status`: whether manifest, live publication and what HTTP serves agree.

It only reads, takes no lock, and says what differs, a line a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from gm_analytics import settings
from gm_analytics.errors import (
    BadAnswer,
    ConfigurationChanged,
    GmError,
    SignedBefore,
    Untrusted,
)
from gm_analytics.mirror import seal
from gm_analytics.mirror.history import History
from gm_analytics.mirror.ownership import Owner
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.served import Differs, File, Served
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.signing import Key
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import compared, manifests, standing, upstream
from gm_analytics.operations.findings import Finding, wrong
from gm_analytics.operations.manifests import Parts
from gm_analytics.operations.standing import Made
from gm_analytics.rpm.package import Package
from gm_analytics.wording import counted


@dataclass(frozen=True)
class Kept:
    """What a mirror keeps of the live publication, as far as it may be believed."""

    packages: tuple[Package, ...]
    statement: seal.Statement | None
    """What was signed; None without a key, and of what was adopted."""
    publication: Publication | None = None
    made: bool = True
    """Whether an update made the metadata: those of a repository taken over are as they were."""


Newest = Callable[[str], Made]
"""Gives the newest publication that the service made on a mirror."""


def run(
    parts: Parts, names: Iterable[str], *, checksums: bool, made: Newest = lambda _: Made()
) -> Iterator[Finding]:
    """Compare each mirror, going on after what differs."""
    for name in names:
        try:
            yield from _mirror(parts, parts.settings.mirror(name), made, checksums=checksums)
        except (BadAnswer, Untrusted) as error:  # it was seen, and is not as it should be
            yield wrong(f"mirror {name}", error, "fail")
        except GmError as error:
            yield wrong(f"mirror {name}", error, "unknown")


def _mirror(
    parts: Parts, mirror: settings.Mirror, made: Newest, *, checksums: bool
) -> list[Finding]:
    """Compare one; again if something was published in the middle of it."""
    while True:
        with parts.operations.mirrors.read(mirror.name) as session:
            look = session.host.look()
            past = session.publications.history()
            other = parts.operations.mirrors.other_service(session)
            live = past.live
            if live is None:
                return [Finding(f"mirror {mirror.name}", "fail", "nothing is published")]
            past, kept, doubts = _believed(session, past, look)
            stands = standing.look(mirror, session, look, live, made(mirror.name))
            address = standing.address(mirror, session.get, look)
            newer = upstream.newer(session, mirror.name, look, kept.packages) if kept else None
        said = f"publication {live.number}, {live.what}, is live"
        found = [
            Finding(f"mirror {mirror.name}", "ok", said),
            *([_other(mirror, other)] if other else ()),
            *_changed(parts, mirror, look),
            *_unsigned(session, mirror, look),
            *_unreadable(mirror, past),
            *manifests.findings(parts, mirror, past),
            *standing.findings(mirror.name, stands),
            *(_web(mirror, look.repomd, kept, checksums=checksums) if kept else ()),
            address,
            *doubts,
            *([newer] if newer else ()),
        ]
        if all(finding.severity != "fail" for finding in found):
            return found
        with parts.operations.mirrors.read(mirror.name) as session:
            if session.host.look().live == look.live:
                return found


def _other(mirror: settings.Mirror, owner: Owner) -> Finding:
    said = f"another service publishes there: {owner.published}"
    hint = f"Stop it, or run `gm-analytics takeover {mirror.name}`."
    return Finding(f"mirror {mirror.name} service", "fail", said, hint)


def _changed(parts: Parts, mirror: settings.Mirror, look: Survey) -> Iterator[Finding]:
    if changed := parts.operations.mirrors.changes(mirror.name, look.publication):
        error = ConfigurationChanged(mirror.name, changed)
        yield wrong(f"mirror {mirror.name} configuration", error)


def _unsigned(session: Session, mirror: settings.Mirror, look: Survey) -> Iterator[Finding]:
    try:
        session.refuse_unsigned(look)
    except SignedBefore as error:
        yield wrong(f"mirror {mirror.name} signatures", error)


def _unreadable(mirror: settings.Mirror, past: History) -> Iterator[Finding]:
    for held in past.unreadable:
        yield Finding(f"mirror {mirror.name} {held.directory}", "fail", held.what)


def _believed(
    session: Session, past: History, look: Survey
) -> tuple[History, Kept | None, list[Finding]]:
    """Read what is live, by its signature where there is a key; say what is wrong with that."""
    try:
        vouched = session.publications.vouch(look.live, look.repomd)
        packages = vouched.packages if vouched else session.publications.packages(look.live)
    except Untrusted as error:
        return past, None, [wrong(f"mirror {error.mirror} signatures", error)]
    followed, believed = manifests.satisfied_by(past), session.publications
    held = tuple(
        replace(one, manifests=signed)
        if one in followed and (signed := believed.satisfied(one.directory)) is not None
        else one
        for one in past.publications
    )
    made = past.live is not None and past.live.publication is not None
    described = Publication.read(
        vouched.publication if vouched else look.publication, there=False
    )[0]
    kept = Kept(packages, vouched.statement if vouched else None, described, made=made)
    return replace(past, publications=held), kept, []


# --- web ------------------------------------------------------------------------------------


def _web(
    mirror: settings.Mirror, repomd: str, kept: Kept, *, checksums: bool
) -> Iterator[Finding]:
    """Compare repomd.xml, the metadata that it names, and the RPMs."""
    subject = f"mirror {mirror.name} web"
    with Served(mirror) as web:
        try:
            content = web.repomd(repomd)
            files = compared.named(content, made=kept.made)
        except Differs as error:
            yield compared.differs(subject, error)
            return
        said = f"repomd.xml and the {len(files)} files that it names are the live publication's"
        yield from compared.all_of(web, subject, files, said)
        if mirror.key_home:
            yield _signature(web, mirror.name, Key(mirror.key_home), content, kept)
        if kept.made:
            yield _packages(web, subject, content, kept)
        yield from compared.keys(web, mirror.name, kept.publication)
        rpms = [File(p.file, p.sha256 if checksums else None, size=p.size) for p in kept.packages]
        how = "checksum" if checksums else "size"
        said = f"{counted(len(rpms), 'RPM')} served, each with its {how}"
        yield from compared.all_of(
            web, subject, rpms, said, f"Run `gm-analytics repair {mirror.name}`."
        )


def _signature(web: Served, name: str, key: Key, repomd: bytes, kept: Kept) -> Finding:
    subject = f"mirror {name} signatures"
    if kept.statement is None:
        return Finding(subject, "fail", "what is live is not signed; the next update signs it")
    said = f"repomd.xml and packages.txt are signed by {key.names}"
    return compared.compared(subject, said, lambda: web.signed_by(key, repomd))


def _packages(web: Served, subject: str, repomd: bytes, kept: Kept) -> Finding:
    groups = kept.statement.files.get(seal.GROUPS, "") if kept.statement else None
    how = "the signed list" if kept.statement else "packages.txt"
    said = f"it describes what {how} has: {counted(len(kept.packages), 'package')}"
    return compared.compared(subject, said, lambda: web.names(repomd, kept.packages, groups))
