"""Which event causes which update, and who may cause it. No I/O.

`TABLE` has a row for each event that causes an update; in front of each stand the checks that the
event must pass, the first that it does not pass being the reason why it is ignored.
`docs/operations.md` shows the same table, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from gm_analytics.events import Event, Happening, PullRequestEvent, PushEvent
from gm_analytics.settings import Settings
from gm_analytics.updates.model import (
    ADDITION,
    CLOSE,
    MERGE,
    PREVIEW,
    QUEUED,
    QUEUED_ADDITION,
    Aim,
)

Publish = Literal["on_pull_request", "on_merge"]
Base = Literal["followed", "another"]


@dataclass(frozen=True)
class Rules:
    """One installation's part of the decision."""

    repositories: frozenset[str]
    publish: Publish = "on_pull_request"
    branch: str | None = None
    """The branch whose pull requests count; None for the repository's default."""
    trusted_associations: frozenset[str] | None = None
    trusted_authors: frozenset[str] | None = None
    """Logins in upper case. Where neither is given, whoever may push a branch is trusted."""

    @classmethod
    def of(cls, config: Settings) -> Rules:
        """Take them from the configuration."""
        webhook = config.webhook
        return cls(
            frozenset(webhook.repositories),
            config.publish,
            webhook.branch,
            _set(webhook.trusted_associations),
            _set(webhook.trusted_authors),
        )

    def decide(self, event: Event) -> Aim | str:
        """Give what the update that an event causes aims at, or why it causes none."""
        if reason := listed(event, self):
            return reason
        rows = [
            row for row in TABLE if (row.happened, row.publish) == (event.happened, self.publish)
        ]
        row = next((row for row in rows if row.base == self.base_of(event)), None)
        if row is None:
            return is_followed(event, self) if rows else causes_none(event, self)
        return next((said for check in row.checks if (said := check(event, self))), row.aim)

    def tells(self, event: PullRequestEvent) -> bool:
        """Tell whether a pull request is told that it is ignored: one that others may count.

        Strangers make forks as they like, and what no row begins with is nothing to wait for.
        """
        begins = {row.happened for row in TABLE if finished in row.checks}
        return event.happened in begins and not (event.fork or listed(event, self))

    def listed_name(self, repository: str) -> str | None:
        """Give a repository's name as it is configured; a forge's do not differ by case alone."""
        same = (name for name in self.repositories if name.lower() == repository.lower())
        return next(same, None)

    def base_of(self, event: Event) -> Base:
        """Tell whether a pull request is to be merged into the branch that is followed."""
        followed = self.followed(event)
        if not followed and self.publish == "on_pull_request":
            return "followed"  # GitHub always tells it; elsewhere nothing is taken away by this
        return "followed" if event.base_ref == followed else "another"

    def followed(self, event: Event) -> str:
        """Name the branch that the mirror follows."""
        return self.branch or event.default_branch

    @property
    def events(self) -> tuple[str, ...]:
        """Name the events that GitHub has to deliver for this policy, as it calls them."""
        happened = {row.happened for row in TABLE if row.publish == self.publish}
        return tuple(sorted({_EVENTS.get(one, "pull_request") for one in happened}))


_EVENTS: dict[Happening, str] = {"queued": "merge_group", "advanced": "push"}
"""Those by which GitHub does not tell of a pull request."""


def _set(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.upper() for name in names)


Check = Callable[[Event, Rules], str]
"""Gives the reason to ignore an event, or nothing."""


def listed(event: Event, rules: Rules) -> str:
    """Want a repository of the configuration."""
    if rules.listed_name(event.repository):
        return ""
    return f"repository {event.repository} is not listed in webhook.repositories"


def is_followed(event: Event, rules: Rules) -> str:
    """Say which branch is followed."""
    if isinstance(event, PushEvent):
        return f"it is a push of {event.branch}; the mirror follows {rules.followed(event)}"
    return f"its base is {event.base_ref}; the mirror follows {rules.followed(event)}"


def causes_none(event: Event, rules: Rules) -> str:
    """Say that what happened changes nothing."""
    if not isinstance(event, PushEvent):
        return f"action {event.action} causes no update"
    return f"publish: {rules.publish} adds what a pull request names; a push adds nothing"


def finished(event: Event, rules: Rules) -> str:  # noqa: ARG001  # as every check
    """Want no draft."""
    is_draft = isinstance(event, PullRequestEvent) and event.draft
    return "the pull request is a draft" if is_draft else ""


def own_branch(event: Event, rules: Rules) -> str:  # noqa: ARG001
    """Want no fork: anybody can push to theirs."""
    is_fork = isinstance(event, PullRequestEvent) and event.fork
    return f"{event.key} comes from a fork" if is_fork else ""


def trusted(event: Event, rules: Rules) -> str:
    """Want an author whom the configuration names, if it names any.

    The branch is one of the repository: whoever pushed it may write there. `author_association`
    says less: of members whose membership is private it is CONTRIBUTOR or NONE, and of bots.
    """
    associations, authors = rules.trusted_associations, rules.trusted_authors
    if not isinstance(event, PullRequestEvent) or (associations is None and authors is None):
        return ""
    if event.author_association in (associations or ()) or event.author.upper() in (authors or ()):
        return ""
    by_name = () if authors is None else ("those of webhook.trusted_authors",)
    who = ", ".join([*sorted(associations or ()), *by_name]) or "none"
    return f"author {event.author or 'unknown'} is {event.author_association}; trusted are {who}"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    happened: Happening
    publish: Publish
    base: Base
    aim: Aim
    checks: tuple[Check, ...] = ()


_OPEN = (finished, own_branch, trusted)
# Whoever merges, or puts into the queue, may write to the branch, and a preview may go whoever
# closed: no checks there.
TABLE = (
    Row("opened", "on_pull_request", "followed", ADDITION, _OPEN),
    Row("reopened", "on_pull_request", "followed", ADDITION, _OPEN),
    Row("pushed", "on_pull_request", "followed", ADDITION, _OPEN),
    Row("ready", "on_pull_request", "followed", ADDITION, _OPEN),
    Row("retargeted", "on_pull_request", "followed", ADDITION, _OPEN),
    Row("queued", "on_pull_request", "followed", QUEUED_ADDITION),
    Row("opened", "on_merge", "followed", PREVIEW, _OPEN),
    Row("reopened", "on_merge", "followed", PREVIEW, _OPEN),
    Row("pushed", "on_merge", "followed", PREVIEW, _OPEN),
    Row("ready", "on_merge", "followed", PREVIEW, _OPEN),
    Row("retargeted", "on_merge", "followed", PREVIEW, _OPEN),
    Row("retargeted", "on_merge", "another", CLOSE),
    Row("queued", "on_merge", "followed", QUEUED),
    Row("merged", "on_merge", "followed", MERGE),
    Row("advanced", "on_merge", "followed", MERGE),
    Row("closed", "on_merge", "followed", CLOSE),
)
