"""Whether a mirror stands where it should: what is live and what is served, by what was made.

Clients of a mirror that is frozen (a cache, a host that is restored from a backup, a web server of
another directory) see nothing wrong: an older publication is as good as it was, and signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from gm_analytics import settings
from gm_analytics.errors import GmError
from gm_analytics.mirror import addresses, repository
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.served import Differs, Served
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations.findings import Finding
from gm_analytics.updates.model import Record
from gm_analytics.updates.states import State
from gm_analytics.wording import when

_MOST = 4096
"""Bytes of a mirrorlist."""
_LINKS = (
    "Have its web server follow links to packages as well, as docs/operations.md says; the next "
    "publication has an address then."
)
_RESTORED = (
    "If a backup was brought back, the next update goes on from there; `gm-analytics updates` "
    "lists what was published since."
)
_STALE = "See what answers there: a cache, or a web server of another directory or host."


# --- what the service made ------------------------------------------------------------------


class Updates(Protocol):
    """What a store tells of updates; both may raise `StoreUnavailable`."""

    def recent(
        self, limit: int = 20, *, state: State | None = None, mirror: str | None = None
    ) -> list[Record]:
        """Give the newest updates first."""
        ...

    def whole(self, record: Record) -> Record:
        """Give a listed record with its outcome."""
        ...


@dataclass(frozen=True)
class Made:
    """The newest publication that the service made on a mirror, as far as its store tells."""

    number: int = 0
    """Its number; 0 if it is not known, as of one that a person made."""
    began: float = 0
    ended: float = 0
    """Seconds since the epoch, of the update that made it."""

    @classmethod
    def newest(cls, updates: Updates, mirror: str) -> Made:
        """Ask the store; of a mirror on which it knows none, nothing."""
        for record in updates.recent(1, state="published", mirror=mirror):
            outcome = updates.whole(record).outcome
            number = Publication.number_of(outcome.publication) if outcome else 0
            return cls(number, record.accepted_at, record.completed_at or record.accepted_at)
        return cls()


# --- where it stands ------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What is live on a mirror, what is served of it, and what was made later."""

    live: int
    served: int | None
    """The publication that clients see; None if it is none of those that are kept."""
    made: Made = Made()
    live_at: float = 0
    """When what is live was made; seconds since the epoch."""

    @property
    def behind(self) -> bool:
        """Whether the service has published since."""
        made = self.made
        later = made.number > self.live and self.live_at < made.ended
        return later or self.live_at < made.began

    @property
    def frozen(self) -> bool:
        """Whether clients are served a publication that was live before."""
        return self.served not in {None, self.live}


def look(
    mirror: settings.Mirror, session: Session, found: Survey, live: Held, made: Made
) -> Standing:
    """Compare what is live with what is served and what was made; one request, if they agree."""
    served: int | None = live.number
    with Served(mirror) as web:
        try:
            digest = web.digest()
        except Differs:
            digest = ""
    if digest != found.repomd:
        served = _publication_of(session, digest)
    return Standing(live.number, served, made, _seconds(live))


def _publication_of(session: Session, digest: str) -> int | None:
    """Say which publication has a repomd.xml of this SHA-256."""
    with suppress(GmError):
        argv = repository.made_of(session.host.target)
        sums = repository.parse_made_of(session.host.run(argv, "looking what is served"))
        for path, found in sums.items():
            if found == digest and path.startswith(".publications/"):
                return int(path.split("/")[1])
    return None


def _seconds(held: Held) -> float:
    try:
        told = datetime.fromisoformat(held.when)
    except ValueError:
        return held.made_at
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def findings(mirror: str, standing: Standing) -> Iterator[Finding]:
    """Say what is wrong with where a mirror stands."""
    if standing.behind:
        made = standing.made
        what = f"publication {made.number}" if made.number else "another publication"
        said = f"publication {standing.live} is live, though {what} was made {when(made.ended)}"
        yield Finding(f"mirror {mirror} age", "fail", said, _RESTORED)
    if standing.frozen:
        said = f"clients are served publication {standing.served}, which was live before"
        yield Finding(f"mirror {mirror} age", "fail", said, _STALE)


# --- the address ----------------------------------------------------------------------------


def address(
    mirror: settings.Mirror, read: Callable[[str, int], bytes | None], found: Survey
) -> Finding:
    """Say whether clients may refresh by the live publication's own address.

    `read` gives a file below the root.
    """
    subject, number = f"mirror {mirror.name} address", Publication.number_of(found.live)
    content = read(f"{found.live}/{addresses.MIRRORLIST}", _MOST)
    if content is None:
        said = f"publication {number} has no address of its own: clients refresh by baseurl alone"
        return Finding(subject, "warn", said, _LINKS)
    if content != addresses.text(mirror, number).encode():
        said = f"its mirrorlist does not name {addresses.below(mirror, number)}"
        return Finding(
            subject, "fail", said, "The next update publishes once more, as mirrors[].url says."
        )
    try:
        with Served(mirror) as web:
            web.holds(addresses.MIRRORLIST, content)
        with Served(mirror, f"publications/{number}/") as web:
            web.repomd(found.repomd)
    except Differs as error:
        return Finding(subject, "unknown" if error.unknown else "fail", str(error))
    return Finding(subject, "ok", f"clients may refresh by {addresses.MIRRORLIST}")
