"""`gm-analytics cancel` on a real mirror, and what is said of work that nobody does.

The web and the worker are processes of their own, so that a worker can be away. createrepo_c on
the mirror stands still where a test holds it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from click.testing import CliRunner, Result

from gm_analytics.cli.commands import cli
from gm_analytics.errors import Exit
from lab.deliveries import PullRequest
from lab.packages import Package
from lab.processes import wait_for
from lab.site import Service, Site

from .conftest import manifest
from .engine import sql
from .test_feedback import TOKEN, with_token

HELD = """#!/bin/sh
ended() {{ sleep 1; date +%s.%N > {place}/ended; exit 143; }}
trap ended TERM
hold() {{
    echo $$ >> {place}/held
    while [ -e {place}/hold ]; do sleep 0.1; done
}} 2>/dev/null
{body}
"""
"""Takes a second to end when it is told to; standard error is nobody's then."""
BODIES = {
    "createrepo_c": 'hold; exec /usr/bin/createrepo_c "$@"',
    "mv": '/usr/bin/mv "$@" || exit; case "$*" in *" repodata") hold;; esac',
}
"""createrepo_c is held before it does anything, mv once it has switched."""
CANCELLED = "error: cancelled by whoever runs the service"
GIVEN_UP = "error: given up: the service ended again and again before it did"
numbers = iter(range(1, 1000))
Done = subprocess.CompletedProcess[str]


@dataclass
class Bed:
    """The lab with the service in processes of its own, and a person at its command line."""

    site: Site
    service: Service
    pulls: dict[str, PullRequest] = field(default_factory=dict)
    """By the id of their update."""

    def ask(self, name: str) -> str:
        """Deliver a pull request for a package that upstream has from now on; give the update."""
        number = next(numbers)
        self.site.upstream.add(Package(name))
        at = f"2026-11-26T10:00:{number:02}Z"
        pull = self.site.push(manifest(name), branch=name, number=number, updated_at=at)
        reply = self.service.deliver(pull)
        assert reply.status_code == 202, reply.text
        update_id = str(reply.json()["update_id"])
        self.pulls[update_id] = pull
        return update_id

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        program = str(Path(sys.executable).parent / "gm-analytics")
        environment = {**os.environ, "GM_ANALYTICS_CONFIG": str(self.service.config)}
        return subprocess.Popen(
            [program, *arguments], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> Result:
        """Run it in this process, which is quicker."""
        config = ["--config", str(self.service.config)]
        return CliRunner().invoke(cli, [*arguments, *config])

    def state(self, update_id: str) -> str:
        return str(self.service.show(update_id)["state"])

    def await_state(self, update_id: str, state: str) -> None:
        wait_for(lambda: self.state(update_id) == state, f"{update_id} to be {state}", 30)

    def await_word(self, update_id: str, words: str, headline: str) -> None:
        """Wait for what the commit's status says at last, and the comment with it."""
        pull, github = self.pulls[update_id], self.site.github

        def said() -> bool:
            status = (github.statuses.get(pull.head_sha) or [{}])[0]
            return f"{status.get('state')}: {status.get('description')}".startswith(words)

        wait_for(said, f"{words!r} to be said", 30)
        head = f"### {self.site.mirror.name}: {headline}\n"
        wait_for(lambda: head in self.comment(update_id), f"{head!r} in the comment", 30)

    def comment(self, update_id: str) -> str:
        found = self.site.github.comments.get(self.pulls[update_id].number, [])
        return "".join(str(one["body"]) for one in found)

    @property
    def staging(self) -> list[str]:
        """What lies in the mirror's staging, of updates."""
        return [one.name for one in (self.site.mirror.host.root / ".staging").iterdir()]

    @contextmanager
    def holding(self, program: str = "createrepo_c") -> Iterator[Path]:
        """Hold a program on the mirror until the block, or a cancel, ends."""
        host = self.site.mirror.host
        place = host.home / f"holding-{next(numbers)}"
        place.mkdir()
        (place / "hold").touch()
        host.owned_by_account(place)
        host.install_program(program, HELD.format(place=place, body=BODIES[program]))
        try:
            yield place
        finally:
            (place / "hold").unlink(missing_ok=True)
            host.restore_program(program)

    @contextmanager
    def sql(self) -> Iterator[sa.Connection]:
        """Write what no part of the service would."""
        with sql(f"sqlite:///{self.site.directory}/updates.sqlite") as connection:
            yield connection

    @property
    def live(self) -> bytes:
        """What clients are served."""
        reply = requests.get(f"{self.site.mirror.web.url}repodata/repomd.xml", timeout=10)
        return reply.content

    def seen(self) -> set[str]:
        """Give the names that a new client sees."""
        return {nevra.rpartition("-1.0-")[0] for nevra in self.site.client().available()}

    @property
    def health(self) -> dict[str, str]:
        """What /healthz says of who works."""
        url = self.service.url.replace("/ci_server/updates", "/healthz")
        said = requests.get(url, timeout=10).json()
        assert said["status"] == "ok"
        return {key: value for key, value in said.items() if key in {"worker", "reason"}}

    def has(self, table: str, update_id: str) -> bool:
        """Tell whether a table of the engine's has a row of an update."""
        query = sa.text(f"SELECT 1 FROM {table} WHERE workflow_id = :id")  # noqa: S608  # ours
        with self.sql() as connection:
            return connection.scalar(query, {"id": update_id}) is not None


def finish(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def runs(process: int) -> bool:
    """Tell whether a process has not ended; one that nobody has asked for yet has."""
    try:
        return ") Z " not in Path("/proc", str(process), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_held(place: Path, times: int = 1) -> int:
    """Wait until a program stands still, for the first time or a later; give its process."""

    def held() -> list[str]:
        found = (place / "held").read_text().split() if (place / "held").exists() else []
        return found[times - 1 :]

    return int(wait_for(held, "a program to be held", 30)[0])


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Site.running() as site:
        site.github.token = TOKEN
        # What waits is not due again within a test.
        changes = with_token(site, retry_attempts=1, retry_seconds=60)
        service = Service(site, site.config(**changes))
        try:
            service.start_web()
            service._start("gm-analytics", "worker")
            yield Bed(site, service)
        finally:
            service.stop()


def test_what_runs_on_the_mirror_ends_before_its_next_update_begins(bed: Bed) -> None:
    first = bed.ask("first")
    bed.await_word(first, "success: 1 package added", "published")
    live = bed.live
    with bed.holding() as place:
        cancelled = bed.ask("cancelled")
        process = await_held(place)
        following = bed.ask("following")
        assert bed.staging == [cancelled]
        done = finish(bed.start("cancel", cancelled))
        assert (done.returncode, done.stderr) == (Exit.DONE, "")
        assert done.stdout == f"update {cancelled} on {bed.site.mirror.name}: cancelled\n"
        await_held(place, 2)
        assert not runs(process)
        assert bed.staging == [following]
        assert bed.live == live, "clients have what they had"
        (place / "hold").unlink()
        assert bed.service.end_of(following)["state"] == "published"
        began = bed.service.show(following)["steps"][0]["started_at"]
        assert float((place / "ended").read_text()) < began
    assert bed.state(cancelled) == "cancelled"
    bed.await_word(cancelled, CANCELLED, "cancelled")
    assert bed.run("cancel", cancelled).exit_code == Exit.WRONG_USE, "it has ended"
    assert bed.run("retry", cancelled).exit_code == Exit.DONE
    assert bed.service.end_of(cancelled)["state"] == "published"
    bed.await_word(cancelled, "success: 1 package added", "published")
    assert bed.seen() == {"first", "following", "cancelled"}
    assert bed.staging == []


def test_one_in_the_queue_is_never_run_and_one_that_ends_its_workers_is_told(bed: Bed) -> None:
    with bed.holding() as place:
        running = bed.ask("running")
        await_held(place)
        queued, given_up = bed.ask("queued"), bed.ask("given-up")
        with bed.sql() as connection:  # as after so many workers that ended before it did
            often = sa.text("UPDATE workflow_status SET recovery_attempts = :n WHERE "
                            "workflow_uuid = :id")  # fmt: skip
            connection.execute(often, {"n": 101, "id": given_up})
        assert bed.run("cancel", queued).exit_code == Exit.DONE
        assert bed.state(queued) == "cancelled", "while another one runs"
        bed.await_word(queued, CANCELLED, "cancelled")
    assert bed.service.end_of(running)["state"] == "published"
    assert bed.service.end_of(bed.ask("last"))["state"] == "published"
    shown = bed.service.show(queued)
    assert (shown["state"], shown["steps"]) == ("cancelled", [])
    assert bed.state(given_up) == "failed"
    bed.await_word(given_up, GIVEN_UP, "failed")
    assert {"running", "last"} == bed.seen() & {"running", "last", "queued", "given-up"}


def test_one_that_waits_for_its_mirror_is_not_woken_when_that_is_back(bed: Bed) -> None:
    host, mirror = bed.site.mirror.host, bed.site.mirror.name
    host.stop()
    try:
        waiting = bed.ask("waiting")
        bed.await_word(waiting, "pending: waiting for mirror", f"waiting for mirror {mirror}")
        assert bed.has("gm_waits", waiting)
        assert bed.run("cancel", waiting).exit_code == Exit.DONE
        assert not bed.has("gm_waits", waiting)
    finally:
        host.start()
    assert bed.service.end_of(bed.ask("after"))["state"] == "published", "which wakes who waits"
    bed.await_word(waiting, CANCELLED, "cancelled")
    assert bed.state(waiting) == "cancelled"


def test_after_the_switch_it_is_too_late_and_says_so(bed: Bed) -> None:
    with bed.holding("mv") as place:
        late = bed.ask("late")
        await_held(place)
        cancel = bed.start("cancel", late)
        wait_for(lambda: bed.has("gm_requests", late), "the wish to be stored", 30)
    done = finish(cancel)
    assert done.returncode == Exit.FAILED
    said = f"update {late} on {bed.site.mirror.name}: too late, it ended as published: 1 package"
    assert done.stdout.startswith(said)
    bed.await_word(late, "success: 1 package added", "published")
    assert not bed.has("gm_requests", late)


def test_work_that_nobody_does_is_told(bed: Bed) -> None:
    """By `check` and `status`, which then fail, and by /healthz, which goes on."""
    assert bed.health == {"worker": "alive"}
    bed.service.daemons.pop().stop()
    assert bed.health == {"worker": "missing"}
    waiting = bed.ask("nobody-s")
    assert bed.health == {"worker": "missing", "reason": "accepted updates wait for a worker"}
    said = " workers: none runs; updates that wait for one: 1, the oldest since 20"
    checked, status = bed.run("check"), bed.run("status")
    assert f"FAIL{said}" in checked.stdout
    assert f"DIFF{said}" in status.stdout
    assert (checked.exit_code, status.exit_code) == (Exit.FAILED, Exit.DIFFERS)
    bed.service._start("gm-analytics", "worker")
    assert bed.service.end_of(waiting)["state"] == "published"
    assert bed.health == {"worker": "alive"}
