"""Webhook and looks side by side, over the real store and the stand-in for GitHub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gm_analytics import settings
from gm_analytics.engine.looks import LONGEST, Looks
from gm_analytics.engine.schema import LOOKS
from gm_analytics.github.watch import Watch
from gm_analytics.github.webhook import sign
from gm_analytics.pull_requests.intake import Reply
from gm_analytics.pull_requests.reconciler import Reconciler
from gm_analytics.service import Service
from lab.deliveries import PullRequest
from lab.github import GitHub, Repository
from lab.processes import wait_for
from lab.site import Service as Processes
from lab.site import Site
from tests.security.doors import configured

from .conftest import manifest
from .engine import sql, update, url

__all__ = ["url"]
TOKEN = "lab-token"
NAME = "team/packages"
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Forge:
    """GitHub, whose clock is ours: what happens there is told by webhook if somebody listens."""

    github: GitHub
    service: Service
    delivers: bool = True
    second: int = 0
    told: list[Callable[[], Reply]] = field(default_factory=list)
    """Deliveries, the oldest first."""
    pulls: dict[int, PullRequest] = field(default_factory=dict)

    def now(self) -> str:
        self.second += 1
        self.github.repository.pushed_at = text = f"{NOW + timedelta(seconds=self.second):%FT%TZ}"
        return text

    # What happens.

    def open(self, number: int, **more: Any) -> None:
        pull = PullRequest(self._commit(number), NAME, number, head_ref=f"b{number}", **more)
        self._tell(pull, "opened")

    def push(self, number: int) -> None:
        self._tell(replace(self.pulls[number], head_sha=self._commit(number)), "synchronize")

    def ready(self, number: int) -> None:
        self._tell(replace(self.pulls[number], draft=False), "ready_for_review")

    def draft(self, number: int) -> None:
        self._tell(replace(self.pulls[number], draft=True), "converted_to_draft")

    def retarget(self, number: int, base: str) -> None:
        changes = {"base": {"ref": {"from": self.pulls[number].base_ref}}}
        self._tell(replace(self.pulls[number], base_ref=base, changes=changes), "edited")

    def comment(self, number: int) -> None:
        self._put(replace(self.pulls[number], updated_at=self.now()))

    def close(self, number: int) -> None:
        self._tell(self.pulls[number], "closed")

    def reopen(self, number: int) -> None:
        self._tell(self.pulls[number], "reopened")

    def merge(self, number: int) -> str:
        sha, at = self.github.repository.merge(f"b{number}"), self.now()
        merged = {"merged": True, "merge_commit_sha": sha, "merged_at": at}
        self._push(sha, at)
        self._tell(replace(self.pulls[number], **merged), "closed", at)
        return sha

    def push_to_main(self) -> str:
        sha = self.github.repository.commit({"packages.json": f'["direct{self.second}"]'})
        self._push(sha, self.now())
        return sha

    def _commit(self, number: int) -> str:
        files = {f"{number}.txt": str(self.second)}
        return self.github.repository.commit(files, f"b{number}")

    def _put(self, pull: PullRequest) -> dict[str, Any]:
        payload = pull.payload()
        payload["repository"]["pushed_at"] = self.github.repository.pushed_at
        payload["pull_request"]["closed_at"] = pull.updated_at
        self.github.add_pull(payload)
        self.pulls[pull.number] = replace(pull, changes=None)
        return payload

    def _tell(self, pull: PullRequest, action: str, at: str = "") -> None:
        payload = self._put(replace(pull, action=action, updated_at=at or self.now()))
        self._deliver("pull_request", payload)

    def _push(self, sha: str, at: str) -> None:
        repository = PullRequest(sha, NAME).payload()["repository"]
        seconds = int(datetime.fromisoformat(at).timestamp())
        payload = {"ref": "refs/heads/main", "after": sha, "deleted": False, "forced": False}
        self._deliver("push", payload | {"repository": repository | {"pushed_at": seconds}})

    def _deliver(self, event: str, payload: dict[str, Any]) -> None:
        body, delivery = json.dumps(payload).encode(), f"d{len(self.told)}"
        headers = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": delivery,
            "x-hub-signature-256": sign(self.service.settings.webhook.secret, body),
        }
        self.told.append(lambda: self.service.intake.receive(headers, body))
        if self.delivers:
            assert self.told[-1]().status in {200, 202}

    # What came of it.

    def updates(self) -> list[tuple[str, str]]:
        """Give what was stored, in order: what it is for and of which pull request, the commit."""
        records = sorted(
            self.service.store.recent(200), key=lambda record: record.update.requested_at
        )
        return [
            (f"{record.update.aim.word} {record.update.number or 'push'}", record.update.commit)
            for record in records
        ]

    def words(self) -> list[str]:
        return [word for word, _ in self.updates()]


@pytest.fixture
def forge(tmp_path: Path, url: str) -> Iterator[Forge]:
    repository = Repository(tmp_path / "git", NAME)
    repository.commit({"packages.json": "[]"})
    with GitHub.running(repository, TOKEN) as github:
        found = Forge(github, made(tmp_path, url, github))
        yield found
        found.service.store.close()


def made(directory: Path, url: str, github: GitHub, **more: Any) -> Service:
    base = configured(directory)
    section = {"api_url": github.api_url, "raw_url": github.raw_url, "token": TOKEN}
    values = {
        "database_url": url,
        "publish": "on_merge",
        "github": settings.GitHub.model_validate(section),
        **more,
    }
    return Service(base.model_copy(update=values))


@contextmanager
def looking(service: Service) -> Iterator[Callable[..., bool]]:
    """Give a worker's looks, without its thread; the first counts as that of a start."""
    config = service.settings
    service.store.check()  # which has made its tables then
    with closing(Looks(config.database_url)) as looks:
        reconciler = Reconciler(config, Watch(config.github), looks, service.intake.take)
        reconciler._pause = 0.0
        yield lambda first=False: reconciler.look(NAME, first=first)


LIVES: list[tuple[str, tuple[Any, ...]]] = [
    ("open", (1,)),
    ("open", (2, True)),
    ("open", (3,)),
    ("open", (4, "fork")),
    ("open", (5,)),
    ("push", (1,)),
    ("comment", (1,)),
    ("ready", (2,)),
    ("retarget", (3, "next")),
    ("push", (4,)),
    ("close", (5,)),
    ("draft", (2,)),
    ("merge", (1,)),
    ("retarget", (3, "main")),
    ("reopen", (5,)),
    ("close", (4,)),
    ("comment", (5,)),
    ("close", (2,)),
    ("push", (3,)),
    ("merge", (5,)),
    ("comment", (1,)),
    ("push_to_main", ()),
    ("merge", (3,)),
]
"""Of five pull requests: pushed and merged; a draft that is closed; one with another base for a
while; a fork; closed, opened again and merged."""
ONCE = [
    "preview 1", "preview 3", "preview 5", "preview 1", "preview 2", "close 3", "close 5",
    "merge 1", "preview 3", "preview 5", "close 2", "preview 3", "merge 5", "merge push",
    "merge 3",
]  # fmt: skip


def live(forge: Forge, what: str, given: tuple[Any, ...]) -> None:
    """Let one thing happen."""
    if what == "open":
        number, *kind = given
        more = {"draft": True} if kind == [True] else {}
        forge.open(number, **more, **({"head_repository": "x/fork"} if kind == ["fork"] else {}))
    else:
        getattr(forge, what)(*given)


@pytest.mark.parametrize("order", ["deliveries first", "looks first", "in turn", "looks alone"])
def test_five_lives_are_told_once_each_whoever_tells_first(forge: Forge, order: str) -> None:
    with looking(forge.service) as look:
        look(first=True)
        forge.delivers = order == "deliveries first"
        for number, (what, given) in enumerate(LIVES):
            before = len(forge.told)
            live(forge, what, given)
            late = forge.told[before:] if order != "looks alone" else []
            if order == "in turn" and number % 2:
                assert look()
                assert look()
            for deliver in late:
                assert deliver().status in {200, 202}
            assert look()
    assert forge.words() == ONCE, order
    for deliver in forge.told if order != "looks alone" else []:  # redelivered, all of them
        deliver()
    assert forge.words() == ONCE
    commits = [commit for _, commit in forge.updates()]
    assert commits[-1] == forge.github.repository.head("main")


def test_deliveries_that_come_after_every_look_change_nothing(forge: Forge) -> None:
    """A queue at GitHub that was stuck, and lets go of everything at once."""
    with looking(forge.service) as look:
        look(first=True)
        forge.delivers = False
        for what, given in LIVES:
            live(forge, what, given)
            look()
    for deliver in forge.told:
        deliver()
    assert forge.words() == ONCE


def test_what_no_delivery_told_is_applied_in_order_after_a_restart(forge: Forge) -> None:
    """The service was down: what ended meanwhile ends, what was merged is published in order."""
    with looking(forge.service) as look:
        look(first=True)
        for number in (1, 2, 3, 4, 5):
            forge.open(number)
        assert forge.words() == [f"preview {number}" for number in (1, 2, 3, 4, 5)]
        look()
    forge.delivers = False
    first = forge.merge(4)
    forge.close(1)
    forge.push(2)
    second = forge.merge(3)
    forge.retarget(5, "next")
    forge.open(6)
    with looking(forge.service) as look:
        look(first=True)
        missed = forge.updates()[5:]
        assert [word for word, _ in missed] == [
            "merge 4", "close 1", "preview 2", "merge 3", "close 5", "preview 6",
        ]  # fmt: skip
        assert [commit for word, commit in missed if word.startswith("merge")] == [first, second]
        look()
        look(first=True)
    with looking(forge.service) as look:
        look(first=True)
    for deliver in forge.told:
        deliver()
    assert len(forge.updates()) == 11


def test_the_head_that_a_branch_has_at_the_first_look_was_not_missed(
    forge: Forge, tmp_path: Path
) -> None:
    forge.delivers = False
    forge.open(1)
    forge.merge(1)
    with looking(forge.service) as look:
        look(first=True)
        assert forge.words() == []
        pushed = forge.push_to_main()
        look()
    assert forge.updates() == [("merge push", pushed)]


def test_who_polls_follows_the_branch_from_the_start(
    tmp_path: Path, url: str, forge: Forge
) -> None:
    polling = replace(forge, service=made(tmp_path, url, forge.github, intake="poll"))
    polling.delivers = False
    polling.open(1)
    head = polling.merge(1)
    with looking(polling.service) as look:
        look(first=True)
        look()
    assert polling.updates() == [("merge push", head)]
    polling.service.store.close()


def test_two_workers_look_in_turn_and_tell_each_event_once(forge: Forge) -> None:
    with looking(forge.service) as one, looking(forge.service) as other:
        one(first=True)
        forge.delivers = False
        for what, given in LIVES:
            live(forge, what, given)
            with ThreadPoolExecutor(2) as threads:
                assert any(threads.map(lambda look: look(), (one, other)))
    assert forge.words() == ONCE


def test_a_look_is_one_workers_until_it_ends_or_took_too_long(url: str, forge: Forge) -> None:
    forge.service.store.identity()
    with closing(Looks(url)) as one, closing(Looks(url)) as other:
        first = one.begin(NAME, 0.0)
        assert first
        assert other.begin(NAME.upper(), 0.0) is None, "names differ by more than case"
        assert one.end(NAME, replace(first, since="2026-11-26T10:00:00Z", head="a" * 40))
        assert other.begin(NAME, 60.0) is None, "it is not due"
        second = other.begin(NAME, 0.0)
        assert second
        assert (second.since, second.head) == ("2026-11-26T10:00:00Z", "a" * 40)
        with sql(url) as connection:  # it is stopped, and thaws after its time
            past = LOOKS.c.busy_until - LONGEST - 1
            connection.execute(LOOKS.update().values(busy_until=past))
        third = one.begin(NAME, 0.0)
        assert third
        assert not other.end(NAME, replace(second, head="b" * 40))
        assert one.end(NAME, third)
        again = other.begin(NAME, 0.0)
        assert again
        assert again.head == "a" * 40


def test_what_has_not_changed_is_not_sent_and_what_is_many_comes_in_pages(forge: Forge) -> None:
    forge.delivers = False
    with looking(forge.service) as look:
        for number in range(1, 124):
            pull = PullRequest("a" * 40, NAME, number, updated_at=forge.now())
            forge.github.add_pull(pull.payload())
        look(first=True)
        assert len(forge.updates()) == 123
        look()
        before = len(forge.github.calls)
        look()
        calls = forge.github.calls[before:]
    assert [call.path.rpartition("/")[2] for call in calls] == ["pulls", "pulls", "commits"]
    assert all(call.headers.get("If-None-Match") for call in calls)
    assert {call.authorization for call in calls} == {f"Bearer {TOKEN}"}


def test_one_that_is_not_what_github_sends_hides_no_other(forge: Forge, caplog: Any) -> None:
    forge.delivers = False
    forge.open(1)
    forge.open(2)
    forge.github.pulls[2]["head"]["sha"] = "main"
    forge.github.pulls[2]["user"] = None
    with looking(forge.service) as look:
        look(first=True)
    assert forge.words() == ["preview 1"]
    assert "pull request 2 is left out: pull_request.head.sha: found 'main'" in caplog.text


def test_an_earlier_version_s_store_is_where_looking_begins(forge: Forge) -> None:
    """It knows what it was told; what ended while it was exchanged is found."""
    forge.open(1)
    forge.open(2)
    forge.merge(1)
    forge.delivers = False
    forge.close(2)
    merged = forge.push_to_main()
    with looking(forge.service) as look:
        look(first=True)
    assert forge.words()[-2:] == ["close 2", "merge push"]
    assert forge.updates()[-1][1] == merged


def test_a_time_to_come_in_the_store_hides_nothing(url: str, forge: Forge) -> None:
    forge.service.store.enqueue(replace(update("u1"), repository=NAME, updated_at="9999-12-31"))
    with closing(Looks(url)) as looks:
        found = looks.begin(NAME, 0.0)
    assert found
    assert found.since == ""


# --- the whole of it ------------------------------------------------------------------------


def test_a_worker_alone_previews_publishes_and_opens_no_port(site: Site) -> None:
    """`intake: poll`: no secret, no web; and a web beside it takes no delivery."""
    site.github.token = TOKEN
    github = {"api_url": site.github.api_url, "raw_url": site.github.raw_url, "token": TOKEN}
    config = site.config(
        intake="poll", publish="on_merge", reconcile_seconds=0.2, github=github,
        webhook={"repositories": [site.repository.name]},
    )  # fmt: skip
    service = Processes(site, config)
    pull = site.push(manifest("leaf01"), number=7, updated_at=now())
    try:
        service._start("gm-analytics", "worker")
        site.github.add_pull(pull.payload())
        body = wait_for(lambda: said(site, 7, "a preview is ready"), "a preview", 60)
        merged = site.merge(pull)
        merged = replace(merged, updated_at=merged.merged_at)
        site.github.add_pull(merged.payload())
        wait_for(lambda: said(site, 7, ": published"), "what was merged", 60)
        assert site.client().available() == {"leaf01-1.0-1.noarch"} or body
        service.start()
        reply = service.deliver(pull)
        assert (reply.status_code, reply.json()["command_return"]) == (403, "refused")
        assert "Traceback" not in service.log
        assert "reconciler: team/packages#7 at" in service.log
    finally:
        service.stop()


def now() -> str:
    return f"{datetime.now(UTC):%FT%TZ}"


def said(site: Site, number: int, words: str) -> list[str]:
    return [one["body"] for one in site.github.comments.get(number, []) if words in one["body"]]
