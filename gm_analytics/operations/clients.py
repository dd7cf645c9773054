"""What a client of a mirror needs: its repository file, by what is live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gm_analytics import settings
from gm_analytics.mirror import client_file
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.client_of import client_of
from gm_analytics.mirror.publication import Publication

"""Bytes."""


@dataclass(frozen=True)
class ClientFile:
    """A repository file, and what a person should know of it."""

    mirror: str
    publication: Publication | None
    repository: str
    """The file without comments."""
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The file, with comments on its keys."""
        return "".join(f"# {note}\n" for note in self.notes) + self.repository

    def json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        found = self.publication.signatures if self.publication else None
        return {
            "mirror": self.mirror,
            "publication": self.publication.number if self.publication else None,
            "client": self.text,
            "signatures": asdict(found) if found else None,
        }


def of_live(
    mirrors: Mirrors, mirror: settings.Mirror, *, with_password: bool = False
) -> ClientFile:
    """Give it for a mirror as it is live.

    Raises:
        UnknownPublication: it serves none.
        Untrusted: something else is live than what was signed.

    """
    login = mirror.http
    more = (f"password={login.password}",) if login and with_password else ()
    with mirrors.read(mirror.name) as session:
        found = session.publications.publication().publication
        file = client_of(session, mirror, found, more)
    said = [*client_file.notes(found), *_of_the_server(mirror, with_password=bool(more))]
    return ClientFile(mirror.name, found, file, tuple(said))


def _of_the_server(mirror: settings.Mirror, *, with_password: bool) -> Iterator[str]:
    """Say what a client needs beside the file to be let in."""
    if mirror.http and with_password:
        yield "mode 0600: it holds a password"
    elif mirror.http:
        yield "add password=, with mode 0600 (`gm-analytics client --output FILE` does both)"
    if mirror.ca_file:
        yield f"add sslcacert= with the path of what {mirror.ca_file} is on the service's host"
