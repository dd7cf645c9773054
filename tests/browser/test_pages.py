"""The pages as a person's browser shows them: a real Chromium, after its scripts ran."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from lab.site import Service, Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Site.running() as site, Service.running(site) as running:
        yield running


def shown(url: str) -> str:
    """Give the page's DOM as it is when the page has loaded."""
    with tempfile.TemporaryDirectory(prefix="gm-chromium-") as profile:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ]
        options += ["--disable-background-networking", "--disable-component-update"]
        options += ["--disable-sync", f"--user-data-dir={profile}", "--virtual-time-budget=10000"]
        done = subprocess.run(
            [str(CHROMIUM), *options, "--dump-dom", url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout


def test_the_status_page_shows_what_was_added_and_each_step(service: Service) -> None:
    update_id = service.perform(service.site.push('["tree"]'))["update_id"]
    page = shown(f"{service.url}/{update_id}")
    assert "published" in page
    assert "tree-1.8.0-1.el9" in page
    assert "<td>createrepo" in page
    assert 'http-equiv="refresh"' not in page, "an ended update is not loaded again and again"


def test_the_status_page_of_a_preview_shows_what_would_change(service: Service) -> None:
    site = service.site
    with Service.running(site, site.config(publish="on_merge")) as reviewed:
        update_id = reviewed.perform(site.push("[]", number=8))["update_id"]
        page = shown(f"{reviewed.url}/{update_id}")
    assert "removed <code>tree-1.8.0-1.el9" in page
    assert f'<a href="{site.mirror.web.url}previews/8/">' in page


def test_the_status_page_shows_yums_words_without_running_them(service: Service) -> None:
    update_id = service.perform(service.site.push('["nosuch"]'))["update_id"]
    page = shown(f"{service.url}/{update_id}")
    assert "No match for argument: nosuch" in page
    assert "failed" in page


def test_the_swagger_ui_shows_every_operation(service: Service) -> None:
    page = shown(service.url.replace("/ci_server/updates", "/ui/"))
    assert "/healthz" in page
    assert "Take a delivery of GitHub" in page
