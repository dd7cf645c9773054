"""An update on one mirror as pages tell it: its record, what runs now, and where links lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from gm_analytics.rpm.advisories import Advice
from gm_analytics.rpm.changes import Change, Plan
from gm_analytics.updates import states
from gm_analytics.updates.model import Outcome, Record
from gm_analytics.updates.progress import Now, Said
from gm_analytics.updates.wishes import Wish
from gm_analytics.web import failure, timeline
from gm_analytics.web.failure import Failure
from gm_analytics.web.links import Button, Links
from gm_analytics.web.timeline import Step

_BRIEF = 160
"""Characters of a message in a list."""
_NONE = Outcome("ignored", "")
_AIMS = {
    "queue": "Plan what merging means",
    "close": "Take its preview away",
    "preview": "Preview",
    "rollback": "Roll back",
    "merge": "Publish exactly this",
}
_BETWEEN = {"add": "to"}
_CANCEL = "Clients go on seeing what they see now; what was downloaded is kept for later."


class Told:
    """What templates read of an update on one mirror; times in seconds since the epoch."""

    def __init__(
        self,
        record: Record,
        links: Links,
        now: Now | None = None,
        index: int = 0,
        wish: Wish | None = None,
        *,
        may_write: bool = True,
        output: Sequence[Said] = (),
    ) -> None:
        self._record = record
        self._update = record.update
        self._outcome = record.outcome or _NONE
        self._now = now
        self._links = links
        self._wish = wish
        self._may_write = may_write
        self._output = output
        self.index = index
        """Which of its update's mirrors it is, from 0."""

    @property
    def id(self) -> str:
        """The update's own, or with its mirror where it has several."""
        return self._update.id

    @property
    def mirror(self) -> str:
        """Its name."""
        return self._update.mirror

    @property
    def mirror_url(self) -> str:
        """What it serves; nothing of one that the configuration has no longer."""
        return self._links.mirrors.get(self.mirror, "")

    @property
    def title(self) -> str:
        """Name it by where it comes from."""
        return self._update.origin or f"By {self._update.author or 'a person'}"

    @property
    def pull_request(self) -> str:
        """`owner/name#number`, or nothing."""
        return self._update.pull_request

    @property
    def pull_url(self) -> str:
        """Its address at the forge."""
        return self._links.pull_request(self._update)

    @property
    def repository(self) -> str:
        """`owner/name`, or nothing."""
        return self._update.repository

    @property
    def commit(self) -> str:
        """The commit whose manifest counts."""
        return self._update.commit

    @property
    def commit_url(self) -> str:
        """Its address at the forge."""
        return self._links.commit(self._update)

    @property
    def author(self) -> str:
        """Who opened the pull request, as far as it is known."""
        return self._update.author

    @property
    def purpose(self) -> str:
        """Say what it is for."""
        return f"{self.aim} {_BETWEEN.get(self._update.aim.word, 'on')} {self.mirror}"

    @property
    def aim(self) -> str:
        """Say what it is for, where its mirror is said beside it."""
        if back_to := self._update.back_to:
            return f"Go back to publication {back_to}"
        return _AIMS.get(self._update.aim.word, "Add its packages")

    @property
    def state(self) -> str:
        """As `updates.states` has it."""
        return self._record.state

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self._record.ended

    @property
    def buttons(self) -> Sequence[Button]:
        """What may be done about it, by who looks."""
        if self.asked or not self._may_write:
            return ()
        action = f"/updates/{quote(self.id)}"
        if not self.ended:
            return (Button("cancel", "Cancel", "stop", f"{action}/cancel", "danger", _CANCEL),)
        if states.retriable(self._record.state):
            return (Button("retry", "Run it again", "retry", f"{action}/retry", "main"),)
        return ()

    @property
    def asked(self) -> Wish | None:
        """What a page asked about it, and nobody carried out yet."""
        return self._wish if self._wish and self._wish.open else None

    @property
    def refused(self) -> Wish | None:
        """What a page asked about it last, if that was not done."""
        return self._wish if self._wish and self._wish.fate in {"refused", "expired"} else None

    @property
    def message(self) -> str:
        """What came of it."""
        return self._record.message

    @property
    def brief(self) -> str:
        """What came of it, in a line of a list."""
        said = self.message.split("\n", 1)[0]
        said = said.removeprefix("mirror ").removeprefix(f"{self.mirror}: ")
        if said == self.state:
            return ""
        return said if len(said) <= _BRIEF else f"{said[: _BRIEF - 1]}…"

    @property
    def accepted_at(self) -> float:
        """When it was stored."""
        return self._record.accepted_at

    @property
    def started_at(self) -> float | None:
        """When its last attempt began."""
        return self._record.started_at

    @property
    def completed_at(self) -> float | None:
        """When it ended."""
        return self._record.completed_at

    @property
    def took(self) -> float | None:
        """How many seconds its last attempt took."""
        began, ended = self._record.started_at, self._record.completed_at
        return max(0.0, ended - began) if began and ended else None

    @property
    def waiting(self) -> dict[str, Any] | None:
        """What it waits for, and why."""
        wait = self._record.wait
        if wait is None:
            return None
        return {
            "what": wait.what(self.mirror),
            "reason": wait.reason,
            "since": wait.since,
            "tries": wait.tries,
            "next_try": wait.next_try,
        }

    @property
    def failure(self) -> Failure | None:
        """Why it failed, if it did."""
        error = self._record.error
        return failure.of(error) if error and self.state == "failed" else None

    @property
    def warnings(self) -> Sequence[str]:
        """What a reviewer should know of it."""
        return self._outcome.warnings

    @property
    def steps(self) -> list[Step]:
        """What it did, does and is to do."""
        return timeline.steps(self._record, self._now)

    @property
    def said(self) -> int:
        """How many lines the mirror's host said."""
        return self._now.said if self._now else 0

    @property
    def lines(self) -> tuple[str, ...]:
        """The last of them."""
        return self._now.lines if self._now else ()

    @property
    def output(self) -> list[tuple[str, Said]]:
        """What was said in each step, once it has ended: until then it is in `lines`."""
        return [(timeline.title(one.step), one) for one in self._output] if self.ended else []

    @property
    def lines_from(self) -> int:
        """How many there were before."""
        return max(0, self.said - len(self.lines))

    @property
    def changes(self) -> Sequence[Change]:
        """What it changes for clients, by package."""
        return self._outcome.changes

    @property
    def kinds(self) -> Sequence[tuple[str, int]]:
        """How many changes there are of each kind."""
        return Plan(tuple(self.changes)).kinds

    @property
    def plan_title(self) -> str:
        """Name the changes."""
        shows = self.state in {"previewed", "planned"}
        return "What merging would change" if shows else "What changed for clients"

    @property
    def size(self) -> int:
        """Bytes of what was added."""
        return self._outcome.size

    @property
    def advisories(self) -> Sequence[Advice]:
        """Those that the changes bring, the gravest first."""
        return self._outcome.advisories

    @property
    def preview(self) -> str:
        """The preview's address."""
        return self._outcome.preview

    @property
    def repo_file(self) -> str:
        """That of the file which a client takes of it."""
        return self._outcome.repo_file
