"""What pages ask of workers: to run an update again, to end one, to roll a mirror back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from gm_analytics.errors import UnknownUpdate
from gm_analytics.service import Service
from gm_analytics.updates.wishes import Wanted, Wish
from gm_analytics.web.answers import Answer, paged, person, see_other


class Asking:
    """Takes the forms of pages. Workers decide whether what is asked for can be done."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Give what operationIds name."""
        return {"ask_retry": self.retry, "ask_cancel": self.cancel, "ask_rollback": self.roll_back}

    @paged
    def retry(self, update_id: str) -> Answer:
        """Ask to have an update run again."""
        return self._of_update("retry", update_id)

    @paged
    def cancel(self, update_id: str) -> Answer:
        """Ask to have an update end before clients see what it does."""
        return self._of_update("cancel", update_id)

    def _of_update(self, wanted: Wanted, update_id: str) -> Answer:
        found = [one for one in self._service.store.get(update_id) if one.update.id == update_id]
        if not found:
            raise UnknownUpdate(update_id)
        mirror = found[0].update.mirror
        self._ask(Wish(uuid.uuid4().hex, wanted, mirror, person(), update_id))
        return see_other("updates", update_id)

    @paged
    def roll_back(
        self,
        mirror: str,
        to: int,
        expected: int,
        id: str,  # noqa: A002  # the form's
        reason: str = "",
    ) -> Answer:
        """Ask to have a mirror go back to a publication, from the one that was seen as live."""
        self._service.settings.mirror(mirror)
        wish = Wish(id, "rollback", mirror, person(), "", to, expected, reason.strip())
        self._ask(wish)
        return see_other("mirrors", mirror)

    def _ask(self, wish: Wish) -> None:
        self._service.store.views.ask(wish)
