"""Pages of updates: the list, one of them, and what is told to those that are open."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, get_args
from urllib.parse import urlencode

from gm_analytics.engine.changing import State
from gm_analytics.engine.client import Store
from gm_analytics.engine.search import Wanted
from gm_analytics.errors import UnknownUpdate
from gm_analytics.service import Service
from gm_analytics.updates.model import Record
from gm_analytics.updates.states import Broken, Ended, Waits
from gm_analytics.web import rendering
from gm_analytics.web.answers import Answer, Stream, may_write, page, paged, state_of, streamed
from gm_analytics.web.links import Links
from gm_analytics.web.live import Known, Live, Output, Part, Shown
from gm_analytics.web.told import Told

PARTS = ("head", "verdict", "steps", "plan")
"""The parts of an update's page that change while it runs, beside lines of output."""
GO_ON = ("steps",)
"""Those of them that change while its state is the same."""
SHOWN = 50
"""Updates of one page of the list."""
_READS = " "
"""Ends the subject of who may read it, and sees no buttons."""
_LISTS = ""
"""The subject of pages that show lists."""
_STATES = (*get_args(Waits), *get_args(Broken), *get_args(Ended))


class UpdatePages:
    """Makes the pages of updates."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._links = Links.of(service.settings)
        self._live = Live(self._look)
        self._kept: dict[str, tuple[object, dict[str, Part]]] = {}
        """By subject, what did not change at the last look, and the parts that were made."""

    @property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Give what operationIds name."""
        return {
            "follow_update": self.follow_update,
            "follow_lists": self.follow_lists,
        }

    @property
    def _store(self) -> Store:
        return self._service.store

    # --- updates ------------------------------------------------------------------------------

    @paged
    def find(self, after: str = "", **asked: Any) -> Answer:
        """Show the newest updates, or those that are looked for."""
        wanted = Wanted(**{name: value for name, value in asked.items() if value})
        state = state_of(self._store.views.changing.lists())
        found = self._store.views.search(wanted, SHOWN, after)
        query = {name: value for name, value in asdict(wanted).items() if value}
        following = urlencode({**query, "after": found.following})
        values = {
            "found": [Told(one, self._links) for one in found.updates],
            "filtered": bool(query),
            "older": f"/updates?{following}" if found.following else "",
            "newer": f"/updates?{urlencode(query)}" if after else "",
        }
        return page(
            "updates.html",
            "updates",
            state=state,
            asked=wanted,
            states=_STATES,
            names=sorted(self._links.mirrors),
            results=rendering.render("_updates.html", **values),
        )

    @paged
    def update(self, update_id: str) -> Answer:
        """Show one update on each of its mirrors."""
        told = self._told(update_id, writes=may_write())
        return page(
            "update.html",
            "updates",
            update_id=update_id,
            title=told[0].title,
            ended=_is_over(told),
            mirrors=[(one.index, _parts(one)) for one in told],
        )

    def _told(self, update_id: str, *, writes: bool, asks: bool = True) -> list[Told]:
        found = self._store.get(update_id)
        return [self._one(record, index, writes, asks) for index, record in enumerate(found)]

    def _one(self, record: Record, index: int, writes: bool, asks: bool) -> Told:
        update_id = record.update.id
        asked = self._store.views.wishes(1, update_id) if asks else []
        now = self._store.now(update_id)
        wish = asked[0] if asked else None
        output = self._store.output(update_id) if asks and record.ended else ()
        return Told(record, self._links, now, index, wish, may_write=writes, output=output)

    # --- what is live ---------------------------------------------------------------------------

    async def follow_update(self, update_id: str) -> Stream:
        """Tell a page what changes of its update."""
        return streamed(self._live, update_id if may_write() else f"{update_id}{_READS}")

    async def follow_lists(self) -> Stream:
        """Tell a page of lists when to ask again."""
        return streamed(self._live, _LISTS)

    def _look(self, known: Known) -> dict[str, tuple[Hashable, Shown]]:
        """Give what changed of what pages show; an update that is gone has ended."""
        changing, ids = self._store.views.changing, {one.rstrip(_READS) for one in known if one}
        self._kept = {one: kept for one, kept in self._kept.items() if one in known}
        states = changing.of(sorted(ids))
        found: dict[str, tuple[Hashable, Shown]] = {}
        for subject, before in known.items():
            if not subject:
                lists = changing.lists()
                if lists != before:
                    found[subject] = (lists, Shown(changed=state_of(lists)))
            elif (state := states.get(subject.rstrip(_READS))) != before or state is None:
                found[subject] = (state, self._shown(subject, state))
        return found

    def _shown(self, subject: str, state: State | None) -> Shown:
        """Give a page as it is; what its steps do not change is made once."""
        before, kept = self._kept.get(subject, (None, {}))
        goes_on = state is not None and before == state.itself
        update_id, writes = subject.rstrip(_READS), not subject.endswith(_READS)
        try:
            told = self._told(update_id, writes=writes, asks=not goes_on)
        except UnknownUpdate:
            return Shown(ended=True)
        made = {part.id: part for one in told for part in _made(one, GO_ON if goes_on else PARTS)}
        parts = kept | made if goes_on else made
        self._kept[subject] = (state.itself if state else None, parts)
        said = tuple(Output(one.index, one.said, one.lines) for one in told)
        return Shown(tuple(parts.values()), said, _is_over(told))


def _is_over(told: Sequence[Told]) -> bool:
    return all(one.ended and not one.asked for one in told)


def _parts(told: Told) -> dict[str, Any]:
    log = rendering.render("_log.html", told=told)
    return {**_changing(told), "log": log, "mirror": told.mirror}


def _changing(told: Told) -> dict[str, Any]:
    return {name: rendering.render(f"_{name}.html", told=told) for name in PARTS}


def _made(told: Told, names: Sequence[str]) -> Iterator[Part]:
    for name in names:
        html = rendering.render(f"_{name}.html", told=told)
        yield Part(f"{name}-{told.index}", html, rendering.digest(html))
