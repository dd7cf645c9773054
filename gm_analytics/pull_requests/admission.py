"""What the worker performs of what the store holds. No I/O.

The web writes to the store and has neither key nor token. Whoever takes it over stores what they
like, so the worker believes nothing there that the configuration does not allow, and takes no
value out of it that has not the form that a delivery gives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests.rules import TABLE
from gm_analytics.rpm import grammar
from gm_analytics.settings import Settings
from gm_analytics.updates.model import MAX_NUMBER, ROLLBACK, Update

_TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?"
_FORMS: dict[str, Callable[[str], object]] = {
    "id": grammar.UPDATE_ID.fits,  # as publication.json has it
    "repository": re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}").fullmatch,
    "head_sha": re.compile(r"[0-9a-f]{40}").fullmatch,
    "merge_sha": re.compile(r"([0-9a-f]{40})?").fullmatch,
    "merged_at": re.compile(_TIME).fullmatch,
    "author": re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,200}").fullmatch,
    "base_ref": re.compile(r"[^\x00-\x20\x7f-\x9f~^:?*\[\\\ud800-\udfff]{0,255}").fullmatch,
}
"""The texts that become part of a command, a path or an address."""


_EVENT_FORMS: dict[str, Callable[[str], object]] = {
    **{name: _FORMS[name] for name in ("repository", "head_sha", "base_ref")},
    "default_branch": _FORMS["base_ref"],
    "author": re.compile(r"[A-Za-z0-9_.\[\]-]{0,100}").fullmatch,
    "author_association": re.compile(r"[A-Z_]{0,64}").fullmatch,
}
"""The texts that become part of what is said of a pull request that causes no update."""


def reason_to_ignore(update: Update, config: Settings) -> str | None:
    """Say why a stored update is not to be performed, or None."""
    if update.aim == ROLLBACK:
        return _reason_not_to_roll_back(update, config)
    if malformed := _malformed(update):
        return f"the stored update has no valid {malformed}"
    if update.aim not in {row.aim for row in TABLE if row.publish == config.publish}:
        return f"publish: {config.publish} has no update of the kind {update.aim.word}"
    if update.repository.lower() not in map(str.lower, config.webhook.repositories):
        return f"repository {update.repository} is not listed in webhook.repositories"
    if update.mirror not in (mirror.name for mirror in config.mirrors_of(update.repository)):
        return f"no mirror of this name takes pull requests of {update.repository}"
    return None


def _reason_not_to_roll_back(update: Update, config: Settings) -> str | None:
    """Say why what a page asked for is not done: a person chose, and saw, a publication."""
    if not (_FORMS["id"](update.id) and _FORMS["author"](update.author)):
        return "the stored update has no valid id or author"
    if update.repository or update.number or min(update.back_to, update.expected) < 1:
        return "the stored update is no rollback that was asked for"
    if update.mirror not in (mirror.name for mirror in config.mirrors):
        return "no mirror has this name"
    return None


def is_well_formed(event: PullRequestEvent) -> bool:
    """Tell whether a stored event has the form that a delivery gives it."""
    fits = all(fits(getattr(event, name)) for name, fits in _EVENT_FORMS.items())
    return fits and 0 < event.number <= MAX_NUMBER


def _malformed(update: Update) -> str | None:
    for name, fits in _FORMS.items():
        if not fits(getattr(update, name)):
            return name
    # Of what was pushed without a pull request, and of a merge group, which has several.
    may_have_none = update.aim.cause in {"merge", "merge_group"}
    return None if update.number > 0 or may_have_none else "number"
