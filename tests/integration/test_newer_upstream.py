"""Upstream changes under a manifest that stays; and what a person rolled back stays so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lab.packages import Package
from lab.processes import wait_for
from lab.site import Service, Site

from .conftest import Cli, manifest


def config(site: Site, *, publish: str, max_age: int = 0) -> Any:
    mirror = site.mirror.settings(upstream={"max_age": max_age})
    return site.config(publish=publish, mirrors=[mirror])


@pytest.fixture(scope="module")
def merging() -> Iterator[Site]:
    with Site.running() as site:
        yield site


@pytest.fixture(scope="module")
def adding() -> Iterator[Site]:
    with Site.running() as site:
        yield site


def reworded(name: str, word: str) -> str:
    return json.dumps([{"package_name": word, "installation_commands": name}])


def asked(site: Site) -> int:
    """Count how often upstream was asked for anything."""
    return len(site.upstream_web.paths())


def apply(cli: Cli, text: str, *options: str) -> str:
    done = cli("apply", *options, "-", stdin=text)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def version(site: Site, name: str) -> set[str]:
    return {nevra for nevra in site.client().available() if nevra.startswith(f"{name}-")}


def status_of(cli: Cli) -> str:
    lines = cli("status").stdout.splitlines()
    return next(line for line in lines if " upstream: " in line)


@pytest.fixture
def cli_of(merging: Site, adding: Site) -> Any:
    """Run `gm-analytics` on one of the sites."""
    from .conftest import cli  # noqa: PLC0415  # the fixture's function

    return {site: cli.__wrapped__(site) for site in (merging, adding)}  # type: ignore[attr-defined]


def test_a_merge_publishes_what_its_preview_promised(merging: Site) -> None:
    """The manifest is live in other words, and upstream has something newer by now."""
    site = merging
    one, two, three = (Package("vivid", f"{n}.0") for n in (1, 2, 3))
    site.upstream.add(one)
    with Service.running(site, config(site, publish="on_merge")) as service:
        first = site.push(manifest("vivid"), branch="first", number=1)
        service.perform(first)
        assert service.perform(site.merge(first))["state"] == "published"
        same = site.push(reworded("vivid", "same"), branch="same", number=2)
        service.perform(same)
        merged = service.perform(site.merge(same))
        assert merged["state"] == "unchanged", "upstream is as it was"
        assert "download" not in [step["name"] for step in merged["steps"]]

        site.upstream.add(two)
        again = site.push(reworded("vivid", "again"), branch="again", number=3)
        previewed = service.perform(again)
        assert [c["kind"] for c in previewed["outcome"]["changes"]] == ["upgraded"]
        site.upstream.add(three)
        merged = service.perform(site.merge(again))
        assert merged["state"] == "published", merged["message"]
        assert merged["outcome"]["changes"] == previewed["outcome"]["changes"]
        assert version(site, "vivid") == {two.nevra}, "as it was reviewed, though there is a third"

        last = site.merge(site.push(reworded("vivid", "last"), branch="last", number=4))
        assert service.perform(last)["state"] == "published", "there was no preview"
        assert version(site, "vivid") == {three.nevra}


def test_status_plan_and_apply_agree_on_what_is_newer(merging: Site, cli_of: Any) -> None:
    site, cli = merging, cli_of[merging]
    config(site, publish="on_merge", max_age=600)
    old, new = Package("agreed", "1.0"), Package("agreed", "2.0")
    site.upstream.add(old)
    text = manifest("agreed")
    assert apply(cli, text, "--refresh").startswith("published")
    assert status_of(cli).startswith("ok")
    site.upstream.add(new)
    before = asked(site)
    assert cli("plan", "-", stdin=text).stdout == "nothing would change\n"
    assert apply(cli, text).startswith("unchanged: the mirror already serves exactly this")
    assert asked(site) == before, "what was read within max_age is believed"
    assert status_of(cli).startswith("ok")
    assert "upgraded" in cli("plan", "--refresh", "-", stdin=text).stdout
    config(site, publish="on_merge", max_age=0)
    said = status_of(cli)
    assert said.startswith("warn")
    assert f"upstream has newer: 1 package: {new.nevra}" in said
    config(site, publish="on_merge", max_age=600)
    assert apply(cli, text, "--refresh").startswith("published")
    assert version(site, "agreed") == {new.nevra}
    assert status_of(cli).startswith("ok")
    assert apply(cli, text, "--refresh").startswith("unchanged")

    config(site, publish="on_merge", max_age=0)
    site.upstream_web.stop()
    try:
        assert "upstream could not be asked" in cli("apply", "-", stdin=text).stdout
        assert status_of(cli).startswith("?")
    finally:
        site.upstream_web.start()


def test_what_was_rolled_back_because_upstream_changed_stays_so(
    merging: Site, cli_of: Any
) -> None:
    site, cli = merging, cli_of[merging]
    old, new = Package("pinned", "1.0"), Package("pinned", "2.0")
    site.upstream.add(old)
    with Service.running(site, config(site, publish="on_merge")) as service:
        service.perform(site.merge(site.push(manifest("pinned"), branch="p1", number=11)))
        site.upstream.add(new)
        service.perform(site.merge(site.push(reworded("pinned", "p2"), branch="p2", number=12)))
        assert version(site, "pinned") == {new.nevra}
        assert cli("rollback").returncode == 0
        pull = site.push(reworded("pinned", "p3"), branch="p3", number=13)
        warned = service.perform(pull)["outcome"]["warnings"]
        assert re.match("merging would publish nothing: publication [0-9]+ was rolled", warned[-1])
        merged = service.perform(site.merge(pull))
        assert (merged["state"], version(site, "pinned")) == ("unchanged", {old.nevra})
        assert "was rolled back by a person" in merged["outcome"]["warnings"][0]
        assert apply(cli, manifest("pinned")).startswith("published")
        assert version(site, "pinned") == {new.nevra}


def test_what_was_rolled_back_is_not_added_again(adding: Site, cli_of: Any) -> None:
    site, cli = adding, cli_of[adding]
    site.upstream.add(Package("keeper"), Package("suspect"), Package("sequel"))
    with Service.running(site, config(site, publish="on_pull_request")) as service:
        kept = site.push(manifest("keeper"), branch="keeper", number=21)
        pull = site.push(manifest("suspect"), branch="suspect", number=22)
        assert service.perform(kept)["state"] == service.perform(pull)["state"] == "published"
        assert cli("rollback").returncode == 0
        reopened = replace(pull, action="reopened", updated_at="2026-11-25T10:00:00Z")
        ignored = service.perform(reopened)
        assert ignored["state"] == "ignored"
        assert "was rolled back by a person" in ignored["message"]
        other = site.push(reworded("suspect", "x"), branch="other", number=23)
        assert service.perform(other)["state"] == "ignored", "the same in other words"
        assert version(site, "suspect") == set()

        sequel = site.push(manifest("sequel"), branch="sequel", number=24)
        assert service.perform(sequel)["state"] == "published"
        late = replace(reopened, updated_at="2026-11-25T11:00:00Z")
        assert service.perform(late)["state"] == "ignored", "what was added since changes nothing"
        assert (
            cli("apply", "-", stdin=manifest("suspect"))
            .stdout.splitlines()[-1]
            .startswith("published")
        )
        later = replace(reopened, updated_at="2026-11-25T12:00:00Z")
        assert service.perform(later)["state"] == "unchanged"
        assert version(site, "keeper")
        assert version(site, "sequel")

        assert cli("rollback").returncode == 0
        pushed = site.push(manifest("suspect", "keeper"), branch="suspect", number=22)
        pushed = replace(pushed, action="synchronize", updated_at="2026-11-25T13:00:00Z")
        assert service.perform(pushed)["state"] == "published", "another manifest"
        assert version(site, "suspect")


def test_a_newer_version_is_added_when_the_event_comes_again(adding: Site, cli_of: Any) -> None:
    site, cli = adding, cli_of[adding]
    old, new = Package("rising", "1.0"), Package("rising", "2.0")
    site.upstream.add(old)
    with Service.running(site, config(site, publish="on_pull_request")) as service:
        pull = site.push(manifest("rising"), branch="rising", number=31)
        service.perform(pull)
        reopened = replace(pull, action="reopened", updated_at="2026-11-25T10:00:00Z")
        again = service.perform(reopened)
        assert again["state"] == "unchanged"
        assert "download" not in [step["name"] for step in again["steps"]]
        site.upstream.add(new)
        assert new.nevra in status_of(cli)
        later = replace(reopened, updated_at="2026-11-25T11:00:00Z")
        assert service.perform(later)["state"] == "published"
        assert version(site, "rising") == {old.nevra, new.nevra}
        assert status_of(cli).startswith("ok")


def test_open_pull_requests_are_told_what_merging_would_change_now(
    merging: Site, cli_of: Any
) -> None:
    """After a merge, and after what a person published: no preview is solved for that."""
    site = merging
    site.upstream.add(Package("open-one"), Package("open-two"))
    site.github.token = "lab-token"
    github = {"api_url": site.github.api_url, "raw_url": site.github.raw_url, "token": "lab-token"}
    path = site.config(publish="on_merge", github=github)

    def told(number: int) -> str:
        return site.github.comments[number][0]["body"] if number in site.github.comments else ""

    with Service.running(site, path) as service:
        site.repository.commit({"packages.json": "[]\n"})
        one = site.push(manifest("open-one"), branch="open-one", number=41)
        two = site.push(manifest("open-two"), branch="open-two", number=42)
        for pull in (one, two):
            assert service.perform(pull)["state"] == "previewed"
        wait_for(lambda: "a preview is ready" in told(42), "the first comment")
        merged = service.perform(site.merge(one))
        assert merged["state"] == "published", merged["message"]
        number = int(merged["outcome"]["publication"].rpartition("/")[2])
        now = f"**What merging would change now**, after publication {number}: 1 added, 1 removed"
        wait_for(lambda: now in told(42), "the comment to be edited")
        said = site.github.statuses[two.head_sha][0]["description"]
        assert f"since publication {number}: 1 added, 1 removed; merging plans again" in said
        done = cli_of[site]("apply", "-", stdin=manifest("open-two"))
        assert done.stdout.splitlines()[-1].startswith("published"), done.stderr
        wait_for(lambda: f"after publication {number + 1}: no change" in told(42), "the next one")

        again = site.push(manifest("open-two", "open-one"), branch="open-two", number=42)
        previewed = service.perform(replace(again, action="synchronize"))
        said = "the manifest of main changed since this branch began; merging plans again"
        assert said in previewed["outcome"]["warnings"]
        assert previewed["message"].endswith("; merging plans again")
