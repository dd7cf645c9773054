"""What the service measures of itself: each metric once, with its name, unit, words and labels.

No I/O, and nothing of Prometheus: who counts calls `add` or `set` here, and who serves metrics
(`web.metrics`) listens. Where nobody does, as in a person's command, a number goes nowhere. Names
and units are as https://prometheus.io/docs/practices/naming/ has them. A label has few values, all
of them known when the process starts: a mirror's name is one of the configuration's, or `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, get_args

from gm_analytics.errors import BadSignature, DeliveryError, Fault, GmError, WaitsFor

PREFIX = "gm_analytics_"
MIRRORS = "mirrors"
"""The values of a label that has the names of mirrors."""
OTHER = "other"
NONE = "none"
STATES = (
    "published", "previewed", "planned", "closed", "unchanged", "superseded", "ignored", "failed",
    "cancelled",
)  # fmt: skip
STEPS = (
    "add", "ask upstream", "await end", "comment", "compare", "compare base", "compare commits",
    "compare manifest", "compare previews", "createrepo", "download", "drop preview", "fetch",
    "fetch manifest", "find pull request", "inspect", "look at preview", "look back",
    "look for preview", "obtain", "prove", "read the pool", "recall", "remember", "retain", "see",
    "sign", "status", "supersede", "survey", "sweep", "switch", "take preview",
)  # fmt: skip
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0)
_LONG = (1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 24 * 3600.0)

Kind = Literal["counter", "histogram", "gauge"]
Told = Literal["process", "store"]
"""Who can tell it: each process of what it did itself, or whoever reads the store."""
Labels = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Measure:
    """One metric."""

    name: str
    """Without `PREFIX`; a counter's ends with `_total`."""
    kind: Kind
    says: str
    labels: Mapping[str, tuple[str, ...] | Literal["mirrors"]] = field(default_factory=dict)
    """Each label's values."""
    told: Told = "process"
    buckets: tuple[float, ...] = ()
    only: tuple[Labels, ...] = ()
    """Which of those values go together, if not all do."""
    is_zero_without: bool = False
    """Whether the store means 0 where it says nothing."""

    @property
    def full_name(self) -> str:
        """Give the name as Prometheus has it."""
        return PREFIX + self.name

    @property
    def is_a_sum(self) -> bool:
        """Whether numbers of one label are added up; of ages the largest counts."""
        return not self.name.endswith("_seconds")

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count, or observe."""
        for hear in _listeners:
            hear(self, amount, labels)

    def set(self, value: float, **labels: str) -> None:
        """Say what a gauge is at."""
        self.add(value, **labels)


Hear = Callable[[Measure, float, Labels], object]
_listeners: list[Hear] = []


@contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Have a listener told until the block ends. It raises nothing and does not wait."""
    _listeners.append(hear)
    try:
        yield
    finally:
        _listeners.remove(hear)


_FAULTS = get_args(Fault)
_WAITS = get_args(WaitsFor)
_OF_A_MIRROR: dict[str, Literal["mirrors"]] = {"mirror": "mirrors"}

DELIVERIES = Measure(
    "deliveries_total",
    "counter",
    "Webhook calls, by what came of them.",
    {
        "result": (
            "accepted", "known", "ignored", "ping", "unsigned", "malformed", "unavailable",
        )
    },
)  # fmt: skip
MISSED = Measure(
    "missed_events_total",
    "counter",
    "Events that no delivery told, found by looking at GitHub.",
)
LOOKS = Measure(
    "reconciler_looks_total",
    "counter",
    "Looks at a repository for what no delivery told.",
    {"result": ("ok", "failed")},
)
UPDATES = Measure(
    "updates_total",
    "counter",
    "Updates that ended, by how, and whose fault it was if they failed: the author's are the "
    "pull request's own, all others are the system's.",
    {**_OF_A_MIRROR, "state": STATES, "fault": (NONE, *_FAULTS)},
    only=(
        *({"state": one, "fault": NONE} for one in STATES if one != "failed"),
        *({"state": "failed", "fault": one} for one in _FAULTS),
    ),
)
UPDATE_SECONDS = Measure(
    "update_duration_seconds",
    "histogram",
    "From when an update was accepted until clients see it, waiting included.",
    _OF_A_MIRROR,
    buckets=_LONG,
)
STEP_SECONDS = Measure(
    "step_duration_seconds",
    "histogram",
    "One attempt at a step of an update.",
    {"step": STEPS, "result": ("ok", "failed")},
    buckets=_SECONDS,
)
GITHUB_REQUESTS = Measure(
    "github_requests_total",
    "counter",
    "Requests to GitHub's API, by answer: 4xx is refused, 5xx is broken.",
    {"result": ("ok", "refused", "rate_limited", "broken", "unreachable")},
)
RATE_LIMIT_LEFT = Measure(
    "github_rate_limit_remaining",
    "gauge",
    "Requests that GitHub takes until the reset, by its last answer to this process.",
)
RATE_LIMIT = Measure(
    "github_rate_limit_limit", "gauge", "Requests that GitHub takes an hour, by the same answer."
)
RATE_LIMIT_RESET = Measure(
    "github_rate_limit_reset_timestamp_seconds",
    "gauge",
    "When GitHub counts from zero again, by the same answer.",
)
SSH_COMMANDS = Measure(
    "ssh_commands_total",
    "counter",
    "Commands on a mirror's host by how SSH fared; a command's own exit code is no matter here.",
    {
        **_OF_A_MIRROR,
        "result": ("ok", "unreachable", "refused", "lock", "timed_out", "stopped", "failed"),
    },
)
STORE_UP = Measure(
    "store_up", "gauge", "1 if the store could be read for this scrape, else 0.", told="store"
)
WORKERS = Measure("workers", "gauge", "Workers that live.", told="store")
QUEUE = Measure(
    "queue_updates",
    "gauge",
    "Updates that wait for their mirror's turn.",
    _OF_A_MIRROR,
    "store",
    is_zero_without=True,
)
QUEUE_AGE = Measure(
    "queue_oldest_age_seconds",
    "gauge",
    "How long the oldest of them has waited; 0 if none does.",
    _OF_A_MIRROR,
    "store",
    is_zero_without=True,
)
RUNNING = Measure(
    "running_updates",
    "gauge",
    "Updates that run.",
    _OF_A_MIRROR,
    "store",
    is_zero_without=True,
)
WAITING = Measure(
    "waiting_updates",
    "gauge",
    "Updates that wait for what is away, by what that is.",
    {**_OF_A_MIRROR, "waits_for": _WAITS},
    "store",
    is_zero_without=True,
)
WAITING_AGE = Measure(
    "waiting_oldest_age_seconds",
    "gauge",
    "How long the first of them has waited; 0 if none does.",
    {**_OF_A_MIRROR, "waits_for": _WAITS},
    "store",
    is_zero_without=True,
)
FEEDBACK = Measure(
    "feedback_queued", "gauge", "What is still to be said on pull requests.", told="store"
)
FEEDBACK_AGE = Measure(
    "feedback_oldest_age_seconds",
    "gauge",
    "How long the oldest of that has waited; 0 if nothing does.",
    told="store",
)
UNSEEN = Measure(
    "unseen_publications",
    "gauge",
    "What was published and clients may not see yet.",
    _OF_A_MIRROR,
    "store",
    is_zero_without=True,
)


_ABOUT: tuple[Mapping[str, Literal["mirrors"]], Told] = (_OF_A_MIRROR, "store")
LOOK_FAILED = Measure(
    "mirror_look_failed", "gauge", "1 if the last look at the mirror did not end well.", *_ABOUT
)
CONTACT = Measure(
    "mirror_last_contact_timestamp_seconds", "gauge", "When the mirror last answered.", *_ABOUT
)
SEEN = Measure(
    "mirror_last_seen_timestamp_seconds",
    "gauge",
    "When the look began of which the figures below are.",
    *_ABOUT,
)
PUBLISHED = Measure(
    "mirror_publication_timestamp_seconds", "gauge", "When what is live was published.", *_ABOUT
)
PUBLICATION = Measure(
    "mirror_publication_number", "gauge", "Which publication is live; 0 if none is.", *_ABOUT
)
PACKAGES = Measure("mirror_packages", "gauge", "Packages of what is live.", *_ABOUT)
SIZE = Measure("mirror_size_bytes", "gauge", "Bytes of their RPMs.", *_ABOUT)
FREE = Measure(
    "mirror_disk_free_bytes", "gauge", "What the file system of the mirror has left.", *_ABOUT
)
DISK = Measure("mirror_disk_size_bytes", "gauge", "What that file system has in all.", *_ABOUT)
IN_STEP = Measure(
    "mirror_in_step",
    "gauge",
    "1 if HTTP serves what is live, else 0; missing where that cannot be told.",
    *_ABOUT,
)
SIGNED = Measure("mirror_signed", "gauge", "1 if the metadata that are live are signed.", *_ABOUT)
ADVISORIES = Measure(
    "mirror_open_advisories",
    "gauge",
    "Upstream's advisories that newer versions than the live ones fix; missing if unknown.",
    *_ABOUT,
)
UPSTREAM_AGE = Measure(
    "mirror_upstream_age_seconds",
    "gauge",
    "For how long upstream's metadata were not read, of the repository asked longest ago.",
    *_ABOUT,
)
TROUBLES = Measure("mirror_troubles", "gauge", "What the last look found to be wrong.", *_ABOUT)


def delivery_refused(error: GmError) -> None:
    """Count a delivery that is not taken."""
    if isinstance(error, BadSignature):
        DELIVERIES.add(result="unsigned")
    elif isinstance(error, DeliveryError) and not error.transient:
        DELIVERIES.add(result="malformed")
    else:  # no store, no secret, no room
        DELIVERIES.add(result="unavailable")


ALL: tuple[Measure, ...] = tuple(
    one for one in list(globals().values()) if isinstance(one, Measure)
)
"""All of them, in the order in which they stand here."""
