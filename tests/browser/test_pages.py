"""The pages as a person's browser shows them: a real Chromium, after its scripts ran."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import requests

from lab.site import Service, Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Site.running() as site, Service.running(site) as running:
        yield running


def shown(url: str) -> str:
    """Give the page's DOM as it is when the page has loaded."""
    return browse(url, "--dump-dom").stdout


def spoken(url: str) -> str:
    """Give what the browser's console says of a page, and the browser of itself."""
    return browse(url, "--enable-logging=stderr", "--dump-dom").stderr


def browse(url: str, *more: str) -> subprocess.CompletedProcess[str]:
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
        return subprocess.run(
            [str(CHROMIUM), *options, *more, url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )


def test_the_status_page_shows_what_was_added_and_each_step(service: Service) -> None:
    update_id = service.perform(service.site.push('["tree"]'))["update_id"]
    page = shown(f"{service.url}/{update_id}")
    assert "published" in page
    assert "tree-1.8.0-1.el9" in page
    assert "<td>createrepo" in page
    assert 'http-equiv="refresh"' not in page, "an ended update is not loaded again and again"


def test_the_status_page_of_a_preview_shows_what_would_change() -> None:
    with Site.running() as site:
        with Service.running(site) as service:
            service.perform(site.push('["tree"]'))
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


def test_nothing_that_a_stranger_puts_into_an_address_runs(service: Service) -> None:
    """The answer names no id that is none, and is no page."""
    for script in (
        "<svg onload=document.title='ran'>",
        "<img src=x onerror=document.title='ran'>",
    ):
        page = shown(f"{service.url}/{quote(script)}")
        assert "no such update" in page
        assert "ran" not in page


def test_what_a_manifest_says_runs_in_no_page(service: Service) -> None:
    """JSON of an update is no page either, whatever it holds and whoever keeps it."""
    script = "<svg onload=document.title='ran'>"
    pull = service.site.push(json.dumps([script]))
    update_id = service.perform(pull)["update_id"]
    page = shown(f"{service.url}/{update_id}")
    assert "svg" in page
    assert "<svg" not in page
    assert "ran</title>" not in page


def test_the_page_keeps_its_style_under_its_policy(service: Service) -> None:
    update_id = service.perform(service.site.push('["tree"]'))["update_id"]
    page = f"{service.url}/{update_id}"
    reply = requests.get(page, headers={"Accept": "text/html"}, timeout=10)
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert "Content Security Policy" not in spoken(page)


def test_the_swagger_ui_of_connexion_run_shows_every_operation(service: Service) -> None:
    """Ours leaves it out: its page needs a script in it."""
    with Service.running(service.site, split=True) as split:
        page = shown(split.url.replace("/ci_server/updates", "/ui/"))
    assert "/healthz" in page
    assert "Take a delivery of GitHub" in page
