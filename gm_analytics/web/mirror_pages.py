"""Pages of mirrors: the overview, one of them, its publications, and a package's history."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from gm_analytics.engine.catalogue import Listed
from gm_analytics.engine.sights import MirrorSeen
from gm_analytics.engine.views import Views
from gm_analytics.mirror.sight import Sight, Trouble
from gm_analytics.service import Service
from gm_analytics.updates.wishes import Wish
from gm_analytics.web import rendering
from gm_analytics.web.answers import Answer, may_write, page, paged, state_of
from gm_analytics.web.links import Links
from gm_analytics.web.told import Told

PUBLICATIONS = 50
"""Of one page of a mirror."""
COMPARED = 200
"""Publications with which one may be compared."""
LATELY = 3600.0
"""Seconds for which a mirror's page names what was asked for."""
FULL, NEARLY = 95, 85
"""Percent of a disk from which on it is shown as trouble."""
_GRAVE = ("critical", "important", "high")


@dataclass(frozen=True)
class Mirror:
    """A mirror as pages show it."""

    name: str
    sight: Sight | None
    contact_at: float | None
    failed: str

    @classmethod
    def of(cls, seen: MirrorSeen) -> Mirror:
        """Take what workers saw."""
        return cls(seen.mirror, seen.sight, seen.contact_at, seen.failed)

    @property
    def wrong(self) -> tuple[Trouble, ...]:
        """What is wrong with it, as far as a look told; nothing new where none ends well."""
        return self.sight.wrong if self.sight and not self.failed else ()

    @property
    def _verdict(self) -> tuple[str, str, str]:
        if self.failed:
            return "bad", "bad", "does not answer"
        if self.sight is None:
            return "pending", "calm", "not seen yet"
        severities = {trouble.severity for trouble in self.wrong}
        if "fail" in severities or self.sight.in_step is False:
            return "bad", "bad", "out of order"
        if "warn" in severities or self.disk_tone:
            return "warn", "warn", "to be looked at"
        return "good", "good", "well"

    @property
    def icon(self) -> str:
        """Name the picture of how it is."""
        return self._verdict[0]

    @property
    def tone(self) -> str:
        """Name the tone of how it is."""
        return self._verdict[1]

    @property
    def word(self) -> str:
        """Say how it is."""
        return self._verdict[2]

    @property
    def published_at(self) -> float | None:
        """When what is live came out, in seconds since the epoch."""
        try:
            at = self.sight.published_at if self.sight else ""
            return datetime.fromisoformat(at).timestamp()
        except ValueError:
            return None

    @property
    def used(self) -> int:
        """Percent of its disk that are taken."""
        if not self.sight or not self.sight.disk:
            return 0
        return round(100 - 100 * self.sight.free / self.sight.disk)

    @property
    def disk_tone(self) -> str:
        """Name the tone of how full its disk is."""
        return "bad" if self.used >= FULL else "warn" if self.used >= NEARLY else ""

    @property
    def grave(self) -> int:
        """How many of the open advisories that are named are grave."""
        found = self.sight.advisories if self.sight and self.sight.advisories else ()
        return sum(one.severity.lower() in _GRAVE for one in found)


class MirrorPages:
    """Makes the pages of mirrors."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._links = Links.of(service.settings)

    @property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Give what operationIds name."""
        return {
            "show_overview": self.overview,
            "show_mirror": self.mirror,
            "show_publication": self.publication,
            "confirm_rollback": self.confirm,
            "show_package": self.package,
        }

    @property
    def _views(self) -> Views:
        return self._service.store.views

    @paged
    def overview(self) -> Answer:
        """Show how everything is."""
        state = state_of(self._views.changing.lists())  # before what it is of
        found = self._views.overview()
        running, waiting, failed = (
            [Told(one, self._links) for one in records]
            for records in (found.running, found.waiting, found.failed)
        )
        work = {
            "running": running,
            "waiting": waiting[:20],
            "counts": found.counts,
            "wishes": found.wishes,
        }
        return page(
            "overview.html",
            "overview",
            state=state,
            alarm=rendering.render("_alarm.html", force=found.workforce),
            mirrors=rendering.render(
                "_mirrors.html", found=self._mirrors(found.mirrors), alone=False
            ),
            work=rendering.render("_work.html", **work),
            failed=rendering.render("_failed.html", found=failed),
        )

    @paged
    def mirror(self, mirror: str, before: int | None = None) -> Answer:
        """Show a mirror with its publications, and what a client needs of it."""
        self._service.settings.mirror(mirror)
        state = state_of(self._views.changing.lists())
        one = next(one for one in self._mirrors(self._views.mirrors()) if one.name == mirror)
        found = self._views.publications(mirror, PUBLICATIONS + 1, before)
        shown = found[:PUBLICATIONS]
        older = f"{_home(mirror)}?before={shown[-1].number}" if found[PUBLICATIONS:] else ""
        listed = rendering.render("_publications.html", found=shown, older=older)
        sight = one.sight or Sight()
        return page(
            "mirror.html",
            "overview",
            mirror=mirror,
            state=state,
            url=self._links.mirrors[mirror],
            tile=rendering.render("_mirrors.html", found=[one], alone=True),
            publications=listed,
            wishes=rendering.render("_wishes.html", wishes=self._asked(mirror)),
            advisories=sight.advisories or (),
            open_count=sight.open_count,
            snippet=sight.client,
        )

    @paged
    def publication(self, mirror: str, number: int, against: int | None = None) -> Answer:
        """Show a publication, and how it differs from another one: by default the one before."""
        self._service.settings.mirror(mirror)
        found = self._views.publication(mirror, number)
        known = [one for one in self._views.publications(mirror, COMPARED) if one.listed]
        others = [one for one in known if one.number != number]
        other = against or next((one.number for one in others if one.number < number), None)
        plan = self._views.diff(mirror, other, number) if other else None
        one = found.publication
        return page(
            "publication.html",
            "overview",
            home=_home(mirror),
            one=one,
            packages=found.packages,
            others=others,
            against=other,
            plan=plan,
            may_go_back=may_write() and _may_go_back(one, known),
        )

    @paged
    def confirm(self, mirror: str, to: int) -> Answer:
        """Show what going back to a publication would change, and ask."""
        self._service.settings.mirror(mirror)
        newest = self._views.publications(mirror, COMPARED)
        live = next((one.number for one in newest if one.live), 0)
        plan = self._views.diff(mirror, live, to)
        return page(
            "rollback.html",
            "overview",
            home=_home(mirror),
            mirror=mirror,
            to=to,
            live=live,
            plan=plan,
            wish=uuid.uuid4().hex,
            may_write=may_write(),
        )

    @paged
    def package(self, name: str = "", mirror: str = "") -> Answer:
        """Show in which publications a package is and was, and who wanted it."""
        runs = self._views.package(name.strip(), mirror or None) if name.strip() else []
        names = sorted(self._links.mirrors)
        return page(
            "packages.html", "packages", name=name.strip(), mirror=mirror, names=names, runs=runs
        )

    def _asked(self, mirror: str) -> list[Wish]:
        """Give what was asked for lately, of rollbacks of a mirror."""
        since = time.time() - LATELY
        found = self._views.wishes(COMPARED)
        return [
            one
            for one in found
            if (one.wanted, one.mirror) == ("rollback", mirror) and one.asked_at > since
        ][:3]

    def _mirrors(self, seen: Sequence[MirrorSeen]) -> list[Mirror]:
        """Give all mirrors of the configuration, those that nobody saw yet as well."""
        known = {one.mirror: one for one in seen}
        return [Mirror.of(known.get(name) or MirrorSeen(name)) for name in self._links.mirrors]


def _home(mirror: str) -> str:
    return f"/mirrors/{quote(mirror)}"


def _may_go_back(one: Listed, known: Sequence[Listed]) -> bool:
    """Tell whether a person may roll back to it, with what would change before their eyes."""
    return one.kept and not one.live and any(other.live for other in known)
