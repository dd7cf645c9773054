"""Says on pull requests how their updates fare."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gm_analytics.errors import GmError, StoreUnavailable
from gm_analytics.pull_requests import admission, feedback
from gm_analytics.pull_requests.called import Both
from gm_analytics.pull_requests.notices import Notices
from gm_analytics.pull_requests.ports import Updates
from gm_analytics.pull_requests.request import StoredRequest
from gm_analytics.settings import Settings
from gm_analytics.updates.model import CLOSE, Outcome, Record, Update
from gm_analytics.updates.ports import Step

log = logging.getLogger(__name__)
Page = Callable[[str], str]
"""Gives the address of an update's page, empty if the outside cannot reach it."""


def is_worth_telling(update: Update, outcome: Outcome | None, *, ended: bool) -> bool:
    """Tell whether a pull request is told of an update: now, or of how it ended."""
    if update.aim != CLOSE:
        return bool(update.repository)
    return ended and not (outcome and outcome.state == "unchanged")  # else there was no preview


def ask_for_feedback(updates: Updates, update: Update, *, ended: bool) -> None:
    """Have the pull request told; never fail for it."""
    try:
        updates.enqueue_feedback(update, ended=ended)
    except StoreUnavailable as error:
        log.error("update %s: no feedback: %s", update.id, error)


def _begins_a_comment(record: Record) -> bool:
    """Tell whether there is something to say: how an update ended, or what it waits for."""
    quiet = record.outcome is not None and record.outcome.quiet
    return record.wait is not None or (record.ended and not quiet)


class Reporter:
    """Words what the store has, and says it."""

    def __init__(self, updates: Updates, forge: Both, page: Page, config: Settings) -> None:
        self._updates, self._voice, self._page, self._config = updates, forge, page, config
        request = StoredRequest(updates, forge, config.manifest_of)
        self.ignored = Notices(config, updates, forge, request.is_untouched)

    def __call__(self, update: Update, ended: bool, step: Step) -> None:
        """Set the status; once the update has `ended`, which is then near, write the comment.

        Either is tried if the other is refused, since their rights are given separately.

        Raises:
            GmError: why the forge was not told, the last reason if there are two.

        """
        if reason := admission.reason_to_ignore(update, self._config):
            log.warning("feedback on update %s: ignored: %s", update.id, reason)
            return
        if ended:
            step("await end", self._updates.await_end, update.id)
        ways = 1 + (ended and update.number > 0)  # a push has no place for a comment
        refused = None
        for name, say in [("status", self.set_status), ("comment", self.put_comment)][:ways]:
            try:
                step(name, say, update)
            except GmError as error:
                log.error("feedback on update %s: %s: %s", update.id, name, error)
                refused = error
        if refused:
            raise refused

    def set_status(self, update: Update) -> None:
        """Set the status of the update's commit, unless a newer update has spoken for it."""
        for record in self._updates.of_pull_request(update.thread):
            other = record.update
            if (other.mirror, other.commit) == (update.mirror, update.commit):
                break
        else:
            return
        status = feedback.status(self._updates.whole(record))
        self._voice.set_status(
            update.repository,
            update.commit,
            status.state,
            description=status.description,
            url=self._page(other.id),
            context=feedback.context(update.mirror),
        )

    def put_comment(self, update: Update) -> None:
        """Write what the newest update of each mirror did, whichever ended last."""
        records = self._updates.of_pull_request(update.thread)
        newest = {record.update.mirror: record for record in reversed(records)}
        whole = [self._updates.whole(newest[name]) for name in sorted(newest)]
        text = feedback.comment(whole, self._page)
        begin = any(_begins_a_comment(record) for record in whole)
        self._voice.put_comment(
            update.repository, update.number, feedback.MARKER, text, begin=begin
        )
