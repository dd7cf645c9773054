"""A merge queue: its groups are tried at their heads, and what it merges is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.deliveries import MergeGroup, PullRequest, deliver
from lab.processes import wait_for
from lab.site import Service, Site

from .conftest import manifest
from .test_feedback import comments, states, told, with_token


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        running.github.token = "lab-token"
        yield running


def live(site: Site) -> Path:
    return site.mirror.host.root.joinpath("repodata").resolve()


def queue(site: Site, service: Service, pull: PullRequest) -> tuple[str, str]:
    """Put a pull request into the queue; give the group's commit, and how its update ended."""
    sha = site.repository.queue(pull.head_ref, pull.number)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    group = MergeGroup(sha, site.repository.name, number=pull.number, timestamp=now)
    replies = [
        deliver(service.url, group.payload(), site.secret, event="merge_group") for _ in range(2)
    ]
    assert {reply.status_code for reply in replies} == {202}, replies[0].text
    names = {reply.json()["update_id"] for reply in replies}
    assert len(names) == 1, "the same group is the same update"
    return sha, str(service.end_of(names.pop())["state"])


def merged(pull: PullRequest, sha: str) -> PullRequest:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return replace(pull, action="closed", merged=True, merge_commit_sha=sha, merged_at=now)


def last(site: Site, sha: str) -> tuple[str, str]:
    wait_for(lambda: states(site, sha)[-1:] not in ([], ["pending"]), "the last status")
    return told(site, sha)[-1]


def test_a_queue_waits_for_its_commit_and_its_merge_is_published(site: Site) -> None:
    with Service.running(site, site.config(**with_token(site, publish="on_merge"))) as service:
        pull = site.push(manifest("tree", "leaf01"), "queued", number=1)
        assert service.perform(pull)["state"] == "previewed"
        before, said = live(site), list(comments(site, 1))
        sha, state = queue(site, service, pull)
        assert (state, live(site)) == ("planned", before)
        assert last(site, sha)[0] == "success"
        assert "merging means" in last(site, sha)[1]
        assert "added" in last(site, sha)[1]
        assert comments(site, 1) == said or len(comments(site, 1)) == 1
        root = site.mirror.host.root
        assert not list(root.glob(".staging/*/candidate")), "nothing of it stays"
        assert len(list(root.glob("tree-*.rpm"))) == 1, "the merge need not fetch it"
        site.repository.advance(sha)
        assert service.perform(merged(pull, sha))["state"] == "published"
        assert live(site) != before
        client = site.client()
        client.install("tree")
        _fails(site, service)
        _leaves_the_manifest(site, service)


def _fails(site: Site, service: Service) -> None:
    nope = site.push(manifest("tree", "nope"), "nope", number=2)
    sha, state = queue(site, service, nope)
    assert state == "failed"
    assert last(site, sha) == ("failure", last(site, sha)[1])
    assert "nope" in last(site, sha)[1]


def _leaves_the_manifest(site: Site, service: Service) -> None:
    site.repository.commit({"README": "hello"}, "other")
    pull = PullRequest(site.repository.head("other"), head_ref="other", number=3)
    sha, state = queue(site, service, pull)
    assert state == "unchanged"
    assert last(site, sha) == ("success", "the manifest is not changed here")


def test_where_pull_requests_publish_the_queue_finds_it_there(site: Site) -> None:
    database = f"sqlite:///{site.directory}/additions.sqlite"
    with Service.running(site, site.config(**with_token(site, database_url=database))) as service:
        pull = site.push(manifest("tree", "leaf02"), "adds", number=4)
        assert service.perform(pull)["state"] == "published"
        before = live(site)
        sha, state = queue(site, service, pull)
        assert (state, live(site)) == ("unchanged", before)
        assert last(site, sha)[0] == "success"
