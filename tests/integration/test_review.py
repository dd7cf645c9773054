"""`publish: on_merge`: previews beside what is live, and a merge that makes it exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from lab.client import Client
from lab.deliveries import PullRequest
from lab.packages import Package
from lab.site import Service, Site
from tests.integration.conftest import manifest


@pytest.fixture
def service(site: Site) -> Iterator[Service]:
    """`gm-analytics serve` with `publish: on_merge`, on a site whose manifest is empty."""
    with Service.running(site, site.config(publish="on_merge")) as running:
        site.repository.commit({"packages.json": "[]"})
        yield running


def preview(site: Site, number: int) -> Client:
    """Make a client that knows only a pull request's preview."""
    return site.client(path=f"previews/{number}/")


def repodata(site: Site, number: int) -> list[str]:
    """Give the metadata files that a preview's repomd.xml names."""
    url = f"{site.mirror.web.url}previews/{number}/repodata/repomd.xml"
    return re.findall('href="(repodata/[^"]+)"', requests.get(url, timeout=10).text)


def names(found: frozenset[str]) -> set[str]:
    return {nevra.rpartition("-")[0].rpartition("-")[0] for nevra in found}


def kinds(status: dict[str, Any]) -> dict[str, str]:
    return {change["nevra"]: change["kind"] for change in status["outcome"]["changes"]}


def test_a_pull_request_is_previewed_then_merged_then_reverted(
    site: Site, service: Service
) -> None:
    site.upstream.add(Package("lib-one"), Package("app-one", requires=("lib-one",)))
    pull = site.push(manifest("app-one"), branch="one", number=11)
    opened = service.perform(pull)
    assert opened["state"] == "previewed", opened["message"]
    assert kinds(opened) == {Package("app-one").nevra: "added", Package("lib-one").nevra: "added"}
    assert preview(site, 11).install("app-one").returncode == 0
    assert site.client().install("app-one", check=False).returncode != 0

    merged = service.perform(site.merge(pull))
    assert merged["state"] == "published", merged["message"]
    assert "download" not in [step["name"] for step in merged["steps"]], "the preview is taken"
    assert "2 packages are not signed" in opened["outcome"]["warnings"][0]
    for told in ("warnings", "changes"):
        assert merged["outcome"][told] == opened["outcome"][told]
    assert names(site.client().available()) == {"app-one", "lib-one"}
    assert site.client().install("app-one").returncode == 0
    assert preview(site, 11).makecache(check=False).returncode != 0

    revert = site.push("[]", branch="revert-one", number=12)
    assert set(kinds(service.perform(revert)).values()) == {"removed"}
    assert service.perform(site.merge(revert))["state"] == "published"
    assert site.client().available() == frozenset()


def test_closing_removes_the_preview(site: Site, service: Service) -> None:
    site.upstream.add(Package("shut"))
    pull = site.push(manifest("shut"), branch="shut", number=21)
    service.perform(pull)
    assert names(preview(site, 21).available()) == {"shut"}
    taken = requests.get(f"{site.mirror.web.url}previews/21.repo", timeout=10)
    assert taken.status_code == 200
    assert taken.headers["Cache-Control"] == "no-cache"
    client = site.client()
    (client.directory / "reposdir" / "gm-preview-21.repo").write_text(taken.text)
    client.dnf("--repo=gm-preview-21", "install", "shut")
    assert "name=Preview of team/packages#21\n" in taken.text
    assert service.perform(replace(pull, action="closed"))["state"] == "closed"
    assert preview(site, 21).makecache(check=False).returncode != 0
    assert requests.get(f"{site.mirror.web.url}previews/21.repo", timeout=10).status_code == 404
    client.makecache()  # who kept the file goes on without it


def lines(*names: str) -> str:
    """Give a manifest with a line an entry, so that git merges changes at both of its ends."""
    return "[\n" + ",\n".join(f'"{name}"' for name in names) + "\n]\n"


@pytest.fixture
def base(site: Site, service: Service) -> tuple[str, ...]:
    """What is live: four packages, of which the manifest on `main` names each on a line."""
    names_of_base = ("base-a", "base-b", "base-c", "base-d")
    if not site.upstream.path(Package("base-a")).exists():  # another build has other bytes
        site.upstream.add(*map(Package, names_of_base))
    pull = site.push(lines(*names_of_base), branch="base", number=30)
    assert service.perform(site.merge(pull))["state"] in {"published", "unchanged"}
    return names_of_base


def test_two_open_pull_requests_do_not_see_each_other_and_merge_into_one_closure(
    site: Site, service: Service, base: tuple[str, ...]
) -> None:
    site.upstream.add(Package("left"), Package("right"))
    left = site.push(lines("left", *base), branch="left", number=31)
    right = site.push(lines(*base, "right"), branch="right", number=32)
    ids = ["open-left", "open-right"]
    for pull, update_id in zip((left, right), ids, strict=True):
        assert service.deliver(pull, delivery_id=update_id).status_code == 202
    assert [service.end_of(update_id)["state"] for update_id in ids] == ["previewed"] * 2
    assert names(preview(site, 31).available()) == {"left", *base}
    assert names(preview(site, 32).available()) == {"right", *base}
    assert names(site.client().available()) == set(base)

    service.perform(site.merge(left))
    assert names(preview(site, 32).available()) == {"right", *base}, "it stays as it was made"
    merged = service.perform(site.merge(right))
    assert "download" in [step["name"] for step in merged["steps"]], "planned again"
    assert kinds(merged) == {Package("right").nevra: "added"}, "and nothing removed"
    assert names(site.client().available()) == {"left", "right", *base}


def test_a_merge_that_arrives_after_a_later_one_changes_nothing(
    site: Site, service: Service, base: tuple[str, ...]
) -> None:
    site.upstream.add(Package("early"), Package("late"))
    early = site.merge(site.push(lines("early", *base), branch="early", number=41))
    late = site.merge(site.push(lines("early", *base, "late"), branch="late", number=42))
    early = replace(early, merged_at="2026-01-01T00:00:00Z")
    published = service.perform(late)
    assert published["state"] == "published", published["message"]
    assert service.perform(early)["state"] == "superseded"
    assert names(site.client().available()) == {"early", "late", *base}


def test_merges_of_one_second_are_ordered_by_their_commits(
    site: Site, service: Service, base: tuple[str, ...]
) -> None:
    """As a merge queue makes them; the newer one's delivery comes first."""
    site.upstream.add(Package("parent"), Package("child"))
    parent = site.merge(site.push(lines("parent", *base), branch="parent", number=43))
    child = site.merge(site.push(lines("parent", *base, "child"), branch="child", number=44))
    assert service.perform(child)["state"] == "published"
    assert service.perform(replace(parent, merged_at=child.merged_at))["state"] == "superseded"
    assert names(site.client().available()) == {"parent", "child", *base}


def reason(service: Service, pull: PullRequest) -> str:
    """Give why a delivery is ignored."""
    reply = service.deliver(pull)
    assert reply.json()["command_return"] == "ignored", reply.text
    return str(reply.json()["reason"])


def test_a_push_whose_delivery_comes_late_revives_no_preview(site: Site, service: Service) -> None:
    site.upstream.add(Package("revived"))
    pull = site.push(manifest("revived"), branch="revived", number=45)
    opened = replace(pull, updated_at="2026-11-24T10:00:00Z")
    closed = replace(pull, action="closed", updated_at="2026-11-24T11:00:00Z")
    assert reason(service, closed) == "the pull request has no preview"
    assert reason(service, opened).startswith("it happened 2026-11-24T10:00:00Z; newer is known")
    assert preview(site, 45).makecache(check=False).returncode != 0


def test_another_base_takes_the_preview_away_and_brings_it_back(
    site: Site, service: Service
) -> None:
    site.upstream.add(Package("stacked"))
    pull = site.push(manifest("stacked"), branch="stacked", number=46)
    assert service.perform(pull)["state"] == "previewed"
    edited = replace(pull, action="edited", changes={"base": {"ref": {"from": "main"}}})
    assert service.perform(replace(edited, base_ref="next"))["state"] == "closed"
    assert preview(site, 46).makecache(check=False).returncode != 0
    assert service.perform(edited)["state"] == "previewed"
    assert names(preview(site, 46).available()) == {"stacked"}


def test_a_preview_is_metadata_alone_and_survives_a_push(site: Site, service: Service) -> None:
    site.upstream.add(Package("grown", size=200_000), Package("second"))
    service.perform(site.push(manifest("grown"), branch="grown", number=51))
    client = preview(site, 51)
    assert names(client.available()) == {"grown"}
    here = site.mirror.host.root / "previews" / "51"
    assert not list(here.resolve().rglob("*.rpm"))
    assert sum(file.stat().st_size for file in here.resolve().rglob("*")) < 50_000
    named = repodata(site, 51)
    pushed = site.push(manifest("grown", "second"), branch="grown", number=51)
    assert service.perform(replace(pushed, action="synchronize"))["state"] == "previewed"
    assert names(preview(site, 51).available()) == {"grown", "second"}
    assert client.install("grown").returncode == 0
    for file in named:  # a client that holds the old repomd.xml finds what it names
        assert requests.get(f"{site.mirror.web.url}previews/51/{file}", timeout=10).ok, file


def test_a_push_fetches_nothing_that_its_preview_has(site: Site, service: Service) -> None:
    site.upstream.add(Package("once"), Package("after"))
    service.perform(site.push(manifest("once"), branch="once", number=71))
    pushed = site.push(manifest("once", "after"), branch="once", number=71)
    status = service.perform(replace(pushed, action="synchronize"))
    fetched = [path for path in site.upstream_web.paths() if path.endswith(".rpm")]
    assert sum("once-1.0" in path for path in fetched) == 1
    assert sum("after-1.0" in path for path in fetched) == 1
    added = [c for c in status["outcome"]["changes"] if c["kind"] == "added"]
    assert {change["source"] for change in added} == {"upstream"}


def test_a_preview_that_cannot_be_solved_leaves_everything_as_it_was(
    site: Site, service: Service
) -> None:
    live = site.client().available()
    failed = service.perform(site.push(manifest("no-such-thing"), branch="typo", number=61))
    assert failed["state"] == "failed"
    assert "No match for argument: no-such-thing" in failed["message"]
    assert preview(site, 61).makecache(check=False).returncode != 0
    assert site.client().available() == live


def test_on_merge_refuses_a_mirror_of_two_repositories(site: Site, cli: Any) -> None:
    two = {"secret": site.secret, "repositories": ["team/packages", "team/more"]}
    config = site.config(publish="on_merge", webhook=two)
    said = cli("updates", "--config", str(config))
    assert said.returncode == 2
    assert "takes team/packages, team/more; with publish: on_merge expected one" in said.stderr
