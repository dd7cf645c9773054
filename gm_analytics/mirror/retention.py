"""What a mirror need not keep any longer: decided from values. No I/O.

Whatever a client may still be downloading stays: what is served, what was within the grace
period, and RPMs that came within it or that an unfinished update has looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gm_analytics import settings
from gm_analytics.mirror.history import Held, History, Pool, Pooled
from gm_analytics.wording import counted

DAY, MINUTE = 86_400, 60
"""Seconds."""


@dataclass(frozen=True)
class Rules:
    """How much of its past a mirror keeps."""

    publications: int
    """This many of the newest ones, the live one among them, however old."""
    days: float
    """And all that were live within this time, however many."""
    preview_days: float
    """How long a preview is served."""
    grace_minutes: float

    @classmethod
    def of(cls, mirror: settings.Mirror) -> Rules:
        """Give a mirror's."""
        return cls(**mirror.retention.model_dump(), grace_minutes=mirror.grace_minutes)


@dataclass(frozen=True)
class Decision:
    """What becomes of the publications and previews that a mirror holds."""

    kept: tuple[Held, ...]
    gone: tuple[Held, ...] = ()
    dropped: tuple[Held, ...] = ()
    """Previews that cease to be served; a client may be reading them, so they are kept yet."""

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.gone and not self.dropped


def decide(history: History, rules: Rules) -> Decision:
    """Say which publications and previews go."""
    newest = {one.number for one in history.publications[-rules.publications :]}
    gone = [
        one
        for one in history.publications
        if one.number not in newest and _left_longer_than(one, rules.days * DAY, history, rules)
    ]
    gone += [one for one in history.previews if _left_longer_than(one, 0, history, rules)]
    dropped = tuple(
        one
        for one in history.previews
        if one.served and history.now - one.made_at > rules.preview_days * DAY
    )
    held = (*history.publications, *history.previews)
    return Decision(tuple(one for one in held if one not in gone), tuple(gone), dropped)


def _left_longer_than(one: Held, seconds: float, history: History, rules: Rules) -> bool:
    left = history.now - one.left_at
    return not one.served and left > seconds and left > rules.grace_minutes * MINUTE


def unneeded(unnamed: Iterable[Pooled], now: float, rules: Rules) -> tuple[Pooled, ...]:
    """Say which of the RPMs that nothing kept names go."""
    return tuple(rpm for rpm in unnamed if now - rpm.added_at > rules.grace_minutes * MINUTE)


@dataclass(frozen=True)
class Collected:
    """What went, or would go. Sizes in bytes: RPMs and metadata together."""

    publications: tuple[int, ...] = ()
    previews: tuple[str, ...] = ()
    """Directories that no pull request is shown any longer."""
    dropped: tuple[int, ...] = ()
    """Pull requests whose previews were served too long."""
    rpms: tuple[Pooled, ...] = ()
    before: int = 0
    after: int = 0
    unreadable: tuple[str, ...] = ()
    """Directories whose publication.json is damaged or newer; the rules count them as others."""

    @property
    def counts(self) -> str:
        """Say how much of each kind."""
        return (
            f"{counted(len(self.publications), 'publication')}, "
            f"{counted(len(self.previews), 'preview')} and {counted(len(self.rpms), 'RPM')}"
        )

    @classmethod
    def of(cls, decision: Decision, pool: Pool, rpms: tuple[Pooled, ...]) -> Collected:
        """Sum up a decision."""
        publications = tuple(one.number for one in decision.gone if not one.is_preview)
        previews = tuple(one.directory for one in decision.gone if one.is_preview)
        return cls(
            publications=publications,
            previews=previews,
            dropped=tuple(one.number for one in decision.dropped),
            rpms=rpms,
            before=pool.size + pool.metadata_before,
            after=pool.size + pool.metadata_after - sum(rpm.size for rpm in rpms),
        )
