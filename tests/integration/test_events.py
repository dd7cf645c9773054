"""What is told of a forge, and how often: each event is one update, on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gm_analytics.engine import event_tables, schema
from gm_analytics.engine.database import POSTGRESQL_SCHEMA
from gm_analytics.errors import UnknownUpdate
from gm_analytics.events import PullRequestEvent, PushEvent
from gm_analytics.github.webhook import sign
from gm_analytics.pull_requests.intake import Reply
from gm_analytics.service import Service
from gm_analytics.settings import Settings
from gm_analytics.updates.model import PREVIEW, Update
from lab.deliveries import MergeGroup, PullRequest
from tests.security.doors import configured

from .engine import await_ends, sql, url, working

__all__ = ["url"]
A, B, M = "a" * 40, "b" * 40, "c" * 40
PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "after": M,
    "deleted": False,
    "forced": False,
    "pusher": None,
}


def at(second: int) -> str:
    return f"2026-11-24T10:00:{second:02d}Z"


@dataclass
class Forge:
    """A GitHub that delivers."""

    service: Service
    count: int = 0
    told: list[str] = field(default_factory=list)

    def deliver(self, payload: dict[str, Any], event: str, delivery: str | None = None) -> Reply:
        self.count += 1
        body = json.dumps(payload).encode()
        headers = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": delivery or f"d{self.count}",
            "x-hub-signature-256": sign(self.service.settings.webhook.secret, body),
        }
        return self.service.intake.receive(headers, body)

    def pull(
        self, action: str, second: int, head: str = A, delivery: str | None = None, **more: Any
    ) -> Reply:
        given = {"number": 1, "action": action, "updated_at": at(second), **more}
        pull = PullRequest(head, "team/packages", **given)
        return self.deliver(pull.payload(), "pull_request", delivery)

    def merge(self, second: int, commit: str = M, **more: Any) -> Reply:
        done = {"merged": True, "merge_commit_sha": commit, "merged_at": at(second)}
        return self.pull("closed", second, **done, **more)

    def push(self, second: int, commit: str = M, **more: Any) -> Reply:
        payload = PullRequest(A).payload()
        seconds = 1_795_514_400 + second  # 2026-11-24T10:00:00Z
        repository = payload["repository"] | {"pushed_at": seconds}
        return self.deliver(PUSH | {"after": commit, "repository": repository} | more, "push")

    def ids(self) -> list[str]:
        """Give the stored updates, the oldest first."""
        return [record.update.id for record in reversed(self.service.store.recent(100))]


def made(directory: Path, url: str, **more: Any) -> Service:
    config = configured(directory)
    values = {"database_url": url, "publish": "on_merge", **more}
    return Service(config.model_copy(update=values))


@pytest.fixture
def forge(tmp_path: Path, url: str) -> Iterator[Forge]:
    service = made(tmp_path, url)
    yield Forge(service)
    service.store.close()


def update_id(reply: Reply) -> str:
    assert reply.status == 202, reply
    return str(reply.body["update_id"])


def ignored(reply: Reply) -> str:
    assert (reply.status, reply.body["command_return"]) == (200, "ignored"), reply
    return str(reply.body["reason"])


# --- what is wanted no more -------------------------------------------------------------------


def test_a_merge_group_that_is_no_more_is_not_tried(forge: Forge) -> None:
    group = MergeGroup(M, "team/packages", timestamp=at(1))
    gone, causes_none = (
        replace(group, action="destroyed"),
        "merge_group destroyed causes no update",
    )
    said = ignored(forge.deliver(gone.payload(), "merge_group"))
    assert said == causes_none, "nothing was known of it"
    trial = update_id(forge.deliver(group.payload(), "merge_group"))
    other = update_id(forge.deliver(replace(group, head_sha=B).payload(), "merge_group"))
    said = ignored(forge.deliver(gone.payload(), "merge_group"))
    assert said == f"{causes_none}; {trial} is cancelled"
    found = {name: forge.service.store.get(name)[0] for name in (trial, other)}
    assert (found[trial].state, found[other].state) == ("cancelled", "waiting")
    assert "the merge queue" in found[trial].message
    assert ignored(forge.deliver(gone.payload(), "merge_group")) == causes_none, "it has ended"


# --- the same event -------------------------------------------------------------------------


def test_the_same_event_is_one_update_under_every_delivery_id(forge: Forge) -> None:
    first = forge.pull("opened", 1)
    again = [forge.pull("opened", 1), forge.pull("opened", 1, delivery="d1")]
    assert first.body.get("reason") is None
    assert {update_id(reply) for reply in again} == {update_id(first)}
    assert {reply.body["reason"] for reply in again} == {
        f"this is known; its update is {update_id(first)}"
    }
    assert forge.ids() == [update_id(first)]
    assert update_id(first).startswith("pr1-")
    assert [forge.service.store.get(name)[0].update.id for name in ("d1", "d2")] == [
        update_id(first)
    ] * 2


def test_a_delivery_id_that_comes_with_other_bytes_is_refused(forge: Forge) -> None:
    forge.pull("opened", 1)
    refused = forge.pull("synchronize", 2, B, delivery="d1")
    assert (refused.status, refused.body["command_return"]) == (409, "refused")
    assert refused.body["reason"] == "X-GitHub-Delivery: d1 came with another payload before"
    assert len(forge.ids()) == 1


def test_an_update_s_id_cannot_be_taken_by_a_delivery(forge: Forge) -> None:
    first = update_id(forge.pull("opened", 1))
    assert forge.pull("synchronize", 2, B, delivery=first).status == 409
    assert forge.pull("opened", 1, delivery=first).status == 202


def test_ids_of_deliveries_are_kept_in_bounds(forge: Forge) -> None:
    first = update_id(forge.pull("opened", 1))
    assert {update_id(forge.pull("opened", 1)) for _ in range(30)} == {first}
    with sql(forge.service.settings.database_url) as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(event_tables.DELIVERIES))
    assert count == 16
    with pytest.raises(UnknownUpdate):
        forge.service.store.get("d31")


def test_a_force_push_back_is_done_and_what_was_before_is_not_done_again(forge: Forge) -> None:
    told = [("opened", 1, A), ("synchronize", 2, B), ("synchronize", 3, A)]
    ids = [update_id(forge.pull(*event)) for event in told]
    assert len(set(ids)) == 3
    assert [update_id(forge.pull(*event)) for event in told] == ids
    assert ignored(forge.pull("synchronize", 2, M)) == (
        f"it happened {at(2)}; newer is known: {A}, {at(3)}"
    )
    assert forge.ids() == ids


def test_closing_and_opening_again_are_wishes_each_time(forge: Forge) -> None:
    told = [("opened", 1), ("closed", 2), ("reopened", 3), ("closed", 4), ("reopened", 5)]
    ids = [update_id(forge.pull(*event)) for event in told]
    assert len(set(ids)) == 5
    assert [update_id(forge.pull(*event)) for event in told] == ids


def test_two_tellings_at_once_are_one_update(forge: Forge) -> None:
    forge.service.store.identity()
    ready = threading.Barrier(8)

    def tell(number: int) -> str:
        ready.wait()
        return update_id(forge.pull("opened", 1, delivery=f"at-once-{number}"))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(tell, range(8)))) == 1
    assert len(forge.ids()) == 1


def test_a_failed_update_is_run_again_by_a_redelivery_and_not_by_a_look(forge: Forge) -> None:
    store, name = forge.service.store, update_id(forge.pull("opened", 1))
    with working(forge.service.settings.database_url) as work:
        work.failing.add(name)
        assert await_ends(store, name)[name].state == "failed"
        work.failing.clear()
        assert not forge.service.intake.take(opened(at(1))).begun
        assert store.get(name)[0].state == "failed"
        assert update_id(forge.pull("opened", 1)) == name
        assert await_ends(store, name)[name].state == "published"


def opened(when: str, head: str = A, **more: Any) -> PullRequestEvent:
    """Give what a look at the forge finds: a pull request that is open."""
    found = PullRequestEvent(
        "pushed", "seen", 1, "team/packages", head, "main", "octo-author", "MEMBER", False, False,
        updated_at=when, default_branch="main", repository_id=REPOSITORY,
    )  # fmt: skip
    return replace(found, **more)


REPOSITORY = PullRequest(A).payload()["repository"]["id"]


def test_a_look_and_a_delivery_give_one_update(forge: Forge) -> None:
    """Five pull requests' lives are the reconciler's test; this is its way in."""
    take = forge.service.intake.take
    seen = take(opened(at(9)))
    assert [one.id for one in seen.begun] == [seen.update_id]
    assert update_id(forge.pull("opened", 1)) == seen.update_id
    assert take(opened(at(20))).update_id == seen.update_id
    pushed = update_id(forge.pull("synchronize", 30, B))
    assert take(opened(at(31), B)).update_id == pushed
    assert take(opened(at(25))).update_id == seen.update_id, "an answer that was under way"
    merged = update_id(forge.merge(40, head=B))
    branch = PushEvent("team/packages", "main", M, at(41), "main", REPOSITORY, forced=True)
    assert take(branch).update_id == merged
    assert forge.ids() == [seen.update_id, pushed, merged]


# --- merges and pushes ----------------------------------------------------------------------


def test_a_push_beside_its_merge_is_the_same_update(forge: Forge) -> None:
    forge.pull("opened", 1)
    merged = update_id(forge.merge(5))
    assert merged.startswith("pr1-")
    assert update_id(forge.push(6)) == merged
    assert forge.service.store.get(merged)[0].update.number == 1


def test_a_merge_behind_its_push_is_the_same_update_and_tells_whose_it_is(forge: Forge) -> None:
    pushed = update_id(forge.push(6))
    update = forge.service.store.get(pushed)[0].update
    assert (update.pull_request, update.commit, update.mark) == ("", M, f"{at(6)} {M}")
    assert update_id(forge.merge(5)) == pushed
    assert forge.service.store.get(pushed)[0].update.pull_request == "team/packages#1"
    assert forge.service.store.number_of(pushed) == 1
    assert len(forge.ids()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ref": "refs/heads/next"}, "it is a push of next; the mirror follows main"),
        ({"ref": "refs/tags/v1"}, "push of refs/tags/v1, which is no branch causes no update"),
        ({"deleted": True}, "push that deletes refs/heads/main causes no update"),
    ],
)
def test_other_pushes_are_ignored_with_the_reason(
    forge: Forge, more: dict[str, Any], said: str
) -> None:
    assert ignored(forge.push(1, **more)) == said
    assert forge.ids() == []


def test_a_branch_that_is_forced_back_is_followed_and_its_past_is_not(forge: Forge) -> None:
    first, second = update_id(forge.push(1)), update_id(forge.push(2, B))
    back = update_id(forge.push(3, M, forced=True))
    assert len({first, second, back}) == 3
    again = [forge.push(1), forge.push(2, B), forge.push(3, M, forced=True)]
    assert [update_id(reply) for reply in again] == [first, second, back]


# --- closings ---------------------------------------------------------------------------------


def test_thirty_strangers_closed_forks_store_nothing(forge: Forge) -> None:
    for number in range(1, 31):
        reply = forge.pull("closed", number, number=number, head_repository="mallory/packages")
        assert ignored(reply) == "the pull request has no preview"
    assert forge.ids() == []
    with sql(forge.service.settings.database_url) as connection:
        assert connection.execute(sa.select(event_tables.EVENTS)).all() == []


def test_an_opening_that_is_delivered_behind_its_closing_revives_nothing(forge: Forge) -> None:
    assert ignored(forge.pull("closed", 2)) == "the pull request has no preview"
    assert ignored(forge.pull("closed", 2)) == "the pull request has no preview"
    assert "newer is known" in ignored(forge.pull("opened", 1))
    assert forge.ids() == []
    assert update_id(forge.pull("reopened", 3)) in forge.ids()


def test_another_base_and_back_are_done(forge: Forge) -> None:
    edited = {"changes": {"base": {"ref": {"from": "x"}}}}
    told = [
        ("opened", 1, A, None, {}),
        ("edited", 2, A, None, {"base_ref": "next", **edited}),
        ("edited", 3, A, None, edited),
    ]
    ids = [update_id(forge.pull(*event[:4], **event[4])) for event in told]
    assert len(set(ids)) == 3


# --- repositories -----------------------------------------------------------------------------


def renamed(payload: Any, name: str) -> dict[str, Any]:
    text: str = json.dumps(payload).replace("team/packages", name)
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_renamed_repository_is_known_by_its_id(
    forge: Forge, caplog: pytest.LogCaptureFixture
) -> None:
    first = update_id(forge.pull("opened", 1))
    pushed = PullRequest(B, action="synchronize", updated_at=at(2)).payload()
    second = update_id(forge.deliver(renamed(pushed, "moved/things"), "pull_request"))
    assert forge.ids() == [first, second]
    assert forge.service.store.get(second)[0].update.repository == "team/packages"
    assert forge.service.store.called_now("team/packages") == "moved/things"
    assert "repository team/packages is called moved/things now" in caplog.text
    opened = PullRequest(A, updated_at=at(1)).payload()
    assert update_id(forge.deliver(renamed(opened, "moved/things"), "pull_request")) == first


def test_another_repository_under_the_old_name_is_refused_and_told_what_to_do(
    forge: Forge,
) -> None:
    forge.pull("opened", 1)
    other = PullRequest(B, number=2).payload()
    other["repository"]["id"] = REPOSITORY + 7
    said = ignored(forge.deliver(other, "pull_request"))
    assert f"known by its id {REPOSITORY}, and this one's is {REPOSITORY + 7}" in said
    assert "gm-analytics forget team/packages" in said
    assert forge.service.store.forget_repository("Team/Packages")
    assert update_id(forge.deliver(other, "pull_request")) in forge.ids()


def test_what_was_told_without_an_id_is_known_with_one(forge: Forge) -> None:
    payload = PullRequest(A, updated_at=at(1)).payload()
    bare = payload | {"repository": payload["repository"] | {"id": None}}
    first = update_id(forge.deliver(bare, "pull_request"))
    assert update_id(forge.deliver(payload, "pull_request")) == first
    assert update_id(forge.deliver(bare, "pull_request")) == first


def test_a_new_name_in_the_configuration_is_the_same_repository(
    forge: Forge, tmp_path: Path
) -> None:
    first = update_id(forge.pull("opened", 1))
    config = forge.service.settings
    webhook = config.webhook.model_copy(update={"repositories": ["moved/things"]})
    later = Forge(Service(config.model_copy(update={"webhook": webhook})), count=50)
    opened = PullRequest(A, updated_at=at(1)).payload()
    assert update_id(later.deliver(renamed(opened, "moved/things"), "pull_request")) == first
    opened["repository"]["id"] = REPOSITORY + 7
    assert "not listed" in ignored(later.deliver(renamed(opened, "else/where"), "pull_request"))
    later.service.store.close()


# --- mirrors, older versions, the horizon -------------------------------------------------------


def test_a_mirror_that_came_since_gets_what_is_newest_and_nothing_older(
    forge: Forge, tmp_path: Path
) -> None:
    first, second = update_id(forge.pull("opened", 1)), update_id(forge.pull("synchronize", 2, B))
    config = forge.service.settings
    more = config.mirrors[0].model_copy(update={"name": "second", "root": "/srv/second"})
    both: Settings = config.model_copy(update={"mirrors": [*config.mirrors, more]})
    later = Forge(Service(both), count=50)
    assert update_id(later.pull("opened", 1)) == first
    assert update_id(later.pull("synchronize", 2, B)) == second
    assert sorted(later.ids()) == sorted([first, second, f"{second}@second"])
    third = update_id(later.pull("synchronize", 3, A))
    names = [record.update.id for record in later.service.store.get(third)]
    assert names == [f"{third}@inside", f"{third}@second"]
    later.service.store.close()


def go_back(connection: sa.Connection, migration: Callable[[sa.Connection], None]) -> None:
    """Leave the tables as they were before a migration, with what their columns had then."""
    where = None if connection.dialect.name == "sqlite" else POSTGRESQL_SCHEMA
    before = schema.MIGRATIONS.index(migration)
    found = tables_of(connection, where)
    rows = {table.name: connection.execute(table.select()).mappings().all() for table in found}
    for table in found:
        table.drop(connection)
    for earlier in schema.MIGRATIONS[:before]:
        earlier(connection)
    for table in tables_of(connection, where):
        for row in rows[table.name]:
            kept = {column.name: row[column.name] for column in table.columns}
            connection.execute(table.insert().values(kept))
    connection.execute(schema.VERSION.delete().where(schema.VERSION.c.version > before))


def tables_of(connection: sa.Connection, where: str | None) -> list[sa.Table]:
    """Give the engine's tables as they are now, but for the one of its migrations."""
    names = set(sa.inspect(connection).get_table_names(schema=where)) - {schema.VERSION.name}
    ours, metadata = [name for name in names if name.startswith("gm_")], sa.MetaData()
    return [sa.Table(name, metadata, schema=where, autoload_with=connection) for name in ours]


def test_what_an_older_version_stored_under_deliveries_ids_is_known(
    tmp_path: Path, url: str
) -> None:
    service = made(tmp_path, url)
    old = Update("old", "inside", "team/packages", 1, A, 1.0, aim=PREVIEW, updated_at=at(1))
    service.store.enqueue(old)
    with sql(url) as connection:
        go_back(connection, schema._events)
    service.store.close()
    again = Forge(made(tmp_path, url), count=50)
    assert update_id(again.pull("opened", 1)) == "old"
    assert update_id(again.pull("opened", 1, delivery="old")) == "old"
    assert again.pull("synchronize", 2, B, delivery="old").status == 409
    assert update_id(again.pull("synchronize", 2, B)).startswith("pr1-")
    assert update_id(again.pull("closed", 3)).startswith("pr1-"), "it may have a preview"
    again.service.store.close()


def test_what_may_be_forgotten_is_ignored(forge: Forge) -> None:
    first = update_id(forge.pull("opened", 5))
    store = forge.service.store
    assert store.forget_events(0.0) == 0
    assert store.forget_events(1e12) == 1
    assert ignored(forge.pull("opened", 5)) == (
        f"it happened {at(5)}: older than what is remembered"
    )
    assert ignored(forge.push(4)).endswith("older than what is remembered")
    assert update_id(forge.pull("synchronize", 6, B)) != first
