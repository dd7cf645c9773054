"""A worker's hold on the store: its lease, what it runs under it, and what others left behind.

Two threads. One talks to the database: it beats, takes over from the dead, and sees what is to
be cancelled. The other only looks at the clock, since the first may hang in a network that was
cut, and stops what runs before the lease can be over.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics import __version__
from gm_analytics.engine import cancelling, handover, leases
from gm_analytics.engine.leases import Timing, Worker
from gm_analytics.engine.processes import Process
from gm_analytics.engine.run import Lease, Run

log = logging.getLogger(__name__)
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where there is such a clock."""


class Turned(Protocol):
    """Hears that the loop turned: what runs, and whether the database is away."""

    def __call__(self, runs: Sequence[str], /, *, away: bool) -> None:
        """Hear of it."""
        ...


def clock() -> float:
    """Give seconds that nobody sets back."""
    return time.clock_gettime(_CLOCK)


class Holding:
    """A lease, renewed while it can be, and another one when it was lost."""

    def __init__(
        self,
        engine: sa.Engine,
        base: str | None,
        version: str,
        timing: Timing,
        named: Callable[[str], None],
        *,
        turned: Turned = lambda runs, *, away: None,  # noqa: ARG005  # as it is called
    ) -> None:
        """Take a lease; `named` is told each id that this worker has from then on.

        `turned` is told at each turn of the loop that keeps the lease.
        """
        self._engine, self._timing, self._version, self._named = engine, timing, version, named
        self._turned = turned
        self._base = base or socket.gethostname()
        self._process = Process.own()
        self._lock = threading.Condition()
        self._runs: dict[int, Run] = {}
        self._what: dict[int, str] = {}
        self._over = threading.Event()
        self._lease = self._take()
        self._threads = [
            threading.Thread(target=what, name=name, daemon=True)
            for name, what in (("lease", self._keep), ("lease-end", self._watch))
        ]

    @property
    def executor(self) -> str:
        """The id under which this worker has its lease."""
        return self._lease.executor

    def start(self) -> None:
        """Keep the lease from now on, having looked once for what others left."""
        self._sweep()
        for thread in self._threads:
            thread.start()

    @contextmanager
    def running(self, workflow_id: str, what: str) -> Iterator[Run]:
        """Perform a workflow under the lease; `what` it is may be told on this machine."""
        with self._lock:
            run = Run(self._engine, self._lease, workflow_id)
            self._runs[id(run)], self._what[id(run)] = run, what
        try:
            yield run
        finally:
            with self._lock:
                del self._runs[id(run)], self._what[id(run)]
                self._lock.notify_all()

    def stop(self) -> None:
        """Stop what runs, and wait a moment for that; nothing is begun any more."""
        self._over.set()
        self._lose(self._lease, "the worker ends")
        with self._lock:
            self._lock.notify_all()
            self._lock.wait_for(lambda: not self._runs, self._timing.patience)
        for thread in self._threads:
            thread.join(self._timing.patience)

    def give_back(self) -> None:
        """Leave what is unfinished to the others, at once."""
        try:
            with self._engine.begin() as connection:
                left = handover.give_back(connection, self.executor)
        except SQLAlchemyError as error:
            log.warning("giving back the lease: %s", _first_line(error))
        else:
            for taken in left:
                log.info("%s: left to another worker", taken.workflow_id)

    # --- the thread that talks to the database --------------------------------------------------

    def _keep(self) -> None:
        beat = clock()
        while not self._over.wait(min(self._timing.look, self._timing.beat)):
            away = False
            try:
                self._look()
                if clock() - beat >= self._timing.beat or self._lease.is_over:
                    beat = clock()
                    self._beat()
            except SQLAlchemyError as error:
                away = True
                log.warning("keeping the lease: %s", _first_line(error))
            except Exception:
                log.exception("keeping the lease")
            with self._lock:
                what = list(self._what.values())
            self._turned(what, away=away)

    def _beat(self) -> None:
        lease, sent = self._lease, clock()
        if not lease.is_over:
            with self._engine.begin() as connection:
                lives = leases.beat(connection, lease.executor, self._timing.lasts)
            if lives:
                self._extend(lease, sent)
            else:
                self._lose(lease, "its lease ended, and others may have taken over")
        if lease.is_over:
            self._renew(lease)
        self._sweep()

    def _extend(self, lease: Lease, sent: float) -> None:
        with self._lock:
            if not lease.is_over:  # else it was stopped meanwhile
                lease.until = sent + self._timing.lasts - self._timing.early
                self._lock.notify_all()

    def _renew(self, lost: Lease) -> None:
        """Take another lease; whatever the old one still holds goes back into its queue."""
        self._lose(lost, "no database was reached for too long")
        with self._engine.begin() as connection:
            handover.give_back(connection, lost.executor)
        fresh = self._take()
        with self._lock:
            self._lease = fresh
            self._lock.notify_all()
        log.warning("worker %s takes updates again, as %s", lost.executor, fresh.executor)

    def _take(self) -> Lease:
        # Never an id again: one that was only stopped may still take something under its own.
        executor, sent = f"{self._base}-{uuid.uuid4().hex[:8]}", clock()
        host, program = socket.gethostname(), __version__
        worker = Worker(executor, host, os.getpid(), self._version, program, 0.0, 0.0)
        with self._engine.begin() as connection:
            leases.take(connection, worker, self._process, self._timing.lasts)
        self._named(executor)
        return Lease(executor, sent + self._timing.lasts - self._timing.early, clock)

    def _sweep(self) -> None:
        """Take over what has no worker, or none of its version."""
        with self._engine.begin() as connection:
            dead = leases.bury(connection)
            taken = handover.take_over(connection, dead, self._timing.lasts)
            adopted = handover.adopt_versions(connection, self._version)
        for worker in dead:
            log.warning("worker %s is dead: it gave no sign of life", worker.text)
        for one in taken:
            log.warning("%s: taken over from worker %s", one.workflow_id, one.executor)
        for workflow_id in adopted:
            log.warning("%s: taken over from another version of the service", workflow_id)

    def _look(self) -> None:
        """Tell what runs that it is to be cancelled."""
        with self._lock:
            runs = list(self._runs.values())
        if runs and not self._lease.is_over:
            with self._engine.connect() as connection:
                asked = cancelling.asked(connection, [run.id for run in runs])
            for run in runs:
                if run.id in asked:
                    run.cancel(asked[run.id])

    # --- the thread that only looks at the clock ------------------------------------------------

    def _watch(self) -> None:
        while not self._over.is_set():
            with self._lock:
                lease = self._lease
                self._lock.wait(max(0.01, lease.until - clock()) if not lease.lost else 1.0)
            if lease.is_over and not lease.lost:
                self._lose(lease, "no database was reached for too long")

    def _lose(self, lease: Lease, why: str) -> None:
        with self._lock:
            if lease.lost:
                return
            lease.lost = why
            runs = list(self._runs.values())
        if not self._over.is_set():
            log.error("worker %s: %s; it stops what it runs", lease.executor, why)
        for run in runs:
            run.stop(why)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
