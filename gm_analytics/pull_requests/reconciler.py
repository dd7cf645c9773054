"""The reconciler: looks at the forge, and applies what no delivery told.

Webhooks get lost: a service that is down, a firewall, a forge that delivers once. So what the
forge has (open pull requests, those that ended since, the followed branch's head) is looked at now
and then, and given to the intake as events. The intake knows what it was told before, so nothing
is done twice. `missed` decides, without I/O.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gm_analytics.engine import looks as database
from gm_analytics.errors import GitHubUnavailable, GmError
from gm_analytics.events import Event, Look, PullRequestEvent, PushEvent
from gm_analytics.measures import LOOKS, MISSED
from gm_analytics.pull_requests.ports import Looks, Watch
from gm_analytics.pull_requests.rules import Rules
from gm_analytics.settings import Settings
from gm_analytics.updates.taken import Taken

MAX_PAGES = 10
"""Of a hundred pull requests each, of one list in one look."""
MAX_SECONDS = 60.0
"""Of a look, after which no further page is asked for."""
OVERLAP = timedelta(minutes=10)
"""What changed shortly before the last look is looked at again: lists lag behind."""
FREE = 30
"""Requests an hour of the 60 that GitHub takes without a token; the others are for updates."""
BUSY = 15.0
"""Seconds after which one tries again to begin, at its start, where another worker looks."""
BEGINNING = "1970-01-01T00:00:00Z"

log = logging.getLogger(__name__)


# --- what was missed ------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a look saw."""

    pulls: tuple[PullRequestEvent, ...]
    newest: str = ""
    """When a pull request last changed."""
    push: PushEvent | None = None
    """The followed branch's head, if it is not the one that is known."""


def missed(seen: Seen, look: Look, rules: Rules, *, polls: bool) -> list[Event]:
    """Give what may have been missed, in the order in which it happened.

    An end counts from the first look on. The head that a branch has at the first look was not
    missed, unless nobody else could have told of it.
    """
    newest = {pull.number: pull for pull in sorted(seen.pulls, key=lambda pull: pull.updated_at)}
    asked = (_asked(pull, look, rules) for pull in newest.values())
    events: list[Event] = sorted(filter(None, asked), key=lambda event: (event.at, event.number))
    push = seen.push if look.head or polls else None
    told = {(event.commit, event.base_ref) for event in events}
    return [*events, push] if push and (push.commit, push.branch) not in told else events


def _asked(pull: PullRequestEvent, look: Look, rules: Rules) -> PullRequestEvent | None:
    """Give a pull request as an event that may cause an update."""
    if pull.happened == "merged":
        return pull if look.counts_from and pull.merged_at > look.counts_from else None
    if pull.happened == "closed":
        return pull if look.since else None
    if rules.publish == "on_merge" and rules.base_of(pull) == "another":
        away = replace(pull, happened="retargeted", action="edited")
        return away if look.since else None
    return pull


def earlier(since: str) -> str:
    """Give the time from which on changes are looked at again."""
    try:
        at = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return (at - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return since


def pause(config: Settings) -> float:
    """Give the seconds between two looks at a repository.

    Without a token GitHub takes so few requests that it is longer.
    """
    if config.github.has_token:
        return config.reconcile_seconds
    requests = len(config.webhook.repositories) * (2 if config.publishes_on_merge else 1)
    return max(config.reconcile_seconds, requests * 3600 / FREE)


# --- looking --------------------------------------------------------------------------------


class Reconciler:
    """Looks at the repositories of one configuration."""

    def __init__(
        self,
        config: Settings,
        watch: Watch,
        looks: Looks,
        take: Callable[[Event], Taken],
        called: Callable[[str], str] = str,
    ) -> None:
        """Take the parts; `called` gives the name that a configured repository has now."""
        self._config, self._watch, self._looks, self._take = config, watch, looks, take
        self._called = called
        self._rules = Rules.of(config)
        self._pause = pause(config)

    def run(self, stopped: threading.Event) -> None:
        """Look at once, and then now and then, until it is stopped; nothing ends it before."""
        names = self._config.webhook.repositories
        log.info("reconciler: %d repositories, every %g s%s", len(names), self._pause, self._why)
        due = dict.fromkeys(names, time.monotonic())
        first = set(names)
        while not stopped.wait(max(0.0, min(due.values()) - time.monotonic())):
            name = min(due, key=lambda one: due[one])
            began, again = self._try(name, first=name in first)
            due[name] = time.monotonic() + again
            first -= {name} if began else set()

    @property
    def _why(self) -> str:
        few = "; without a token GitHub takes 60 requests an hour"
        return "" if self._config.github.has_token else few

    def _try(self, name: str, *, first: bool) -> tuple[bool, float]:
        """Look; tell whether this worker did, and the seconds until the next try."""
        try:
            if self.look(name, first=first):
                LOOKS.add(result="ok")
                return True, self._pause
            return False, min(BUSY, self._pause) if first else self._pause
        except GitHubUnavailable as error:
            log.warning("reconciler: %s: %s", name, error)
            LOOKS.add(result="failed")
            return True, max(self._pause, error.retry_after or 0.0)
        except GmError as error:
            log.warning("reconciler: %s: %s; hint: %s", name, error, error.hint)
        except Exception:
            log.exception("reconciler: %s: failed", name)
        LOOKS.add(result="failed")
        return True, self._pause

    def look(self, name: str, *, first: bool = False) -> bool:
        """Look at a repository and apply what was missed; tell whether it was this worker's turn.

        The `first` look of a process is not put off, and sees all open pull requests.

        Raises:
            GmError: why it could not; the next look begins where this one did.

        """
        # A little less than the pause: the clocks of two workers differ.
        look = self._looks.begin(name, 0.0 if first else 0.9 * self._pause)
        if look is None:
            return False
        after = look
        try:
            seen = self._see(self._called(name), look, whole=first or not look.since)
            for event in missed(seen, look, self._rules, polls=self._config.polls):
                self._apply(event)
            head = seen.push.head_sha if seen.push else look.head
            since = max(look.since, seen.newest)
            after = replace(look, since=since, head=head, counts_from=look.counts_from or since)
        finally:
            self._looks.end(name, after)
        return True

    def _apply(self, event: Event) -> None:
        taken = self._take(event)
        for update in taken.begun:
            MISSED.add(not self._config.polls)
            told = "" if self._config.polls else ", which no delivery told"
            log.info("reconciler: %s at %s%s: update %s", event.key, event.commit, told, update.id)

    def _see(self, name: str, look: Look, *, whole: bool) -> Seen:
        ends = time.monotonic() + MAX_SECONDS
        since = earlier(look.since) if look.since else "9999"  # then only what is the newest
        changed = list(self._list(name, "all", since, ends))
        newest = max((pull.updated_at for pull in changed), default=BEGINNING)
        still_open = list(self._list(name, "open", "", ends)) if whole else []
        ended = [pull for pull in changed if look.since or pull.happened == "pushed"]
        return Seen((*ended, *still_open), newest, self._push(name, look))

    def _list(self, name: str, state: str, since: str, ends: float) -> Iterator[PullRequestEvent]:
        """Give what changed since a time, the newest first."""
        following = ""
        for _ in range(MAX_PAGES):
            page = self._watch.pull_requests(name, state, following)
            yield from (pull for pull in page.pulls if pull.updated_at >= since or since == "9999")
            following = page.following
            if not following or page.oldest < since:
                return
            if time.monotonic() > ends:
                break
        log.warning("reconciler: %s: not all %s pull requests were looked at", name, state)

    def _push(self, name: str, look: Look) -> PushEvent | None:
        """Give the followed branch's head, if it is another than the one that is known."""
        if not self._config.publishes_on_merge:
            return None
        branch = self._rules.branch
        head = self._watch.head(name, branch)
        return self._watch.pushed(name, branch, head) if head not in {"", look.head} else None


@contextmanager
def reconciling(
    config: Settings,
    watch: Watch,
    take: Callable[[Event], Taken],
    called: Callable[[str], str],
) -> Iterator[None]:
    """Look in a thread until the block ends, if the configuration wants it."""
    if not config.reconcile_seconds:
        yield
        return
    stopped = threading.Event()
    with closing(database.Looks(config.database_url)) as looks:
        run = Reconciler(config, watch, looks, take, called).run
        thread = threading.Thread(target=run, args=[stopped], name="reconciler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(1.0)
