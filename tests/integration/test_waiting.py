"""A mirror that reboots, a lock that a person holds, a GitHub that is away: updates wait, and end.

The worker runs in this process: its clock is turned, and a step can be met in its middle. sshd,
dnf, createrepo_c, the web server and the stand-in for GitHub are the lab's.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from dbos import DBOS

from gm_analytics import settings
from gm_analytics.engine import unseen, waiting
from gm_analytics.remote import channel
from gm_analytics.service import Service
from gm_analytics.updates.model import Record, Update
from lab.packages import Package
from lab.processes import wait_for
from lab.site import Site

from .conftest import manifest
from .test_feedback import TOKEN, with_token

AWAY = 1200
"""Seconds that a reboot takes, by the clock of the test."""
STEPS = ["survey", "download", "inspect", "compare", "add", "createrepo", "prove", "switch"]
HOUSEKEEPING = ["retain", "sweep"]
numbers = iter(range(1, 1000))


@dataclass
class Time:
    """A clock that runs ahead of the real one."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Steps:
    """Does something in the middle of a step: once its next command on the mirror runs."""

    then: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    now: dict[int, str] = field(default_factory=dict)
    """By the thread, since what is said on a pull request has steps of its own, beside these."""

    def run(self, run_step: Any, options: Any, function: Any) -> Any:
        self.now[threading.get_ident()] = options["name"]
        return run_step(options, function)

    def read(self, read: Any, *arguments: Any) -> Any:
        if waiting := self.then.get(self.now.get(threading.get_ident(), "")):
            waiting.pop(0)()
        return read(*arguments)


@dataclass
class Bed:
    """The lab with a worker in this process."""

    site: Site
    service: Service
    clock: Time
    steps: Steps

    def ask(self, *names: str, **more: Any) -> Update:
        """Store an update as a delivery does, for packages that upstream has from now on."""
        number = next(numbers)
        self.site.upstream.add(*(Package(name) for name in names))
        pull = self.site.push(manifest(*names), branch=f"change-{number}", number=number)
        asked = (f"asked-{number}", self.site.mirror.name, self.site.repository.name, number)
        at = f"2026-11-26T10:00:{number:02}Z"
        found = Update(*asked, pull.head_sha, time.time(), updated_at=at, **more)
        assert self.service.store.enqueue(found)
        return found

    def look(self, update: Update) -> Record:
        return self.service.store.get(update.id)[0]

    def is_over(self, update: Update, tries: int) -> bool:
        """Wait until an update has ended, or waits for the given time; tell which."""

        def stands() -> bool:
            record = self.look(update)
            return record.ended or (record.wait is not None and record.wait.tries >= tries)

        wait_for(stands, f"{update.id} to wait or end", 60)
        return self.look(update).ended

    def await_wait(self, update: Update, tries: int = 1) -> Record:
        def waits() -> Record | None:
            record = self.look(update)
            assert not record.ended, record.message
            return record if record.wait and record.wait.tries >= tries else None

        found = wait_for(waits, f"{update.id} to wait", 60)
        assert found
        return found

    def await_end(self, update: Update) -> Record:
        wait_for(lambda: self.look(update).ended, f"{update.id} to end", 60)
        return self.look(update)

    def said(self, update: Update) -> list[str]:
        """Give what the commit's status was, the oldest first."""
        statuses = reversed(self.site.github.statuses.get(update.commit, []))
        return [f"{one['state']}: {one['description']}" for one in statuses]

    def await_word(self, update: Update, words: str) -> None:
        wait_for(lambda: words in (self.said(update) or [""])[-1], f"{words} to be said", 60)

    def wake(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.ahead += seconds


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        running.github.token = TOKEN
        yield running


@contextmanager
def working(site: Site, name: str, **changes: Any) -> Iterator[Bed]:
    database = f"sqlite:///{site.directory}/{name}.sqlite"
    config = site.settings(**with_token(site, database_url=database, **changes))
    service, clock, steps = Service(settings.Settings.model_validate(config)), Time(), Steps()
    run_step, read = DBOS.run_step, channel.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DBOS, "run_step", lambda *args: steps.run(run_step, *args))
        patch.setattr(channel, "read", lambda *args: steps.read(read, *args))
        for room in (waiting, unseen):
            patch.setattr(room, "LOOK", 0.05)
        with service.worker(clock):
            yield Bed(site, service, clock, steps)
    service.store.close()


@pytest.fixture(scope="module")
def bed(site: Site) -> Iterator[Bed]:
    """The mirror is tried once an attempt, and again after five minutes and then ten."""
    with working(site, "waits", retry_attempts=1, retry_seconds=300) as found:
        yield found


def seen(site: Site) -> set[str]:
    return {nevra.rpartition("-1.0-")[0] for nevra in site.client().available()}


@pytest.mark.parametrize("step", [*STEPS, *HOUSEKEEPING])
def test_a_mirror_that_reboots_in_a_step_twice_is_waited_for(bed: Bed, step: str) -> None:
    """First in order, then by a power cut; each time it is away for twenty minutes."""
    host, name = bed.site.mirror.host, f"rebooted-in-{step}"
    bed.steps.then[step] = [host.shut_down, host.stop]
    update = bed.ask(name)
    try:
        for tries in () if step in HOUSEKEEPING else (1, 3):
            if step == "switch" and bed.is_over(update, tries):
                break  # rename(2) was quicker, and what follows is not worth an update
            record = bed.await_wait(update, tries)
            assert record.wait
            assert record.wait.waits_for == "mirror"
            assert record.wait.next_try - bed.clock() > 250
            bed.await_word(update, f"pending: waiting for mirror {bed.site.mirror.name}, next try")
            bed.wake(AWAY / 2)
            bed.await_wait(update, tries + 1)  # it is still away
            host.start()
            bed.wake(AWAY / 2)
        record = bed.await_end(update)
    finally:
        bed.steps.then.clear()
        host.restart()
    assert record.state in {"published", "unchanged"}, record.message
    bed.await_word(update, "success: ")
    assert name in seen(bed.site)


def test_github_s_rate_limit_of_half_an_hour_is_waited_for(bed: Bed) -> None:
    limit = {"message": "API rate limit exceeded for user ID 1."}
    headers = {"X-RateLimit-Remaining": "0", "Retry-After": "1800"}
    bed.site.github.answer_next("/contents/", status=403, body=limit, headers=headers)
    update = bed.ask("limited")
    record = bed.await_wait(update)
    assert record.wait
    assert record.wait.waits_for == "github"
    assert record.wait.next_try - bed.clock() == pytest.approx(1800, abs=30)
    bed.await_word(update, "pending: waiting for GitHub, next try")
    other = bed.ask("not-limited")
    assert bed.await_end(other).state == "published", "it holds no mirror"
    assert bed.look(update).state == "waiting", "nobody is woken before the time that GitHub gave"
    bed.wake(1801)
    assert bed.await_end(update).state == "published"
    bed.await_word(update, "success: ")


def test_a_lock_that_a_person_holds_is_waited_for_and_told_as_another_writer_s(bed: Bed) -> None:
    lock = bed.site.mirror.host.root / ".lock"
    with subprocess.Popen(["flock", str(lock), "sleep", "300"]) as person:
        try:
            wait_for(lambda: _is_held(str(lock)), "the person to have it", 10)
            update = bed.ask("locked-out")
            record = bed.await_wait(update)
            assert record.wait
            assert record.wait.waits_for == "lock"
            assert "another writer holds" in record.message
            assert "fuser -v" in record.hint
            bed.await_word(update, f"pending: waiting for the lock of mirror {update.mirror}")
        finally:
            subprocess.run(["pkill", "-P", str(person.pid)], check=False)
            person.kill()
    assert bed.service.store.retry(update.id)
    assert bed.await_end(update).state == "published"


def test_a_web_server_that_is_away_at_the_last_look_is_a_finding_and_goes(bed: Bed) -> None:
    web = bed.site.mirror.web
    web.stop()
    try:
        update = bed.ask("not-served-yet")
        record = bed.await_end(update)
        assert record.state == "published"
        assert record.outcome
        assert record.outcome.warnings[-1].startswith("clients may not see it yet")
        words = "**Warning:** clients may not see it yet, which is looked at again: mirror"
        wait_for(lambda: words in comment(bed, update), "the finding in the comment", 60)
    finally:
        web.start()
    bed.wake(600)
    wait_for(lambda: words not in comment(bed, update), "the finding to go", 60)
    assert "published" in comment(bed, update)
    found = bed.look(update).outcome
    assert found
    assert not [one for one in found.warnings if "may not see" in one]


def comment(bed: Bed, update: Update) -> str:
    """Give the one comment of the service on a pull request."""
    said = [one["body"] for one in bed.site.github.comments.get(update.number, [])]
    assert len(said) <= 1
    return "".join(map(str, said))


def _is_held(lock: str) -> bool:
    return subprocess.run(["flock", "-n", lock, "true"], check=False).returncode != 0
