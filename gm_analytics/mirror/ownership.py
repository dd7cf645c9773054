"""Which service publishes on a mirror: commands as data and what they print; no I/O.

Two services that publish on one root in turn would each take away what the other added. A
publication carries the id of the service that made it; a note beside it says who took it over.
One without either (an older version's, or a repository as it was found) is the first comer's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from gm_analytics.mirror.survey import Target
from gm_analytics.remote.commands import Argv, script

_LIVE = re.compile(r"\.publications/[0-9]{6,12}")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:+-]{0,99}")


def owner(target: Target) -> Argv:
    """Print what `Owner.parse` reads."""
    return script("mirror", "owner", target.root)


def claim(target: Target, live: str, service: str) -> Argv:
    """Note beside the live publication which service publishes from now on."""
    return script("mirror", "claim", target.root, live, service)


@dataclass(frozen=True)
class Owner:
    """Who published last on a mirror, as far as it says."""

    live: str = ""
    """The live publication's directory, empty if nothing is live."""
    service: str = ""
    published: str = ""
    """What it published last and when, for people."""

    @classmethod
    def parse(cls, output: str) -> Owner:
        """Read the output of `owner`."""
        line, _, rest = output.partition("\n")
        live = line if _LIVE.fullmatch(line) else ""
        note, _, text = rest.partition("\n")
        try:
            found = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            found = {}
        made = found if isinstance(found, dict) else {}
        service = _id(note) or _id(made.get("service"))
        return cls(live, service, _published(live, service, made))

    def is_other(self, service: str) -> bool:
        """Tell whether another service than this one publishes on the mirror."""
        return self.service not in ("", service)


def _id(text: object) -> str:
    found = text.strip() if isinstance(text, str) else ""
    return found if _ID.fullmatch(found) else ""


def _published(live: str, service: str, made: dict[str, object]) -> str:
    """Say it in a line; what the mirror says is quoted if it is printable, and cut."""

    def word(key: str, most: int) -> str:
        text = str(made.get(key) or "")[:most]
        return text if text.isprintable() else ""

    number = live.rpartition("/")[2].lstrip("0") or "?"
    what = " at ".join(filter(None, (word("repository", 100), word("commit", 12))))
    when = word("published_at", 40) or "an unknown time"
    by = f"by service {service}" if service else "by an unnamed service"
    return f"publication {number} of {when}, {by}" + (f", of {what}" if what else "")
