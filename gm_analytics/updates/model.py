"""An update and how it went, as values. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from gm_analytics import stored
from gm_analytics.errors import GmError
from gm_analytics.mirror.publication import Standing
from gm_analytics.rpm.advisories import Advice
from gm_analytics.rpm.changes import Change
from gm_analytics.updates import states
from gm_analytics.updates.states import Ended, State
from gm_analytics.updates.waiting import Wait
from gm_analytics.wording import cleaned, redact

FORMAT = 1
"""Of an update and of an outcome as they are stored; see `gm_analytics.stored`."""

MAX_NUMBER = 2**31 - 1
"""Of a pull request, as a database's whole number holds it."""
MAX_TIME = 253_402_300_799
"""Seconds since the epoch: the end of the year 9999, the last that can be written as a date."""

Cause = Literal["pull_request", "merge_group", "merge", "person"]
Mode = Literal["additive", "exact"]
"""Whether the closure is added to what is live, or takes its place."""
Target = Literal["live", "preview", "trial"]
"""A trial is built and proven as what goes live is, and shown to nobody."""
Source = Literal["solved", "reviewed", "lock", "older", "nothing"]
"""Where the closure comes from: yum; the preview that was reviewed, if what it showed is still
true, else yum; a lock file; an older publication; or nothing, and the preview goes."""


@dataclass(frozen=True)
class Aim:
    """What an update is for."""

    cause: Cause
    mode: Mode
    target: Target
    source: Source

    @property
    def word(self) -> str:
        """Name it in one word, as publication.json has it."""
        if self.target == "trial":
            return "queue"
        if self.target == "preview":
            return "close" if self.source == "nothing" else "preview"
        if self.source == "older":
            return "rollback"
        return "merge" if self.mode == "exact" else "add"


ADDITION = Aim("pull_request", "additive", "live", "solved")
PREVIEW = Aim("pull_request", "exact", "preview", "solved")
MERGE = Aim("merge", "exact", "live", "reviewed")
CLOSE = Aim("pull_request", "exact", "preview", "nothing")
ROLLBACK = Aim("person", "exact", "live", "older")
QUEUED = Aim("merge_group", "exact", "trial", "solved")
QUEUED_ADDITION = Aim("merge_group", "additive", "trial", "solved")


@dataclass(frozen=True)
class Update:
    """The durable work that an event causes on one mirror."""

    id: str
    mirror: str
    repository: str = ""
    number: Annotated[int, Field(ge=0, le=MAX_NUMBER)] = 0
    head_sha: str = ""
    requested_at: Annotated[float, Field(ge=0, le=MAX_TIME)] = 0.0
    """Seconds since the epoch."""
    aim: Aim = ADDITION
    merge_sha: str = ""
    """The merge commit, of a merge."""
    merged_at: str = ""
    """When GitHub merged, ISO 8601 in UTC."""
    updated_at: str = ""
    """When GitHub last changed the pull request, ISO 8601 in UTC."""
    base_ref: str = ""
    """The branch that a pull request is to be merged into; earlier versions stored none."""
    author: str = ""
    """The pull request's, or the person who asked for it; empty where that is not known."""
    back_to: int = 0
    expected: int = 0
    """Of a rollback that waits for its turn: the publication to go back to, and the live one."""

    @classmethod
    def read(cls, values: Any) -> Update:
        """Read what was stored, by this version or an older or newer one.

        Unknown fields are ignored. The first version stored the aim as one word, `kind`.

        Raises:
            Malformed: a field is not what it should be.
            NewerFormat: a newer gm-analytics stored it.

        """
        values = stored.mapping("an update", values)
        stored.refuse_values("an update", values, FORMAT)
        kind = str(values.get("kind", "add"))
        aim = asdict(_KINDS[kind]) if kind in _KINDS else kind
        try:
            found = _UPDATE.validate_python({"aim": aim, **values})
        except ValidationError as error:
            raise stored.malformed("an update", error) from error
        stored.refuse_unclean("an update", asdict(found))
        return found

    def to_json(self) -> dict[str, Any]:
        """Give what `read` reads, as JSON values."""
        return {"format": FORMAT, **_UPDATE.dump_python(self, warnings="none")}

    @property
    def exact(self) -> bool:
        """Whether nothing stays of what was there before."""
        return self.aim.mode == "exact"

    @property
    def pull_request(self) -> str:
        """`owner/name#number`, empty for what a person applied or pushed without one."""
        return self.thread if self.number else ""

    @property
    def thread(self) -> str:
        """What is ordered and told together: `owner/name#number`, of pushes without one 0."""
        return f"{self.repository}#{self.number}" if self.repository else ""

    @property
    def origin(self) -> str:
        """Where it comes from: its pull request, or the repository that was pushed to."""
        return self.pull_request or self.repository

    @property
    def commit(self) -> str:
        """The commit whose manifest counts, and which gets the status."""
        return self.merge_sha or self.head_sha

    @property
    def order(self) -> tuple[str, float]:
        """Orders a pull request's events as they happened, however late they were delivered."""
        return self.updated_at, self.requested_at

    @property
    def mark(self) -> str:
        """Names a merge, and orders it among others but for those of the same second."""
        return f"{self.merged_at} {self.merge_sha}" if self.merged_at else ""


_UPDATE = TypeAdapter(Update)
_KINDS = {
    "add": ADDITION,
    "preview": PREVIEW,
    "merge": MERGE,
    "close": CLOSE,
    "rollback": ROLLBACK,
}


NOTHING = Aim("person", "exact", "live", "nothing")
"""No event causes it: of what cannot be read, and is never performed."""


@dataclass(frozen=True)
class Unseen:
    """What clients did not see at the last look though it is published, and why."""

    repomd: str
    """Its SHA-256."""
    preview: int | None
    reason: str

    @property
    def warning(self) -> str:
        """Say it; it is looked at again."""
        return f"clients may not see it yet, which is looked at again: {self.reason}"


@dataclass(frozen=True)
class Outcome:
    """How an update ended, unless it failed with an error."""

    state: Ended
    message: str
    publication: str = ""
    added: tuple[str, ...] = ()
    """NEVRAs that clients see now and did not before."""
    size: int = 0
    """Bytes of the packages that were added."""
    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    """What differs from what was live: what clients see now or, of a preview, would see."""
    preview: str = ""
    repo_file: str = ""
    keys: tuple[str, ...] = ()
    """Addresses of a preview, of the file that a client takes of it, of the packages' keys."""
    unseen: Unseen | None = None
    """What keeps clients from seeing it, which is among the warnings too."""
    others: tuple[Standing, ...] = ()
    """What merging other open pull requests would change, after this one."""
    advisories: tuple[Advice, ...] = ()
    """Those that the changes bring, the gravest first; earlier versions stored none."""
    quiet: bool = False
    """Whether no comment is begun for it; one that is there is edited."""

    @classmethod
    def read(cls, values: Any) -> Outcome:
        """Read what was stored, as `Update.read`.

        Raises:
            Malformed: a field is not what it should be.
            NewerFormat: a newer gm-analytics stored it.

        """
        values = stored.mapping("an outcome", values)
        stored.refuse_values("an outcome", values, FORMAT)
        try:
            found = _OUTCOME.validate_python(values)
        except ValidationError as error:
            raise stored.malformed("an outcome", error) from error
        stored.refuse_unclean("an outcome", asdict(found))
        return found

    def not_seen(self, unseen: Unseen | None) -> Outcome:
        """Add the finding that clients do not see it yet, if there is one."""
        if unseen is None:
            return self
        return replace(self, warnings=(*self.warnings, unseen.warning), unseen=unseen)

    def seen(self) -> Outcome:
        """Leave that finding out again."""
        gone = self.unseen.warning if self.unseen else None
        left = tuple(warning for warning in self.warnings if warning != gone)
        return replace(self, warnings=left, unseen=None)

    def to_json(self) -> dict[str, Any]:
        """Give what `read` reads, as JSON values; programs' words may have any bytes in them."""
        return {"format": FORMAT, **cleaned(asdict(self))}


_OUTCOME = TypeAdapter(Outcome)


@dataclass(frozen=True)
class StepRecord:
    """One finished step; times in seconds since the epoch."""

    name: str
    started_at: float
    completed_at: float
    error: str | None = None
    public_error: str = ""
    """What strangers may read of it."""


@dataclass(frozen=True)
class Record:
    """An update as the store knows it; times in seconds since the epoch."""

    update: Update
    state: State
    message: str
    accepted_at: float
    started_at: float | None
    completed_at: float | None
    outcome: Outcome | None = None
    error: GmError | None = None
    steps: tuple[StepRecord, ...] = ()
    standing: Standing | None = None
    """Of a preview: what merging would change by now, if something was published since."""
    wait: Wait | None = None
    """What it waits for, if it is that; its last attempt ended with `error`."""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return states.ended(self.state)

    @property
    def hint(self) -> str:
        """What to do about its error, for the operator."""
        return self.error.hint if self.error else ""

    @property
    def public_hint(self) -> str:
        """What strangers may read about what to do."""
        return self.error.public_hint if self.error else ""

    @property
    def public_message(self) -> str:
        """What strangers may read of the message."""
        if self.error and self.wait:
            return self.wait.says(self.update.mirror, self.error.public)
        return self.error.public if self.error else redact(self.message)
