"""What goes and what stays."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gm_analytics.mirror.history import Held, History, Pool, Pooled
from gm_analytics.mirror.retention import DAY, Collected, Decision, Rules, decide, unneeded

NOW = 1_000 * DAY
RULES = Rules(publications=3, days=30, preview_days=20, grace_minutes=60)


def publication(number: int, left_days: float, *, live: bool = False) -> Held:
    left = NOW - left_days * DAY
    return Held(f".publications/{number:06d}", number, live, 1, left, left)


def preview(number: int, days: float, *, left: float = 1, served: bool = False) -> Held:
    """Make one that was made `days` ago and left `left` days ago."""
    made, gone = NOW - days * DAY, NOW - left * DAY
    return Held(f".previews/{number}-u{days}", number, served, 1, made, gone)


def past(*left_days: float, previews: tuple[Held, ...] = ()) -> History:
    """Give publications that ceased to be live so many days ago; the last is live."""
    held = [publication(n, days) for n, days in enumerate(left_days, 1)]
    live = publication(len(held) + 1, 300, live=True)
    return History(NOW, (*held, live), previews)


def numbers(held: tuple[Held, ...]) -> list[int]:
    return [one.number for one in held]


@pytest.mark.parametrize(
    ("left_days", "gone"),
    [
        pytest.param((90, 80, 70, 60), [1, 2], id="too many and too old: the newest three stay"),
        pytest.param((29, 28, 2, 1), [], id="too many, but young"),
        pytest.param((90, 80), [], id="old, but not too many"),
        pytest.param((90, 29, 28, 27, 26), [1], id="the old ones of too many"),
    ],
)
def test_a_publication_goes_when_it_is_beyond_both_count_and_age(
    left_days: tuple[float, ...], gone: list[int]
) -> None:
    decision = decide(past(*left_days), RULES)
    assert numbers(decision.gone) == gone
    assert len(decision.kept) == len(left_days) + 1 - len(gone)


def test_the_live_publication_stays_however_old_it_is() -> None:
    assert decide(past(), Rules(1, 0, 1, 1)) == Decision(past().publications)


def test_a_publication_that_was_live_within_the_grace_period_stays() -> None:
    minutes = 1 / (24 * 60)
    decision = decide(past(61 * minutes, 59 * minutes), replace(RULES, publications=1, days=0))
    assert numbers(decision.gone) == [1]


def test_a_preview_that_is_no_longer_served_goes_after_the_grace_period() -> None:
    minutes = 1 / (24 * 60)
    previews = (preview(7, 5, left=61 * minutes), preview(7, 4, left=59 * minutes))
    assert decide(past(previews=previews), RULES).gone == previews[:1]


def test_a_preview_that_was_served_too_long_is_dropped_first_and_goes_later() -> None:
    old, young = preview(7, 21, served=True), preview(8, 19, served=True)
    decision = decide(past(previews=(old, young)), RULES)
    assert (decision.dropped, decision.gone) == ((old,), ())
    assert old in decision.kept


def test_an_rpm_that_came_within_the_grace_period_stays() -> None:
    old, young = Pooled("a.rpm", 1, NOW - 3601), Pooled("b.rpm", 1, NOW - 3599)
    assert unneeded((old, young), NOW, RULES) == (old,)


@pytest.mark.parametrize("seed", range(50))
def test_whatever_the_rules_nothing_goes_that_a_client_may_be_reading(seed: int) -> None:
    """And every publication and preview is either kept or gone."""
    chance = random.Random(seed)
    rules = Rules(chance.randint(1, 5), chance.choice((0, 1, 30)), 1, chance.choice((1, 60, 3000)))
    previews = tuple(
        preview(n, 40 * chance.random(), left=2 * chance.random(), served=chance.random() < 0.5)
        for n in range(chance.randint(0, 9))
    )
    ages = sorted((40 * chance.random() ** 3 for _ in range(chance.randint(0, 15))), reverse=True)
    history = past(*ages, previews=previews)
    decision = decide(history, rules)
    held = (*history.publications, *history.previews)
    assert sorted((*decision.gone, *decision.kept), key=held.index) == list(held)
    assert history.live in decision.kept
    assert set(history.publications[-rules.publications :]) <= set(decision.kept)
    for one in decision.gone:
        assert not one.served
        assert NOW - one.left_at > rules.grace_minutes * 60
    assert all(one.served for one in decision.dropped)


def test_the_bytes_are_those_of_rpms_and_metadata() -> None:
    printed = "b.rpm\t30\t5.5\na.rpm\t20\t4\nsize\t1000\nbefore\t300\nafter\t100\n"
    pool = Pool.parse(printed)
    assert pool == Pool((Pooled("a.rpm", 20, 4.0), Pooled("b.rpm", 30, 5.5)), 1000, 300, 100)
    gone = (publication(3, 90), preview(7, 5))
    dropped = (preview(8, 21, served=True),)
    assert Collected.of(Decision((), gone, dropped), pool, pool.unnamed[:1]) == Collected(
        (3,), (gone[1].directory,), (8,), pool.unnamed[:1], before=1300, after=1080
    )
