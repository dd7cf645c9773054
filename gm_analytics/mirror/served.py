"""What HTTP serves of a mirror: waited for, until it is what was published."""

from __future__ import annotations

import logging
import time
from hashlib import sha256

import requests

from gm_analytics import settings
from gm_analytics.errors import (
    NotVisible,
)
from gm_analytics.mirror import (
    signing,
)
from gm_analytics.remote import fetch, ssh

VISIBLE_ATTEMPTS, VISIBLE_PAUSE = 5, 0.2
log = logging.getLogger(__name__)
_FRESH = {"Cache-Control": "no-cache"}


def _get(url: str) -> requests.Response:
    """Ask the mirror's web server, past caches and without what `~/.netrc` may say of it."""
    return requests.get(url, headers=_FRESH, auth=fetch.NOBODY, timeout=ssh.CONNECT_TIMEOUT)


def _is_signed(mirror: settings.Mirror, repomd: requests.Response) -> bool:
    """Tell whether what was served is signed by the mirror's key, if it has one."""
    if mirror.signing_home is None:
        return True
    reply = _get(f"{repomd.url}.asc")
    key = signing.Key(mirror.signing_home)
    return reply.ok and key.has_signed(repomd.content, reply.content)


def wait_until_visible(mirror: settings.Mirror, repomd: str, below: str = "") -> None:
    """Read repomd.xml as a client does until its SHA-256 is `repomd`, and check its signature.

    `below` is where it lies below the mirror's address, such as `previews/42/`.

    Raises:
        NotVisible: the web server goes on serving something else, or does not answer.

    """
    url = f"{mirror.base_url}{below}repodata/repomd.xml"
    said = ""
    for attempt in range(VISIBLE_ATTEMPTS):
        time.sleep(VISIBLE_PAUSE * attempt)
        try:
            reply = _get(url)
            if not reply.ok or sha256(reply.content).hexdigest() != repomd:
                said = f"{reply.status_code}, not what was published"
            elif not _is_signed(mirror, reply):
                said = "no signature of the mirror's key beside it; the next publication has one"
            else:
                return
        except requests.RequestException as error:
            said = f"{type(error).__name__}: {error}"
    raise NotVisible(mirror.name, url, said)
