"""When a worker lives, and when it does not."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from gm_analytics.engine.pulse import STILL, Pulse
from gm_analytics.supervisor import WORKER, Supervisor
from tests.support.notified import notified


class Bed:
    """A pulse, its clock, and a loop of DBOS's that a test turns."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.now = 1000.0
        supervisor.expect(WORKER)
        self.pulse = Pulse(supervisor, lambda: self.now)
        self.store = SimpleNamespace(get_queue=lambda name: name)
        self.pulse.listen(SimpleNamespace(_sys_db=self.store))

    def dbos_turns(self, thread: str = "queue-worker-updates") -> None:
        turn = threading.Thread(target=self.store.get_queue, args=("updates",), name=thread)
        turn.start()
        turn.join()

    def turn(self, *runs: str, after: float = 20.0, away: bool = False) -> None:
        self.now += after
        self.pulse.turn(runs, away=away)


def test_a_worker_lives_while_both_loops_turn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with notified(tmp_path) as systemd:
        bed = Bed(Supervisor.taken_from(systemd.environ(watchdog=60)))
        bed.turn()  # before DBOS turned for the first time
        bed.dbos_turns()
        bed.turn(after=1.0)  # too soon after the last sign
        bed.turn("runs 1234 for east", after=STILL - 1.0)
        assert [one["STATUS"] for one in systemd.hear()] == [
            "waits for work",
            "runs 1234 for east",
        ]
        bed.turn()
        bed.turn()
        assert len(systemd.hear()) == 2, "DBOS's loop hangs"
        assert caplog.messages == ["no update is taken any more: DBOS's loop hangs"]
        bed.dbos_turns("another thread")
        bed.turn()
        assert len(systemd.hear()) == 2
        bed.dbos_turns()
        bed.turn()
        assert len(systemd.hear()) == 3


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with notified(tmp_path) as systemd:
        bed = Bed(Supervisor.taken_from(systemd.environ(watchdog=60)))
        bed.dbos_turns()
        for _ in range(50):
            bed.turn(away=True)
            systemd.hear()
        bed.turn(after=STILL)  # DBOS is still in the pause before it asks again
        said = [one["STATUS"] for one in systemd.hear()]
        assert len(said) == 51
        assert said[0] == "the store is away; waits for work"
        bed.turn()
        assert len(systemd.hear()) == 51


def test_a_dbos_that_asks_otherwise_is_not_waited_for(tmp_path: Path) -> None:
    with notified(tmp_path) as systemd:
        bed = Bed(Supervisor.taken_from(systemd.environ(watchdog=60)))
        bed.turn(after=10 * STILL)
        assert len(systemd.hear()) == 1
