"""What pages, API and metrics read, and what they ask for: on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner

from benchmarks.stored import WAYS, fill
from gm_analytics.cli.commands import cli
from gm_analytics.engine import audit, schema, sights, watching, wishes
from gm_analytics.engine.client import Store
from gm_analytics.engine.database import connect
from gm_analytics.engine.search import Wanted
from gm_analytics.engine.view_tables import AUDIT, WISHES
from gm_analytics.engine.views import Views
from gm_analytics.errors import GmError, MirrorUnreachable, UnknownPublication
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.sight import Known, Seen, SeenPublication, Sight
from gm_analytics.rpm.package import Package
from gm_analytics.updates.audit import Entry
from gm_analytics.updates.wishes import Fate, Wish
from tests.security.doors import configured

from .engine import Work, await_ends, opened, sql, update, url, working

__all__ = ["url"]


def package(name: str, version: str = "1", *wanted: str) -> Package:
    file = f"{name}-{version}-1.noarch.rpm"
    digest = f"{hash(file) % 16**8:08x}" * 8
    return Package(file, name, 0, version, "1", "noarch", 1000, digest, "base", wanted)


def publication(number: int, *packages: Package, live: bool = False) -> SeenPublication:
    made = Publication(
        number, f"update-{number}", f"icesi/packages#{number}", "c" * 40, specs=("tree",)
    )
    return SeenPublication(number, live, 1000.0 + number, len(packages), made, packages)


def ids(found: object) -> list[str]:
    return [record.update.id for record in found.updates]  # type: ignore[attr-defined]


# --- mirrors and their publications ----------------------------------------------------------


def see(url: str, pause: float, look: watching.See, *names: str) -> int:
    engine = connect(url)
    try:
        return watching.Watching(engine, names or ("east",), look, pause).look()
    finally:
        engine.dispose()


def test_a_look_is_kept_and_only_what_is_new_is_read_again(url: str) -> None:
    tree, nmap, newer = package("tree", "1", "tree"), package("nmap"), package("nmap", "2", "nmap")
    seen = [
        Seen(Sight(1, packages=2), (publication(1, tree, nmap, live=True),)),
        Seen(Sight(3), (publication(1), publication(2, tree), publication(3, tree, newer))),
    ]
    known: list[Known] = []

    def look(_: str, before: Known) -> Seen:
        known.append(before)
        return seen[len(known) - 1]

    with opened(url) as store:
        assert see(url, 0.0, look) == 1
        [mirror] = store.views.mirrors()
        assert (mirror.mirror, mirror.failed) == ("east", "")
        assert mirror.sight == Sight(1, packages=2)
        assert mirror.seen_at == pytest.approx(time.time(), abs=5)
        assert see(url, 3600.0, look) == 0, "it is not due"
        assert see(url, 0.0, look) == 1
        assert known[0].listed == frozenset()
        assert known[1] == Known(Sight(1, packages=2), frozenset({1}))
        listed = store.views.publications("east")
        told = [(one.number, one.live, one.added, one.removed, one.size) for one in listed]
        assert told == [(3, False, 1, 0, 2000), (2, False, 0, 1, 1000), (1, False, 0, 0, 2000)]
        assert listed[0].origin == "icesi/packages#3"
        assert listed[0].specs == ("tree",)
        found = {n: store.views.publication("east", n).packages for n in (1, 2, 3)}
        assert found == {1: (nmap, tree), 2: (tree,), 3: (newer, tree)}
        plan = store.views.diff("east", 1, 3)
        assert [(one.kind, one.nevra) for one in plan.changes] == [("upgraded", newer.nevra)]
        with pytest.raises(UnknownPublication):
            store.views.diff("east", 1, 9)


def test_a_packages_history_says_since_when_and_who_wanted_it(url: str) -> None:
    tree, nmap = package("tree", "1", "tree"), package("nmap", "7", "nmap")
    held = (
        publication(1, tree), publication(2, tree, nmap), publication(3, tree),
        publication(4, replace(tree, wanted=("@all", "tree")), nmap, live=True),
    )  # fmt: skip
    with opened(url) as store:
        see(url, 0.0, lambda *_: Seen(Sight(4), held))
        runs = [(run.package.nevra, run.first, run.last) for run in store.views.package("nmap")]
        assert runs == [(nmap.nevra, 4, None), (nmap.nevra, 2, 2)]
        [run] = store.views.package("tree", "east")
        assert run.since is not None
        assert (run.since.origin, run.since.update_id) == ("icesi/packages#1", "update-1")
        assert run.package.wanted == ("@all", "tree"), "as the newest publication says"
        assert {one.package.name for one in store.views.package("*")} == {"tree", "nmap"}
        assert store.views.package("%") == []
        see(url, 0.0, lambda *_: Seen(Sight(4), (publication(4),)))
        assert [one.kept for one in store.views.publications("east")] == [True, *[False] * 3]
        [kept] = store.views.publication("east", 1).packages
        assert kept.file == tree.file, "it stays readable"


def test_a_look_that_fails_leaves_what_was_seen_and_says_why(url: str) -> None:
    def fail(*_: object) -> Seen:
        raise MirrorUnreachable("east", "no route to host")

    with opened(url) as store:
        see(url, 0.0, lambda *_: Seen(Sight(1)))
        see(url, 0.0, fail)
        [mirror] = store.views.mirrors()
        assert mirror.sight == Sight(1)
        assert "no route to host" in mirror.failed


def test_one_worker_looks_at_a_time_and_never_while_an_update_runs_there(url: str) -> None:
    began: list[int] = []

    def look(*_: object) -> Seen:
        began.append(see(url, 0.0, look))
        return Seen(Sight(1))

    with opened(url) as store:
        assert see(url, 0.0, look) == 1
        assert began == [0], "another one began while the first was at it"
        store.enqueue(update("one"))
        with sql(url) as connection:
            connection.execute(schema.WORKFLOWS.update().values(status="PENDING"))
        assert see(url, 0.0, look) == 1, "without a pause it has waited long enough"
        with sql(url) as connection:
            assert sights.due(connection, ["east"], 0.0) == ["east"]
            sights.wake(connection, "east")
            assert sights.begin(connection, "east", 60.0) is None, "its update runs"
            connection.execute(schema.WORKFLOWS.update().values(status="SUCCESS"))
            assert sights.begin(connection, "east", 60.0) is not None


def test_an_update_says_what_it_made_and_has_a_look_follow(url: str) -> None:
    class Numbered(Work):
        def __call__(self, *args: object) -> object:  # type: ignore[override]
            return replace(super().__call__(*args), publication=".publications/000007")  # type: ignore[arg-type]

    with opened(url) as store:
        see(url, 3600.0, lambda *_: Seen(Sight(6, packages=5)))
        store.enqueue(update("one"))
        with working(url, Numbered()):  # type: ignore[arg-type]
            await_ends(store, "one")
        [mirror] = store.views.mirrors()
        assert mirror.sight is not None
        assert (mirror.sight.live, mirror.sight.packages) == (7, 5)
        assert mirror.sight.in_step
        assert see(url, 3600.0, lambda *_: Seen(Sight(7, packages=6))) == 1
        assert see(url, 3600.0, lambda *_: Seen(Sight(7, packages=6))) == 0


def test_a_sight_of_a_newer_version_or_a_damaged_one_is_none() -> None:
    assert Sight.read('{"live": 3, "unknown": 1}') == Sight(3)
    assert Sight.read('{"format": 2, "live": 3}') is None
    assert Sight.read("{") is None


# --- requests --------------------------------------------------------------------------------


def carried(url: str, carry: wishes.Carry) -> int:
    engine = connect(url)
    try:
        return wishes.Wishes(engine, carry).look()
    finally:
        engine.dispose()


def done(_: Wish) -> tuple[Fate, str]:
    return "done", "it waits"


ROLLBACK = Wish("w1", "rollback", "east", "ana", publication=3, expected=5, reason="broken")


def test_a_request_is_carried_out_once_however_often_it_is_sent(url: str) -> None:
    seen: list[Wish] = []

    def carry(wish: Wish) -> tuple[Fate, str]:
        seen.append(wish)
        assert carried(url, done) == 0, "another worker took what this one has"
        return "done", "it waits"

    with opened(url) as store:
        first = store.views.ask(ROLLBACK)
        assert first.expires_at - first.asked_at == pytest.approx(wishes.EXPIRES, abs=1)
        assert store.views.ask(ROLLBACK) == first
        assert store.views.ask(replace(ROLLBACK, id="w2", asked_by="bob")) == first
        assert carried(url, carry) == 1
        assert carried(url, carry) == 0
        assert store.views.ask(ROLLBACK).fate == "done", "the same form, sent once more"
        assert store.views.ask(replace(ROLLBACK, id="w3")).fate == "waiting", "a new wish"
        assert [one.id for one in seen] == ["w1"]
        found = store.views.wish("w1")
        assert found is not None
        assert (found.fate, found.said, found.update_id) == ("done", "it waits", "rollback-w1")
        tags = [entry.tag for entry in store.views.audit()]
        assert tags == ["person: asked to roll back: east"] * 2


def test_what_cannot_be_done_is_refused_in_words(url: str) -> None:
    def fail(_: Wish) -> tuple[Fate, str]:
        raise GmError.wrap(ValueError("no"))

    with opened(url) as store:
        store.views.ask(ROLLBACK)
        carried(url, fail)
        found = store.views.wish("w1")
        assert found is not None
        assert found.fate == "refused"
        assert "ValueError" in found.said
        newest = store.views.audit()[0]
        assert (newest.action, newest.who) == ("was refused by", "ana")


@pytest.mark.parametrize(("seconds", "fate"), [(-1.0, "done"), (1.0, "expired")])
def test_what_no_worker_took_in_time_is_carried_out_no_more(
    url: str, seconds: float, fate: str
) -> None:
    with opened(url) as store:
        store.views.ask(ROLLBACK)
        moved = wishes.EXPIRES + seconds
        with sql(url) as connection:
            connection.execute(WISHES.update().values(expires_at=WISHES.c.expires_at - moved))
        carried(url, done)
        found = store.views.wish("w1")
        assert found is not None
        assert found.fate == fate


def test_what_a_dead_worker_took_another_one_does(url: str) -> None:
    class Killed(BaseException):
        pass

    def die(_: Wish) -> tuple[Fate, str]:
        raise Killed

    with opened(url) as store:
        store.views.ask(ROLLBACK)
        with pytest.raises(Killed):
            carried(url, die)
        assert carried(url, done) == 0, "it may be at it still"
        with sql(url) as connection:
            earlier = WISHES.c.taken_until - wishes.CLAIM
            connection.execute(WISHES.update().values(taken_until=earlier))
        assert carried(url, done) == 1


# --- audit -----------------------------------------------------------------------------------


def test_the_audit_says_who_did_what_to_what_and_nobody_changes_it(url: str) -> None:
    with opened(url) as store:
        store.enqueue(update("one", author="Ana"))
        store.enqueue(update("two", number=2))
        store.enqueue(update("three", number=3))
        store.cancel("three", "carla")
        with working(url, Work({"two"})):
            await_ends(store, "one", "two")
            assert store.retry("two", asked_by="bob")
            await_ends(store, "two")
        said = [(one.tag, one.who, one.origin) for one in reversed(store.views.audit())]
        assert sorted(said[1:3]) == [
            ("pull request: failed to update: east", "", "icesi/packages#2"),
            ("pull request: published: east", "Ana", "icesi/packages#1"),
        ]
        assert said[0] == ("person: cancelled an update of: east", "carla", "icesi/packages#3")
        assert said[3:] == [
            ("person: retried an update of: east", "bob", "icesi/packages#2"),
            ("pull request: failed to update: east", "", "icesi/packages#2"),
        ]
        since = store.views.audit()[1].at
        assert [one.number for one in store.views.audited_since(since)] == [4, 5]
        assert [one.update_id for one in store.views.audit(update_id="one")] == ["one"]
        for deed in (AUDIT.update().values(who="x"), AUDIT.delete()):
            with pytest.raises(sa.exc.DBAPIError, match="append-only"), sql(url) as connection:
                connection.execute(deed)


def test_an_end_that_is_written_again_after_a_crash_is_one_entry(url: str) -> None:
    entry = Entry("pull request", "published", "east", update_id="one", publication=3)
    with opened(url) as store:
        for _ in range(2):
            with sql(url) as connection:
                audit.write(connection, entry)
        assert len(store.views.audit()) == 1


# --- search ----------------------------------------------------------------------------------


@pytest.fixture
def found(url: str) -> Callable[..., list[str]]:
    """Give what searches for some updates, of which some are of an older version."""
    with opened(url) as store:
        for number in range(1, 8):
            more = {"author": "Ana" if number % 2 else "bob"}
            mirror = "west" if number == 5 else "east"
            store.enqueue(update(f"u{number}", mirror, number, number, **more))
        with working(url, Work({"u2"})):
            await_ends(store, "u1", "u2", "u3", "u4", "u5")
        with sql(url) as connection:
            connection.execute(schema.UPDATES.update().values(subject="", said=""))
        with working(url):  # an upgrade starts a worker
            await_ends(store, "u6", "u7")
        store.enqueue(update("u8", "east", 8, 8, author="caro"))

    def search(**wanted: object) -> list[str]:
        with opened(url) as store:
            return ids(store.views.search(Wanted(**wanted)))  # type: ignore[arg-type]

    return search


def test_updates_are_found_by_each_of_their_traits(found: Callable[..., list[str]]) -> None:
    assert found() == ["u8", "u7", "u6", "u5", "u4", "u3", "u2", "u1"]
    assert found(state="failed") == ["u2"]
    assert found(state="waiting") == ["u8"]
    assert found(state="published", mirror="west") == ["u5"]
    assert found(pull_request="icesi/packages#3") == ["u3"]
    assert len(found(pull_request="icesi/packages")) == 8
    assert found(pull_request="icesi/packages#x") == found(pull_request="o/r#1") == []
    assert found(author="ANA", text="u7") == ["u7"]
    assert found(text="No LUCK") == ["u2"]
    assert found(text="packages#4 east") == ["u4"]
    assert found(text="caro") == ["u8"]
    assert found(text="100%") == found(text="_") == found(text="' OR 1=1 --") == []


def test_pages_follow_each_other_by_key_whatever_is_stored_meanwhile(url: str) -> None:
    with opened(url) as store:
        for number in range(1, 8):
            store.enqueue(update(f"u{number}", number=number, at=number // 3))
        first = store.views.search(Wanted("waiting"), 3)
        store.enqueue(update("newer", number=9, at=50))
        second = store.views.search(Wanted("waiting"), 3, first.following)
        third = store.views.search(Wanted("waiting"), 3, second.following)
        assert [*ids(first), *ids(second), *ids(third)] == [f"u{n}" for n in range(7, 0, -1)]
        assert (third.following, bool(second.following)) == ("", True)
        assert len(ids(store.views.search(Wanted(), 3, "nonsense"))) == 3


def test_dbos_is_the_truth_of_what_runs_in_the_search_as_well(url: str) -> None:
    """A worker that was killed between the two leaves an end in the index alone."""
    with opened(url) as store:
        store.enqueue(update("one"))
        with sql(url) as connection:
            ended = {"state": "published", "message": "done", "ended_at": 1}
            connection.execute(schema.UPDATES.update().values(ended))
        assert ids(store.views.search(Wanted("published"))) == []
        assert ids(store.views.search(Wanted("waiting"))) == ["one"]
        assert [one.update.id for one in store.views.overview().waiting] == ["one"]


def test_the_audit_is_exported_a_line_an_entry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/updates.sqlite"
    config = configured(tmp_path).model_dump(
        mode="json", exclude={"operator_listen", "metrics_listen"}
    )
    config["webhook"]["secret"] = "s" * 16
    place = tmp_path / "config.yaml"
    place.write_text(yaml.safe_dump(config | {"database_url": url}))
    place.chmod(0o600)
    with opened(url) as store:
        store.enqueue(update("one", author="Ana"))
        store.cancel("one", "bob")
        at = store.views.audit()[0].at

    def run(*arguments: str) -> str:
        given = ["--config", str(place), "audit", *arguments]
        done = CliRunner().invoke(cli, given, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    line = json.loads(run("--json"))
    assert line["tag"] == "person: cancelled an update of: east"
    assert (line["who"], line["update_id"], line["reason"]) == ("bob", "one", "cancelled by bob")
    assert "person: cancelled an update of: east  by bob  one" in run()
    assert run("--since", datetime.fromtimestamp(at + 1, UTC).isoformat()) == ""
    assert run("--since", "2020-01-01", "--json").count("\n") == 1
    wrong = CliRunner().invoke(cli, ["--config", str(place), "audit", "--since", "then"])
    assert wrong.exit_code == 2


LARGE = "(gm_updates|workflow_status)"
WHOLE = re.compile(rf"SCAN (main\.)?{LARGE}(?! USING)|Seq Scan on {LARGE}")


def plans(url: str, store: Store, ask: Callable[[Views], object]) -> list[str]:
    """Give how the database goes about each statement of a question, a text a statement.

    PostgreSQL reads a small table as a whole, unless it is told to use an index if there is one.
    """
    said: list[tuple[str, Any]] = []

    def keep(_: object, __: object, text: str, given: object, *___: object) -> None:
        said.append((text, given))

    sa.event.listen(store._engine, "before_cursor_execute", keep)
    ask(store.views)
    sa.event.remove(store._engine, "before_cursor_execute", keep)
    sqlite = url.startswith("sqlite")
    explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
    found = []
    with store._engine.connect() as connection:
        if not sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for text, given in (one for one in said if one[0].lstrip().startswith("SELECT")):
            rows = connection.exec_driver_sql(f"{explain} {text}", given)
            found.append(" | ".join(str(row[-1]) for row in rows))
    return found


def test_no_question_of_a_page_goes_through_all_updates(url: str) -> None:
    """By an index of what is asked for; a word is looked for in an index that has the texts."""
    fill(url, 300)
    with opened(url) as store:
        store.views.overview()  # opens the connections
        for way, ask in WAYS.items():
            found = plans(url, store, ask)
            assert found, way
            for plan in found:
                assert not WHOLE.search(plan), f"{way}: {plan}"
