"""What a mirror's publications are made with: the configuration that must not change by accident.

Another release, another upstream or another policy below a live mirror would mix two systems, or
empty it at the next merge. So each publication says what it was made with. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from gm_analytics import settings
from gm_analytics.errors import MadeOtherwise, Malformed
from gm_analytics.mirror.publication import Publication

POLICY = "publish"
"""Decides what the next update does, and not which packages a publication has."""


def basis_of(mirror: settings.Mirror, publish: str) -> dict[str, str]:
    """Give what a mirror is configured with now."""
    upstream = mirror.upstream
    return {
        "releasever": upstream.releasever,
        "arch": upstream.arch or "",
        "module_platform_id": upstream.module_platform_id or "",
        "reposdir": upstream.reposdir,
        POLICY: publish,
    }


def changes(publication: str, now: Mapping[str, str]) -> list[str]:
    """Say what differs from what a publication.json says it was made with.

    What an older version made says nothing, and is taken as it is.
    """
    try:
        return _differences(Publication.parse(publication), now)
    except Malformed:  # of which others tell
        return []


def require(mirror: str, number: int, made: Publication | None, now: Mapping[str, str]) -> None:
    """See that an older publication's packages were solved as they would be now.

    Raises:
        MadeOtherwise: they are of another system.

    """
    system = {name: value for name, value in now.items() if name != POLICY}
    if changed := _differences(made, system):
        raise MadeOtherwise(mirror, str(number), changed)


def _differences(made: Publication | None, now: Mapping[str, str]) -> list[str]:
    before = made.made_with if made else {}
    return [
        f"{name}: {before[name] or 'none'}, now {value or 'none'}"
        for name, value in now.items()
        if before.get(name, value) != value
    ]
