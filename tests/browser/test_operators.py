"""Swagger UI as an operator's browser shows it, under its policy: a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.site import Service, Site

from .test_pages import CHROMIUM, shown, spoken

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Site.running() as site, Service.running(site, operators=True) as running:
        yield f"http://{running.operators}"


def test_swagger_ui_shows_the_operations(url: str) -> None:
    page = shown(f"{url}/ui/")
    assert "List the newest updates" in page
    assert "Tell how the service fares, in detail" in page


def test_the_policy_stops_nothing_of_it(url: str) -> None:
    said = spoken(f"{url}/ui/")
    assert "Content Security Policy" not in said
    assert "Refused" not in said
