"""What a mirror's publications are made with: the configuration that must not change by accident.

Another release, another upstream or another policy below a live mirror would mix two systems, or
empty it at the next merge. So each publication says what it was made with. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from gm_analytics import settings
from gm_analytics.errors import Malformed
from gm_analytics.mirror.publication import Publication


def basis_of(mirror: settings.Mirror, publish: str) -> dict[str, str]:
    """Give what a mirror is configured with now."""
    upstream = mirror.upstream
    return {
        "releasever": upstream.releasever,
        "arch": upstream.arch or "",
        "module_platform_id": upstream.module_platform_id or "",
        "reposdir": upstream.reposdir,
        "publish": publish,
    }


def changes(publication: str, now: Mapping[str, str]) -> list[str]:
    """Say what differs from what a publication.json says it was made with.

    What an older version made says nothing, and is taken as it is.
    """
    try:
        made = Publication.parse(publication)
    except Malformed:  # of which others tell
        return []
    before = made.made_with if made else {}
    return [
        f"{name}: {before[name] or 'none'}, now {value or 'none'}"
        for name, value in now.items()
        if before.get(name, value) != value
    ]
