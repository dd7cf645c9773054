"""A SIGKILL anywhere loses nothing and leaves clients a consistent mirror."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests import codes

from gm_analytics import service
from lab.deliveries import PullRequest, signed
from lab.packages import Package
from lab.processes import wait_for
from lab.site import Service, Site
from tests.support.length import LONG

from .conftest import manifest
from .watch import metadata_is_whole, watching

CRASH = {"executor_id": "crash"}
STEPS = [
    "supersede",
    "fetch manifest",
    "survey",
    "download",
    "inspect",
    "compare",
    "add",
    "createrepo",
    "prove",
    "switch",
    "see",
    "retain",
    "sweep",
]

# The harder moment of each, when all is done and nothing is noted; a kill before a step is like
# one after the step before it was noted.
_ONE_BY_ONE = [(step, "after") for step in STEPS]
_ONE_BY_ONE.insert(STEPS.index("switch"), ("switch", "before"))
# What is more, each worker that goes on with an update is killed itself, a few steps later.
KILLS = [_ONE_BY_ONE[number::4] for number in range(4)]
if LONG:
    KILLS = [[(step, moment)] for step in STEPS for moment in ("before", "after")]


@pytest.fixture(scope="module")
def crash_site() -> Iterator[Site]:
    with Site.running() as site:
        config = site.config(**CRASH)
        with Service.running(site, config) as first:  # a publication, so that there is one
            assert first.perform(site.push(manifest("tree")))["state"] == "published"
        yield site


@pytest.mark.parametrize("kills", KILLS, ids=lambda kills: ", ".join(map(" ".join, kills)))
def test_an_update_whose_worker_is_killed_in_a_step_is_completed_by_the_next_worker(
    crash_site: Site, kills: list[tuple[str, str]]
) -> None:
    site, name = crash_site, f"killed-{'-'.join(kills[0]).replace(' ', '-')}"
    site.upstream.add(Package(name))
    before = len(list((site.mirror.host.root / ".publications").glob("[0-9]*")))
    with watching(metadata_is_whole(site.mirror.web.url)) as watch:
        update_id = _store(site, site.push(manifest(name)))
        for step, moment in kills:
            assert _worker(site, step, moment).wait(30) == -signal.SIGKILL, step
        status = _finish(site, update_id)
    assert status["state"] == "published", status
    assert not watch.errors, watch.errors[:3]
    assert watch.looks > 1
    publications = sorted((site.mirror.host.root / ".publications").glob("[0-9]*"))
    assert len(publications) == before + 1, "exactly one publication was made"
    link = (site.mirror.host.root / "repodata").readlink()
    assert str(link) == f".publications/{publications[-1].name}/repodata"
    client = site.client()
    client.install(name, "tree")
    assert name in client.names()


def _store(site: Site, pull: PullRequest, **settings: str) -> str:
    """Take a delivery as a web does beside which no worker runs."""
    web = service.Service.from_file(site.config(**CRASH | settings))
    headers, body = signed(pull.payload(), site.secret)
    reply = web.intake.receive({name.lower(): value for name, value in headers.items()}, body)
    web.store.close()
    web.intake.threads.shutdown()
    assert reply.status == codes.accepted
    return str(reply.body["update_id"])


def _worker(site: Site, step: str, moment: str, **settings: str) -> subprocess.Popen[bytes]:
    config = site.config(**CRASH | settings)
    environment = {**os.environ, "GM_ANALYTICS_CONFIG": str(config)}
    command = [sys.executable, "-m", "tests.integration.killed", step, moment]
    return subprocess.Popen(command, env=environment, cwd=Path.cwd())


def _finish(site: Site, update_id: str, **settings: str) -> dict[str, object]:
    with Service.running(site, site.config(**CRASH | settings)) as next_one:
        return next_one.end_of(update_id)


def test_a_connection_that_breaks_in_the_middle_is_tried_again(crash_site: Site) -> None:
    """The far command of the broken connection is stopped before the next one starts."""
    site, host = crash_site, crash_site.mirror.host
    site.upstream.add(Package("unplugged"))
    started = host.home / "started"  # the account's, as nothing beside it may be
    host.install_program(
        "createrepo_c",
        f"#!/bin/sh\n[ -e {started} ] || {{ echo $$ > {started}; exec sleep 300; }}\n"
        'exec /usr/bin/createrepo_c "$@"\n',
    )
    with Service.running(site, site.config(**CRASH)) as running:
        reply = running.deliver(site.push(manifest("unplugged")))
        wait_for(started.exists, "createrepo_c to start", 20)
        assert host.disconnect() > 0
        status = running.end_of(reply.json()["update_id"])
    host.restore_program("createrepo_c")
    assert status["state"] == "published", status
    assert not _runs(started.read_text().strip())
    errors = [step["error"] for step in status["steps"] if step["error"]]  # type: ignore[index]
    assert any("opening an SSH session" in error for error in errors), errors


def _runs(pid: str) -> bool:
    """Tell whether a process is there and no zombie that nobody has waited for yet."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# What merging and previewing have beside the steps above, or do otherwise in them. These come
# last: they take what the tests above published out of the live set.
REVIEW = [
    ("preview", "createrepo", "after"),
    ("preview", "switch", "before"),
    ("preview", "switch", "after"),
    ("merge", "look at preview", "after"),
    ("merge", "take preview", "after"),
    ("merge", "createrepo", "before"),
    ("merge", "switch", "before"),
    ("merge", "switch", "after"),
    ("merge", "drop preview", "before"),
]


@pytest.mark.parametrize(("kind", "step", "moment"), REVIEW)
def test_a_preview_and_a_merge_are_completed_too(
    crash_site: Site, kind: str, step: str, moment: str
) -> None:
    site, name = crash_site, f"killed-{kind}-{step.replace(' ', '-')}-{moment}"
    site.upstream.add(Package(name))
    settings = {"publish": "on_merge"}
    pull = site.push(manifest(name), branch=name, number=REVIEW.index((kind, step, moment)) + 100)
    if kind == "merge":
        with Service.running(site, site.config(**CRASH | settings)) as before:
            assert before.perform(pull)["state"] == "previewed"
        pull = site.merge(pull)
    with watching(metadata_is_whole(site.mirror.web.url)) as watch:
        update_id = _store(site, pull, **settings)
        assert _worker(site, step, moment, **settings).wait(30) == -signal.SIGKILL
        status = _finish(site, update_id, **settings)
    assert not watch.errors, watch.errors[:3]
    path = f"previews/{pull.number}/" if kind == "preview" else ""
    assert status["state"] == {"preview": "previewed", "merge": "published"}[kind], status
    available = site.client(path=path).available()
    assert {nevra.rpartition("-1.0-")[0] for nevra in available} == {name}
    assert (site.mirror.host.root / "previews" / str(pull.number)).exists() == bool(path)
