"""A look at a mirror, for who reads the store: what is live, what is kept, what is wrong.

It takes no lock and changes nothing; what was read before is not read again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from gm_analytics.errors import ConfigurationChanged, GmError, SignedBefore, Untrusted
from gm_analytics.mirror import host_facts
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.client_of import client_of
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.host_facts import HostFacts
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.served import Differs, Served
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.sight import (
    MOST_ADVISORIES,
    Known,
    Seen,
    SeenPublication,
    Sight,
    Trouble,
)
from gm_analytics.mirror.signing import Key
from gm_analytics.mirror.survey import Survey
from gm_analytics.rpm.package import Package
from gm_analytics.settings import Mirror

AT_ONCE = 5
"""Publications whose packages one look reads."""
NEWEST = 100
"""Publications whose packages are of interest."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Live:
    """What is live, as far as it may be believed."""

    packages: tuple[Package, ...] = ()
    doubt: Trouble | None = None


def look(mirrors: Mirrors, mirror: Mirror, known: Known) -> Seen:
    """Look at a mirror.

    Raises:
        GmError: it cannot be reached, or read.

    """
    with mirrors.read(mirror.name) as session:
        found = session.host.look()
        facts = _facts(session)
        if found.state != "live":
            return Seen(_empty(found, facts))
        past = session.publications.history()
        live = _believed(session, found)
        unread = _unread(past, known)
        publications = tuple(_publications(session, past, live, unread[:AT_ONCE]))
        sight = _advised(session, known.sight, _sight(found, past, live, facts), found, live)
        troubles = tuple(_troubles(mirrors, mirror, session, found, past))
        client = "" if live.doubt else client_of(session, mirror, _made(past))
    in_step, said = _step(mirror, found)
    doubts = (live.doubt,) if live.doubt else ()
    wrong = (*doubts, *troubles)
    sight = replace(sight, in_step=in_step, served=said, wrong=wrong, client=client)
    return Seen(sight, publications, behind=len(unread) > AT_ONCE)


def _made(past: History) -> Publication | None:
    return past.live.publication if past.live else None


def _facts(session: Session) -> HostFacts:
    doing = "looking at the mirror's host"
    printed = session.host.run(host_facts.sight(session.host.target), doing)
    with session.host.answer(doing):
        return HostFacts.parse(printed)


def _empty(found: Survey, facts: HostFacts) -> Sight:
    said = {
        "unwritable": "the account cannot write the mirror's root",
        "plain": "a repository is there that is not taken over yet",
    }.get(found.state, "nothing is published yet")
    trouble = Trouble(said, severity="fail" if found.state == "unwritable" else "warn")
    return Sight(free=facts.free, disk=facts.disk, wrong=(trouble,))


def _believed(session: Session, found: Survey) -> _Live:
    """Read what is live, by its signature where there is a key."""
    try:
        vouched = session.publications.vouch(found.live, found.repomd)
        if vouched:
            return _Live(vouched.packages)
        return _Live(session.publications.packages(found.live))
    except Untrusted as error:
        return _Live(doubt=Trouble(str(error), error.hint))


def _unread(past: History, known: Known) -> list[Held]:
    """Give the publications whose packages are not known, the oldest first."""
    newest = max(known.listed, default=0)
    held = past.publications[-NEWEST:]
    return [one for one in held if one.number > newest and not one.unreadable]


def _publications(
    session: Session, past: History, live: _Live, unread: list[Held]
) -> Iterator[SeenPublication]:
    """Give what is held, with the packages of those that are to be read now."""
    for one in past.publications:
        packages = None
        if one in unread and one.served:
            packages = None if live.doubt else live.packages
        elif one in unread:
            packages = _packages(session, one)
        yield SeenPublication(
            one.number, one.served, _at(one), one.packages, one.publication, packages
        )


def _packages(session: Session, held: Held) -> tuple[Package, ...] | None:
    """Read the packages of one; an older one that nobody signed is passed over."""
    try:
        return session.publications.packages(held.directory)
    except Untrusted as error:
        log.warning("%s", error)
        return None


def _at(held: Held) -> float:
    try:
        return datetime.fromisoformat(held.when).timestamp()
    except ValueError:
        return held.made_at


def _sight(found: Survey, past: History, live: _Live, facts: HostFacts) -> Sight:
    held, read_ago = past.live, facts.read_ago
    made = held.publication if held else None
    return Sight(
        live=held.number if held else 0,
        published_at=held.when if held else "",
        what=held.what if held else "",
        packages=len(live.packages) if live.packages else (held.packages if held else 0),
        size=sum(package.size for package in live.packages),
        free=facts.free,
        disk=facts.disk,
        previews=found.previews,
        signed=bool(made and made.key),
        key=made.key if made else "",
        upstream_read_at=None if read_ago is None else time.time() - read_ago,
    )


def _advised(
    session: Session, before: Sight | None, sight: Sight, found: Survey, live: _Live
) -> Sight:
    """Add the advisories that are open; read again only if upstream or what is live changed."""
    upstream = found.upstream.state if found.upstream else ""
    made_of = f"{found.live} {upstream}"
    if before and before.advised_for == made_of:
        sight = replace(sight, advisories=before.advisories, advised_for=made_of)
        return replace(sight, open_count=before.open_count)
    if not upstream or live.doubt:
        return sight
    try:
        advised = session.reader.unfixed(found.live, live.packages)
    except GmError as error:
        log.warning("%s: which advisories are open: %s", session.host.name, error)
        return replace(sight, advised_for=made_of)
    if advised is None:
        return sight
    kept = tuple(advised[:MOST_ADVISORIES])
    return replace(sight, advisories=kept, open_count=len(advised), advised_for=made_of)


def _troubles(
    mirrors: Mirrors, mirror: Mirror, session: Session, found: Survey, past: History
) -> Iterator[Trouble]:
    if other := mirrors.other_service(session):
        hint = f"Stop it, or run `gm-analytics takeover {mirror.name}`."
        yield Trouble(f"another service publishes there: {other.published}", hint)
    if changed := mirrors.changes(mirror.name, found.publication):
        yield _trouble(ConfigurationChanged(mirror.name, changed))
    try:
        session.refuse_unsigned(found)
    except SignedBefore as error:
        yield _trouble(error)
    for held in past.unreadable:
        yield Trouble(f"{held.directory}: {held.what}")
    if found.free < mirror.disk_reserve:
        said = f"{found.free:,} bytes are free; {mirror.disk_reserve:,} are to stay (disk_reserve)"
        yield Trouble(said, "Add disk, or keep fewer publications; then `gm-analytics gc`.")


def _trouble(error: GmError) -> Trouble:
    return Trouble(str(error), error.hint)


def _step(mirror: Mirror, found: Survey) -> tuple[bool | None, str]:
    """Tell whether HTTP serves what is live, signed where there is a key; asked once."""
    try:
        with Served(mirror) as web:
            content = web.repomd(found.repomd)
            if mirror.key_home:
                web.signed_by(Key(mirror.key_home), content)
    except Differs as error:
        return (None if error.unknown else False), error.said
    return True, ""
