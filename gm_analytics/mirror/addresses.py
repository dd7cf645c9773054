"""The address that each publication keeps, and the link by which its metadata name packages.

repomd.xml and its signature are two requests. A client that asks for both below
`publications/17/`, where nothing ever changes, cannot be given those of two publications; which
one is live says `repodata/mirrorlist`, in one request. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from gm_analytics import settings
from gm_analytics.rpm.grammar import Grammar

MIRRORLIST = "repodata/mirrorlist"
LINKS = ("Packages", "gm-packages")
"""Names of the link to the pool, of which the first is the usual one: an adopted repository may
have a directory of that name."""
PREFIXES = ("", *(f"{name}/" for name in LINKS))
"""What stands before a file's name in metadata; nothing in those of earlier versions, nor where
the web server does not follow the link."""
LINK = Grammar("the link to the packages", "|".join(LINKS), max(map(len, LINKS)))


@dataclass(frozen=True)
class Address:
    """How the packages of a candidate are named, and the address that it is to have."""

    link: str
    """Through which its metadata name the packages."""
    url: str = ""
    """Empty for a preview, which moves."""


def below(mirror: settings.Mirror, number: int | str) -> str:
    """Give the address of a publication or, by `YYYY-MM-DD`, of a day."""
    parts = urlsplit(mirror.base_url)
    public = parts._replace(netloc=parts.netloc.rpartition("@")[2])  # credentials are for no file
    return f"{public.geturl()}publications/{number}/"


def text(mirror: settings.Mirror, number: int) -> str:
    """Give the mirrorlist of a publication."""
    return f"{below(mirror, number)}\n"
