"""How long a worker's lease lasts, beside how long its mirrors hold their locks for it."""

from __future__ import annotations

from gm_analytics.engine.leases import Timing
from gm_analytics.remote.lock import Beat


def test_a_mirror_lets_its_lock_go_before_the_work_is_another_s() -> None:
    """A worker stops at the worst moment: it said to the mirror just then that it is there.

    Its lease was renewed up to a beat before. What runs on the mirror gets its grace first.
    """
    lease, lock = Timing(), Beat()
    assert lease.lasts - lease.beat >= lock.patience + lock.grace


def test_the_work_of_a_worker_that_is_gone_is_another_s_within_a_minute() -> None:
    """It was renewed at the last moment, and whoever takes over looks once a beat."""
    lease = Timing()
    assert lease.lasts + 2 * lease.beat < 60


def test_a_worker_without_its_database_stops_what_it_runs_before_its_lease_ends() -> None:
    """In time for what runs on the mirror to end, and for whoever ends with it."""
    lease, lock = Timing(), Beat()
    assert lease.early >= max(lease.patience, lock.grace)
    assert lease.lasts - lease.early > 2 * lease.beat, "one beat may fail"
    assert lock.patience > 2 * lock.interval, "and one byte may be late"
