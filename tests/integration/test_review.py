"""`publish: on_merge`: previews beside what is live, and a merge that makes it exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lab.client import Client
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
    assert service.perform(replace(pull, action="closed"))["state"] == "closed"
    assert preview(site, 21).makecache(check=False).returncode != 0
