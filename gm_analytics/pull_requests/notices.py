"""Says once, on its commit, why a pull request causes no update.

The store tells what the forge told, and the worker decides again by its own configuration: whoever
writes to the store must not choose the words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from gm_analytics.errors import GmError
from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests import admission, feedback
from gm_analytics.pull_requests.ports import Updates, Voice
from gm_analytics.pull_requests.rules import Rules, finished
from gm_analytics.settings import Settings
from gm_analytics.updates.model import Update
from gm_analytics.updates.ports import Step

log = logging.getLogger(__name__)
_EVENT = TypeAdapter(PullRequestEvent)


@dataclass(frozen=True)
class Notices:
    """Says it of every mirror that takes a repository's pull requests."""

    config: Settings
    updates: Updates
    voice: Voice
    is_untouched: Callable[[Update], bool]
    """Tells whether a pull request keeps the manifest of a mirror."""

    def __call__(self, values: object, step: Step) -> None:
        """Say it, unless the commit has an update by now, whose word counts."""
        event, rules = _read(values), Rules.of(self.config)
        reason = rules.decide(event) if event and rules.tells(event) else None
        if event is None or not isinstance(reason, str):
            log.warning("feedback: ignored: what is stored is no pull request that is ignored")
            return
        known = self.updates.of_pull_request(event.key)
        if any(record.update.commit == event.head_sha for record in known):
            return
        try:
            self._say(event, reason, draft=reason == finished(event, rules), step=step)
        except GmError as error:
            log.error("feedback on %s, which is ignored: %s", event.key, error)
            raise

    def _say(self, event: PullRequestEvent, reason: str, *, draft: bool, step: Step) -> None:
        update = Update(
            "", "", event.repository, event.number, event.head_sha, base_ref=event.base_ref
        )
        keeps: dict[str, bool] = {}
        for mirror in self.config.mirrors_of(event.repository):
            path = self.config.manifest_of(mirror.name)
            if path not in keeps:
                asked = replace(update, mirror=mirror.name)
                keeps[path] = step("compare manifest", self.is_untouched, asked)
            said = feedback.why_ignored(reason, draft=draft, untouched=keeps[path])
            step(
                "status",
                self.voice.set_status,
                event.repository,
                event.head_sha,
                said.state,
                description=said.description,
                url="",
                context=feedback.context(mirror.name),
            )


def _read(values: object) -> PullRequestEvent | None:
    """Give what is stored, if it has the form of what a delivery gives."""
    try:
        event = _EVENT.validate_python(values)
    except ValidationError:
        return None
    return event if admission.is_well_formed(event) else None
