"""The repository file of clients for a mirror that is open, as it is live."""

from __future__ import annotations

from gm_analytics import settings
from gm_analytics.mirror import client_file
from gm_analytics.mirror.addresses import MIRRORLIST
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.session import Session

_MAX_LIST = 64 * 1024


def client_of(
    session: Session,
    mirror: settings.Mirror,
    live: Publication | None,
    more: tuple[str, ...] = (),
) -> str:
    """Give it; what is live may say its own address, for refreshes of one publication."""
    return client_file.of_mirror(
        mirror.name,
        mirror.base_url,
        client_file.Trusted.of(live, mirror.base_url),
        username=mirror.http.username if mirror.http else "",
        mirrorlist=session.get(MIRRORLIST, _MAX_LIST) is not None,
        more=more,
    )
