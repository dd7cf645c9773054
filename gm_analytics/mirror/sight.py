"""What a worker saw of a mirror, as a value: it is stored, and read by who has no key. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from gm_analytics import stored
from gm_analytics.errors import NewerFormat
from gm_analytics.mirror.publication import Publication
from gm_analytics.rpm.advisories import Advice
from gm_analytics.rpm.package import Package
from gm_analytics.wording import cleaned

FORMAT = 1
"""Of a sight as it is stored; see `gm_analytics.stored`."""
MOST_ADVISORIES = 200
"""Open advisories that are named; `open_count` counts all."""


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong with a mirror now."""

    said: str
    hint: str = ""
    severity: Literal["warn", "fail", "unknown"] = "fail"
    """`unknown` is what could not be looked at."""


@dataclass(frozen=True)
class Sight:
    """What a look at a mirror found; times in seconds since the epoch, sizes in bytes."""

    live: int = 0
    """The live publication's number; 0 while nothing is published."""
    published_at: str = ""
    """When, in UTC, ISO 8601."""
    what: str = ""
    """What made it: a pull request and its update, a rollback, a person."""
    packages: int = 0
    size: int = 0
    """Of its RPMs."""
    free: int = 0
    disk: int = 0
    """What the file system of the mirror's root has left, and has in all."""
    previews: int = 0
    in_step: bool | None = None
    """Whether HTTP serves what is live; None where that cannot be told."""
    served: str = ""
    """Why it is not in step, or not known to be."""
    signed: bool = False
    key: str = ""
    """Fingerprint of the key that signed what is live."""
    advisories: tuple[Advice, ...] | None = None
    """Upstream's that fix what is live in a newer version, the gravest first; None if unknown."""
    open_count: int = 0
    advised_for: str = ""
    """What `advisories` was made of, so that it is made once."""
    upstream_read_at: float | None = None
    """When yum last read upstream's metadata, or found its copy to be upstream's still: of the
    repository that it has not asked for longest."""
    wrong: tuple[Trouble, ...] = ()
    client: str = ""
    """The repository file of clients; empty where what is live is not believed, or not known."""

    @classmethod
    def read(cls, text: str) -> Sight | None:
        """Read what was stored; None of what cannot be read, or is a newer version's."""
        try:
            stored.refuse_newer("what was seen of a mirror", text, FORMAT)
            return _SIGHT.validate_json(text)
        except (ValidationError, UnicodeEncodeError, NewerFormat):
            return None

    def to_json(self) -> dict[str, Any]:
        """Give what `read` reads, as JSON values; programs' words may have any bytes in them."""
        return {"format": FORMAT, **cleaned(asdict(self))}


_SIGHT = TypeAdapter(Sight)


@dataclass(frozen=True)
class SeenPublication:
    """A publication that a mirror holds, as a look found it."""

    number: int
    live: bool
    at: float
    """When it came out, in seconds since the epoch."""
    count: int
    """Packages."""
    made: Publication | None = None
    """None of a repository that was taken over, and of what cannot be read."""
    packages: tuple[Package, ...] | None = None
    """None if they were not read now."""


@dataclass(frozen=True)
class Seen:
    """All that one look found."""

    sight: Sight
    publications: tuple[SeenPublication, ...] = ()
    """All that the mirror holds, the oldest first."""
    behind: bool = False
    """Whether there are publications whose packages are still to be read."""


@dataclass(frozen=True)
class Known:
    """What is known before a look, so that nothing is read twice."""

    sight: Sight | None = None
    listed: frozenset[int] = frozenset()
    """Numbers of the publications whose packages are known."""
